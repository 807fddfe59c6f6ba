/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROC_H
#define SYS_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* What only /proc tells. Each returns 0 or more, or -errno; -ENOENT without /proc. EINTR is retried. */

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

/* The number in our PID namespace of a pidfd's process: 0 if it has none there, or none any more. */
int sys_pidfd_number(int pidfd, pid_t *ret_pid);

#endif
