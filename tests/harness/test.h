/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_TEST_H
#define HARNESS_TEST_H

/*
 * What each test file includes: cmocka with what it needs, and the harness. A test file ends with
 *
 *   int main(void)
 *   {
 *           const struct CMUnitTest tests[] = {
 *                   test_case(mutex_tells_that_its_owner_was_killed),
 *                   test_case_with(a_full_pipe_refuses, &full_pipe),
 *           };
 *           return test_main(tests);
 *   }
 *
 * and gets for each test: a check that nothing was left behind (leak.h), a deadline with a report of what hangs
 * (watchdog.h), the seed printed (random.h), skips that meson understands.
 *
 * Environment: NONET_TEST_ONLY=PATTERN runs the tests whose name matches (* and ?).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "harness/child.h"
#include "harness/deadline.h"
#include "harness/fail.h"
#include "harness/leak.h"
#include "harness/names.h"
#include "harness/random.h"
#include "harness/scale.h"
#include "harness/watchdog.h"

/* What a test wants around it, inside the leak check. Each may be NULL or 0; *state is NULL without a setup. */
struct test_fixture {
	int (*setup)(void **state);
	int (*teardown)(void **state);
	nonet_time time; /* instead of TEST_TIME */
};

struct test_case {
	const char *name;
	const struct test_fixture *fixture;
};

#define test_case(function) test_case_with(function, NULL)
#define test_case_with(function, fixture)                                           \
	{                                                                           \
#function, function, test_setup, test_teardown, &(struct test_case) \
		{                                                                   \
#function, fixture                                          \
		}                                                                   \
	}

/* Return: the exit status. */
#define test_main(tests) test_main_run(__FILE__, (tests), sizeof(tests) / sizeof((tests)[0]))
int test_main_run(const char *file, const struct CMUnitTest *tests, size_t count);

int test_setup(void **state);
int test_teardown(void **state);

#endif
