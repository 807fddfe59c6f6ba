/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_CHILD_H
#define HARNESS_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/fail.h"

/*
 * Children that report what they have reached, so that nobody sleeps to wait for them. Every wait is bounded by
 * test_deadline(), and fails the test with a sentence: what was waited for, what the child was doing.
 *
 * A child is a fork of the test. It dies with the thread that started it (PR_SET_PDEATHSIG), leaves by _exit() (no
 * teardown, no atexit handler), its stdout is stderr (TAP stays clean), and a cmocka assertion in it aborts it: use
 * test_check(), which reaches the parent. A child may have children of its own.
 *
 * The calls are macros only to know file and line.
 */

struct test_child;
struct test_child_side;

/* What a child runs; the result is its exit status, 0 for good. */
typedef int test_child_function(struct test_child_side *side, void *argument);

/* The child's half. */

/* Tell the parent which state has been reached. */
void test_report(struct test_child_side *side, const char *state);
/* Bytes, at most TEST_REPORT_MAX, or a number; they queue with the states. */
#define TEST_REPORT_MAX 4096
void test_report_bytes(struct test_child_side *side, const void *bytes, size_t size);
void test_report_number(struct test_child_side *side, int64_t number);
/* Wait until the parent says @word by test_child_tell(). */
#define test_await(side, word) test_await_at(TEST_HERE, (side), (word))

/* The parent's half. */

/* Both: a test_child_function, and its argument. Variadic only for the commas of a compound literal. */
#define test_child_start(function, ...) test_child_start_at(TEST_HERE, #function, (function), __VA_ARGS__)
/* Start, and return once it has reported "ready". */
#define test_child_until(function, ...) test_child_until_at(TEST_HERE, #function, (function), __VA_ARGS__)
/* The child's next report has to be @state. */
#define test_child_wait_state(child, state) test_child_wait_state_at(TEST_HERE, (child), (state))
/* The child's next report has to be @size bytes; a number. */
#define test_child_receive(child, ret_bytes, size) test_child_receive_at(TEST_HERE, (child), (ret_bytes), (size))
#define test_child_number(child)                   test_child_number_at(TEST_HERE, (child))
/* Say a word that the child awaits. */
#define test_child_tell(child, word) test_child_tell_at(TEST_HERE, (child), (word))

/*
 * Wait until the child sleeps in a system call: at two looks a millisecond apart it is asleep in the same call and has
 * not run in between. The kernel has no event for that. Its main thread only.
 */
#define test_child_wait_blocked(child) test_child_wait_blocked_at(TEST_HERE, (child))

/* SIGSTOP, and return once it has stopped; SIGCONT. */
#define test_child_stop(child)     test_child_stop_at(TEST_HERE, (child))
#define test_child_continue(child) test_child_continue_at(TEST_HERE, (child))

pid_t test_child_pid(const struct test_child *child);
/* POLLIN once the child has ended; belongs to @child. */
int test_child_pidfd(const struct test_child *child);

/* The three ends of a child. Each reaps it and frees the handle. */

/* Wait for its end. Return: its exit status, or -N if signal N ended it. A failed test_check() of it fails the test. */
#define test_child_join(child) test_child_join_at(TEST_HERE, (child))
/* SIGKILL it. That it had ended by itself before is a failure: then nothing was killed. */
#define test_kill(child) test_kill_at(TEST_HERE, (child))
/* SIGKILL it if it still runs. Return: 1 if it was killed, 0 if it had ended by itself with status 0. */
#define test_kill_if_running(child) test_kill_if_running_at(TEST_HERE, (child))

void test_await_at(const char *file, int line, struct test_child_side *side, const char *word);
struct test_child *test_child_start_at(const char *file, int line, const char *name, test_child_function *function,
				       void *argument);
struct test_child *test_child_until_at(const char *file, int line, const char *name, test_child_function *function,
				       void *argument);
void test_child_wait_state_at(const char *file, int line, struct test_child *child, const char *state);
void test_child_receive_at(const char *file, int line, struct test_child *child, void *ret_bytes, size_t size);
int64_t test_child_number_at(const char *file, int line, struct test_child *child);
void test_child_tell_at(const char *file, int line, struct test_child *child, const char *word);
void test_child_wait_blocked_at(const char *file, int line, struct test_child *child);
void test_child_stop_at(const char *file, int line, struct test_child *child);
void test_child_continue_at(const char *file, int line, struct test_child *child);
int test_child_join_at(const char *file, int line, struct test_child *child);
void test_kill_at(const char *file, int line, struct test_child *child);
int test_kill_if_running_at(const char *file, int line, struct test_child *child);

#endif
