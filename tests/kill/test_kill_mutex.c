/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of a mutex that are killed: nothing is written behind the next one's back, and nobody is inside with another.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/prove.h"
#include "harness/test.h"

#define KILLS   200
#define WORKERS 4

/* What the processes of a test share beside the mutex. */
struct arena {
	_Atomic int inside;
	_Atomic uint64_t rounds;
	_Atomic uint64_t deaths;
	uint64_t first, second; /* under the mutex: equal, but for a death */
};

static void *map_shared(size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(base != MAP_FAILED);
	return base;
}

static struct nonet_mutex *make(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	return mutex;
}

static struct nonet_mutex *reach(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	return mutex;
}

#define BUFFER ((size_t)64 << 20)

struct writing {
	unsigned char *buffer;
	int file;
};

/* The owner is killed inside a system call that writes to what the mutex guards. */
static int hold_and_read(struct test_child_side *side, void *argument)
{
	const struct writing *writing = argument;
	struct nonet_mutex *mutex = reach();

	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_check_equal(pread(writing->file, writing->buffer, BUFFER, 0), BUFFER);
	test_await(side, "never");
	return 0;
}

/* Where the zeros that are read end. */
static size_t written(const unsigned char *buffer)
{
	size_t low = 0;
	size_t high = BUFFER / 4096;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (buffer[middle * 4096] == 0xff)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

DOMAIN_TEST(nothing_is_written_once_it_is_taken_over)
{
	struct writing writing = {.buffer = map_shared(BUFFER), .file = memfd_create("zeros", MFD_CLOEXEC)};
	struct nonet_mutex *mutex = make();
	const uint64_t kills = test_scaled(KILLS);
	struct test_random random = test_random_init(test_seed(), 1);
	uint64_t halves = 0;

	(void)side;
	(void)argument;
	test_check_equal(ftruncate(writing.file, (off_t)BUFFER), 0);
	for (uint64_t i = 0; i < kills; i++) {
		struct test_child *child;
		nonet_time until;
		size_t seen;

		memset(writing.buffer, 0xff, BUFFER);
		child = test_child_until(hold_and_read, &writing);
		until = nonet_clock() + (nonet_time)(test_random_next(&random) % NONET_MS(8));
		while (nonet_clock() < until)
			sched_yield();
		seen = written(writing.buffer);
		halves += seen > 0 && seen < BUFFER / 4096;
		test_check_equal(kill(test_child_pid(child), SIGKILL), 0);
		test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(20))), -EOWNERDEAD);
		seen = written(writing.buffer);
		test_check_equal(nonet_mutex_recover(mutex), 0);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
		test_check_equal(test_child_join(child), -SIGKILL);
		test_check_equal(written(writing.buffer), seen);
	}
	fprintf(stderr, "# %llu owners killed inside read(2), %llu halfway: nothing was written after\n",
		(unsigned long long)kills, (unsigned long long)halves);
	test_prove("mutex-lock", 6, kills, 0);
	nonet_mutex_close(mutex);
	close(writing.file);
	munmap(writing.buffer, BUFFER);
	return 0;
}

static int work(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_mutex *mutex = reach();
	uint64_t turn = 0;

	test_report(side, "ready");
	for (;; turn++) {
		int result = nonet_mutex_lock(mutex, turn % 3 ? NONET_FOREVER : nonet_after(NONET_S(60)));
		int other;

		if (result == -EOWNERDEAD) {
			atomic_fetch_add(&arena->deaths, 1);
			arena->second = arena->first;
			test_check_equal(nonet_mutex_recover(mutex), 0);
		} else {
			test_check_equal(result, 0);
		}
		test_check_equal(arena->first, arena->second);
		other = atomic_exchange(&arena->inside, (int)getpid());
		test_check(other == 0 || result == -EOWNERDEAD);
		arena->first++;
		atomic_fetch_add(&arena->rounds, 1);
		arena->second++;
		test_check_equal(atomic_exchange(&arena->inside, 0), getpid());
		test_check_equal(nonet_mutex_unlock(mutex), 0);
	}
	return 0;
}

DOMAIN_TEST(random_kills_leave_it_whole)
{
	struct arena *arena = map_shared(sizeof(*arena));
	struct nonet_mutex *mutex = make();
	struct test_random random = test_random_init(test_seed(), 2);
	struct test_child *workers[WORKERS];
	const nonet_time end = test_kills_end();
	uint64_t kills = 0;
	int result;

	(void)side;
	(void)argument;
	for (int i = 0; i < WORKERS; i++)
		workers[i] = test_child_until(work, arena);
	for (; test_clock() < end; kills++) {
		const uint64_t which = test_random_next(&random) % WORKERS;

		test_check_equal(test_kill_at_random(workers[which], 0, NONET_US(1500), &random), 1);
		workers[which] = test_child_until(work, arena);
	}
	for (int i = 0; i < WORKERS; i++)
		test_kill(workers[i]);
	result = nonet_mutex_lock(mutex, nonet_after(NONET_S(10)));
	test_check(result == 0 || result == -EOWNERDEAD);
	test_check(arena->first - arena->second <= (result == -EOWNERDEAD));
	fprintf(stderr, "# %llu kills, %llu of an owner, %llu rounds, nobody was inside with another\n",
		(unsigned long long)kills, (unsigned long long)atomic_load(&arena->deaths),
		(unsigned long long)atomic_load(&arena->rounds));
	test_check(atomic_load(&arena->deaths) > 0);
	test_prove("mutex-lock", 5, kills, 0);
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(nothing_is_written_once_it_is_taken_over, &long_one),
		test_case_with(random_kills_leave_it_whole, &long_one),
	};
	return test_main(tests);
}
