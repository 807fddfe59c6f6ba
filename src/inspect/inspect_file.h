/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_INSPECT_FILE_H
#define INSPECT_INSPECT_FILE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A file as the kernel's texts name it: by the device of its file system and the inode's number there, not by
 * stat(2)'s, which differ on file systems that have several of either (btrfs, overlayfs).
 */
struct inspect_file {
	unsigned major, minor;
	uint64_t inode;
};

/* A mount and its device. While a descriptor on it is open the number is no other mount's, in any namespace. */
struct inspect_mount {
	int number;
	unsigned major, minor;
};

int inspect_file_compare(const struct inspect_file *a, const struct inspect_file *b);
bool inspect_file_is_same(const struct inspect_file *a, const struct inspect_file *b);

/*
 * Which file a descriptor of ours is, which may be O_PATH.
 * @thread: the calling one's folder in /proc
 *
 * Return: 1; 0 if its mount isn't in our tree, as of most files in a chroot; or -errno.
 */
int inspect_file_of_place(int thread, int place, struct inspect_file *ret_file, struct inspect_mount *ret_mount);

/*
 * The same where the mount isn't in our tree: by an inotify watch, for a moment, so only of a file that we may read.
 *
 * Return: 1; 0 if the kernel doesn't tell; or -errno, of which -EACCES is that we may not read it, and -ENOSPC that no
 * watch is left.
 */
int inspect_file_of_watch(int thread, int place, struct inspect_file *ret_file, struct inspect_mount *ret_mount);

/*
 * Which file a descriptor of any process is.
 * @known: a mount that we have a descriptor on
 *
 * Return: 1; 0 if it is on another mount, that isn't in the process's tree (any more); or -errno.
 */
int inspect_file_of_descriptor(int process, int fd, const struct inspect_mount *known, struct inspect_file *ret_file);

#endif
