/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers, writers and upgraders of a lock that are killed at random, and those who wait for a condition or signal it:
 * the others go on, nobody reads what is half written, and a dead writer is told of.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/condition.h>
#include <nonet/rwlock.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/prove.h"
#include "harness/test.h"

#define WORKERS 4

struct arena {
	_Alignas(64) char mutex[NONET_MUTEX_PLACE_SIZE];
	_Alignas(64) char condition[NONET_CONDITION_PLACE_SIZE];
	_Atomic uint64_t reads;
	_Atomic uint64_t writes;
	_Atomic uint64_t upgrades;
	_Atomic uint64_t deaths;
	_Atomic uint64_t first, second; /* under the lock: equal, but for a death */
	_Atomic uint64_t baton;         /* under the mutex: whose turn it is */
};

static struct arena *new_arena(void)
{
	void *base = mmap(NULL, sizeof(struct arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(base != MAP_FAILED);
	return base;
}

static struct nonet_rwlock *reach(void)
{
	struct nonet_rwlock *rwlock = NULL;

	test_check_equal(nonet_rwlock_open("rwlock:r", &rwlock, NULL), 0);
	return rwlock;
}

static void check_whole(struct arena *arena)
{
	test_check_equal(atomic_load(&arena->first), atomic_load(&arena->second));
}

static void write_both(struct arena *arena)
{
	check_whole(arena);
	atomic_fetch_add(&arena->first, 1);
	atomic_fetch_add(&arena->writes, 1);
	atomic_fetch_add(&arena->second, 1);
}

/* Told that a writer is dead, it writes. */
static void mend(struct nonet_rwlock *rwlock, struct arena *arena)
{
	atomic_fetch_add(&arena->deaths, 1);
	atomic_store(&arena->second, atomic_load(&arena->first));
	test_check_equal(nonet_rwlock_recover(rwlock), 0);
}

static void read_turn(struct nonet_rwlock *rwlock, struct arena *arena, bool upgrades)
{
	int result = nonet_rwlock_read_lock(rwlock, nonet_after(NONET_S(60)));
	uint64_t before;

	if (result == -EOWNERDEAD) {
		mend(rwlock, arena);
		test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
	} else {
		test_check_equal(result, 0);
	}
	check_whole(arena);
	before = atomic_load(&arena->first);
	result = upgrades ? nonet_rwlock_upgrade(rwlock, nonet_after(NONET_S(60))) : -EDEADLK;
	if (result == 0) {
		test_check_equal(atomic_load(&arena->first), before);
		atomic_fetch_add(&arena->upgrades, 1);
		write_both(arena);
		test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
	} else {
		test_check_equal(result, -EDEADLK);
	}
	check_whole(arena);
	atomic_fetch_add(&arena->reads, 1);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
}

static void write_turn(struct nonet_rwlock *rwlock, struct arena *arena, nonet_time deadline)
{
	int result = nonet_rwlock_write_lock(rwlock, deadline);

	/* Who gives up has to let the others in again. */
	if (result == -ETIMEDOUT)
		return;
	if (result == -EOWNERDEAD)
		mend(rwlock, arena);
	else
		test_check_equal(result, 0);
	write_both(arena);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
}

static int work(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_rwlock *rwlock = reach();

	test_report(side, "ready");
	for (uint64_t turn = 0;; turn++) {
		if (turn % 4 == 0)
			write_turn(rwlock, arena, nonet_after(turn % 8 ? NONET_US(5) : NONET_S(60)));
		else
			read_turn(rwlock, arena, turn % 4 == 2);
	}
	return 0;
}

DOMAIN_TEST(random_kills_leave_a_lock_whole)
{
	struct arena *arena = new_arena();
	struct nonet_rwlock *rwlock = NULL;
	struct test_random random = test_random_init(test_seed(), 3);
	struct test_child *workers[WORKERS];
	const nonet_time end = test_kills_end();
	uint64_t kills = 0;
	int result;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_create("rwlock:r", NULL, &rwlock, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = test_child_until(work, arena);
	for (; test_clock() < end; kills++) {
		const uint64_t which = test_random_next(&random) % WORKERS;

		test_check_equal(test_kill_at_random(workers[which], 0, NONET_US(1500), &random), 1);
		workers[which] = test_child_until(work, arena);
	}
	for (int i = 0; i < WORKERS; i++)
		test_kill(workers[i]);
	result = nonet_rwlock_write_lock(rwlock, nonet_after(NONET_S(10)));
	test_check(result == 0 || result == -EOWNERDEAD);
	test_check(atomic_load(&arena->first) - atomic_load(&arena->second) <= (result == -EOWNERDEAD));
	fprintf(stderr, "# %llu kills, %llu of a writer, %llu reads, %llu writes, %llu of them upgrades\n",
		(unsigned long long)kills, (unsigned long long)atomic_load(&arena->deaths),
		(unsigned long long)atomic_load(&arena->reads), (unsigned long long)atomic_load(&arena->writes),
		(unsigned long long)atomic_load(&arena->upgrades));
	test_check(atomic_load(&arena->deaths) > 0 && atomic_load(&arena->upgrades) > 0);
	test_prove("rwlock-read, -write, -upgrade", 5, kills, 0);
	nonet_rwlock_close(rwlock);
	munmap(arena, sizeof(*arena));
	return 0;
}

/* Each in turn takes the baton, and tells the others. */
static int pass_the_baton(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_condition *condition = NULL;
	struct nonet_mutex *mutex = NULL;
	uint64_t seen;
	int result;

	test_check_equal(nonet_mutex_place(arena->mutex, NULL, NULL, &mutex, NULL), 0);
	test_check_equal(nonet_condition_place(arena->condition, NULL, &condition, NULL), 0);
	test_report(side, "ready");
	for (;;) {
		result = nonet_mutex_lock(mutex, nonet_after(NONET_S(60)));
		if (result == -EOWNERDEAD)
			result = nonet_mutex_recover(mutex);
		test_check_equal(result, 0);
		/* Wait for another to move it; who comes first, or is left alone, moves it after a while. */
		seen = atomic_load(&arena->baton);
		result = nonet_condition_wait(condition, mutex, nonet_after(NONET_US(200)));
		if (result == -EOWNERDEAD) {
			atomic_fetch_add(&arena->deaths, 1);
			result = nonet_mutex_recover(mutex);
		}
		test_check(result == 0 || result == -ETIMEDOUT);
		if (atomic_load(&arena->baton) != seen)
			atomic_fetch_add(&arena->reads, 1);
		atomic_fetch_add(&arena->baton, 1);
		test_check_equal(seen % 2 ? nonet_condition_signal(condition) : nonet_condition_broadcast(condition),
				 0);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
	}
	return 0;
}

DOMAIN_TEST(random_kills_leave_a_condition_whole)
{
	const struct nonet_mutex_options mutex_made = {.size = sizeof(mutex_made), .flags = NONET_MUTEX_MAKE};
	const struct nonet_condition_options made = {.size = sizeof(made), .flags = NONET_CONDITION_MAKE};
	struct arena *arena = new_arena();
	struct nonet_condition *condition = NULL;
	struct nonet_mutex *mutex = NULL;
	struct test_random random = test_random_init(test_seed(), 4);
	struct test_child *workers[WORKERS];
	const nonet_time end = test_kills_end();
	uint64_t kills = 0;
	uint64_t before;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_place(arena->mutex, NULL, &mutex_made, &mutex, NULL), 0);
	test_check_equal(nonet_condition_place(arena->condition, &made, &condition, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = test_child_until(pass_the_baton, arena);
	for (; test_clock() < end; kills++) {
		const uint64_t which = test_random_next(&random) % WORKERS;

		test_check_equal(test_kill_at_random(workers[which], 0, NONET_US(1500), &random), 1);
		workers[which] = test_child_until(pass_the_baton, arena);
	}
	/* The last ones still move it. */
	before = atomic_load(&arena->baton);
	while (atomic_load(&arena->baton) - before < 100)
		sched_yield();
	for (int i = 0; i < WORKERS; i++)
		test_kill(workers[i]);
	fprintf(stderr, "# %llu kills, %llu of an owner that a waiter was told of, %llu moves, %llu of them seen\n",
		(unsigned long long)kills, (unsigned long long)atomic_load(&arena->deaths),
		(unsigned long long)atomic_load(&arena->baton), (unsigned long long)atomic_load(&arena->reads));
	test_check(atomic_load(&arena->reads) > 0);
	test_prove("condition-wait", 5, kills, 0);
	nonet_condition_close(condition);
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(random_kills_leave_a_lock_whole, &long_one),
		test_case_with(random_kills_leave_a_condition_whole, &long_one),
	};

	return test_main(tests);
}
