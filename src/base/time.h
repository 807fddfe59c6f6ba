/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <time.h>

#include <nonet/time.h>

/* The pure half of time; nonet_clock() and nonet_after() ask the kernel, and live in sys/clock.c. */

/* @time as struct timespec; a time before 0 as 0. */
struct timespec time_to_timespec(nonet_time time);

/* How long it is from @now until @deadline, at least 0; NONET_FOREVER stays NONET_FOREVER. */
nonet_time time_until(nonet_time deadline, nonet_time now);

/* @now + @duration; NONET_NOW for a duration of 0 or less, NONET_FOREVER where the sum doesn't fit. */
nonet_time time_after(nonet_time now, nonet_time duration);

/* What a call says that had to wait and may not: -EAGAIN for NONET_NOW, else -ETIMEDOUT. */
int time_expired(nonet_time deadline);

#endif
