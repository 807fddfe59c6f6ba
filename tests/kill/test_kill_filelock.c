/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that take a file lock in all ways, wait for it in all ways, and are killed at random moments. The others go
 * on at once, nobody is ever inside with another, and in the end nothing is locked.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/kill.h"
#include "harness/test.h"

#define KILLS   200
#define WORKERS 3

/* How long after a kill somebody else has to have the lock, on a machine that does other things too. */
#define NEXT_WITHIN (NONET_S(1) * test_slowness())

struct arena {
	char address[160];
	_Atomic int inside; /* who has it exclusively, or had it when he was killed */
	_Atomic int sharing;
	_Atomic int doomed; /* the process that is being killed, or was last */
	_Atomic uint64_t rounds;
	uint64_t seed;
};

static struct nonet_filelock *open_lock(const struct arena *arena)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	struct nonet_filelock *lock;

	test_check_equal(nonet_filelock_open(arena->address, &options, &lock, NULL), 0);
	return lock;
}

/* Alone: whoever was there before has left, or was killed. */
static void be_inside(struct arena *arena)
{
	int other = atomic_exchange(&arena->inside, (int)getpid());

	test_check(other == 0 || other == atomic_load(&arena->doomed));
	test_check_equal(atomic_exchange(&arena->inside, 0), getpid());
}

static void wait_by_descriptor(struct nonet_filelock *lock, enum nonet_filelock_mode mode)
{
	while (nonet_filelock_lock(lock, mode, NONET_NOW) == -EAGAIN) {
		struct pollfd item = {.fd = nonet_filelock_fd(lock), .events = POLLIN};
		int ready = nonet_filelock_arm(lock);

		test_check(ready >= 0);
		test_check_equal(ready || test_poll(&item, 1, test_deadline()), 1);
	}
}

static int work(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct test_random random = test_random_init(arena->seed, (uint64_t)getpid());
	struct nonet_filelock *lock = open_lock(arena);
	int error;

	test_report(side, "ready");
	for (;;) {
		switch (test_random_next(&random) % 6) {
		case 0:
			test_check_equal(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_FOREVER), 0);
			be_inside(arena);
			break;
		case 1:
			test_check_equal(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, test_deadline()), 0);
			be_inside(arena);
			break;
		case 2:
			wait_by_descriptor(lock, NONET_FILELOCK_EXCLUSIVE);
			be_inside(arena);
			break;
		case 3:
			wait_by_descriptor(lock, NONET_FILELOCK_SHARED);
			error = atomic_load(&arena->inside);
			test_check(error == 0 || error == atomic_load(&arena->doomed));
			/* Somebody else who shares it may want the same. */
			error = nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, nonet_after(NONET_MS(1)));
			test_check(error == 0 || error == -ETIMEDOUT || error == -EDEADLK);
			if (error == 0)
				be_inside(arena);
			break;
		case 4:
			/* Waiting for nothing any more. */
			if (nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW) == -EAGAIN)
				test_check(nonet_filelock_arm(lock) >= 0);
			break;
		default:
			nonet_filelock_close(lock);
			lock = open_lock(arena);
			break;
		}
		test_check_equal(nonet_filelock_unlock(lock), 0);
		atomic_fetch_add(&arena->rounds, 1);
	}
	return 0;
}

/* By a process that is younger than all workers, and shares no handle with one. */
static int take_it(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_filelock *lock = open_lock(arena);

	(void)side;
	test_check_equal(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, test_deadline()), 0);
	be_inside(arena);
	nonet_filelock_close(lock);
	return 0;
}

static void kill_them(const char *scheme)
{
	struct test_random random = test_random_init(test_seed(), 1);
	const uint64_t kills = test_scaled(KILLS);
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "lock");
	struct arena *arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *workers[WORKERS];
	nonet_time longest = 0;

	test_check(arena != MAP_FAILED);
	snprintf(arena->address, sizeof(arena->address), "%s:%s", scheme, path);
	arena->seed = test_seed();
	for (int i = 0; i < WORKERS; i++)
		workers[i] = test_child_until(work, arena);
	for (uint64_t i = 0; i < kills; i++) {
		struct test_child **victim = &workers[test_random_between(&random, 0, WORKERS - 1)];
		nonet_time since;

		test_watchdog_extend(NONET_S(30));
		test_poll(NULL, 0, test_clock() + (nonet_time)test_random_between(&random, 0, (uint64_t)NONET_MS(3)));
		atomic_store(&arena->doomed, (int)test_child_pid(*victim));
		test_kill(*victim);
		since = test_clock();
		test_check_equal(test_child_join(test_child_start(take_it, arena)), 0);
		longest = test_clock() - since > longest ? test_clock() - since : longest;
		*victim = test_child_until(work, arena);
	}
	for (int i = 0; i < WORKERS; i++) {
		atomic_store(&arena->doomed, (int)test_child_pid(workers[i]));
		test_kill(workers[i]);
		test_check_equal(test_child_join(test_child_start(take_it, arena)), 0);
	}
	test_note("%s: %llu killed in %llu rounds; the next had it within %lld us", scheme, (unsigned long long)kills,
		  (unsigned long long)atomic_load(&arena->rounds), (long long)(longest / 1000));
	test_check(longest < NEXT_WITHIN);
	munmap(arena, sizeof(*arena));
	test_must(unlink(path));
	test_directory_free(directory);
}

static void an_ofdlock_outlives_who_is_killed_with_it(void **state)
{
	(void)state;
	kill_them("ofdlock");
}

static void a_posixlock_outlives_who_is_killed_with_it(void **state)
{
	(void)state;
	kill_them("posixlock");
}

static void a_flock_outlives_who_is_killed_with_it(void **state)
{
	(void)state;
	kill_them("flock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_ofdlock_outlives_who_is_killed_with_it),
		test_case(a_posixlock_outlives_who_is_killed_with_it),
		test_case(a_flock_outlives_who_is_killed_with_it),
	};

	return test_main(tests);
}
