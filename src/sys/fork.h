/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FORK_H
#define SYS_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

/* The number of this process, 0: it is new, and nobody has asked yet; or, where the kernel empties no page, always. */
extern _Atomic unsigned *sys_fork_page;

/* Where that is 0. */
__attribute__((cold)) unsigned sys_generation_first(void);

/*
 * Which process this is, in a line of forks: no two processes have the same number that got there from one another by
 * fork(2), however it was called. Unlike getpid(2) it costs no system call, and differs where a PID namespace gives a
 * child the number of its parent. Nothing can be told from the numbers of unrelated processes.
 */
static inline unsigned sys_generation(void)
{
	const unsigned now = atomic_load_explicit(sys_fork_page, memory_order_relaxed);

	return __builtin_expect(now != 0, 1) ? now : sys_generation_first();
}

/* Whether it is this one, if that can be told without a call; for who asks again where not. */
static inline bool sys_generation_is_surely(unsigned generation)
{
	/* None is 0. */
	return atomic_load_explicit(sys_fork_page, memory_order_relaxed) == generation;
}

#endif
