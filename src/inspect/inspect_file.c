/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/inspect_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/changes.h"
#include "sys/files.h"
#include "sys/look.h"

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int inspect_file_compare(const struct inspect_file *a, const struct inspect_file *b)
{
	int order = compare_numbers(a->inode, b->inode);

	order = order ? order : compare_numbers(a->major, b->major);
	return order ? order : compare_numbers(a->minor, b->minor);
}

bool inspect_file_is_same(const struct inspect_file *a, const struct inspect_file *b)
{
	return inspect_file_compare(a, b) == 0;
}

static int open_fdinfo(int process, int fd, struct sys_lines *ret_lines)
{
	char path[32];

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	return sys_lines_open(process, path, ret_lines);
}

static int read_fdinfo(int process, int fd, int *ret_mount, uint64_t *ret_inode)
{
	struct sys_lines lines;
	uint64_t inode = 0;
	int mount = -1;
	int error = open_fdinfo(process, fd, &lines);

	if (error < 0)
		return error;
	while ((error = sys_lines_next(&lines)) > 0) {
		const char *value = sys_lines_value(&lines, "mnt_id");

		if (value)
			mount = (int)strtol(value, NULL, 10);
		value = sys_lines_value(&lines, "ino");
		if (value)
			inode = strtoull(value, NULL, 10);
	}
	sys_lines_close(&lines);
	if (error < 0)
		return error;
	*ret_mount = mount;
	*ret_inode = inode;
	return 0;
}

/* The mount of that number in the process's tree: 1, or 0 if there is none. */
static int find_mount(int process, int number, struct inspect_mount *ret_mount)
{
	struct inspect_mount mount;
	struct sys_lines lines;
	int error = sys_lines_open(process, "mountinfo", &lines);
	bool found = false;

	if (error < 0)
		return error;
	while (!found && (error = sys_lines_next(&lines)) > 0)
		found = sscanf(lines.line, "%d %*d %u:%u", &mount.number, &mount.major, &mount.minor) == 3 &&
			mount.number == number;
	sys_lines_close(&lines);
	if (found)
		*ret_mount = mount;
	return error < 0 ? error : found;
}

/* "inotify wd:1 ino:9e7e sdev:800013 mask:...": the kernel's own dev_t, 12 bits and 20, in hexadecimal. */
static bool read_watch(const char *line, uint64_t inode, struct inspect_mount *ret_mount)
{
	uint64_t watched;
	unsigned device;

	if (sscanf(line, "inotify wd:%*x ino:%" SCNx64 " sdev:%x", &watched, &device) != 2 || watched != inode)
		return false;
	ret_mount->major = device >> 20;
	ret_mount->minor = device & 0xfffff;
	return true;
}

static struct inspect_file file_on(const struct inspect_mount *mount, uint64_t inode)
{
	return (struct inspect_file){.major = mount->major, .minor = mount->minor, .inode = inode};
}

int inspect_file_of_place(int thread, int place, struct inspect_file *ret_file, struct inspect_mount *ret_mount)
{
	struct inspect_mount mount;
	uint64_t inode;
	int number;
	int error = read_fdinfo(thread, place, &number, &inode);

	if (error == 0)
		error = find_mount(thread, number, &mount);
	if (error != 1)
		return error;
	*ret_file = file_on(&mount, inode);
	*ret_mount = mount;
	return 1;
}

/*
 * The kernel shows a watch with the device that it has for locks too: that of the file system, and not what stat(2)
 * calls a device, by which on btrfs and overlayfs no lock would be found, or another file's. Nothing is opened for it,
 * and what happens to the file meanwhile is thrown away. To end a watch takes the kernel some 10 ms, whatever the
 * deadline.
 */
int inspect_file_of_watch(int thread, int place, struct inspect_file *ret_file, struct inspect_mount *ret_mount)
{
	struct inspect_mount mount;
	struct sys_lines lines;
	bool found = false;
	uint64_t inode;
	int inotify;
	int error = read_fdinfo(thread, place, &mount.number, &inode);

	if (error < 0)
		return error;
	error = inotify = sys_inotify_create();
	if (error >= 0)
		error = sys_inotify_watch(inotify, place);
	if (error >= 0)
		error = open_fdinfo(thread, inotify, &lines);
	if (error >= 0) {
		while (!found && (error = sys_lines_next(&lines)) > 0)
			found = read_watch(lines.line, inode, &mount);
		sys_lines_close(&lines);
	}
	sys_close(&inotify);
	if (!found)
		return error;
	*ret_file = file_on(&mount, inode);
	*ret_mount = mount;
	return 1;
}

int inspect_file_of_descriptor(int process, int fd, const struct inspect_mount *known, struct inspect_file *ret_file)
{
	struct inspect_mount mount = *known;
	uint64_t inode;
	int number;
	int error = read_fdinfo(process, fd, &number, &inode);

	if (error < 0)
		return error;
	if (number != known->number)
		error = find_mount(process, number, &mount);
	else
		error = 1;
	if (error == 1)
		*ret_file = file_on(&mount, inode);
	return error;
}
