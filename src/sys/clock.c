/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include <errno.h>
#include <time.h>

#include "base/time.h"
#include "sys/cancel.h"
#include "sys/fault.h"

#define RETRY_FIRST NONET_US(50)
#define RETRY_MOST  NONET_MS(5)

nonet_time nonet_clock(void)
{
	struct timespec now;

	/* Can't fail: CLOCK_MONOTONIC is always there, and the vDSO answers without a system call. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nonet_time)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t sys_clock_real(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

nonet_time nonet_after(nonet_time duration)
{
	return time_after(nonet_clock(), duration);
}

nonet_time sys_retry_next(struct sys_retry *retry)
{
	retry->interval = retry->interval ? 2 * retry->interval : RETRY_FIRST;
	if (retry->interval > RETRY_MOST)
		retry->interval = RETRY_MOST;
	return retry->interval;
}

int sys_retry_sleep(struct sys_retry *retry, nonet_time deadline)
{
	nonet_time until;
	nonet_time now;
	struct timespec when;
	int cancel;
	int error;

	if (deadline == NONET_NOW)
		return -EAGAIN;
	now = nonet_clock();
	if (now >= deadline)
		return -ETIMEDOUT;
	error = sys_fault(SYS_CALL_NANOSLEEP);
	if (error < 0)
		return error;
	until = time_after(now, sys_retry_next(retry));
	if (until > deadline)
		until = deadline;
	when = time_to_timespec(until);
	cancel = sys_cancel_off();
	/* An absolute time, so that a storm of signals can't stretch it. */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
	sys_cancel_restore(cancel);
	return 0;
}
