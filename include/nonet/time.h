/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TIME_H
#define NONET_TIME_H

#include <stdint.h>

#include <nonet/macro.h>

NONET_BEGIN_DECLS

/*
 * A point in time: nanoseconds of CLOCK_MONOTONIC (clock_gettime(2)). Every call of nonet that can wait takes such a
 * deadline. Never send one to another process: time namespaces may differ (time_namespaces(7)).
 *
 *   NONET_NOW       try once, never wait; a call that would have to wait returns -EAGAIN
 *   NONET_FOREVER   no deadline
 *   anything else   a call still waiting then returns -ETIMEDOUT; one that lies in the past still tries once
 */
typedef int64_t nonet_time;

#define NONET_NOW     ((nonet_time)0)
#define NONET_FOREVER ((nonet_time)INT64_MAX)

/* Durations, for nonet_after(). */
#define NONET_NS(n) ((nonet_time)(n))
#define NONET_US(n) ((nonet_time)(n)*1000)
#define NONET_MS(n) ((nonet_time)(n)*1000000)
#define NONET_S(n)  ((nonet_time)(n)*1000000000)

/**
 * nonet_clock() - what time it is
 *
 * Return: nanoseconds of CLOCK_MONOTONIC, always above NONET_NOW.
 * Context: any thread, signal handlers too.
 */
NONET_PUBLIC nonet_time nonet_clock(void);

/**
 * nonet_after() - the deadline that lies a duration from now
 * @duration: in nanoseconds, e.g. NONET_MS(250); 0 or less gives NONET_NOW
 *
 * Return: the deadline; NONET_FOREVER if the sum doesn't fit.
 * Context: any thread, signal handlers too.
 */
NONET_PUBLIC nonet_time nonet_after(nonet_time duration);

NONET_END_DECLS

#endif
