/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <nonet/event.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "sync/event.h"

static struct nonet_event *make(const struct nonet_event_options *options)
{
	struct nonet_event *event = NULL;

	test_check_equal(nonet_event_create("event:ready", options, &event, NULL), 0);
	return event;
}

static struct nonet_event *reach(void)
{
	struct nonet_event *event = NULL;

	test_check_equal(nonet_event_open("event:ready", &event, NULL), 0);
	return event;
}

static uint64_t count_of(struct nonet_event *event)
{
	struct nonet_event_info info;

	test_check_equal(nonet_event_look(event, &info), 0);
	return info.count;
}

DOMAIN_TEST(an_event_is_set_until_it_is_cleared)
{
	struct nonet_event_options options = {.size = sizeof(options), .flags = NONET_EVENT_TRACE};
	struct nonet_event *event = make(&options);
	struct nonet_event_info info;
	struct nonet_error error;
	uint64_t count = 77;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_clear(event), 0);
	test_check_equal(nonet_event_set(event), 0);
	test_check_equal(nonet_event_wait(event, NONET_NOW), 0);
	test_check_equal(nonet_event_wait(event, NONET_FOREVER), 0);
	test_check_equal(nonet_event_look(event, &info), 0);
	test_check_equal(info.count, 1);
	test_check_equal(info.flags, NONET_EVENT_IS_SET);
	test_check_equal(nonet_event_clear(event), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_pulse(event), 0);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_wait_count(event, 1, NONET_NOW, &count), 0);
	test_check_equal(count, 2);
	test_check_equal(nonet_event_wait_count(event, 2, NONET_NOW, &count), -EAGAIN);
	nonet_event_explain(event, -EAGAIN, &error);
	test_check(strstr(error.text, "event:ready hasn't happened"));
	nonet_event_close(event);
	test_check_equal(nonet_event_create("event:ready", NULL, &event, NULL), -EEXIST);
	test_check_equal(nonet_event_unlink("event:ready", NULL), 0);
	test_check_equal(nonet_event_open("event:ready", &event, NULL), -ENOENT);
	options.flags = NONET_EVENT_SET;
	event = make(&options);
	test_check_equal(nonet_event_wait(event, NONET_NOW), 0);
	test_check_equal(count_of(event), 0);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(what_makes_no_sense_is_refused)
{
	struct nonet_event_options options = {.size = sizeof(options), .flags = 8};
	struct nonet_event *event = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_create("event:ready", &options, &event, &error), -EINVAL);
	options.flags = 0;
	options.mode = 01777;
	test_check_equal(nonet_event_create("event:ready", &options, &event, &error), -EINVAL);
	options.mode = 0;
	options.reserved[1] = 1;
	test_check_equal(nonet_event_create("event:ready", &options, &event, &error), -EINVAL);
	options.size = 4;
	test_check_equal(nonet_event_create("event:ready", &options, &event, &error), -EINVAL);
	test_check_equal(nonet_event_create("mutex:ready", NULL, &event, &error), -EINVAL);
	test_check(strstr(error.text, "event:"));
	test_check(!event);
	return 0;
}

DOMAIN_TEST(a_wait_ends_at_its_deadline_and_not_before)
{
	struct nonet_event *event = make(NULL);
	const nonet_time deadline = nonet_after(NONET_MS(130));

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_wait(event, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	nonet_event_close(event);
	return 0;
}

static int wait_for_it(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_event_wait(event, NONET_FOREVER), 0);
	nonet_event_close(event);
	return 0;
}

#define WAITERS 3

/* They sleep, and one step wakes all of them: a pulse as well, which is over before any of them runs. */
static void wake_all(struct nonet_event *event, int (*step)(struct nonet_event *event))
{
	struct test_child *children[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		children[i] = test_child_until(wait_for_it, NULL);
	for (int i = 0; i < WAITERS; i++)
		test_child_wait_blocked(children[i]);
	test_check_equal(step(event), 0);
	for (int i = 0; i < WAITERS; i++)
		test_check_equal(test_child_join(children[i]), 0);
}

DOMAIN_TEST(all_who_wait_go_on)
{
	struct nonet_event *event = make(NULL);

	(void)side;
	(void)argument;
	wake_all(event, nonet_event_set);
	test_check_equal(nonet_event_clear(event), 1);
	wake_all(event, nonet_event_pulse);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	nonet_event_close(event);
	return 0;
}

/* A waker who is killed between setting and waking: his step without the rest. */
DOMAIN_TEST(a_waker_who_died_keeps_nobody_asleep)
{
	struct nonet_event *event = make(NULL);
	struct test_child *child = test_child_until(wait_for_it, NULL);

	(void)side;
	(void)argument;
	test_child_wait_blocked(child);
	test_check(atomic_load(&event->shared->state) & EVENT_WAITERS);
	atomic_store(&event->shared->state, EVENT_ONCE);
	test_check_equal(test_child_join(child), 0);
	nonet_event_close(event);
	return 0;
}

/* Counts go round; so does the half that sleepers sleep on. */
DOMAIN_TEST(a_count_that_goes_round_is_another_count)
{
	struct nonet_event *event = make(NULL);
	const uint64_t last = UINT64_MAX >> EVENT_SHIFT;
	uint64_t count = 0;

	(void)side;
	(void)argument;
	atomic_store(&event->shared->state, last << EVENT_SHIFT);
	test_check_equal(nonet_event_wait_count(event, last, NONET_NOW, &count), -EAGAIN);
	test_check_equal(nonet_event_set(event), 0);
	test_check_equal(nonet_event_wait_count(event, last, NONET_NOW, &count), 0);
	test_check_equal(count, 0);
	test_check_equal(nonet_event_wait(event, NONET_NOW), 0);
	nonet_event_close(event);
	return 0;
}

#define TURNS 20000

static int answer_each(struct test_child_side *side, void *argument)
{
	struct nonet_event *asked = reach();
	struct nonet_event *answered = NULL;
	const uint64_t turns = test_scaled(TURNS);
	uint64_t count = 0;

	(void)argument;
	test_check_equal(nonet_event_open("event:answered", &answered, NULL), 0);
	test_report(side, "ready");
	for (uint64_t i = 0; i < turns; i++) {
		test_check_equal(nonet_event_wait_count(asked, i, NONET_FOREVER, &count), 0);
		test_check_equal(count, i + 1);
		test_check_equal(nonet_event_pulse(answered), 0);
	}
	nonet_event_close(answered);
	nonet_event_close(asked);
	return 0;
}

/* Each waits for the other's next count: none is missed, and no wake lost (that would take 100 ms each). */
DOMAIN_TEST(who_remembers_the_count_misses_nothing)
{
	struct nonet_event *asked = make(NULL);
	struct nonet_event *answered = NULL;
	struct test_child *child;
	const uint64_t turns = test_scaled(TURNS);
	uint64_t count = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_create("event:answered", NULL, &answered, NULL), 0);
	child = test_child_until(answer_each, NULL);
	for (uint64_t i = 0; i < turns; i++) {
		test_check_equal(nonet_event_pulse(asked), 0);
		test_check_equal(nonet_event_wait_count(answered, i, NONET_FOREVER, &count), 0);
		test_check_equal(count, i + 1);
	}
	test_check_equal(test_child_join(child), 0);
	nonet_event_close(answered);
	nonet_event_close(asked);
	return 0;
}

static int set_for_ever(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();

	(void)argument;
	test_report(side, "ready");
	for (;;) {
		test_check_equal(nonet_event_set(event), 0);
		test_check(nonet_event_clear(event) >= 0);
	}
}

/* Whoever sets it may be killed anywhere: it can still be set, cleared and waited for. */
DOMAIN_TEST(killed_setters_leave_it_whole)
{
	struct test_random random = test_random_init(test_seed(), 4);
	struct nonet_event *event = make(NULL);
	const nonet_time end = test_kills_end();
	uint64_t kills = 0;

	(void)side;
	(void)argument;
	for (; test_clock() < end; kills++) {
		struct test_child *waiter = test_child_until(wait_for_it, NULL);
		struct test_child *setter = test_child_until(set_for_ever, NULL);
		uint64_t before;

		test_check_equal(test_kill_at_random(setter, 0, NONET_MS(1), &random), 1);
		before = count_of(event);
		test_check_equal(nonet_event_set(event), 0);
		test_check_equal(count_of(event), before + 1);
		test_check_equal(test_child_join(waiter), 0);
		test_check_equal(nonet_event_clear(event), 1);
	}
	test_prove("event-set", 5, kills, 0);
	nonet_event_close(event);
	return 0;
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_event *own = reach();
	uint64_t count;

	(void)side;
	test_check_equal(nonet_event_set(argument), -ECHILD);
	test_check_equal(nonet_event_clear(argument), -ECHILD);
	test_check_equal(nonet_event_wait(argument, NONET_NOW), -ECHILD);
	test_check_equal(nonet_event_wait_count(argument, 0, NONET_NOW, &count), -ECHILD);
	test_check_equal(nonet_event_arm(argument), -ECHILD);
	test_check_equal(nonet_event_fd(argument), -ECHILD);
	test_check_equal(nonet_event_set(own), 0);
	nonet_event_close(argument);
	nonet_event_close(own);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct nonet_event *event = make(NULL);

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(test_child_join(test_child_start(use_the_parents, event)), 0);
	test_check_equal(nonet_event_wait(event, NONET_NOW), 0);
	nonet_event_close(event);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_event_is_set_until_it_is_cleared),
		test_case(what_makes_no_sense_is_refused),
		test_case(a_wait_ends_at_its_deadline_and_not_before),
		test_case(all_who_wait_go_on),
		test_case(a_waker_who_died_keeps_nobody_asleep),
		test_case(a_count_that_goes_round_is_another_count),
		test_case(who_remembers_the_count_misses_nothing),
		test_case_with(killed_setters_leave_it_whole, &long_one),
		test_case(a_child_opens_its_own),
	};
	return test_main(tests);
}
