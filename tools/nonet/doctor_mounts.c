/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue; see proc_pid_mountinfo(5) */
static int take_mount(const char *line, struct doctor_mount *ret_mount)
{
	const char *separator = strstr(line, " - ");

	memset(ret_mount, 0, sizeof(*ret_mount));
	return separator &&
	       sscanf(line, "%*s %*s %*s %255s %255s %255s", ret_mount->root, ret_mount->point, ret_mount->options) ==
		       3 &&
	       sscanf(separator, " - %31s %*s %511s", ret_mount->type, ret_mount->super) >= 1;
}

int doctor_mount_find(const struct doctor *doctor, doctor_mount_wanted *want, const void *data,
		      struct doctor_mount *ret_mount)
{
	FILE *file = doctor_open(doctor, "/proc/self/mountinfo");
	struct doctor_mount mount;
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!file)
		return -errno;
	while (getline(&line, &room, file) >= 0) {
		if (take_mount(line, &mount) && want(&mount, data)) {
			*ret_mount = mount;
			r = 1;
		}
	}
	free(line);
	fclose(file);
	return r;
}

int doctor_mount_at(const struct doctor_mount *mount, const void *data)
{
	return strcmp(mount->point, data) == 0;
}

int doctor_mount_of_type(const struct doctor_mount *mount, const void *data)
{
	return strcmp(mount->type, data) == 0;
}

const char *doctor_mount_option(const char *options, const char *name)
{
	size_t size = strlen(name), length;

	for (;;) {
		length = strcspn(options, ",");
		if (length == size && strncmp(options, name, size) == 0)
			return options + size;
		if (length > size && strncmp(options, name, size) == 0 && options[size] == '=')
			return options + size + 1;
		if (!options[length])
			return NULL;
		options += length + 1;
	}
}
