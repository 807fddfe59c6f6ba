/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row 19: threads of one process on the same objects, with a library and a test built with ThreadSanitizer. What they
 * guard is plain memory: it is a data race, and the process ends with status REPORTED, unless each lock's way from who
 * lets go to who comes next has the orders that C11 asks for. That a weaker order is seen as well on x86-64, where it
 * would work, is the point.
 *
 * All share one handle: the sanitizer knows memory by its address, and another handle has the object at another. A
 * channel isn't among them for that reason: its publishers and its subscribers never have it at the same address.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <nonet/rwlock.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

#define THREADS  4
#define REPORTED 66 /* see the environment in meson.build */

struct race {
	const struct row_kind *kind;
	struct row_object *object;
	struct nonet_rwlock *rwlock;
	uint64_t turns;
	uint64_t first, second; /* equal, for who has the lock */
	uint64_t *said;         /* by the one who gives, an element for each turn */
	_Atomic uint64_t heard; /* turns that the other is through with; orders nothing */
	pthread_barrier_t end;
};

/*
 * None ends before all are through. What the library keeps of an ended thread is given to a new one once the kernel
 * says that he is gone: that order the sanitizer doesn't see.
 */
static void *end(struct race *race)
{
	pthread_barrier_wait(&race->end);
	return NULL;
}

static void run_threads(struct race *race, void *(*one)(void *argument), void *(*others)(void *argument), size_t count)
{
	pthread_t threads[THREADS];

	test_check_equal(pthread_barrier_init(&race->end, NULL, (unsigned int)count), 0);
	for (size_t i = 0; i < count; i++)
		test_check_equal(pthread_create(&threads[i], NULL, i ? others : one, race), 0);
	for (size_t i = 0; i < count; i++)
		test_check_equal(pthread_join(threads[i], NULL), 0);
	test_check_equal(pthread_barrier_destroy(&race->end), 0);
}

static void *take_turns(void *argument)
{
	struct race *race = argument;

	for (uint64_t i = 0; i < race->turns; i++) {
		test_check_equal(race->kind->wait(race->object, NONET_FOREVER), 0);
		race->first++;
		test_check_equal(++race->second, race->first);
		test_check_equal(race->kind->done(race->object), 0);
	}
	return end(race);
}

static void exclude(const struct row_kind *kind)
{
	struct race race = {.kind = kind, .object = row_reach(kind), .turns = test_scaled(50000)};

	run_threads(&race, take_turns, take_turns, THREADS);
	test_check_equal(race.first, THREADS * race.turns);
	row_close(race.object);
	test_prove(kind->name, 19, race.first, 0);
}

DOMAIN_TEST(who_comes_next_sees_what_was_done_before)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (kind->alone)
		exclude(kind);
	return 0;
}

static void write_both(struct race *race)
{
	race->first++;
	test_check_equal(++race->second, race->first);
}

/* Read, and where nobody else wants to, write after it; write, and read after it. */
static void *read_and_write(void *argument)
{
	struct race *race = argument;

	for (uint64_t i = 0; i < race->turns; i++) {
		if (i % 3 == 0) {
			test_check_equal(nonet_rwlock_write_lock(race->rwlock, NONET_FOREVER), 0);
			write_both(race);
			test_check_equal(nonet_rwlock_downgrade(race->rwlock), 0);
		} else {
			int result;

			test_check_equal(nonet_rwlock_read_lock(race->rwlock, NONET_FOREVER), 0);
			test_check_equal(race->first, race->second);
			result = i % 3 == 1 ? nonet_rwlock_upgrade(race->rwlock, NONET_FOREVER) : -EDEADLK;
			if (result == 0)
				write_both(race);
			else
				test_check_equal(result, -EDEADLK);
		}
		test_check_equal(race->first, race->second);
		test_check_equal(nonet_rwlock_unlock(race->rwlock), 0);
	}
	return end(race);
}

DOMAIN_TEST(readers_and_writers_see_each_others_work)
{
	struct race race = {.turns = test_scaled(50000)};

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_create("rwlock:row", NULL, &race.rwlock, NULL), 0);
	run_threads(&race, read_and_write, read_and_write, THREADS);
	test_check(race.first >= THREADS * (race.turns / 3));
	nonet_rwlock_close(race.rwlock);
	test_prove("rwlock-read, -write, -upgrade, -downgrade", 19, THREADS * race.turns, 0);
	return 0;
}

static void *say(void *argument)
{
	struct race *race = argument;

	for (uint64_t i = 0; i < race->turns; i++) {
		race->said[i] = i + 1;
		test_check_equal(race->kind->give(race->object), 0);
		/* An event that is set twice is set. */
		while (atomic_load_explicit(&race->heard, memory_order_relaxed) <= i)
			sched_yield();
	}
	return end(race);
}

static void *hear(void *argument)
{
	struct race *race = argument;

	for (uint64_t i = 0; i < race->turns; i++) {
		test_check_equal(race->kind->wait(race->object, NONET_FOREVER), 0);
		test_check_equal(race->said[i], i + 1);
		/* done() would give a permit back. */
		if (strncmp(race->kind->name, "semaphore", 9) != 0)
			test_check_equal(race->kind->done(race->object), 0);
		atomic_store_explicit(&race->heard, i + 1, memory_order_relaxed);
	}
	return end(race);
}

static void tell(const struct row_kind *kind)
{
	struct race race = {.kind = kind, .object = row_reach(kind), .turns = test_scaled(20000)};

	race.said = calloc(race.turns, sizeof(*race.said));
	test_check(race.said != NULL);
	test_check_equal(kind->take(race.object), 0);
	run_threads(&race, say, hear, 2);
	free(race.said);
	row_close(race.object);
	test_prove(kind->name, 19, race.turns, 0);
}

DOMAIN_TEST(who_is_woken_sees_what_was_done_before)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (!kind->owned && strncmp(kind->name, "channel", 7) != 0)
		tell(kind);
	return 0;
}

static void *take_without_asking(void *argument)
{
	struct race *race = argument;

	for (uint64_t i = 0; i < race->turns; i++)
		race->first++;
	return end(race);
}

static int race_without_asking(struct test_child_side *side, void *argument)
{
	struct race race = {.kind = row_kinds, .turns = test_scaled(50000)};

	(void)side;
	(void)argument;
	race.object = row_reach(race.kind);
	run_threads(&race, take_without_asking, take_turns, 2);
	return 0;
}

/* Else what is above proves nothing. */
DOMAIN_TEST(a_race_is_reported)
{
	(void)side;
	(void)argument;
	row_begin();
	test_check_equal(test_child_join(test_child_start(race_without_asking, NULL)), REPORTED);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(who_comes_next_sees_what_was_done_before, &long_one),
		test_case_with(readers_and_writers_see_each_others_work, &long_one),
		test_case_with(who_is_woken_sees_what_was_done_before, &long_one),
		test_case(a_race_is_reported),
	};

	return test_main(tests);
}
