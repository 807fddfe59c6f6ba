/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SIGNALS_H
#define SYS_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Signals. Each returns 0 or more, or -errno. None of these calls waits, so none is ever interrupted. A mask is the
 * kernel's: bit N - 1 is signal N.
 */

/* Whether there is such a signal, and the C library doesn't keep it to itself. */
bool sys_signal_is_known(int number);

/* kill(2): the kernel says who sent it. A negative @pid is a group. */
int sys_signal_send(pid_t pid, int number);

/* With a value, as SI_QUEUE: we say who sent it. */
int sys_signal_queue(pid_t pid, int number, int value);

/* Both kinds: without @value by kill's rules, with it queued. */
int sys_signal_send_pidfd(int pidfd, int number, const int *value);
int sys_signal_send_thread(pid_t process, pid_t thread, int number, const int *value);

/* Block and unblock in the calling thread; all 64, those that the C library keeps to itself too. */
int sys_signal_block(uint64_t mask, uint64_t *ret_before);
void sys_signal_unblock(uint64_t mask);
void sys_signal_set_mask(uint64_t mask);

/* CLOEXEC, non-blocking. */
int sys_signalfd_create(uint64_t mask);

struct sys_signal {
	int number;
	int code;
	pid_t pid;
	uid_t uid;
	int value;
	int status; /* of SIGCHLD */
};

/* The next signal: 0, or -EAGAIN. */
int sys_signalfd_read(int fd, struct sys_signal *ret_signal);

#endif
