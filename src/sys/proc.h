/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROC_H
#define SYS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "sys/filelocks.h"

/*
 * What only /proc tells. Each returns 0 or more, or -errno; -ENOENT without /proc. Of others a process that ends
 * meanwhile is -ENOENT or -ESRCH, one that we may not look at -EACCES or -EPERM. EINTR is retried.
 */

struct sys_thread {
	pid_t id;
	char name[16];
	uint64_t blocked; /* its signal mask */
};

/*
 * Look for a thread of this process that leaves one of the signals in @mask unblocked. A thread that begins meanwhile
 * has its creator's mask, and its creator is looked at; one that is just ending is passed over.
 *
 * Return: 1 with *@ret_thread, 0 there is none.
 */
int sys_thread_find_unblocked(uint64_t mask, struct sys_thread *ret_thread);

/*
 * Whether a thread waits for a lock of an open file description now. @tasks is its process's directory "task".
 *
 * Return: 1 with the descriptor, and the mode and range that it waits for; 0 it does something else. A 32-bit program's
 * waiting isn't seen. A range that isn't given from the file's beginning is told as the whole file.
 */
int sys_task_waits_for_ofd_lock(int tasks, const char *task, int *ret_fd, enum sys_lock_mode *ret_mode,
				struct sys_lock_range *ret_range);

/* The number in our PID namespace of a pidfd's process: 0 if it has none there, or none any more. */
int sys_pidfd_number(int pidfd, pid_t *ret_pid);

#endif
