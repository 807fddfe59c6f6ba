/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <nonet/time.h>

/*
 * Sleep until the deadline or for @interval nanoseconds, whichever ends first; never longer for a signal (EINTR goes
 * on). For the few things that the kernel has no event for.
 *
 * Return: 0 when the interval is over, -EAGAIN at once for NONET_NOW, -ETIMEDOUT once @deadline has passed.
 */
int sys_sleep_interval(nonet_time interval, nonet_time deadline);

#endif
