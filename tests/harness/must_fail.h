/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_MUST_FAIL_H
#define HARNESS_MUST_FAIL_H

#include <stdbool.h>

/*
 * Tests that have to fail, to show that the harness sees what it promises to see. Each has a planted fault; without it
 * (@planted false) the same test has to pass. test_harness.c runs both and expects @sentence in what the first prints.
 */
struct must_fail {
	const char *name;
	void (*test)(void **state);
	const char *sentence;
	bool short_of_time; /* it hangs: with a deadline and a watchdog of half a second */
};

extern bool planted;

/* Ended by a row without a name. */
extern const struct must_fail must_fail_child[];
extern const struct must_fail must_fail_fault[];
extern const struct must_fail must_fail_leak[];

#endif
