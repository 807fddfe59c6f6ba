/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_MOUNTS_H
#define INSPECT_MOUNTS_H

#include <stdbool.h>

/* What is mounted in our namespace, one line of proc_pid_mountinfo(5) each. */
struct mounts {
	char *text;
};

/* Freed with mounts_done(). Return: 0, or -errno: then there are none. */
int mounts_read(struct mounts *ret_mounts);
void mounts_done(struct mounts *mounts);

/*
 * Whether a path is on a file system whose files are elsewhere: a server, or a program, that is dead keeps for ever who
 * asks for one of them.
 */
bool mounts_may_hang(const struct mounts *mounts, const char *path);

/* Where the first file system of a type is mounted, as a directory's descriptor; -ENOENT: nowhere. */
int mounts_open(const struct mounts *mounts, const char *type);

#endif
