/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FILELOCKS_H
#define SYS_FILELOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The kernel's file locks. Each returns 0 or more, or -errno. -EAGAIN: somebody else has it. Those that wait may be
 * interrupted: then -EINTR, and nothing was taken; the others can't be.
 */
enum sys_lock_mode {
	SYS_LOCK_NONE, /* unlock */
	SYS_LOCK_SHARED,
	SYS_LOCK_EXCLUSIVE,
};

/* Which bytes; a length of 0 is all that follow. */
struct sys_lock_range {
	int64_t start;
	int64_t length;
};

/* Of an open file description: F_OFD_SETLK, and F_OFD_SETLKW to @wait. */
int sys_ofd_lock(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait);

/* Of the process: F_SETLK, and F_SETLKW to @wait, which may be -EDEADLK. */
int sys_posix_lock(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait);

/*
 * Whether a lock of an open file description (@ofd) or of the process would find another in its way now.
 *
 * Return: 1 and the process that has it, -1 if no process does (a lock of an open file description, or a server's), 0
 * if it is outside of our PID namespace; 0: nothing is in the way.
 */
int sys_record_lock_in_way(int fd, bool ofd, enum sys_lock_mode mode, const struct sys_lock_range *range,
			   pid_t *ret_pid);

/* Of an open file description, whole: flock(2). */
int sys_whole_lock(int fd, enum sys_lock_mode mode, bool wait);

/* Make a file that isn't there yet (-EEXIST), open for reading and writing, O_CLOEXEC; less the umask. */
int sys_lock_file_create(const char *path, mode_t mode);

#endif
