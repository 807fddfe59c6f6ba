/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_DOMAIN_H
#define HARNESS_DOMAIN_H

#include "harness/child.h"

/*
 * A test in a domain of its own. A process that has joined a domain is a member until it ends: so the test runs in a
 * child, with NONET_DOMAIN naming a directory on tmpfs that is removed afterwards with all that is in it.
 *
 *   DOMAIN_TEST(a_mutex_is_locked)
 *   {
 *           test_check_equal(...);     test_check(), not cmocka's: see child.h
 *           return 0;
 *   }
 *
 * and in the list test_case(a_mutex_is_locked).
 */
#define DOMAIN_TEST(name)                                               \
	static test_child_function name##_in_domain;                    \
	static void name(void **state)                                  \
	{                                                               \
		(void)state;                                            \
		test_domain_run_at(TEST_HERE, #name, name##_in_domain); \
	}                                                               \
	static int name##_in_domain(struct test_child_side *side, void *argument)

/* @argument is the directory. */
void test_domain_run_at(const char *file, int line, const char *name, test_child_function *function);

/* Make a directory for a domain, and name it in NONET_DOMAIN; take both away, with all files in it. */
const char *test_domain_new(void);
void test_domain_free(const char *directory);

/* Remove a directory with the files in it. */
void test_domain_free_files(const char *directory);

#endif
