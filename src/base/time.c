/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <errno.h>

#include "base/checked.h"

#define NS_PER_SECOND INT64_C(1000000000)

struct timespec time_to_timespec(nonet_time time)
{
	if (time < 0)
		time = 0;
	return (struct timespec){.tv_sec = time / NS_PER_SECOND, .tv_nsec = time % NS_PER_SECOND};
}

nonet_time time_until(nonet_time deadline, nonet_time now)
{
	nonet_time left;

	if (deadline == NONET_FOREVER)
		return NONET_FOREVER;
	if (deadline <= now)
		return 0;
	/* Only a @now before 0 can get here, and no clock gives one. */
	if (__builtin_sub_overflow(deadline, now, &left))
		return NONET_FOREVER;
	return left;
}

nonet_time time_after(nonet_time now, nonet_time duration)
{
	nonet_time sum;

	if (duration <= 0)
		return NONET_NOW;
	if (!checked_add_i64(now, duration, &sum))
		return NONET_FOREVER;
	return sum;
}

int time_expired(nonet_time deadline)
{
	return deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT;
}
