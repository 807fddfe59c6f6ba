/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_ROBUST_H
#define SYS_ROBUST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Words that the kernel marks when a thread dies (get_robust_list(2), Documentation/locking/robust-futexes): as the
 * thread's very last step, once it can't write to memory any more, the kernel walks its list of robust mutexes, and in
 * the word of each that holds the thread's id sets FUTEX_OWNER_DIED and wakes one sleeper.
 *
 * The list is the C library's, for PTHREAD_MUTEX_ROBUST. A node of ours is linked in as the last: behind all of the
 * program's mutexes, so that one of ours whose memory can't be reached (the walk ends there) costs the program nothing.
 * What we know of the list's form (glibc: doubly linked, "previous" in front of "next", of a node and of the head) is
 * checked with a mutex of our own before it is used.
 */

/* As the C library links its mutexes; the kernel knows only @next. */
struct sys_robust_node {
	void *previous; /* the address of the @next of the node before */
	void *next;     /* of the node behind; bit 0 of both: that one is a PI mutex */
};

/* The bytes from a word to its node: the same for all in a list. */
#define SYS_ROBUST_DISTANCE 24

/* In a word: bits of FUTEX(2). */
#define SYS_LIFE_WAITERS 0x80000000u /* somebody may sleep on it: the kernel wakes */
#define SYS_LIFE_DIED    0x40000000u /* by the kernel: the thread is dead */
#define SYS_LIFE_THREAD  0x3fffffffu

/*
 * Link in a node of the calling thread's. The thread may be killed at any instruction of this.
 * @node: SYS_ROBUST_DISTANCE behind its word
 *
 * Return: whether it is: not if this C library's lists aren't as we think, which is asked once, nor in a thread that
 * has none: of a child that wasn't forked by the C library (raw clone(2)), for one.
 */
bool sys_robust_link(struct sys_robust_node *node);

/* And out again, one that is in. */
void sys_robust_unlink(struct sys_robust_node *node);

#endif
