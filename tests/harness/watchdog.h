/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_WATCHDOG_H
#define HARNESS_WATCHDOG_H

#include <nonet/time.h>

/*
 * The watchdog is the test program's parent process: whatever a test does to its own threads, signals and memory, it
 * is told. Past a test's deadline it prints what every thread of the test and of its children hangs in, aborts the
 * test, and fails. It also fails for processes that outlive the tests.
 *
 * NONET_TEST_WATCHDOG=0 runs the tests without one, in this process: for a debugger.
 */

/* How long a test may take unless it says otherwise, before test_slowness(). NONET_TEST_WATCHDOG_MS replaces it. */
#define TEST_TIME NONET_S(60)

/* Run @body in a child under watch. Return: what it returned, or 1 if it hung, crashed or left processes. */
int test_watchdog_run(int (*body)(void *argument), void *argument);

/* The running test gets @duration (times the slowness) from now. For tests whose work grows with NONET_SCALE. */
void test_watchdog_extend(nonet_time duration);

/* Used by test_setup() and test_teardown(): the test @name begins; no test runs. */
void test_watchdog_begin(const char *name, nonet_time duration);
void test_watchdog_end(void);

#endif
