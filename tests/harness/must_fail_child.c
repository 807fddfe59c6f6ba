/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/kill.h"
#include "harness/must_fail.h"
#include "harness/run.h"
#include "harness/storm.h"
#include "harness/test.h"

static _Noreturn void idle(void)
{
	for (;;)
		pause();
}

static int checks(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	test_check(!planted);
	return 0;
}

static void child_fails_a_check(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(checks, NULL)), 0);
}

static int asserts(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	assert_false(planted);
	return 0;
}

/* It must not come back into the parent's runner. */
static void child_fails_an_assertion_of_cmocka(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(asserts, NULL)), 0);
}

static int crashes(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	if (planted)
		kill(getpid(), SIGSEGV);
	test_report(side, "over");
	return 0;
}

static void child_crashes(void **state)
{
	struct test_child *child = test_child_until(crashes, NULL);

	(void)state;
	test_child_wait_state(child, "over");
	assert_int_equal(test_child_join(child), 0);
}

static int says(struct test_child_side *side, void *argument)
{
	test_report(side, argument);
	test_await(side, "go");
	return 0;
}

static void child_reports_another_state(void **state)
{
	char word[] = "locked";
	char other[] = "unlocked";
	struct test_child *child = test_child_start(says, planted ? other : word);

	(void)state;
	test_child_wait_state(child, "locked");
	test_child_wait_blocked(child);
	test_child_tell(child, "go");
	assert_int_equal(test_child_join(child), 0);
}

static int idles(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	if (!planted)
		return 0;
	idle();
}

static void child_hangs(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_until(idles, NULL)), 0);
}

static _Noreturn void spin(void)
{
	for (;;)
		;
}

static int spins(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	spin();
}

static void child_never_blocks(void **state)
{
	struct test_child *child = test_child_until(planted ? spins : says, planted ? NULL : (char[]){"ready"});

	(void)state;
	test_child_wait_blocked(child);
	test_kill(child);
}

static int returns(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	if (!planted)
		test_await(side, "never said");
	return 0;
}

static void child_ends_before_it_is_killed(void **state)
{
	struct test_child *child = test_child_until(returns, NULL);
	struct pollfd ended = {.fd = test_child_pidfd(child), .events = POLLIN};

	(void)state;
	if (planted)
		assert_int_equal(test_poll(&ended, 1, test_deadline()), 1);
	else
		test_child_stop(child);
	test_kill(child);
}

static int fails_when_killed_at_random(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	test_check_equal(planted ? -EPIPE : 0, 0);
	idle();
}

static void killed_child_had_failed(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	struct test_child *child = test_child_until(fails_when_killed_at_random, NULL);

	(void)state;
	/* The planted one ends long before; the healthy one is killed within a millisecond. */
	assert_int_equal(
		test_kill_at_random(child, planted ? NONET_S(5) : 0, planted ? NONET_S(5) : NONET_MS(1), &random), 1);
}

static void test_hangs(void **state)
{
	(void)state;
	if (planted)
		idle();
}

/* All signals blocked: no alarm in the process itself would get through. */
static void test_hangs_with_signals_blocked(void **state)
{
	sigset_t all;
	sigset_t old;

	(void)state;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (planted)
		idle();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void test_crashes(void **state)
{
	(void)state;
	if (planted)
		kill(getpid(), SIGKILL);
}

/* A grandchild that loses its parent: no child of the test's any more. */
static void process_outlives_the_test(void **state)
{
	const char *const argv[] = {"sh", "-c", planted ? "sleep 1000 >/dev/null 2>&1 & exit 0" : "exit 0", NULL};
	struct test_result result;

	(void)state;
	test_run(argv, NULL, 0, test_deadline(), &result);
	assert_int_equal(result.status, 0);
	test_run_free(&result);
}

static void command_hangs(void **state)
{
	const char *const argv[] = {"sh", "-c", planted ? "echo begun; exec sleep 1000" : "echo begun", NULL};
	struct test_result result;

	(void)state;
	test_run(argv, "x", 1, test_deadline(), &result);
	assert_string_equal(result.out, "begun\n");
	test_run_free(&result);
}

static void skip_is_refused(void **state)
{
	(void)state;
	setenv("NONET_TEST_REQUIRE", planted ? "root,wings" : "root,wheels", 1);
	unsetenv("NONET_TEST_NO_SKIP");
	test_skip("wings", "it has to fly");
}

/* The storm has to be felt: a wait that lets EINTR out is seen. */
static void storm_interrupts(void **state)
{
	struct pollfd nothing = {.fd = -1};
	struct test_storm *storm;
	nonet_time end = test_clock() + NONET_MS(200);
	int result = 0;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(10));
	if (planted)
		result = poll(&nothing, 1, 5000) < 0 ? -errno : 0;
	else
		result = test_poll(NULL, 0, end);
	assert_true(test_storm_stop(storm) > 0 && test_storm_received() > 0);
	signal(SIGUSR1, SIG_DFL);
	test_check_equal(result, 0);
}

const struct must_fail must_fail_child[] = {
	{"child-check", child_fails_a_check, "must_fail_child.c:24: this doesn't hold: !planted"},
	{"child-assertion", child_fails_an_assertion_of_cmocka, "(asserts) was ended by signal 6"},
	{"child-crash", child_crashes, "(crashes) did not report \"over\", it "},
	{"child-state", child_reports_another_state, "(says) reported \"unlocked\", not \"locked\""},
	{"child-hang", child_hangs, "(idles) did not end by the deadline", .short_of_time = true},
	{"child-busy", child_never_blocks, "did not block by the deadline", .short_of_time = true},
	{"child-gone", child_ends_before_it_is_killed, "(returns) had ended by itself before it was killed"},
	{"kill-failed", killed_child_had_failed, "-EPIPE : 0 is -32 (Broken pipe), not 0 = 0"},
	{"hang", test_hangs, "watchdog: test hang hangs", .short_of_time = true},
	{"hang-blocked", test_hangs_with_signals_blocked, "watchdog: test hang-blocked hangs", .short_of_time = true},
	{"crash", test_crashes, "signal 9 (Killed) ended the tests at crash"},
	{"orphan", process_outlives_the_test, "outlived the tests that started it"},
	{"command-hang", command_hangs, "sh did not end by its deadline", .short_of_time = true},
	{"skip", skip_is_refused, "skipping is not allowed here, but wings is missing: it has to fly"},
	{"storm", storm_interrupts, "result is -4 (Interrupted system call), not 0 = 0"},
	{0},
};
