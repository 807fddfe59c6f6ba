/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

#include <nonet/time.h>

/* CLOCK_REALTIME in nanoseconds: for stamps that others read, never for deadlines. */
int64_t sys_clock_real(void);

/*
 * Looking again at the few things that the kernel has no event for (docs/adr/0002): the first time soon, then at
 * intervals that double. Zeroed at the beginning.
 */
struct sys_retry {
	nonet_time interval; /* the last one; 0: none yet */
};

/* How long to wait until the next look, in nanoseconds: 50 us, 100 us, ... 5 ms. */
nonet_time sys_retry_next(struct sys_retry *retry);

/*
 * Sleep until the next look or the deadline, whichever comes first; never longer for a signal (EINTR goes on).
 *
 * Return: 0 to look again, -EAGAIN at once for NONET_NOW, -ETIMEDOUT once @deadline has passed.
 */
int sys_retry_sleep(struct sys_retry *retry, nonet_time deadline);

#endif
