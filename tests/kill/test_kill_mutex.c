/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners of a mutex that are killed: how soon the next one has it, that nothing is written behind his back, that nobody
 * is ever inside with another, and that no slot is lost. Two PID namespaces too, where both processes are number 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/test.h"

#define KILLS   200
#define WORKERS 4
#define CHURN   1000

/* What the processes of a test share beside the mutex. */
struct arena {
	_Atomic int64_t taken_at; /* by nonet_clock(): one machine, one time namespace */
	_Atomic int inside;
	_Atomic uint64_t rounds;
	_Atomic uint64_t deaths;
	uint64_t first, second; /* under the mutex: equal, but for a death */
	size_t resident;
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

static int hold(struct test_child_side *side, void *argument)
{
	const struct arena *arena = argument;
	struct nonet_mutex *mutex = reach();

	if (arena->resident) {
		char *memory = mmap(NULL, arena->resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		test_check(memory != MAP_FAILED);
		(void)madvise(memory, arena->resident, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < arena->resident; i += 4096)
			memory[i] = 1;
	}
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int take_over(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_mutex *mutex = reach();

	test_report(side, "ready");
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), -EOWNERDEAD);
	atomic_store(&arena->taken_at, nonet_clock());
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

static int by_time(const void *left, const void *right)
{
	const nonet_time a = *(const nonet_time *)left, b = *(const nonet_time *)right;

	return a < b ? -1 : a > b;
}

static nonet_time one_takeover(struct arena *arena)
{
	struct test_child *owner = test_child_until(hold, arena);
	struct test_child *sleeper = test_child_until(take_over, arena);
	nonet_time killed;

	test_child_wait_blocked(sleeper);
	killed = nonet_clock();
	test_kill(owner);
	test_check_equal(test_child_join(sleeper), 0);
	return atomic_load(&arena->taken_at) - killed;
}

static void measure_takeovers(const char *what, size_t resident, uint64_t count)
{
	struct arena *arena = map_shared(sizeof(*arena));
	nonet_time *times = calloc(count, sizeof(*times));
	struct nonet_mutex *mutex = make();

	arena->resident = resident;
	for (uint64_t i = 0; i < count; i++)
		times[i] = one_takeover(arena);
	qsort(times, count, sizeof(*times), by_time);
	fprintf(stderr, "# %s: %llu owners killed, the next one had it after %lld us (median), %lld us (most)\n", what,
		(unsigned long long)count, (long long)times[count / 2] / 1000, (long long)times[count - 1] / 1000);
	/* The fallback would take an interval. */
	test_check(times[count / 2] < NONET_MS(90) * test_slowness());
	free(times);
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
}

DOMAIN_TEST(a_sleeper_has_it_at_once)
{
	(void)side;
	(void)argument;
	measure_takeovers("nothing resident", 0, test_scaled(KILLS));
	return 0;
}

DOMAIN_TEST(a_sleeper_has_it_at_once_from_a_large_process)
{
	(void)side;
	(void)argument;
	measure_takeovers("1 GiB resident", (size_t)1 << 30, test_scaled(30));
	return 0;
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
	const uint64_t kills = test_scaled(5000);
	int result;

	(void)side;
	(void)argument;
	for (int i = 0; i < WORKERS; i++)
		workers[i] = test_child_until(work, arena);
	for (uint64_t i = 0; i < kills; i++) {
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
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
	return 0;
}

static int visit(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	struct nonet_mutex *mutex = reach();
	int result = nonet_mutex_lock(mutex, NONET_FOREVER);

	(void)side;
	test_check(result == 0 || result == -EOWNERDEAD);
	arena->first++;
	if (result == -EOWNERDEAD)
		test_check_equal(nonet_mutex_recover(mutex), 0);
	if (arena->first % 2)
		test_check_equal(nonet_mutex_unlock(mutex), 0);
	return 0;
}

DOMAIN_TEST(a_thousand_processes_leave_no_slot_behind)
{
	struct arena *arena = map_shared(sizeof(*arena));
	struct nonet_mutex *mutex = make();
	const uint64_t count = test_scaled(CHURN * 10);
	struct domain *domain = NULL;
	uint64_t most;

	(void)side;
	(void)argument;
	for (uint64_t i = 0; i < count; i += WORKERS) {
		struct test_child *children[WORKERS];

		for (int j = 0; j < WORKERS; j++)
			children[j] = test_child_start(visit, arena);
		for (int j = 0; j < WORKERS; j++)
			test_check_equal(test_child_join(children[j]), 0);
	}
	test_check_equal(arena->first, count);
	test_check_equal(domain_join(NULL, false, &domain, NULL), 0);
	most = atomic_load(&domain_header(domain)->slots) - 1;
	fprintf(stderr,
		"# %llu processes joined, locked and ended, every other with the mutex: count exact, %llu slots\n",
		(unsigned long long)count, (unsigned long long)most);
	/* As many as were there at a time. */
	test_check(most <= WORKERS + 1);
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
	return 0;
}

static int count_as_number_one(struct arena *arena, uint64_t turns)
{
	struct nonet_mutex *mutex = NULL;

	if (getpid() != 1 || nonet_mutex_open("mutex:m", &mutex, NULL) < 0)
		return 1;
	for (uint64_t i = 0; i < turns; i++) {
		int result = nonet_mutex_lock(mutex, NONET_FOREVER);

		/* The other ends with it. */
		if (result == -EOWNERDEAD)
			result = nonet_mutex_recover(mutex);
		if (result < 0 || atomic_exchange(&arena->inside, 1) != 0)
			return 2;
		arena->first++;
		if (atomic_exchange(&arena->inside, 0) != 1 || nonet_mutex_unlock(mutex) < 0)
			return 3;
	}
	/* He who is last ends with it too: known by more than his number. */
	(void)!nonet_mutex_lock(mutex, NONET_FOREVER);
	return 0;
}

static int in_a_namespace(struct test_child_side *side, void *argument)
{
	struct arena *arena = argument;
	const uint64_t turns = test_scaled(1000000);
	int status = -1;
	pid_t child;

	test_check_equal(unshare(CLONE_NEWPID), 0);
	test_report(side, "ready");
	test_await(side, "go");
	child = fork();
	if (child == 0)
		_exit(count_as_number_one(arena, turns));
	test_check_equal(waitpid(child, &status, 0), child);
	test_check_equal(status, 0);
	return 0;
}

DOMAIN_TEST(two_that_are_number_one_exclude_each_other)
{
	struct arena *arena = map_shared(sizeof(*arena));
	struct nonet_mutex *mutex = make();
	struct test_child *children[2];
	struct nonet_mutex_holder holder;

	(void)side;
	(void)argument;
	if (geteuid() != 0) {
		fprintf(stderr, "# not root: no PID namespaces, so this isn't tested\n");
		nonet_mutex_close(mutex);
		return 0;
	}
	for (int i = 0; i < 2; i++)
		children[i] = test_child_until(in_a_namespace, arena);
	for (int i = 0; i < 2; i++)
		test_child_tell(children[i], "go");
	for (int i = 0; i < 2; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check_equal(arena->first, 2 * test_scaled(1000000));
	test_check_equal(nonet_mutex_look(mutex, &holder), 0);
	test_check(holder.flags & NONET_MUTEX_IS_DEAD);
	test_check_equal(holder.pid, 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	fprintf(stderr, "# two processes that are both number 1: %llu rounds each, count exact\n",
		(unsigned long long)test_scaled(1000000));
	nonet_mutex_close(mutex);
	munmap(arena, sizeof(*arena));
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_sleeper_has_it_at_once, &long_one),
		test_case_with(a_sleeper_has_it_at_once_from_a_large_process, &long_one),
		test_case_with(nothing_is_written_once_it_is_taken_over, &long_one),
		test_case_with(random_kills_leave_it_whole, &long_one),
		test_case_with(a_thousand_processes_leave_no_slot_behind, &long_one),
		test_case_with(two_that_are_number_one_exclude_each_other, &long_one),
	};
	return test_main(tests);
}
