/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FUTEX_H
#define SYS_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

#include <nonet/time.h>

/*
 * Sleeping on words of memory that processes share (futex(2), futex_waitv(2)). A mapping that can only be read will do.
 */

/*
 * Sleep while *@word is @value: 0 woken, or it is another, or a signal came, or for no reason; -ETIMEDOUT. -EFAULT: the
 * page can't be had; -ENOMEM.
 */
int sys_futex_wait(const _Atomic uint32_t *word, uint32_t value, nonet_time deadline);

/* Sleep while both are as given, else as above. -ENOSYS, -EPERM: before Linux 5.16, or a filter doesn't know it. */
struct sys_futex_pair {
	const _Atomic uint32_t *words[2];
	uint32_t values[2];
};
int sys_futex_wait_pair(const struct sys_futex_pair *pair, nonet_time deadline);

/* Sleep while all are as given: 1 to SYS_FUTEX_MANY of them. */
#define SYS_FUTEX_MANY 128
struct sys_futex_word {
	const _Atomic uint32_t *word;
	uint32_t value;
};
int sys_futex_wait_many(const struct sys_futex_word *words, int count, nonet_time deadline);

/* Wake as many that sleep on it: how many woke, -EFAULT. */
#define SYS_FUTEX_ALL INT32_MAX
int sys_futex_wake(const _Atomic uint32_t *word, int32_t count);

#endif
