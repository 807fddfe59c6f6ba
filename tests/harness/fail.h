/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_FAIL_H
#define HARNESS_FAIL_H

#include <errno.h>
#include <string.h>

/* Where a call of the harness stands in the test, for its sentence. */
#define TEST_HERE __FILE__, __LINE__

/*
 * test_fail_at() - fail with a sentence, in whichever process this is
 *
 * In a cmocka test it ends the test. In a child (harness/child.h) it hands file, line and sentence to the parent, whose
 * next call on that child prints them and fails, and ends the child with status 99. Elsewhere it ends the process.
 */
_Noreturn void test_fail_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define test_fail(...) test_fail_at(TEST_HERE, __VA_ARGS__)

/* For children, where cmocka's assertions can't be told to the parent; works in tests too. */
#define test_check(condition)                                                         \
	do {                                                                          \
		if (!(condition))                                                     \
			test_fail_at(TEST_HERE, "this doesn't hold: %s", #condition); \
	} while (0)

/* Two integers, both printed where they differ; a negative one with what it means as an errno. */
#define test_check_equal(a, b) test_check_equal_at(TEST_HERE, #a, (a), #b, (b))
void test_check_equal_at(const char *file, int line, const char *a_text, long long a, const char *b_text, long long b);

/* A result of the style "-1 and errno" which has to be success: gives it back. For calls in tests and the harness. */
#define test_must(call) test_must_at(TEST_HERE, #call, (long long)(call))
long long test_must_at(const char *file, int line, const char *text, long long result);

/* A line of TAP comment on stdout; in a child, where stdout is stderr, a line there. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * test_skip() - skip the running test
 * @feature:  what is missing, one word: "root", "hugetlb"...
 * @why:      what the test needs it for
 *
 * With NONET_TEST_NO_SKIP=1 (CI), or @feature among the words of NONET_TEST_REQUIRE=root,hugetlb, it fails instead.
 */
_Noreturn void test_skip(const char *feature, const char *why);

/* Skip a test whose question doesn't arise: "a pipe goes one way". Nothing is missing, so it may skip everywhere. */
_Noreturn void test_not_applicable(const char *why);

/* Returns only in a process whose effective user is root. */
void test_skip_unless_root(const char *why);

/* The last reason given to test_skip() or test_not_applicable(), or NULL. */
const char *test_reason_not_run(void);

#endif
