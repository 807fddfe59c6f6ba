/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row 6: how soon one who sleeps learns that the holder is dead, be that a small process or a large one, or one that
 * dumps core: the dump can take seconds, and the kernel marks nobody's death before it is over.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness/core.h"
#include "harness/deadline.h"
#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

struct notice {
	const struct row_kind *kind;
	_Atomic int64_t taken_at; /* by nonet_clock(): one machine, one time namespace */
	size_t resident;
	const char *cores; /* where it dumps core, or NULL */
};

static int hold(struct test_child_side *side, void *argument)
{
	const struct notice *notice = argument;

	if (notice->resident) {
		char *memory = mmap(NULL, notice->resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		test_check(memory != MAP_FAILED);
		(void)madvise(memory, notice->resident, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < notice->resident; i += 4096)
			memory[i] = 1;
	}
	if (notice->cores)
		test_core_in(notice->cores);
	return row_hold(side, (void *)notice->kind);
}

static int take_over(struct test_child_side *side, void *argument)
{
	struct notice *notice = argument;
	const struct row_kind *kind = notice->kind;
	struct row_object *object = row_reach(kind);

	test_report(side, "ready");
	test_check_equal(kind->wait(object, NONET_FOREVER), kind->told);
	atomic_store(&notice->taken_at, nonet_clock());
	test_check_equal(kind->done(object), 0);
	row_close(object);
	return 0;
}

static int by_time(const void *left, const void *right)
{
	const nonet_time a = *(const nonet_time *)left, b = *(const nonet_time *)right;

	return a < b ? -1 : a > b;
}

/* Who wants room sleeps for a millisecond first, and looks himself after that: asleep is who sleeps on behind it. */
#define FIRST_SLEEP NONET_MS(1)

static void await_sleep(struct test_child *sleeper)
{
	nonet_time since;

	test_child_wait_blocked(sleeper);
	since = test_clock();
	do
		test_child_wait_blocked(sleeper);
	while (test_clock() - since < 3 * FIRST_SLEEP);
}

static nonet_time take_over_once(struct notice *notice)
{
	struct test_child *holder = test_child_until(hold, notice);
	struct test_child *sleeper = test_child_until(take_over, notice);
	nonet_time killed;

	await_sleep(sleeper);
	killed = nonet_clock();
	if (notice->cores)
		test_must(kill(test_child_pid(holder), SIGABRT));
	else
		test_kill(holder);
	test_check_equal(test_child_join(sleeper), 0);
	if (notice->cores)
		test_core_end(holder, notice->cores);
	return atomic_load(&notice->taken_at) - killed;
}

/*
 * A busy machine is late, and who has to look himself is late by nearly an interval, 100 ms, each time: half of that is
 * the limit here. How few microseconds it is on an idle one is a benchmark's to say.
 */
#define TRIES 4

static void measure(const struct row_kind *kind, const char *what, size_t resident, uint64_t count)
{
	struct notice *notice = mmap(NULL, sizeof(*notice), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nonet_time *times = calloc(count, sizeof(*times));
	uint64_t tries = 0;

	test_check(notice != MAP_FAILED && times != NULL);
	notice->kind = kind;
	notice->resident = resident;
	do {
		for (uint64_t i = 0; i < count; i++)
			times[i] = take_over_once(notice);
		qsort(times, count, sizeof(*times), by_time);
		test_note("%s, %s: %llu holders killed, the next one had it after %lld us (median), %lld us (most)",
			  kind->name, what, (unsigned long long)count, (long long)times[count / 2] / 1000,
			  (long long)times[count - 1] / 1000);
		tries++;
	} while (times[count / 2] >= NONET_MS(50) * test_slowness() && tries < TRIES);
	test_check(times[count / 2] < NONET_MS(50) * test_slowness());
	test_prove(kind->name, 6, tries * count, 0);
	free(times);
	munmap(notice, sizeof(*notice));
}

DOMAIN_TEST(who_sleeps_is_told_at_once)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (kind->owned)
		measure(kind, "nothing resident", 0, test_scaled(200));
	return 0;
}

DOMAIN_TEST(who_sleeps_is_told_at_once_by_a_large_process)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (kind->owned)
		measure(kind, "1 GiB resident", (size_t)1 << 30, test_scaled(50));
	return 0;
}

/* Who dumps is looked for: at the latest after two intervals. A busy machine is late once, and a fault each time. */
static bool told_in_time(struct notice *notice, nonet_time *latest)
{
	const nonet_time bound = NONET_MS(200) * test_slowness();
	nonet_time took = bound + 1;

	for (int i = 0; i < TRIES && took > bound; i++) {
		took = take_over_once(notice);
		*latest = took > *latest ? took : *latest;
	}
	return took <= bound;
}

static void measure_dumps(const struct row_kind *kind, const char *cores)
{
	struct notice *notice = mmap(NULL, sizeof(*notice), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const uint64_t count = test_scaled(20);
	nonet_time latest = 0;
	uint64_t late = 0;

	test_check(notice != MAP_FAILED);
	*notice = (struct notice){.kind = kind, .resident = (size_t)512 << 20, .cores = cores};
	for (uint64_t i = 0; i < count; i++)
		late += !told_in_time(notice, &latest);
	test_note("%s: %llu holders of 512 MiB dumped core, the next one had it after %lld us at most", kind->name,
		  (unsigned long long)count, (long long)latest / 1000);
	test_prove(kind->name, 6, count, late);
	munmap(notice, sizeof(*notice));
}

DOMAIN_TEST(who_sleeps_is_told_while_core_is_dumped)
{
	const char *cores = test_directory_new();

	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
		{
			if (!kind->owned)
				continue;
			if (test_cores_are_files())
				measure_dumps(kind, cores);
			else
				test_prove_not(kind->name, 6, TEST_NO_CORES);
		}
	test_directory_free(cores);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(who_sleeps_is_told_at_once, &long_one),
		test_case_with(who_sleeps_is_told_at_once_by_a_large_process, &long_one),
		test_case_with(who_sleeps_is_told_while_core_is_dumped, &long_one),
	};

	return test_main(tests);
}
