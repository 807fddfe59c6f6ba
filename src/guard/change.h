/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_CHANGE_H
#define GUARD_CHANGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "waitable/waitable.h"

/* What happened to a mapped file: the values of NONET_MEMORY_* and NONET_MAPFILE_*. */
enum {
	CHANGE_WRITTEN = 1,
	CHANGE_GREW = 2,
	CHANGE_SHRANK = 4,
	CHANGE_REMOVED = 8,
	CHANGE_REPLACED = 16,
	CHANGE_UNKNOWN = 1 << 30, /* internal: look */
};

/* The watch of a file; nothing is asked of the kernel before somebody wants to wait. */
struct change {
	int fd; /* inotify(7), -1: nobody wanted to wait so far */
	unsigned generation;
	bool ended;          /* the kernel has ended the watch, and it wasn't begun anew so far */
	atomic_uint pending; /* changes read from it that a call which failed couldn't tell */
	struct nonet_waitable waitable;
};

void change_init(struct change *change);
void change_done(struct change *change);

/* Watch the file @fd from now on, if it isn't: 0, -ECHILD: it is the parent's watch; -errno. */
int change_watch(struct change *change, int fd);

/* 1: something is known already. As nonet_<object>_arm(), for a watch that there is. */
int change_arm(struct change *change);

/*
 * Wait for something to have happened since the last time.
 * @path: the name that was opened, or NULL
 * @end:  up to where the file is mapped
 */
int change_take(struct change *change, int fd, const char *path, uint64_t end, nonet_time deadline,
		uint32_t *ret_changes);

#endif
