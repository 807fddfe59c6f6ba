/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holders and waiters are killed at random moments. With undo every permit comes back, exactly; without it no more are
 * gone than holders were killed; and nobody who only waited takes one along.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <nonet/semaphore.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/prove.h"
#include "harness/test.h"

#define PERMITS   3
#define KILLS_MIN 20

/* How long a victim may run: a few hundred takes and gives. */
#define MOST NONET_MS(2)

static char address[200];

static uint64_t kills(uint64_t promised)
{
	const uint64_t scaled = test_scaled(promised);

	return scaled > KILLS_MIN ? scaled : KILLS_MIN;
}

static struct nonet_semaphore *make(uint32_t permits)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = permits};
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static struct nonet_semaphore *make_sysv(uint32_t permits)
{
	snprintf(address, sizeof(address), "sysvsem:%d", test_sysv_key());
	return make(permits);
}

static struct nonet_semaphore *make_posix(uint32_t permits)
{
	snprintf(address, sizeof(address), "posixsem:/%s", test_name("kill"));
	return make(permits);
}

static void end(struct nonet_semaphore *semaphore)
{
	nonet_semaphore_close(semaphore);
	test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
}

static uint32_t value_of(struct nonet_semaphore *semaphore)
{
	uint32_t value = UINT32_MAX;

	test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
	return value;
}

static int take_and_give_with_undo(struct test_child_side *side, void *semaphore)
{
	test_report(side, "ready");
	for (;;) {
		for (uint32_t permits = 1; permits <= PERMITS; permits++) {
			test_check_equal(nonet_semaphore_wait(semaphore, permits, NONET_SEMAPHORE_UNDO, NONET_FOREVER),
					 0);
			test_check_equal(nonet_semaphore_post(semaphore, permits, NONET_SEMAPHORE_UNDO), 0);
		}
	}
	return 0;
}

/* Another works on all the time: it must never be kept from it. */
static void with_undo_every_permit_comes_back(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	struct nonet_semaphore *semaphore = make_sysv(PERMITS);
	struct test_child *survivor;
	const uint64_t count = kills(500);
	uint64_t killed = 0;

	(void)state;
	survivor = test_child_until(take_and_give_with_undo, semaphore);
	for (uint64_t i = 0; i < count; i++) {
		struct test_child *victim = test_child_until(take_and_give_with_undo, semaphore);

		killed += (uint64_t)test_kill_at_random(victim, 0, MOST, &random);
		/* All of them, beside a survivor that only ever has them for a moment. */
		test_check_equal(nonet_semaphore_wait(semaphore, PERMITS, 0, test_deadline()), 0);
		test_check_equal(value_of(semaphore), 0);
		test_check_equal(nonet_semaphore_post(semaphore, PERMITS, 0), 0);
	}
	test_kill(survivor);
	test_check_equal(value_of(semaphore), PERMITS);
	test_check_equal(killed, count);
	test_note("sysvsem with undo: %llu kills, count exact", (unsigned long long)killed);
	end(semaphore);
}

static int take_and_give(struct test_child_side *side, void *semaphore)
{
	test_report(side, "ready");
	for (;;) {
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	}
	return 0;
}

/* Each death costs one permit or none, and never gives one. */
static void lose_without_undo(struct nonet_semaphore *semaphore, const char *carrier)
{
	struct test_random random = test_random_init(test_seed(), 2);
	const uint64_t count = kills(200);
	uint64_t lost = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct test_child *victim = test_child_until(take_and_give, semaphore);
		uint32_t value;

		test_check_equal(test_kill_at_random(victim, 0, MOST, &random), 1);
		value = value_of(semaphore);
		test_check(value <= 1);
		if (value == 0) {
			lost++;
			test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
			test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		}
	}
	test_check_equal(value_of(semaphore), 1);
	test_note("%s without undo: %llu kills, %llu permits lost", carrier, (unsigned long long)count,
		  (unsigned long long)lost);
	end(semaphore);
}

static void without_undo_a_death_costs_one_permit_at_most(void **state)
{
	(void)state;
	lose_without_undo(make_posix(1), "posixsem");
	lose_without_undo(make_sysv(1), "sysvsem");
}

static int arm_and_disarm(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = NULL;

	(void)argument;
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL), 0);
	test_report(side, "ready");
	for (;;) {
		struct pollfd item = {.fd = nonet_semaphore_fd(semaphore), .events = POLLIN};

		if (nonet_semaphore_arm(semaphore) == 0)
			(void)test_poll(&item, 1, test_clock() + NONET_US(50));
	}
	return 0;
}

/* Who only waits for readiness can be killed in any state of it: permits stay, and others are woken. */
static void watch(struct nonet_semaphore *semaphore, const char *carrier)
{
	struct test_random random = test_random_init(test_seed(), 3);
	const uint64_t count = kills(200);

	for (uint64_t i = 0; i < count; i++) {
		struct test_child *victim = test_child_until(arm_and_disarm, NULL);

		/* Now it has something to tell, now not. */
		if (i % 2)
			test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(test_kill_at_random(victim, 0, MOST, &random), 1);
		if (i % 2 == 0)
			test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(value_of(semaphore), 1);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	}
	test_check_equal(value_of(semaphore), 0);
	test_note("%s: %llu kills of who waits for readiness, no permit lost", carrier, (unsigned long long)count);
	end(semaphore);
}

static void who_only_waits_takes_nothing_along(void **state)
{
	(void)state;
	watch(make_posix(0), "posixsem");
	watch(make_sysv(0), "sysvsem");
}

static int take_and_give_own(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = NULL;

	(void)argument;
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL), 0);
	return take_and_give_with_undo(side, semaphore);
}

/* nonet's own: two are killed in turn while a third works on, and one sleeps by the descriptor now and then. */
DOMAIN_TEST(of_nonets_own_every_permit_comes_back)
{
	struct test_random random = test_random_init(test_seed(), 4);
	struct nonet_semaphore *semaphore;
	struct test_child *survivor, *other;
	const nonet_time end = test_kills_end();
	uint64_t count = 0;
	uint64_t killed = 0;

	(void)side;
	(void)argument;
	snprintf(address, sizeof(address), "semaphore:kill");
	semaphore = make(PERMITS);
	survivor = test_child_until(take_and_give_own, NULL);
	other = test_child_until(take_and_give_own, NULL);
	for (; test_clock() < end; count++) {
		struct test_child *victim = test_child_until(count % 2 ? take_and_give_own : arm_and_disarm, NULL);

		killed += (uint64_t)test_kill_at_random(count % 4 < 2 ? victim : other, 0, MOST, &random);
		if (count % 4 >= 2)
			other = victim;
		test_check_equal(nonet_semaphore_wait(semaphore, PERMITS, 0, test_deadline()), 0);
		test_check_equal(value_of(semaphore), 0);
		test_check_equal(nonet_semaphore_post(semaphore, PERMITS, 0), 0);
	}
	test_kill(survivor);
	test_kill(other);
	test_check_equal(value_of(semaphore), PERMITS);
	test_check_equal(killed, count);
	test_check_equal(nonet_semaphore_wait(semaphore, PERMITS, 0, NONET_NOW), 0);
	test_prove("semaphore-wait", 5, killed, 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(with_undo_every_permit_comes_back),
		test_case(without_undo_a_death_costs_one_permit_at_most),
		test_case(who_only_waits_takes_nothing_along),
		test_case_with(of_nonets_own_every_permit_comes_back, &long_one),
	};

	return test_main(tests);
}
