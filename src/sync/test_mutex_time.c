/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of mutexes in a storm of signals, and between time namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/storm.h"
#include "harness/test.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static struct nonet_mutex *make(void)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", &options, &mutex, NULL), 0);
	return mutex;
}

static int hold(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = make();

	(void)argument;
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

/* Not early, and not late by more than the scheduler. */
static void wait_until(struct nonet_mutex *mutex, nonet_time wait)
{
	const nonet_time deadline = nonet_after(wait);

	test_check_equal(nonet_mutex_lock(mutex, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check(nonet_clock() < deadline + NONET_S(2) * test_slowness());
}

/* In the storm from its first step: it joins, opens, locks, waits. */
static int live_in_a_storm(struct test_child_side *side, void *argument)
{
	const uint64_t *turns = argument;
	struct nonet_mutex *mutex;

	test_storm_victim();
	test_report(side, "ready");
	test_await(side, "go");
	mutex = make();
	for (uint64_t i = 0; i < *turns; i++)
		wait_until(mutex, NONET_MS(1 + i % 130));
	nonet_mutex_close(mutex);
	test_report_number(side, (int64_t)test_storm_received());
	return 0;
}

/* Row 11. */
DOMAIN_TEST(signals_end_no_call)
{
	uint64_t turns = test_scaled(500);
	struct test_child *owner = test_child_until(hold, NULL);
	struct test_child *victim = test_child_until(live_in_a_storm, &turns);
	struct test_storm *storm = test_storm_start((pid_t[]){test_child_pid(victim)}, 1, NONET_S(100));
	uint64_t sent;

	(void)side;
	(void)argument;
	test_child_tell(victim, "go");
	test_check(test_child_number(victim) > 0);
	test_check_equal(test_child_join(victim), 0);
	sent = test_storm_stop(storm);
	test_child_tell(owner, "let go");
	test_check_equal(test_child_join(owner), 0);
	test_note("%llu signals sent, %llu calls waited until their deadlines", (unsigned long long)sent,
		  (unsigned long long)turns);
	test_prove("mutex", 11, sent, 0);
	return 0;
}

struct pair {
	_Atomic uint64_t rounds;
	uint64_t count;
	uint64_t turns;
};

static int count_in_a_storm(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_mutex *mutex = make();

	test_storm_victim();
	test_report(side, "ready");
	test_await(side, "go");
	for (uint64_t i = 0; i < pair->turns; i++) {
		test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
		pair->count++;
		test_check_equal(nonet_mutex_unlock(mutex), 0);
	}
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(signals_keep_nobody_out_and_let_nobody_in)
{
	struct pair *pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[3];
	struct test_storm *storm;
	pid_t pids[3];

	(void)side;
	(void)argument;
	test_check(pair != MAP_FAILED);
	pair->turns = test_scaled(300000);
	for (int i = 0; i < 3; i++) {
		children[i] = test_child_until(count_in_a_storm, pair);
		pids[i] = test_child_pid(children[i]);
	}
	storm = test_storm_start(pids, 3, NONET_S(100));
	for (int i = 0; i < 3; i++)
		test_child_tell(children[i], "go");
	for (int i = 0; i < 3; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check(test_storm_stop(storm) > 0);
	test_check_equal(pair->count, 3 * pair->turns);
	munmap(pair, sizeof(*pair));
	return 0;
}

/* Row 14. What is in the other namespace is a day ahead. */
static int live_a_day_ahead(struct test_child_side *side, void *argument)
{
	static const char offsets[] = "monotonic 86400 0\nboottime 86400 0\n";
	const nonet_time here = nonet_clock();
	const uint64_t *turns = argument;
	pid_t child;
	int status;
	int fd;

	test_must(unshare(CLONE_NEWTIME));
	fd = (int)test_must(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
	test_check_equal(test_must(write(fd, offsets, sizeof(offsets) - 1)), sizeof(offsets) - 1);
	close(fd);
	child = (pid_t)test_must(fork());
	if (child == 0) {
		struct nonet_mutex *mutex = make();

		test_check(nonet_clock() - here > NONET_S(86000));
		for (uint64_t i = 0; i < *turns; i++)
			wait_until(mutex, NONET_MS(1 + i % 130));
		test_report(side, "waited");
		/* Woken by one whose clock is another, and in time. */
		test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(20))), 0);
		test_report(side, "has it");
		test_await(side, "end with it");
		_exit(0);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	return status;
}

DOMAIN_TEST(namespaces_of_time_have_their_own_deadlines)
{
	uint64_t turns = test_scaled(100);
	struct nonet_mutex *mutex = make();
	struct test_child *child;

	(void)side;
	(void)argument;
	if (geteuid() != 0 || access("/proc/self/timens_offsets", W_OK) < 0) {
		test_note("not root, or no time namespaces: this isn't tested");
		nonet_mutex_close(mutex);
		return 0;
	}
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	child = test_child_start(live_a_day_ahead, &turns);
	test_child_wait_state(child, "waited");
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	test_child_wait_state(child, "has it");
	for (uint64_t i = 0; i < turns; i++)
		wait_until(mutex, NONET_MS(1 + i % 130));
	test_child_tell(child, "end with it");
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(20))), -EOWNERDEAD);
	test_check_equal(test_child_join(child), 0);
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	test_prove("mutex", 14, 2 * turns, 0);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(signals_end_no_call, &long_one),
		test_case_with(signals_keep_nobody_out_and_let_nobody_in, &long_one),
		test_case_with(namespaces_of_time_have_their_own_deadlines, &long_one),
	};
	return test_main(tests);
}
