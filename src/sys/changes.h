/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CHANGES_H
#define SYS_CHANGES_H

#include <stdbool.h>

/* Changes of files. Each returns 0 or more, or -errno; none waits. */

/* CLOEXEC, non-blocking. */
int sys_inotify_create(void);

/* Watch the very file behind a descriptor for changes of its bytes, its size, its names. Needs /proc. */
int sys_inotify_watch(int inotify, int fd);

/*
 * Whether something came since the last time: 0, or -EAGAIN. Not all of it, if it is very much.
 * @ret_written: to the bytes or the size
 * @ret_ended:   the kernel has ended the watch with one of the file's names, though the file may live on
 */
int sys_inotify_read(int inotify, bool *ret_written, bool *ret_ended);

#endif
