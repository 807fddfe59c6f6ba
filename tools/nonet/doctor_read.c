/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

char *doctor_path(const struct doctor *doctor, const char *path)
{
	char *whole;

	return asprintf(&whole, "%s%s", doctor->root, path) < 0 ? NULL : whole;
}

FILE *doctor_open(const struct doctor *doctor, const char *path)
{
	char *whole = doctor_path(doctor, path);
	struct stat status;
	FILE *file = NULL;
	int fd, code = ENOMEM;

	if (whole) {
		/* whatever lies there under that name: a FIFO without writer must not hold us up */
		fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		code = errno;
		if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
			code = EBADMSG;
		else if (fd >= 0 && !(file = fdopen(fd, "r")))
			code = errno;
		if (fd >= 0 && !file)
			close(fd);
		free(whole);
	}
	errno = code;
	return file;
}

static int open_failed(void)
{
	return errno ? -errno : -EIO;
}

/* Files below /proc may fail when they are read: a sysctl that another namespace's owner may not see. */
static int at_end(FILE *file)
{
	return ferror(file) ? open_failed() : -EBADMSG;
}

static void cut_end(char *line)
{
	line[strcspn(line, "\n")] = '\0';
}

int doctor_line(const struct doctor *doctor, const char *path, char *ret_line, size_t size)
{
	FILE *file = doctor_open(doctor, path);
	int r = 0;

	if (!file)
		return open_failed();
	errno = 0;
	if (fgets(ret_line, (int)size, file))
		cut_end(ret_line);
	else
		r = at_end(file);
	fclose(file);
	return r;
}

/* Return: where the number ends, or NULL. */
static const char *take_number(const char *text, uint64_t *ret_number)
{
	static const char *const unlimited[] = {"max", "unlimited"};
	char *end;
	size_t i;

	text += strspn(text, " \t");
	for (i = 0; i < sizeof(unlimited) / sizeof(unlimited[0]); i++) {
		if (strncmp(text, unlimited[i], strlen(unlimited[i])) == 0) {
			*ret_number = DOCTOR_UNLIMITED;
			return text + strlen(unlimited[i]);
		}
	}
	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno == 0 ? end : NULL;
}

static int take_numbers(const char *text, uint64_t *ret_numbers, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		text = take_number(text, &ret_numbers[i]);
		if (!text)
			return -EBADMSG;
	}
	return 0;
}

int doctor_numbers(const struct doctor *doctor, const char *path, uint64_t *ret_numbers, size_t count)
{
	char line[256];
	int r = doctor_line(doctor, path, line, sizeof(line));

	return r < 0 ? r : take_numbers(line, ret_numbers, count);
}

int doctor_number(const struct doctor *doctor, const char *path, uint64_t *ret_number)
{
	return doctor_numbers(doctor, path, ret_number, 1);
}

int doctor_field(const struct doctor *doctor, const char *path, const char *key, char *ret_value, size_t size)
{
	FILE *file = doctor_open(doctor, path);
	char *line = NULL, *value;
	size_t room = 0;
	int r = -EBADMSG;

	if (!file)
		return open_failed();
	errno = 0;
	while (r < 0 && getline(&line, &room, file) >= 0) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		cut_end(line);
		value = line + strlen(key);
		snprintf(ret_value, size, "%s", value + strspn(value, " \t"));
		r = 0;
	}
	if (r < 0)
		r = at_end(file);
	free(line);
	fclose(file);
	return r;
}

int doctor_sees_settings(const struct doctor *doctor)
{
	char release[64]; /* every kernel has one */

	return doctor_line(doctor, "/proc/sys/kernel/osrelease", release, sizeof(release)) == 0;
}

int doctor_rlimit(const struct doctor *doctor, const char *name, uint64_t *ret_soft, uint64_t *ret_hard)
{
	uint64_t limits[2];
	char text[128];
	int r = doctor_field(doctor, "/proc/self/limits", name, text, sizeof(text));

	if (r == 0)
		r = take_numbers(text, limits, 2);
	if (r < 0)
		return r;
	*ret_soft = limits[0];
	*ret_hard = limits[1];
	return 0;
}

int doctor_rows(const struct doctor *doctor, const char *path, uint64_t *ret_rows)
{
	FILE *file = doctor_open(doctor, path);
	char *line = NULL;
	uint64_t rows = 0;
	size_t room = 0;
	int r;

	if (!file)
		return open_failed();
	errno = 0;
	while (getline(&line, &room, file) >= 0)
		rows++;
	r = rows > 0 ? 0 : at_end(file);
	free(line);
	fclose(file);
	if (r == 0)
		*ret_rows = rows - 1;
	return r;
}
