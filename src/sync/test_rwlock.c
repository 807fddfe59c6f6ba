/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sync/test_rwlock.h"

DOMAIN_TEST(one_thread_has_it_once)
{
	struct nonet_rwlock *rwlock = make(NULL);

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_unlock(rwlock), -EPERM);
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), -EPERM);
	test_check_equal(nonet_rwlock_downgrade(rwlock), -EPERM);
	test_check_equal(nonet_rwlock_recover(rwlock), -EPERM);

	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_downgrade(rwlock), -EPERM);
	test_check_equal(nonet_rwlock_recover(rwlock), -EPERM);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), -EPERM);

	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), -EPERM);
	test_check_equal(nonet_rwlock_recover(rwlock), -EINVAL);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), -EPERM);
	test_check_equal(holders(rwlock), 0);
	nonet_rwlock_close(rwlock);
	test_check_equal(nonet_rwlock_unlink("rwlock:prices", NULL), 0);
	test_check_equal(nonet_rwlock_unlink("rwlock:prices", NULL), -ENOENT);
	return 0;
}

DOMAIN_TEST(many_read_and_keep_a_writer_out)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *first = test_child_until(read_and_hold, NULL);
	struct test_child *second = test_child_until(read_and_hold, NULL);
	struct nonet_rwlock_holder found[3] = {0};
	struct nonet_error error;
	nonet_time deadline;
	size_t number = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), -EAGAIN);
	deadline = soon();
	test_check_equal(nonet_rwlock_write_lock(rwlock, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	nonet_rwlock_explain(rwlock, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "rwlock:prices is held for reading by thread "));
	/* Who gave up keeps nobody out. */
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_look(rwlock, found, 3, &number), 0);
	test_check_equal(number, 3);
	for (size_t i = 0; i < 3; i++) {
		test_check_equal(found[i].flags & ~NONET_RWLOCK_HAS_WAITERS, NONET_RWLOCK_READS);
		test_check(found[i].pid == getpid() || found[i].pid == test_child_pid(first) ||
			   found[i].pid == test_child_pid(second));
	}
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	let_go(first);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), -EAGAIN);
	let_go(second);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_writer_keeps_all_out)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *writer = test_child_until(write_and_hold, NULL);
	struct nonet_rwlock_holder found = {0};
	struct nonet_error error;
	size_t number = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_rwlock_read_lock(rwlock, soon()), -ETIMEDOUT);
	test_check_equal(nonet_rwlock_write_lock(rwlock, soon()), -ETIMEDOUT);
	test_check_equal(nonet_rwlock_unlock(rwlock), -EPERM);
	test_check_equal(nonet_rwlock_look(rwlock, &found, 1, &number), 0);
	test_check_equal(number, 1);
	test_check_equal(found.pid, test_child_pid(writer));
	test_check_equal(found.flags, NONET_RWLOCK_WRITES | NONET_RWLOCK_HAS_WAITERS);
	test_check(found.since > 0);
	nonet_rwlock_explain(rwlock, -EAGAIN, &error);
	test_check(strstr(error.text, "held for writing by thread "));
	let_go(writer);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_waiting_writer_goes_before_new_readers)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct nonet_rwlock_holder found = {0};
	struct test_child *writer;
	struct test_child *reader;
	size_t number = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	writer = test_child_until(write_when_possible, NULL);
	test_child_wait_blocked(writer);
	test_check_equal(nonet_rwlock_look(rwlock, &found, 1, &number), 0);
	test_check_equal(number, 2);
	test_check_equal(found.flags & ~NONET_RWLOCK_HAS_WAITERS, NONET_RWLOCK_WAITS_TO_WRITE);
	test_check_equal(found.pid, test_child_pid(writer));
	reader = test_child_until(read_when_possible, NULL);
	test_child_wait_blocked(reader);
	/* Who reads would wait for who waits for him. */
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_child_wait_state(writer, "writes");
	test_child_tell(writer, "let go");
	test_child_wait_state(reader, "reads");
	test_check_equal(test_child_join(writer), 0);
	test_check_equal(test_child_join(reader), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(two_upgraders_never_wait_for_each_other)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct nonet_error error;
	struct test_child *other;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	other = test_child_until(upgrade_when_possible, NULL);
	test_child_wait_blocked(other);
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_FOREVER), -EDEADLK);
	nonet_rwlock_explain(rwlock, -EDEADLK, &error);
	test_check(strstr(error.text, "another waits to write"));
	/* It reads still, so the other doesn't write. */
	test_check_equal(holders(rwlock), 2);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_child_wait_state(other, "writes");
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EAGAIN);
	test_child_tell(other, "let go");
	test_child_wait_state(other, "reads");
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	/* Neither the one who tries, nor who gives up, changes what it holds. */
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_rwlock_upgrade(rwlock, soon()), -ETIMEDOUT);
	test_check_equal(holders(rwlock), 2);
	let_go(other);
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), 0);
	test_check_equal(holders(rwlock), 1);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(ranks_are_kept)
{
	struct nonet_rwlock_options low = {.size = sizeof(low), .rank = 1};
	struct nonet_rwlock_options high = {.size = sizeof(high), .rank = 2};
	struct nonet_rwlock *first = NULL;
	struct nonet_rwlock *second = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_create("rwlock:first", &low, &first, NULL), 0);
	test_check_equal(nonet_rwlock_create("rwlock:second", &high, &second, NULL), 0);
	test_check_equal(nonet_rwlock_read_lock(first, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_write_lock(second, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_downgrade(second), 0);
	test_check_equal(nonet_rwlock_unlock(first), 0);
	test_check_equal(nonet_rwlock_read_lock(first, NONET_FOREVER), -EDEADLK);
	nonet_rwlock_explain(first, -EDEADLK, &error);
	test_check(strstr(error.text, "rwlock:first has rank 1") && strstr(error.text, "rwlock:second of rank 2"));
	test_check_equal(nonet_rwlock_write_lock(first, NONET_FOREVER), -EDEADLK);
	test_check_equal(nonet_rwlock_upgrade(second, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(second), 0);
	test_check_equal(nonet_rwlock_write_lock(first, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(first), 0);
	nonet_rwlock_close(first);
	nonet_rwlock_close(second);
	return 0;
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *own = reach();

	(void)side;
	test_check_equal(nonet_rwlock_read_lock(argument, NONET_NOW), -ECHILD);
	test_check_equal(nonet_rwlock_write_lock(argument, NONET_NOW), -ECHILD);
	test_check_equal(nonet_rwlock_upgrade(argument, NONET_NOW), -ECHILD);
	test_check_equal(nonet_rwlock_downgrade(argument), -ECHILD);
	test_check_equal(nonet_rwlock_unlock(argument), -ECHILD);
	test_check_equal(nonet_rwlock_recover(argument), -ECHILD);
	test_check_equal(nonet_rwlock_unlock(own), -EPERM);
	test_check_equal(nonet_rwlock_read_lock(own, NONET_NOW), -EAGAIN);
	nonet_rwlock_close(argument);
	nonet_rwlock_close(own);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct nonet_rwlock *rwlock = make(NULL);

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_check_equal(test_child_join(test_child_start(use_the_parents, rwlock)), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(bad_options_are_refused)
{
	struct nonet_rwlock_options options = {.size = sizeof(options), .readers = 100};
	struct nonet_rwlock *rwlock = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_create("rwlock:x", &options, &rwlock, &error), -EINVAL);
	test_check(strstr(error.text, "100 readers"));
	options = (struct nonet_rwlock_options){.size = sizeof(options), .flags = 1u << 20};
	test_check_equal(nonet_rwlock_create("rwlock:x", &options, &rwlock, NULL), -EINVAL);
	options = (struct nonet_rwlock_options){.size = sizeof(options), .reserved = {[2] = 1}};
	test_check_equal(nonet_rwlock_create("rwlock:x", &options, &rwlock, NULL), -EINVAL);
	options = (struct nonet_rwlock_options){.size = 8};
	test_check_equal(nonet_rwlock_create("rwlock:x", &options, &rwlock, NULL), -EINVAL);
	test_check_equal(nonet_rwlock_create("mutex:x", NULL, &rwlock, NULL), -EINVAL);
	test_check(rwlock == NULL);
	return 0;
}

static nonet_time late(void)
{
	return nonet_after(NONET_S(10));
}

enum {
	CROWD = 70
};

struct crowd {
	struct nonet_rwlock *rwlock;
	pthread_barrier_t in;
	pthread_barrier_t out;
	_Atomic unsigned refused;
};

static void *read_with_all(void *argument)
{
	struct crowd *crowd = argument;
	int result = nonet_rwlock_read_lock(crowd->rwlock, late());

	if (result == -EBUSY)
		atomic_fetch_add_explicit(&crowd->refused, 1, memory_order_relaxed);
	else
		test_check_equal(result, 0);
	pthread_barrier_wait(&crowd->in);
	/* Wherever its place is, it is found again. */
	test_check_equal(nonet_rwlock_read_lock(crowd->rwlock, late()), result == 0 ? -EDEADLK : -EBUSY);
	pthread_barrier_wait(&crowd->in);
	pthread_barrier_wait(&crowd->out);
	if (result == 0)
		test_check_equal(nonet_rwlock_unlock(crowd->rwlock), 0);
	return NULL;
}

DOMAIN_TEST(there_is_a_place_for_as_many_as_said)
{
	struct nonet_rwlock_options options = {.size = sizeof(options), .readers = 64};
	struct crowd crowd = {.rwlock = make(&options)};
	pthread_t threads[CROWD];

	(void)side;
	(void)argument;
	test_check_equal(pthread_barrier_init(&crowd.in, NULL, CROWD), 0);
	test_check_equal(pthread_barrier_init(&crowd.out, NULL, CROWD + 1), 0);
	for (int i = 0; i < CROWD; i++)
		test_check_equal(pthread_create(&threads[i], NULL, read_with_all, &crowd), 0);
	pthread_barrier_wait(&crowd.out);
	for (int i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	test_check_equal(crowd.refused, CROWD - 64);
	pthread_barrier_destroy(&crowd.in);
	pthread_barrier_destroy(&crowd.out);
	test_check_equal(nonet_rwlock_write_lock(crowd.rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(crowd.rwlock), 0);
	nonet_rwlock_close(crowd.rwlock);
	return 0;
}

enum {
	ROUNDS = 9
};

typedef int lock_function(struct nonet_rwlock *rwlock, nonet_time deadline);

static int lock_again_and_again(struct test_child_side *side, void *argument)
{
	lock_function *const *lock = argument;
	struct nonet_rwlock *rwlock = reach();

	for (int i = 0; i < ROUNDS; i++) {
		test_report(side, "ready");
		test_await(side, "go");
		test_check_equal((*lock)(rwlock, NONET_FOREVER), 0);
		test_report_number(side, nonet_clock());
		test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	}
	nonet_rwlock_close(rwlock);
	return 0;
}

/* Who sleeps is woken, and doesn't find out by himself at the end of an interval, which has just begun. */
static void check_wakes(struct nonet_rwlock *rwlock, lock_function *mine, lock_function *others)
{
	struct test_child *child = test_child_start(lock_again_and_again, &others);
	int soon_enough = 0;
	nonet_time freed;

	for (int i = 0; i < ROUNDS; i++) {
		test_child_wait_state(child, "ready");
		test_check_equal(mine(rwlock, NONET_FOREVER), 0);
		test_child_tell(child, "go");
		test_child_wait_blocked(child);
		freed = nonet_clock();
		test_check_equal(nonet_rwlock_unlock(rwlock), 0);
		soon_enough += test_child_number(child) - freed < NONET_MS(60);
	}
	test_check(soon_enough > ROUNDS / 2);
	test_check_equal(test_child_join(child), 0);
}

DOMAIN_TEST(who_lets_go_wakes_who_waits)
{
	struct nonet_rwlock *rwlock = make(NULL);

	(void)side;
	(void)argument;
	check_wakes(rwlock, nonet_rwlock_write_lock, nonet_rwlock_read_lock);
	check_wakes(rwlock, nonet_rwlock_write_lock, nonet_rwlock_write_lock);
	check_wakes(rwlock, nonet_rwlock_read_lock, nonet_rwlock_write_lock);
	nonet_rwlock_close(rwlock);
	return 0;
}

enum {
	NEIGHBOURS = 16, /* of one line, which has room for half of them */
	LINES = 8
};

struct stray {
	struct nonet_rwlock *rwlock;
	pthread_barrier_t one;
	pthread_barrier_t all;
	bool reads;
};

static void *stray_and_return(void *argument)
{
	struct stray *stray = argument;
	const bool reads = stray->reads;

	/* Slots are given out one after another. */
	test_check_equal(nonet_rwlock_read_lock(stray->rwlock, late()), 0);
	if (!reads)
		test_check_equal(nonet_rwlock_unlock(stray->rwlock), 0);
	pthread_barrier_wait(&stray->one);
	pthread_barrier_wait(&stray->all);
	if (reads) {
		test_check_equal(nonet_rwlock_read_lock(stray->rwlock, late()), -EDEADLK);
		test_check_equal(nonet_rwlock_unlock(stray->rwlock), 0);
	}
	test_check_equal(nonet_rwlock_unlock(stray->rwlock), -EPERM);
	return NULL;
}

DOMAIN_TEST(who_finds_no_place_near_his_own_is_found_elsewhere)
{
	struct nonet_rwlock_options options = {.size = sizeof(options), .readers = 64};
	struct stray stray = {.rwlock = make(&options)};
	pthread_t threads[NEIGHBOURS * LINES];

	(void)side;
	(void)argument;
	test_check_equal(pthread_barrier_init(&stray.one, NULL, 2), 0);
	test_check_equal(pthread_barrier_init(&stray.all, NULL, NEIGHBOURS * LINES + 1), 0);
	for (int i = 0; i < NEIGHBOURS * LINES; i++) {
		stray.reads = i % LINES == 0;
		test_check_equal(pthread_create(&threads[i], NULL, stray_and_return, &stray), 0);
		pthread_barrier_wait(&stray.one);
	}
	test_check_equal(holders(stray.rwlock), NEIGHBOURS);
	pthread_barrier_wait(&stray.all);
	for (int i = 0; i < NEIGHBOURS * LINES; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&stray.one);
	pthread_barrier_destroy(&stray.all);
	test_check_equal(holders(stray.rwlock), 0);
	nonet_rwlock_close(stray.rwlock);
	return 0;
}

#define PROCESSES 4

struct pair_of_counts {
	uint64_t first;
	uint64_t second;
};

/* One in eight writes: one as a writer, the next as an upgrader, who may be refused. */
static int read_and_write(struct test_child_side *side, void *argument)
{
	struct pair_of_counts *counts = argument;
	const uint64_t turns = test_scaled(100000);
	struct nonet_rwlock *rwlock = reach();
	uint64_t written = 0;
	uint64_t before;

	test_report(side, "ready");
	for (uint64_t i = 0; i < turns; i++) {
		if (i % 16 == 8) {
			test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), 0);
		} else {
			test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), 0);
			before = counts->first;
			test_check_equal(counts->second, before);
			if (i % 16 != 0 || nonet_rwlock_upgrade(rwlock, NONET_FOREVER) < 0) {
				test_check_equal(nonet_rwlock_unlock(rwlock), 0);
				continue;
			}
			/* What was read is still so. */
			test_check_equal(counts->first, before);
		}
		counts->first++;
		counts->second++;
		written++;
		if (i % 32 == 0) {
			test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
			test_check_equal(counts->second, counts->first);
		}
		test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	}
	test_report_number(side, (int64_t)written);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(readers_see_nothing_half_written)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *children[PROCESSES];
	struct pair_of_counts *counts =
		mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t written = 0;

	(void)side;
	(void)argument;
	test_check(counts != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++)
		children[i] = test_child_until(read_and_write, counts);
	for (int i = 0; i < PROCESSES; i++) {
		written += (uint64_t)test_child_number(children[i]);
		test_check_equal(test_child_join(children[i]), 0);
	}
	test_check_equal(counts->first, written);
	test_check_equal(counts->second, written);
	munmap(counts, sizeof(*counts));
	nonet_rwlock_close(rwlock);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_thread_has_it_once),
		test_case(many_read_and_keep_a_writer_out),
		test_case(a_writer_keeps_all_out),
		test_case(a_waiting_writer_goes_before_new_readers),
		test_case(two_upgraders_never_wait_for_each_other),
		test_case(ranks_are_kept),
		test_case(a_child_opens_its_own),
		test_case(bad_options_are_refused),
		test_case(there_is_a_place_for_as_many_as_said),
		test_case(who_finds_no_place_near_his_own_is_found_elsewhere),
		test_case(who_lets_go_wakes_who_waits),
		test_case(readers_see_nothing_half_written),
	};
	return test_main(tests);
}
