/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/test.h"
#include "semaphore/semaphore_shared.h"

/* nonet's own semaphores: what only they promise. What all carriers do is in tests/conform. */

#define ADDRESS "semaphore:pool"

static struct nonet_semaphore *make_with(uint32_t value, uint32_t flags)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = value, .flags = flags};
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_create(ADDRESS, &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static struct nonet_semaphore *make(uint32_t value)
{
	return make_with(value, 0);
}

static struct nonet_semaphore *reach(void)
{
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_open(ADDRESS, NULL, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static uint32_t value_of(struct nonet_semaphore *semaphore)
{
	uint32_t value = UINT32_MAX;

	test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
	return value;
}

static bool is_readable(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	struct pollfd item = {.fd = nonet_semaphore_fd(semaphore), .events = POLLIN};

	return test_poll(&item, 1, deadline) == 1;
}

DOMAIN_TEST(permits_are_taken_and_given_back_by_who_has_them)
{
	struct nonet_semaphore *semaphore = make(5);
	struct nonet_semaphore_operation operation = {.change = -2};
	struct nonet_semaphore_info info;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EPERM);
	nonet_semaphore_explain(semaphore, -EPERM, &error);
	test_check(strstr(error.text, "doesn't have so many"));
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 3, NONET_SEMAPHORE_UNDO, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), -EAGAIN);
	test_check_equal(value_of(semaphore), 1);
	test_check_equal(nonet_semaphore_wait(semaphore, 6, 0, NONET_NOW), -EINVAL);
	test_check_equal(nonet_semaphore_post(semaphore, 5, 0), -EPERM);
	test_check_equal(value_of(semaphore), 1);
	test_check_equal(nonet_semaphore_post(semaphore, 4, 0), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EPERM);
	test_check_equal(nonet_semaphore_operate(semaphore, &operation, 1, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_look(semaphore, &info), 0);
	test_check_equal(info.value, 3);
	test_check_equal(info.maximum, 5);
	test_check_equal(atomic_load(&semaphore->shared->word), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* One after the other, from the last to the first, and no further. */
DOMAIN_TEST(who_has_none_left_gives_none)
{
	struct nonet_semaphore *semaphore = make(2);

	(void)side;
	(void)argument;
	for (int turn = 0; turn < 3; turn++) {
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EPERM);
	}
	test_check_equal(value_of(semaphore), 2);
	nonet_semaphore_close(semaphore);
	return 0;
}

DOMAIN_TEST(one_without_permits_has_to_count)
{
	struct nonet_semaphore_options options = {.size = sizeof(options)};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_semaphore_holder holder;
	struct nonet_error error;
	size_t count;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_create(ADDRESS, NULL, NONET_NOW, &semaphore, &error), -EINVAL);
	test_check(strstr(error.text, "NONET_SEMAPHORE_SIGNAL"));
	options.value = SEMAPHORE_PERMITS + 1;
	test_check_equal(nonet_semaphore_create(ADDRESS, &options, NONET_NOW, &semaphore, &error), -EOVERFLOW);
	options.value = SEMAPHORE_PERMITS;
	options.count = 2;
	test_check_equal(nonet_semaphore_create(ADDRESS, &options, NONET_NOW, &semaphore, &error), -EOPNOTSUPP);
	semaphore = make_with(0, NONET_SEMAPHORE_SIGNAL);
	test_check_equal(nonet_semaphore_holders(semaphore, &holder, 1, &count), -EOPNOTSUPP);
	test_check_equal(nonet_semaphore_post(semaphore, 3, NONET_SEMAPHORE_UNDO), -EOPNOTSUPP);
	test_check_equal(nonet_semaphore_post(semaphore, 3, 0), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 4, 0, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_post(semaphore, SEMAPHORE_COUNT, 0), -EOVERFLOW);
	test_check_equal(nonet_semaphore_post(semaphore, SEMAPHORE_COUNT - 1, 0), 0);
	test_check_equal(value_of(semaphore), SEMAPHORE_COUNT);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* All of them, one by one, and back: the search for one doesn't grow with those that are taken. */
DOMAIN_TEST(the_most_permits_are_had)
{
	struct nonet_semaphore *semaphore = make(SEMAPHORE_PERMITS);

	(void)side;
	(void)argument;
	for (uint32_t i = 0; i < SEMAPHORE_PERMITS; i++)
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	test_check_equal(value_of(semaphore), 0);
	for (uint32_t i = 0; i < SEMAPHORE_PERMITS; i++)
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(value_of(semaphore), SEMAPHORE_PERMITS);
	test_check_equal(nonet_semaphore_wait(semaphore, SEMAPHORE_PERMITS, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_post(semaphore, SEMAPHORE_PERMITS, 0), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int hold_two(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = reach();

	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_semaphore_post(semaphore, 2, 0), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

DOMAIN_TEST(who_has_permits_is_told)
{
	struct nonet_semaphore *semaphore = make(3);
	struct test_child *child = test_child_until(hold_two, NULL);
	struct nonet_semaphore_holder holders[4];
	struct nonet_error error;
	char number[32];
	size_t count = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_holders(semaphore, holders, 4, &count), 0);
	test_check_equal(count, 1);
	test_check_equal(holders[0].pid, test_child_pid(child));
	test_check_equal(holders[0].permits, 2);
	test_check_equal(holders[0].flags, 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), -EAGAIN);
	nonet_semaphore_explain(semaphore, -EAGAIN, &error);
	snprintf(number, sizeof(number), "process %d ", test_child_pid(child));
	test_check(strstr(error.text, number));
	test_kill(child);
	test_check_equal(value_of(semaphore), 3);
	test_check_equal(nonet_semaphore_holders(semaphore, holders, 4, &count), 0);
	test_check_equal(holders[0].flags, NONET_SEMAPHORE_IS_DEAD);
	test_check_equal(nonet_semaphore_wait(semaphore, 3, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_holders(semaphore, holders, 257, &count), -EINVAL);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int wait_for_three(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_semaphore_wait(semaphore, 3, 0, NONET_FOREVER), 0);
	test_report(side, "taken");
	test_check_equal(nonet_semaphore_post(semaphore, 3, 0), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* It waits for permits: asleep it may also be while its process gets the thread that has them. */
static void until_it_waits(const struct nonet_semaphore *semaphore, struct test_child *waiter)
{
	const nonet_time deadline = test_deadline();

	while (!(atomic_load(&semaphore->shared->word) & SEMAPHORE_WAITS))
		test_check(test_clock() < deadline && sched_yield() == 0);
	test_child_wait_blocked(waiter);
}

/* It sleeps, and a holder's death wakes it; the next holder's as well. */
DOMAIN_TEST(a_death_wakes_who_waits)
{
	struct nonet_semaphore *semaphore = make(4);
	struct test_child *holder = test_child_until(hold_two, NULL);
	struct test_child *other = test_child_until(hold_two, NULL);
	struct test_child *waiter = test_child_until(wait_for_three, NULL);

	(void)side;
	(void)argument;
	until_it_waits(semaphore, waiter);
	test_kill(holder);
	/* It has collected two by now, or will: nobody gets past it. */
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	until_it_waits(semaphore, waiter);
	test_kill(other);
	test_child_wait_state(waiter, "taken");
	test_check_equal(test_child_join(waiter), 0);
	test_check_equal(value_of(semaphore), 4);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* Two are there, one waits for three: who comes later gets none of them, and who only looks isn't told of them. */
DOMAIN_TEST(nobody_gets_past_who_waits)
{
	struct nonet_semaphore *semaphore = make_with(2, NONET_SEMAPHORE_SIGNAL);
	struct test_child *waiter = test_child_until(wait_for_three, NULL);

	(void)side;
	(void)argument;
	until_it_waits(semaphore, waiter);
	test_check_equal(value_of(semaphore), 2);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_child_wait_state(waiter, "taken");
	/* It has given them back, and left. */
	test_check_equal(test_child_join(waiter), 0);
	test_check(is_readable(semaphore, test_deadline()));
	test_check_equal(nonet_semaphore_wait(semaphore, 3, 0, NONET_NOW), 0);

	/* And one who is killed while he waits keeps nobody out. */
	waiter = test_child_until(wait_for_three, NULL);
	until_it_waits(semaphore, waiter);
	test_kill(waiter);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* Who waits with some collected, and is killed, leaves them and his turn. */
DOMAIN_TEST(a_killed_waiter_leaves_all)
{
	struct nonet_semaphore *semaphore = make(4);
	struct test_child *holder = test_child_until(hold_two, NULL);
	struct test_child *waiter = test_child_until(wait_for_three, NULL);
	struct test_child *second = test_child_until(wait_for_three, NULL);

	(void)side;
	(void)argument;
	until_it_waits(semaphore, waiter);
	test_child_wait_blocked(second);
	test_check_equal(value_of(semaphore), 0);
	test_kill(waiter);
	test_child_tell(holder, "let go");
	test_child_wait_state(second, "taken");
	test_check_equal(test_child_join(holder), 0);
	test_check_equal(test_child_join(second), 0);
	test_check_equal(value_of(semaphore), 4);
	test_check_equal(nonet_semaphore_wait(semaphore, 4, 0, NONET_NOW), 0);
	test_check_equal(atomic_load(&semaphore->shared->word) & (SEMAPHORE_WAITS | SEMAPHORE_BELLS), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

DOMAIN_TEST(who_gives_up_gives_back)
{
	struct nonet_semaphore *semaphore = make(4);
	struct test_child *holder = test_child_until(hold_two, NULL);
	const nonet_time deadline = nonet_after(NONET_MS(130));

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 3, 0, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check_equal(value_of(semaphore), 2);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EPERM);
	test_child_tell(holder, "let go");
	test_check_equal(test_child_join(holder), 0);
	test_check_equal(value_of(semaphore), 4);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* A waker who is killed between giving back and waking: his step without the rest. */
DOMAIN_TEST(a_waker_who_died_keeps_nobody_asleep)
{
	struct nonet_semaphore *semaphore = make(4);
	struct test_child *waiter;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 4, 0, NONET_NOW), 0);
	waiter = test_child_until(wait_for_three, NULL);
	until_it_waits(semaphore, waiter);
	/* Nobody gets past him meanwhile, who finds it where he looks first. */
	atomic_store(&semaphore->shared->hint, 0);
	atomic_store(&semaphore->shared->permits[0], 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	for (int i = 1; i < 3; i++)
		atomic_store(&semaphore->shared->permits[i], 0);
	test_child_wait_state(waiter, "taken");
	test_check_equal(test_child_join(waiter), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

static void *give_back(void *semaphore)
{
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	return NULL;
}

DOMAIN_TEST(any_thread_gives_back)
{
	struct nonet_semaphore *semaphore = make(1);
	pthread_t thread;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(pthread_create(&thread, NULL, give_back, semaphore), 0);
	test_check_equal(pthread_join(thread, NULL), 0);
	test_check_equal(value_of(semaphore), 1);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* Its descriptor tells of a post, and of a death; while another waits it doesn't tell of what that one will get. */
DOMAIN_TEST(a_descriptor_tells_when_there_may_be_permits)
{
	struct nonet_semaphore *semaphore = make(2);
	struct test_child *holder = test_child_until(hold_two, NULL);

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_check(!is_readable(semaphore, test_clock()));
	test_child_tell(holder, "let go");
	test_check(is_readable(semaphore, test_deadline()));
	test_check_equal(test_child_join(holder), 0);
	test_check_equal(nonet_semaphore_arm(semaphore), 1);
	holder = test_child_until(hold_two, NULL);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_semaphore_arm(semaphore), 0);
	test_kill(holder);
	test_check(is_readable(semaphore, test_deadline()));
	test_check_equal(nonet_semaphore_arm(semaphore), 1);
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *own = reach();
	uint32_t value;

	(void)side;
	test_check_equal(nonet_semaphore_wait(argument, 1, 0, NONET_NOW), -ECHILD);
	test_check_equal(nonet_semaphore_post(argument, 1, 0), -ECHILD);
	test_check_equal(nonet_semaphore_value(argument, &value), -ECHILD);
	test_check_equal(nonet_semaphore_arm(argument), -ECHILD);
	test_check_equal(nonet_semaphore_wait(own, 1, 0, NONET_NOW), 0);
	nonet_semaphore_close(argument);
	nonet_semaphore_close(own);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct nonet_semaphore *semaphore = make(2);

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(test_child_join(test_child_start(use_the_parents, semaphore)), 0);
	test_check_equal(value_of(semaphore), 1);
	nonet_semaphore_close(semaphore);
	return 0;
}

#define CROWD 4

struct crowd {
	_Atomic uint64_t turns[CROWD];
	_Atomic int inside;
	_Atomic bool over;
};

struct one {
	struct crowd *crowd;
	int number;
	uint32_t permits;
};

static int take_and_give(struct test_child_side *side, void *argument)
{
	const struct one *one = argument;
	struct nonet_semaphore *semaphore = reach();
	struct crowd *crowd = one->crowd;

	test_report(side, "ready");
	while (!atomic_load(&crowd->over)) {
		test_check_equal(nonet_semaphore_wait(semaphore, one->permits, 0, NONET_FOREVER), 0);
		test_check(atomic_fetch_add(&crowd->inside, (int)one->permits) + (int)one->permits <= 3);
		atomic_fetch_sub(&crowd->inside, (int)one->permits);
		test_check_equal(nonet_semaphore_post(semaphore, one->permits, 0), 0);
		atomic_fetch_add(&crowd->turns[one->number], 1);
	}
	nonet_semaphore_close(semaphore);
	return 0;
}

/* Three want one all the time, one wants all three: there are never more than three in use, and everybody gets on. */
DOMAIN_TEST(a_crowd_shares_and_nobody_starves)
{
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nonet_semaphore *semaphore = make(3);
	struct test_child *children[CROWD];
	const uint64_t each = test_scaled(2000);

	(void)side;
	(void)argument;
	test_check(crowd != MAP_FAILED);
	for (int i = 0; i < CROWD; i++)
		children[i] = test_child_until(take_and_give, &(struct one){crowd, i, i == 0 ? 3 : 1});
	for (int i = 0; i < CROWD; i++) {
		const nonet_time deadline = test_after(NONET_S(60));

		while (atomic_load(&crowd->turns[i]) < each)
			test_check(test_clock() < deadline && sched_yield() == 0);
	}
	atomic_store(&crowd->over, true);
	for (int i = 0; i < CROWD; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_note("turns: %llu of three permits; %llu, %llu, %llu of one", (unsigned long long)crowd->turns[0],
		  (unsigned long long)crowd->turns[1], (unsigned long long)crowd->turns[2],
		  (unsigned long long)crowd->turns[3]);
	test_check_equal(value_of(semaphore), 3);
	nonet_semaphore_close(semaphore);
	munmap(crowd, sizeof(*crowd));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(permits_are_taken_and_given_back_by_who_has_them),
		test_case(who_has_none_left_gives_none),
		test_case(one_without_permits_has_to_count),
		test_case(the_most_permits_are_had),
		test_case(who_has_permits_is_told),
		test_case(a_death_wakes_who_waits),
		test_case(nobody_gets_past_who_waits),
		test_case(a_killed_waiter_leaves_all),
		test_case(who_gives_up_gives_back),
		test_case(a_waker_who_died_keeps_nobody_asleep),
		test_case(any_thread_gives_back),
		test_case(a_descriptor_tells_when_there_may_be_permits),
		test_case(a_child_opens_its_own),
		test_case(a_crowd_shares_and_nobody_starves),
	};
	return test_main(tests);
}
