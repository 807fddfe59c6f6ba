/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <nonet/version.h>

#include "say.h"

#define PATH_SIZE 4096

/* Where the file is to be. Return: 0, or -1: nobody says where. */
static int path_of(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int used;

	if (state && state[0] == '/')
		used = snprintf(path, size, "%s/nonet/bench.json", state);
	else if (home && home[0] == '/')
		used = snprintf(path, size, "%s/.local/state/nonet/bench.json", home);
	else
		return -1;
	return used > 0 && (size_t)used < size ? 0 : -1;
}

/* All folders of a path; those that are there stay as they are. */
static void make_folders(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* That one can't be made shows when the file can't. */
		(void)mkdir(path, 0700);
		*slash = '/';
	}
}

/* An array of what was kept before of other rows, and of the same machine and version. */
static json_t *earlier(const char *path, json_t *results, const json_t *machine)
{
	json_t *kept = json_array(), *file = json_load_file(path, 0, NULL), *one, *other;
	size_t i, j;

	if (!json_equal(json_object_get(file, "machine"), machine) ||
	    !json_equal(json_object_get(file, "version"), json_object_get(results, "version"))) {
		json_decref(file);
		return kept;
	}
	json_array_foreach(json_object_get(file, "results"), i, one)
	{
		int again = 0;

		json_array_foreach(json_object_get(results, "results"), j, other) again |=
			json_equal(json_object_get(one, "what"), json_object_get(other, "what")) &&
			json_equal(json_object_get(one, "mode"), json_object_get(other, "mode")) &&
			json_equal(json_object_get(one, "size"), json_object_get(other, "size"));
		if (!again)
			json_array_append(kept, one);
	}
	json_decref(file);
	return kept;
}

/* With a date and how it was made in each, since others of another day may stand beside them. */
static json_t *document(const json_t *results, const struct bench_machine *machine, int quick)
{
	json_t *list = json_deep_copy(results), *one;
	const time_t now = time(NULL);
	char date[32] = "";
	struct tm utc;
	size_t i;

	if (gmtime_r(&now, &utc))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_array_foreach(list, i, one)
	{
		json_object_set_new(one, "date", json_string(date));
		json_object_set_new(one, "quick", json_boolean(quick));
	}
	return json_pack("{s:{s:s, s:s, s:s, s:b}, s:s, s:s, s:o}", "machine", "cpu", machine->cpu, "kernel",
			 machine->kernel, "cpus", machine->cpus, "virtual", machine->is_virtual, "date", date,
			 "version", nonet_version(), "results", list);
}

/* A new file in the place of the old one. Return: 0 or a negative errno. */
static int replace(const char *path, json_t *whole)
{
	char other[PATH_SIZE + 16];
	FILE *file;
	int fd, r = 0;

	snprintf(other, sizeof(other), "%s.XXXXXX", path);
	fd = mkstemp(other);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		r = -errno;
		close(fd);
	} else {
		if (json_dumpf(whole, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) < 0 ||
		    fputc('\n', file) == EOF || fflush(file) != 0 || fsync(fd) < 0)
			r = errno ? -errno : -EIO;
		if (fclose(file) != 0 && r == 0)
			r = -errno;
	}
	if (r == 0 && rename(other, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(other);
	return r;
}

void bench_keep(json_t *results, const struct bench_machine *machine, int quick)
{
	json_t *whole = document(results, machine, quick), *before;
	char path[PATH_SIZE];
	int r;

	if (path_of(path, sizeof(path)) < 0) {
		say_failure("the results aren't kept: neither XDG_STATE_HOME nor HOME is a path");
		json_decref(whole);
		return;
	}
	make_folders(path);
	before = whole ? earlier(path, whole, json_object_get(whole, "machine")) : NULL;
	r = before && json_array_extend(json_object_get(whole, "results"), before) == 0 ? replace(path, whole)
											: -ENOMEM;
	if (r < 0)
		say_failure("the results aren't kept in %s: %s", path, strerror(-r));
	json_decref(before);
	json_decref(whole);
}
