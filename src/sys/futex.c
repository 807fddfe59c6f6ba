/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/fault.h"

/* Linux 5.16. Their numbers are the same on every machine, and the headers may be older. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef FUTEX_32
#define FUTEX_32 2
#endif

/* struct futex_waitv of linux/futex.h */
struct futex_waiter {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

static int futex_result(long result)
{
	if (result >= 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	return -errno;
}

int sys_futex_wait(const _Atomic uint32_t *word, uint32_t value, nonet_time deadline)
{
	const struct timespec until = time_to_timespec(deadline);
	int error = sys_fault(SYS_CALL_FUTEX_WAIT);

	if (error < 0)
		return error;
	/* The one that takes an absolute time; of CLOCK_MONOTONIC, since FUTEX_CLOCK_REALTIME isn't there. */
	return futex_result(syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value,
				    deadline == NONET_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY));
}

int sys_futex_wait_pair(const struct sys_futex_pair *pair, nonet_time deadline)
{
	const struct timespec until = time_to_timespec(deadline);
	const struct futex_waiter waiters[2] = {
		{.value = pair->values[0], .address = (uintptr_t)pair->words[0], .flags = FUTEX_32},
		{.value = pair->values[1], .address = (uintptr_t)pair->words[1], .flags = FUTEX_32},
	};
	int error = sys_fault(SYS_CALL_FUTEX_WAIT);

	if (error < 0)
		return error;
	return futex_result(
		syscall(SYS_futex_waitv, waiters, 2, 0, deadline == NONET_FOREVER ? NULL : &until, CLOCK_MONOTONIC));
}

int sys_futex_wait_many(const struct sys_futex_word *words, int count, nonet_time deadline)
{
	const struct timespec until = time_to_timespec(deadline);
	struct futex_waiter waiters[SYS_FUTEX_MANY];
	int error = sys_fault(SYS_CALL_FUTEX_WAIT);

	if (error < 0)
		return error;
	for (int i = 0; i < count; i++)
		waiters[i] = (struct futex_waiter){
			.value = words[i].value, .address = (uintptr_t)words[i].word, .flags = FUTEX_32};
	return futex_result(syscall(SYS_futex_waitv, waiters, count, 0, deadline == NONET_FOREVER ? NULL : &until,
				    CLOCK_MONOTONIC));
}

int sys_futex_wake(const _Atomic uint32_t *word, int32_t count)
{
	int error = sys_fault(SYS_CALL_FUTEX_WAKE);
	long woken;

	if (error < 0)
		return error;
	woken = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
	return woken < 0 ? -errno : (int)woken;
}
