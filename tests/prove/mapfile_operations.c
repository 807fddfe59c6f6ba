/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <nonet/mapfile.h>

#include "prove/operations.h"

/* A file appears whole, with its mode, or not at all; and nothing else appears. */

#define LENGTH 16384
#define MODE   0640

static int create(const struct prove_run *run, struct nonet_mapfile **ret_file)
{
	const struct nonet_mapfile_options options = {
		.size = sizeof(options), .flags = NONET_MAPFILE_EXISTING, .length = LENGTH, .mode = MODE};
	char path[128];

	snprintf(path, sizeof(path), "%s/file", prove_directory(run));
	return nonet_mapfile_create(path, &options, ret_file, NULL);
}

static void prepare(struct prove_run *run)
{
	(void)run; /* an empty directory */
}

static void victim(struct prove_run *run)
{
	struct nonet_mapfile *file;
	int result;

	prove_begin(run);
	result = create(run, &file);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mapfile_create() says %d", result);
}

static void check_names(struct prove_run *run)
{
	DIR *directory = opendir(prove_directory(run));
	struct dirent *entry;

	prove_require(run, directory, "no directory");
	while ((entry = readdir(directory)))
		prove_require(run, entry->d_name[0] == '.' ? strlen(entry->d_name) < 3 : !strcmp(entry->d_name, "file"),
			      "%s was left behind", entry->d_name);
	closedir(directory);
}

static void survivor(struct prove_run *run)
{
	struct nonet_mapfile *file;
	char path[128];
	struct stat before = {0};
	struct stat stat;
	bool was_there;
	int64_t code;
	int result;

	snprintf(path, sizeof(path), "%s/file", prove_directory(run));
	was_there = lstat(path, &before) == 0;
	prove_begin(run);
	result = create(run, &file);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mapfile_create() says %d", result);
	check_names(run);
	for (int role = PROVE_FIRST; role <= PROVE_SECOND; role++)
		prove_require(run, was_there || !prove_returned(run, (enum prove_role)role, &code) || code != 0,
			      "a file that was acknowledged is not there");
	prove_require(run, lstat(path, &stat) == 0 && (!was_there || stat.st_ino == before.st_ino),
		      "the file isn't the one that was there");
	prove_require(run, stat.st_size == LENGTH && (stat.st_mode & 07777) == MODE, "%lld bytes, mode %o",
		      (long long)stat.st_size, stat.st_mode);
}

const struct prove_operation prove_mapfile_create = {
	.name = "mapfile-create",
	.object = "mapfile",
	.symbol = "nonet_mapfile_create",
	.states = (const char *const[]){"absent", NULL},
	.prepare = prepare,
	.victim = victim,
	.survivor = survivor,
};
