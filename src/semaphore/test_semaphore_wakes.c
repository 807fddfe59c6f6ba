/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "harness/domain.h"
#include "harness/test.h"
#include "semaphore/semaphore_shared.h"

/* Who waits for a permit is woken at once. */

static char pool[] = "semaphore:pool";
static char others[] = "semaphore:others";

static struct nonet_semaphore *make(const char *address, uint32_t value, uint32_t flags)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = value, .flags = flags};
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static struct nonet_semaphore *reach(const char *address)
{
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

/* Asleep, after the mark. */
static void until_it_waits(const struct nonet_semaphore *semaphore, struct test_child *waiter)
{
	const nonet_time deadline = test_deadline();

	while (!(atomic_load(&semaphore->shared->word) & SEMAPHORE_WAITS))
		test_check(test_clock() < deadline && sched_yield() == 0);
	test_child_wait_blocked(waiter);
}

#define ROUNDS 8

static int wait_and_say_when(struct test_child_side *side, void *address)
{
	struct nonet_semaphore *semaphore = reach(address);

	test_report(side, "ready");
	for (int i = 0; i < ROUNDS; i++) {
		test_await(side, "wait");
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
		test_report_number(side, test_clock());
		test_await(side, "give");
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_report(side, "given");
	}
	nonet_semaphore_close(semaphore);
	return 0;
}

static int hold_one(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = reach(pool);

	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/*
 * Whoever isn't woken looks after 100 ms himself, which would hide that he wasn't: so most rounds have to be better
 * than that. Now a post wakes him, now a death.
 */
static void wakes_at_once(struct nonet_semaphore *semaphore, bool by_death)
{
	struct test_child *waiter = test_child_until(wait_and_say_when, pool);
	struct test_child *holder = NULL;
	nonet_time best = NONET_FOREVER;
	int prompt = 0;

	for (int i = 0; i < ROUNDS; i++) {
		nonet_time begin;
		nonet_time took;

		if (by_death)
			holder = test_child_until(hold_one, NULL);
		else
			test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_child_tell(waiter, "wait");
		until_it_waits(semaphore, waiter);
		begin = test_clock();
		if (by_death)
			test_kill(holder);
		else
			test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		took = test_child_number(waiter) - begin;
		best = took < best ? took : best;
		prompt += took < NONET_MS(50);
		test_child_tell(waiter, "give");
		test_child_wait_state(waiter, "given");
	}
	test_check_equal(test_child_join(waiter), 0);
	test_note("a waiter was woken by a %s after %lld us", by_death ? "death" : "post", (long long)best / 1000);
	test_check(prompt > ROUNDS / 2);
}

DOMAIN_TEST(a_post_and_a_death_wake_at_once)
{
	struct nonet_semaphore *semaphore = make(pool, 1, 0);

	(void)side;
	(void)argument;
	wakes_at_once(semaphore, false);
	wakes_at_once(semaphore, true);
	nonet_semaphore_close(semaphore);
	semaphore = NULL;
	test_check_equal(nonet_semaphore_unlink(pool, NULL), 0);
	semaphore = make(pool, 1, NONET_SEMAPHORE_SIGNAL);
	wakes_at_once(semaphore, false);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int hold_one_of_each(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = reach(others);

	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	return hold_one(side, argument);
}

/*
 * Two sleep on the life of one process, which has a permit of either semaphore, and the kernel wakes the first. He
 * finds one that another gave back, who was killed before he woke him. The second is woken at once all the same.
 */
DOMAIN_TEST(a_death_wakes_all_who_sleep_on_that_life)
{
	struct nonet_semaphore *semaphore = make(pool, 2, 0);
	struct nonet_semaphore *other = make(others, 1, 0);
	struct test_child *first;
	struct test_child *second;
	int prompt = 0;

	(void)side;
	(void)argument;
	first = test_child_until(wait_and_say_when, pool);
	second = test_child_until(wait_and_say_when, others);
	for (int i = 0; i < ROUNDS; i++) {
		struct test_child *holder;
		nonet_time begin;

		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		holder = test_child_until(hold_one_of_each, NULL);
		test_child_tell(first, "wait");
		until_it_waits(semaphore, first);
		test_child_tell(second, "wait");
		until_it_waits(other, second);
		atomic_store(&semaphore->shared->permits[semaphore->mine], 0);
		begin = test_clock();
		test_kill(holder);
		prompt += test_child_number(second) - begin < NONET_MS(50);
		(void)test_child_number(first);
		test_child_tell(first, "give");
		test_child_tell(second, "give");
		test_child_wait_state(first, "given");
		test_child_wait_state(second, "given");
	}
	test_check_equal(test_child_join(first), 0);
	test_check_equal(test_child_join(second), 0);
	test_note("of %d deaths the second heard at once: %d", ROUNDS, prompt);
	test_check(prompt > ROUNDS / 2);
	nonet_semaphore_close(other);
	nonet_semaphore_close(semaphore);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_post_and_a_death_wake_at_once),
		test_case(a_death_wakes_all_who_sleep_on_that_life),
	};
	return test_main(tests);
}
