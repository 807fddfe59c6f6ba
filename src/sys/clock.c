/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include <errno.h>
#include <time.h>

#include "base/time.h"
#include "sys/fault.h"

nonet_time nonet_clock(void)
{
	struct timespec now;

	/* Can't fail: CLOCK_MONOTONIC is always there, and the vDSO answers without a system call. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nonet_time)now.tv_sec * 1000000000 + now.tv_nsec;
}

nonet_time nonet_after(nonet_time duration)
{
	return time_after(nonet_clock(), duration);
}

int sys_sleep_interval(nonet_time interval, nonet_time deadline)
{
	nonet_time until;
	nonet_time now;
	struct timespec when;
	int error;

	if (deadline == NONET_NOW)
		return -EAGAIN;
	now = nonet_clock();
	if (now >= deadline)
		return -ETIMEDOUT;
	error = sys_fault(SYS_CALL_NANOSLEEP);
	if (error < 0)
		return error;
	until = time_after(now, interval);
	if (until > deadline)
		until = deadline;
	when = time_to_timespec(until);
	/* An absolute time, so that a storm of signals can't stretch it. */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
	return 0;
}
