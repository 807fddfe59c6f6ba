/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting, alone and with others, in storms and under load. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "conform/test_semaphore.h"
#include "harness/storm.h"

#define LATE (NONET_MS(200) * test_slowness())
/* A busy machine is late now and then, a fault each time. */
#define TRIES 4

static void check_times_out(struct nonet_semaphore *semaphore, nonet_time duration)
{
	bool late = true;

	for (int i = 0; i < TRIES && late; i++) {
		const nonet_time deadline = nonet_after(duration);
		nonet_time now;

		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, deadline), -ETIMEDOUT);
		now = nonet_clock();
		test_check(now >= deadline);
		late = now >= deadline + LATE;
	}
	test_check(!late);
}

void a_wait_ends_at_its_deadline_and_not_before(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);
	struct nonet_error error;

	check_times_out(semaphore, NONET_MS(20));
	check_times_out(semaphore, NONET_MS(150));
	nonet_semaphore_explain(semaphore, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "before the deadline"));
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, 1), -ETIMEDOUT);
	semaphore_end(semaphore);
}

static int take_one(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = semaphore_in_child(argument);

	test_report(side, "ready");
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
	test_report(side, "taken");
	return 0;
}

void a_post_ends_a_wait(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);
	struct test_child *waiter = test_child_until(take_one, semaphore);
	struct nonet_semaphore_info info;

	test_child_wait_blocked(waiter);
	test_check_equal(nonet_semaphore_look(semaphore, &info), 0);
	test_check_equal(info.value, 0);
	test_check_equal(info.waiters, semaphore_kind->is_sysv ? 1 : -1);
	test_check_equal(info.zero_waiters, semaphore_kind->is_sysv ? 0 : -1);
	test_check_equal(info.maximum, semaphore_kind->maximum);
	test_check_equal(info.index, semaphore_kind->index);
	test_check_equal(info.count, semaphore_kind->index + 1);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_child_wait_state(waiter, "taken");
	test_check_equal(test_child_join(waiter), 0);
	test_check_equal(semaphore_value(semaphore), 0);
	test_check_equal(nonet_semaphore_look(semaphore, &info), 0);
	test_check_equal(info.last_pid > 0, semaphore_kind->is_sysv);
	semaphore_end(semaphore);
}

static int take_in_a_storm(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = semaphore_in_child(argument);

	test_storm_victim();
	test_report(side, "ready");
	for (int i = 0; i < 5; i++)
		check_times_out(semaphore, NONET_MS(30));
	test_check(test_storm_received() > 0);
	test_report(side, "timed out");
	for (int i = 0; i < 200; i++)
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
	return 0;
}

void a_storm_of_signals_ends_no_wait(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);
	struct test_child *waiter = test_child_until(take_in_a_storm, semaphore);
	const pid_t pid = test_child_pid(waiter);
	struct test_storm *storm = test_storm_start(&pid, 1, test_slowness() * NONET_S(20));

	test_child_wait_state(waiter, "timed out");
	for (int i = 0; i < 200; i++)
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(test_child_join(waiter), 0);
	test_check(test_storm_stop(storm) > 0);
	test_check_equal(semaphore_value(semaphore), 0);
	semaphore_end(semaphore);
}

static int poll_until(int fd, nonet_time deadline)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	return test_poll(&item, 1, deadline);
}

void readiness_is_told_and_never_lost(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(1);
	const int fd = nonet_semaphore_fd(semaphore);

	test_check(fd >= 0);
	test_check_equal(nonet_semaphore_fd(semaphore), fd);
	test_check_equal(nonet_semaphore_arm(semaphore), 1);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	for (int i = 0; i < 50; i++) {
		test_check_equal(nonet_semaphore_arm(semaphore), 0);
		test_check_equal(poll_until(fd, 0), 0);
		/* Now early, now once the helper is on its way. */
		if (i % 2)
			test_check_equal(poll_until(fd, test_clock() + NONET_MS(1)), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(poll_until(fd, test_deadline()), 1);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	}
	/* What is taken again before anybody looked is a spurious wake at most. */
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	if (nonet_semaphore_arm(semaphore) == 0)
		(void)poll_until(fd, test_clock() + NONET_MS(1));
	test_check_equal(semaphore_value(semaphore), 0);
	semaphore_end(semaphore);
}

/* What is told now is old: a permit that another has. */
static void arm_set(struct nonet_wait_set *set)
{
	struct nonet_wait_event event;
	size_t count;
	int code;

	do
		code = nonet_wait(set, &event, 1, NONET_NOW, &count);
	while (code == 0);
	test_check_equal(code, -EAGAIN);
}

/* Who removes it waits no more: its helper needn't look on. Whoever waits again hears of the next permit as ever. */
void out_of_its_set_nobody_watches_it(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);
	const int fd = nonet_semaphore_fd(semaphore);
	struct nonet_wait_set *set = NULL;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	for (int i = 0; i < 10; i++) {
		test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(semaphore), NONET_WAIT_RECEIVE, NULL),
				 0);
		arm_set(set);
		test_check_equal(poll_until(fd, 0), 0);
		if (i % 2 == 0) {
			test_check_equal(nonet_wait_set_remove(set, nonet_semaphore_waitable(semaphore)), 0);
		} else {
			nonet_wait_set_free(set);
			test_check_equal(nonet_wait_set_new(&set, NULL), 0);
		}
		test_check_equal(poll_until(fd, 0), 1);
		test_check_equal(nonet_semaphore_arm(semaphore), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(poll_until(fd, test_deadline()), 1);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	}
	nonet_wait_set_free(set);
	semaphore_end(semaphore);
}

/* One permit, and two who want to hear of it: one takes it, the other only waits. Both must. */
void waiting_takes_nothing_and_steals_no_wake(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);
	struct nonet_wait_set *set = NULL;
	struct nonet_wait_event event;
	size_t count;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(semaphore), NONET_WAIT_RECEIVE, semaphore),
			 0);
	for (int i = 0; i < 20; i++) {
		struct test_child *waiter;

		/* Armed before the other waits, so that it would be the first to be woken. */
		arm_set(set);
		waiter = test_child_until(take_one, semaphore);
		test_child_wait_blocked(waiter);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_child_wait_state(waiter, "taken");
		test_check_equal(test_child_join(waiter), 0);
		test_check_equal(semaphore_value(semaphore), 0);
	}
	/* And with nobody else it is told, and the permit still there. */
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	arm_set(set);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check(event.data == semaphore);
	test_check_equal(semaphore_value(semaphore), 1);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	nonet_wait_set_free(set);
	semaphore_end(semaphore);
}

static int wait_with_others(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = NULL;
	struct pollfd item = {.events = POLLIN};

	(void)argument;
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &semaphore, NULL), 0);
	item.fd = nonet_semaphore_fd(semaphore);
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_report(side, "ready");
	(void)test_poll(&item, 1, NONET_FOREVER);
	test_await(side, "never");
	return 0;
}

void a_killed_one_that_was_waiting_takes_nothing(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(0);

	for (int i = 0; i < 20; i++) {
		struct test_child *watching = test_child_until(wait_with_others, NULL);
		struct test_child *waiter = test_child_until(take_one, semaphore);

		test_child_wait_blocked(watching);
		test_child_wait_blocked(waiter);
		if (i % 2)
			test_kill(watching);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		if (i % 2 == 0)
			test_kill(watching);
		test_child_wait_state(waiter, "taken");
		test_check_equal(test_child_join(waiter), 0);
		test_check_equal(semaphore_value(semaphore), 0);
	}
	semaphore_end(semaphore);
}

static int use_what_was_inherited(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = argument;
	struct nonet_semaphore *own = NULL;
	struct nonet_wait_set *set = NULL;

	(void)side;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 2, 0), 0);
	test_check_equal(nonet_semaphore_arm(semaphore), -ECHILD);
	test_check_equal(nonet_semaphore_fd(semaphore), -ECHILD);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(semaphore), NONET_WAIT_RECEIVE, NULL),
			 -ECHILD);
	nonet_wait_set_free(set);
	nonet_semaphore_close(semaphore);
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &own, NULL), 0);
	test_check_equal(nonet_semaphore_arm(own), 1);
	nonet_semaphore_close(own);
	return 0;
}

void a_forked_child_takes_and_gives_but_does_not_arm(void)
{
	struct nonet_semaphore *semaphore;
	struct test_child *child;

	if (semaphore_kind->is_shared) {
		test_note("a child opens its own: src/semaphore/test_semaphore_shared.c");
		return;
	}
	semaphore = semaphore_make(1);
	/* Before there is a helper, and with one. */
	for (int i = 0; i < 2; i++) {
		child = test_child_start(use_what_was_inherited, semaphore);
		test_check_equal(test_child_join(child), 0);
		test_check_equal(semaphore_value(semaphore), 2);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_arm(semaphore), 1);
	}
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(poll_until(nonet_semaphore_fd(semaphore), test_deadline()), 1);
	semaphore_end(semaphore);
}

#define PROCESSES 8

struct stress {
	struct nonet_semaphore *semaphore;
	uint64_t rounds;
	/* Two words that only the holder changes, not atomically: a second holder would be seen in them. */
	uint64_t before;
	uint64_t after;
};

static int take_and_give(struct test_child_side *side, void *argument)
{
	struct stress *stress = argument;
	struct nonet_semaphore *semaphore = semaphore_in_child(stress->semaphore);

	test_report(side, "ready");
	test_await(side, "go");
	for (uint64_t i = 0; i < stress->rounds; i++) {
		uint64_t count;

		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
		count = stress->before++;
		atomic_signal_fence(memory_order_seq_cst);
		test_check_equal(stress->after, count);
		stress->after = count + 1;
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	}
	return 0;
}

void a_million_takes_and_gives_end_with_an_exact_count(void)
{
	struct stress *stress = mmap(NULL, sizeof(*stress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[PROCESSES];

	test_check(stress != MAP_FAILED);
	stress->semaphore = semaphore_make(1);
	stress->rounds = test_scaled(1000000) / PROCESSES;
	test_watchdog_extend(NONET_S(30) + (nonet_time)stress->rounds * PROCESSES * NONET_US(100));
	for (int i = 0; i < PROCESSES; i++)
		children[i] = test_child_until(take_and_give, stress);
	for (int i = 0; i < PROCESSES; i++)
		test_child_tell(children[i], "go");
	for (int i = 0; i < PROCESSES; i++) {
		struct pollfd item = {.fd = test_child_pidfd(children[i]), .events = POLLIN};

		/* Longer than one wait of the harness may take. */
		(void)test_poll(&item, 1, NONET_FOREVER);
		test_check_equal(test_child_join(children[i]), 0);
	}
	test_check_equal(stress->before, stress->rounds * PROCESSES);
	test_check_equal(stress->after, stress->rounds * PROCESSES);
	test_check_equal(semaphore_value(stress->semaphore), 1);
	test_note("%s: %d processes, %llu takes and gives, count exact", semaphore_kind->name, PROCESSES,
		  (unsigned long long)stress->before);
	semaphore_end(stress->semaphore);
	munmap(stress, sizeof(*stress));
}
