/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/condition.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/test.h"

/* A heap of work that processes share: as many as @work, guarded by the mutex, and told of by the condition. */
struct heap {
	_Alignas(64) char mutex[NONET_MUTEX_PLACE_SIZE];
	_Alignas(64) char condition[NONET_CONDITION_PLACE_SIZE];
	int64_t work;
	int64_t done;
};

struct side_of {
	struct nonet_mutex *mutex;
	struct nonet_condition *condition;
	struct heap *heap;
};

static bool placed; /* of this round: in the program's own memory, else named */

static struct side_of reach(struct heap *heap, uint32_t make)
{
	const struct nonet_mutex_options mutex = {.size = sizeof(mutex), .flags = make ? NONET_MUTEX_MAKE : 0};
	const struct nonet_condition_options condition = {.size = sizeof(condition),
							  .flags = make ? NONET_CONDITION_MAKE : 0};
	struct side_of reached = {.heap = heap};

	if (placed) {
		test_check_equal(nonet_mutex_place(heap->mutex, NULL, &mutex, &reached.mutex, NULL), 0);
		test_check_equal(nonet_condition_place(heap->condition, &condition, &reached.condition, NULL), 0);
	} else if (make) {
		test_check_equal(nonet_mutex_create("mutex:work", NULL, &reached.mutex, NULL), 0);
		test_check_equal(nonet_condition_create("condition:work", NULL, &reached.condition, NULL), 0);
	} else {
		test_check_equal(nonet_mutex_open("mutex:work", &reached.mutex, NULL), 0);
		test_check_equal(nonet_condition_open("condition:work", &reached.condition, NULL), 0);
	}
	return reached;
}

static void leave(struct side_of *reached)
{
	nonet_condition_close(reached->condition);
	nonet_mutex_close(reached->mutex);
}

static struct side_of make(void)
{
	struct heap *heap = mmap(NULL, sizeof(*heap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(heap != MAP_FAILED);
	return reach(heap, 1);
}

static void unmake(struct side_of *made)
{
	leave(made);
	munmap(made->heap, sizeof(*made->heap));
	if (!placed) {
		test_check_equal(nonet_condition_unlink("condition:work", NULL), 0);
		test_check_equal(nonet_mutex_unlink("mutex:work", NULL), 0);
	}
}

static void lock(const struct side_of *reached)
{
	test_check_equal(nonet_mutex_lock(reached->mutex, NONET_FOREVER), 0);
}

static void unlock(const struct side_of *reached)
{
	test_check_equal(nonet_mutex_unlock(reached->mutex), 0);
}

static void add_work(const struct side_of *made, int64_t work)
{
	lock(made);
	made->heap->work += work;
	unlock(made);
}

DOMAIN_TEST(a_wait_needs_the_mutex_and_gives_it_back)
{
	struct nonet_mutex_options often = {.size = sizeof(often), .flags = NONET_MUTEX_RECURSIVE, .rank = 1};
	struct nonet_mutex_options higher = {.size = sizeof(higher), .rank = 2};
	struct side_of made = make();
	struct nonet_mutex *recursive = NULL;
	struct nonet_mutex *high = NULL;
	struct nonet_error error;
	nonet_time deadline;

	(void)side;
	(void)argument;
	test_check_equal(nonet_condition_wait(made.condition, made.mutex, NONET_FOREVER), -EPERM);
	lock(&made);
	test_check_equal(nonet_condition_wait(made.condition, made.mutex, NONET_NOW), -EAGAIN);
	deadline = nonet_after(NONET_MS(20));
	test_check_equal(nonet_condition_wait(made.condition, made.mutex, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check_equal(nonet_mutex_lock(made.mutex, NONET_NOW), -EDEADLK);
	nonet_condition_explain(made.condition, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "nobody signalled"));
	unlock(&made);

	test_check_equal(nonet_mutex_create("mutex:often", &often, &recursive, NULL), 0);
	test_check_equal(nonet_mutex_create("mutex:high", &higher, &high, NULL), 0);
	test_check_equal(nonet_mutex_lock(recursive, NONET_NOW), 0);
	test_check_equal(nonet_mutex_lock(recursive, NONET_NOW), 0);
	test_check_equal(nonet_condition_wait(made.condition, recursive, NONET_FOREVER), -EINVAL);
	test_check_equal(nonet_mutex_unlock(recursive), 0);
	/* It couldn't be taken again while one of a higher rank is held. */
	test_check_equal(nonet_mutex_lock(high, NONET_NOW), 0);
	test_check_equal(nonet_condition_wait(made.condition, recursive, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_mutex_unlock(high), 0);
	test_check_equal(nonet_condition_wait(made.condition, recursive, nonet_after(1)), -ETIMEDOUT);
	test_check_equal(nonet_mutex_unlock(recursive), 0);
	nonet_mutex_close(recursive);
	nonet_mutex_close(high);
	unmake(&made);
	return 0;
}

/* Wait for @heap->work, take one, and say so. */
static int work_once(struct test_child_side *side, void *argument)
{
	struct side_of own = reach(argument, 0);

	lock(&own);
	test_report(side, "ready");
	while (own.heap->work == 0)
		test_check_equal(nonet_condition_wait(own.condition, own.mutex, nonet_after(NONET_S(20))), 0);
	own.heap->work--;
	own.heap->done++;
	unlock(&own);
	test_report(side, "worked");
	leave(&own);
	return 0;
}

enum {
	WORKERS = 5,
	ROUNDS = 5
};

/* Start so many, and return once all sleep. */
static void start_workers(const struct side_of *made, struct test_child **children, int number)
{
	for (int i = 0; i < number; i++)
		children[i] = test_child_until(work_once, made->heap);
	for (int i = 0; i < number; i++)
		test_child_wait_blocked(children[i]);
}

/* Give them work, and say so. Return: whether they had it before their intervals, just begun, were over. */
static bool wake_workers(const struct side_of *made, struct test_child **children, int number, bool all)
{
	nonet_time signalled;
	bool soon;

	add_work(made, number);
	signalled = nonet_clock();
	if (all)
		test_check_equal(nonet_condition_broadcast(made->condition), 0);
	else
		for (int i = 0; i < number; i++)
			test_check_equal(nonet_condition_signal(made->condition), 0);
	for (int i = 0; i < number; i++)
		test_child_wait_state(children[i], "worked");
	soon = nonet_clock() - signalled < NONET_MS(60);
	for (int i = 0; i < number; i++)
		test_check_equal(test_child_join(children[i]), 0);
	return soon;
}

static void check_wakes(int number, bool all)
{
	struct test_child *children[WORKERS];
	struct side_of made = make();
	int soon = 0;

	for (int i = 0; i < ROUNDS; i++) {
		start_workers(&made, children, number);
		soon += wake_workers(&made, children, number, all);
	}
	/* Most of the time: others may have the machine. */
	test_check(soon > ROUNDS / 2);
	test_check_equal(made.heap->done, ROUNDS * number);
	unmake(&made);
}

DOMAIN_TEST(a_signal_wakes_at_once)
{
	(void)side;
	(void)argument;
	check_wakes(1, false);
	return 0;
}

DOMAIN_TEST(each_signal_wakes_one_and_a_broadcast_all)
{
	(void)side;
	(void)argument;
	check_wakes(WORKERS, false);
	check_wakes(WORKERS, true);
	return 0;
}

DOMAIN_TEST(a_killed_waiter_takes_no_signal_with_it)
{
	struct side_of made = make();
	struct test_child *children[WORKERS];

	(void)side;
	(void)argument;
	start_workers(&made, children, WORKERS);
	for (int i = 0; i < WORKERS - 1; i++)
		test_kill(children[i]);
	(void)wake_workers(&made, &children[WORKERS - 1], 1, false);
	test_check_equal(made.heap->done, 1);
	unmake(&made);
	return 0;
}

/* As it is left by one who was killed between the change and the signal. */
DOMAIN_TEST(a_change_that_nobody_signals_is_seen_within_an_interval)
{
	struct side_of made = make();
	struct test_child *child;

	(void)side;
	(void)argument;
	start_workers(&made, &child, 1);
	add_work(&made, 1);
	test_child_wait_state(child, "worked");
	test_check_equal(test_child_join(child), 0);
	unmake(&made);
	return 0;
}

static int hold_and_die(struct test_child_side *side, void *argument)
{
	struct side_of own = reach(argument, 0);

	lock(&own);
	test_check_equal(nonet_condition_broadcast(own.condition), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int wait_for_a_death(struct test_child_side *side, void *argument)
{
	struct side_of own = reach(argument, 0);
	int result;

	lock(&own);
	test_report(side, "ready");
	do
		result = nonet_condition_wait(own.condition, own.mutex, NONET_FOREVER);
	while (result == 0); /* for no reason */
	test_check_equal(result, -EOWNERDEAD);
	test_check_equal(nonet_condition_wait(own.condition, own.mutex, NONET_FOREVER), -EINVAL);
	test_check_equal(nonet_mutex_recover(own.mutex), 0);
	unlock(&own);
	leave(&own);
	return 0;
}

DOMAIN_TEST(the_death_of_the_mutexs_owner_is_told)
{
	struct side_of made = make();
	struct test_child *waiter = test_child_until(wait_for_a_death, made.heap);
	struct test_child *owner;

	(void)side;
	(void)argument;
	test_child_wait_blocked(waiter);
	owner = test_child_until(hold_and_die, made.heap);
	test_child_wait_blocked(waiter);
	test_kill(owner);
	test_check_equal(test_child_join(waiter), 0);
	unmake(&made);
	return 0;
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	const struct side_of *parents = argument;
	struct side_of own = reach(parents->heap, 0);

	(void)side;
	lock(&own);
	test_check_equal(nonet_condition_wait(parents->condition, own.mutex, NONET_FOREVER), -ECHILD);
	test_check_equal(nonet_condition_wait(own.condition, parents->mutex, NONET_FOREVER), -ECHILD);
	test_check_equal(nonet_condition_signal(parents->condition), -ECHILD);
	test_check_equal(nonet_condition_broadcast(parents->condition), -ECHILD);
	unlock(&own);
	nonet_condition_close(parents->condition);
	leave(&own);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct side_of made = make();

	(void)side;
	(void)argument;
	test_check_equal(test_child_join(test_child_start(use_the_parents, &made)), 0);
	unmake(&made);
	return 0;
}

DOMAIN_TEST(a_place_is_made_before_it_is_used)
{
	struct nonet_condition_options options = {.size = sizeof(options), .flags = NONET_CONDITION_MAKE};
	_Alignas(64) char place[NONET_CONDITION_PLACE_SIZE] = {0};
	struct nonet_condition *condition = NULL;

	(void)side;
	(void)argument;
	test_check_equal(nonet_condition_place(place, NULL, &condition, NULL), -EPROTO);
	test_check_equal(nonet_condition_place(NULL, &options, &condition, NULL), -EINVAL);
	test_check_equal(nonet_condition_place(place + 8, &options, &condition, NULL), -EINVAL);
	options.mode = 0600;
	test_check_equal(nonet_condition_place(place, &options, &condition, NULL), -EINVAL);
	options.mode = 0;
	test_check(condition == NULL);
	test_check_equal(nonet_condition_place(place, &options, &condition, NULL), 0);
	nonet_condition_close(condition);
	test_check_equal(nonet_condition_place(place, NULL, &condition, NULL), 0);
	nonet_condition_close(condition);
	return 0;
}

static int work_on(struct test_child_side *side, void *argument)
{
	struct side_of own = reach(argument, 0);
	bool works = true;

	test_report(side, "ready");
	while (works) {
		lock(&own);
		while (own.heap->work == 0)
			test_check_equal(nonet_condition_wait(own.condition, own.mutex, nonet_after(NONET_S(20))), 0);
		works = own.heap->work > 0;
		if (works) {
			own.heap->work--;
			own.heap->done++;
		}
		unlock(&own);
	}
	leave(&own);
	return 0;
}

/* Each piece of work is signalled once; a lost wake would cost an interval, and a few of them the time. */
DOMAIN_TEST(no_wake_is_lost)
{
	const int64_t pieces = (int64_t)test_scaled(50000);
	struct side_of made = make();
	struct test_child *children[WORKERS];
	nonet_time started;

	(void)side;
	(void)argument;
	for (int i = 0; i < WORKERS; i++)
		children[i] = test_child_until(work_on, made.heap);
	started = nonet_clock();
	for (int64_t i = 0; i < pieces; i++) {
		add_work(&made, 1);
		test_check_equal(nonet_condition_signal(made.condition), 0);
	}
	lock(&made);
	while (made.heap->work > 0) {
		unlock(&made);
		test_check_equal(nonet_condition_broadcast(made.condition), 0);
		lock(&made);
	}
	made.heap->work = -1;
	unlock(&made);
	test_check_equal(nonet_condition_broadcast(made.condition), 0);
	for (int i = 0; i < WORKERS; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check_equal(made.heap->done, pieces);
	printf("%lld pieces in %lld ms\n", (long long)pieces, (long long)((nonet_clock() - started) / NONET_MS(1)));
	unmake(&made);
	return 0;
}

static void play(const struct side_of *own, int64_t odd, int64_t turns)
{
	for (int64_t i = 0; i < turns; i++) {
		lock(own);
		while (own->heap->work % 2 != odd)
			test_check_equal(nonet_condition_wait(own->condition, own->mutex, nonet_after(NONET_S(20))), 0);
		own->heap->work++;
		unlock(own);
		test_check_equal(nonet_condition_signal(own->condition), 0);
	}
}

static int play_back(struct test_child_side *side, void *argument)
{
	struct side_of own = reach(argument, 0);

	test_report(side, "ready");
	play(&own, 1, (int64_t)test_scaled(100000));
	leave(&own);
	return 0;
}

/* Two who wait for each other: one wake that comes while the other is about to sleep, and is lost, stops both. */
DOMAIN_TEST(a_wake_reaches_who_is_about_to_sleep)
{
	const int64_t turns = (int64_t)test_scaled(100000);
	struct side_of made = make();
	struct test_child *child = test_child_until(play_back, made.heap);

	(void)side;
	(void)argument;
	play(&made, 0, turns);
	test_check_equal(test_child_join(child), 0);
	test_check_equal(made.heap->work, 2 * turns);
	unmake(&made);
	return 0;
}

static void of_both(void (*test)(void **state), void **state)
{
	placed = false;
	test(state);
	placed = true;
	test(state);
}

#define BOTH(name)                            \
	static void name##_both(void **state) \
	{                                     \
		of_both(name, state);         \
	}

BOTH(a_wait_needs_the_mutex_and_gives_it_back)
BOTH(a_signal_wakes_at_once)
BOTH(each_signal_wakes_one_and_a_broadcast_all)
BOTH(a_killed_waiter_takes_no_signal_with_it)
BOTH(a_change_that_nobody_signals_is_seen_within_an_interval)
BOTH(the_death_of_the_mutexs_owner_is_told)
BOTH(a_child_opens_its_own)
BOTH(no_wake_is_lost)
BOTH(a_wake_reaches_who_is_about_to_sleep)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_wait_needs_the_mutex_and_gives_it_back_both),
		test_case(a_signal_wakes_at_once_both),
		test_case(each_signal_wakes_one_and_a_broadcast_all_both),
		test_case(a_killed_waiter_takes_no_signal_with_it_both),
		test_case(a_change_that_nobody_signals_is_seen_within_an_interval_both),
		test_case(the_death_of_the_mutexs_owner_is_told_both),
		test_case(a_child_opens_its_own_both),
		test_case(a_place_is_made_before_it_is_used),
		test_case(no_wake_is_lost_both),
		test_case(a_wake_reaches_who_is_about_to_sleep_both),
	};
	return test_main(tests);
}
