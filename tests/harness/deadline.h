/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_DEADLINE_H
#define HARNESS_DEADLINE_H

#include <poll.h>

#include <nonet/time.h>

/*
 * The harness's own clock, so that a broken nonet_clock() can't hang the tests that would show it.
 *
 * Environment: NONET_TEST_DEADLINE (milliseconds) replaces the 10 s that one wait may take; NONET_TEST_SLOW (a factor)
 * replaces the guess of how much slower than a plain build this one is (sanitizers 8, valgrind 20, else 1).
 */

/* CLOCK_MONOTONIC in nanoseconds. */
nonet_time test_clock(void);

/* How much slower than a plain build this process is, at least 1. */
int test_slowness(void);

/* @duration from now, times the slowness: for a bound that only a broken test reaches. */
nonet_time test_after(nonet_time duration);

/* When a wait of the harness that begins now gives up. */
nonet_time test_deadline(void);

/* poll(2) until @deadline; a signal doesn't end it. Return: how many are ready, 0 once the deadline has passed. */
int test_poll(struct pollfd *fds, nfds_t count, nonet_time deadline);

#endif
