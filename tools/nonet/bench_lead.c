/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench_statistics.h"

/*
 * How a figure comes about. A run is a few slices of the subject and of each limit, in turns, so that whatever slows
 * the machine down for a while hits all of them; a slice's value is the median of its blocks, a run's that of its
 * slices. A run counts if the raw line reads the same before and after it, near or far, and only runs of one class are
 * put together: the result is the median of theirs, and the ratio the median of their ratios.
 */

/* What is ordered that isn't a link. */
#define ORDER_LINE UINT32_MAX
#define ORDER_END  (UINT32_MAX - 1)

#define RUNS_MAX 64
/* The cores may move so often that hardly a run counts: so many times the wanted ones are made at most. */
#define TRIES 4

#define LOOKS 2000

/* The runs of one class. */
struct runs {
	size_t count;
	double each[RUNS_MAX], ratio[RUNS_MAX], line[RUNS_MAX], limits[BENCH_LIMITS][RUNS_MAX];
	struct bench_histogram histogram;
};

/* Both kinds, which are too large for a stack. */
static struct runs both[2];

void bench_await_change(_Atomic uint32_t *word, uint32_t seen)
{
	/* Somebody may have failed instead: nobody sleeps for longer. */
	const struct timespec soon = {.tv_nsec = NONET_MS(10)};
	unsigned int i;

	for (i = 0; i < LOOKS; i++) {
		if (atomic_load_explicit(word, memory_order_relaxed) != seen)
			return;
		bench_pause();
	}
	syscall(SYS_futex, word, FUTEX_WAIT, seen, &soon, NULL, 0);
}

void bench_tell_change(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void order(struct bench_shared *shared, uint32_t what, uint64_t last)
{
	shared->order = what;
	atomic_store_explicit(&shared->last, last, memory_order_relaxed);
	atomic_store_explicit(&shared->answers, 0, memory_order_relaxed);
	/* [BENCH-ORDER] pair: bench_follow() */
	atomic_fetch_add_explicit(&shared->orders, 1, memory_order_release);
	bench_tell_change(&shared->orders);
}

/* 1, 0, or the negative errno of who failed. */
static int has_answered(struct bench_shared *shared, unsigned int followers)
{
	/* [BENCH-ORDER] pair: bench_follow() */
	if (atomic_load_explicit(&shared->answers, memory_order_acquire) == followers)
		return 1;
	return atomic_load_explicit(&shared->failed, memory_order_relaxed);
}

static int answered(struct bench_shared *shared, unsigned int followers)
{
	uint32_t answers;
	int r;

	for (;;) {
		answers = atomic_load_explicit(&shared->answers, memory_order_relaxed);
		r = has_answered(shared, followers);
		if (r != 0)
			return r < 0 ? r : 0;
		bench_await_change(&shared->answers, answers);
	}
}

void bench_order(struct bench_link *link, uint64_t last)
{
	order(link->shared, link->shared->order, last);
}

int bench_answered(struct bench_link *link)
{
	return answered(link->shared, link->followers);
}

int bench_has_answered(struct bench_link *link)
{
	return has_answered(link->shared, link->followers);
}

int bench_follow(struct bench_link *links)
{
	struct bench_shared *shared = links[0].shared;
	uint32_t seen = 0, orders;
	struct bench_link *link;
	int r = 0;

	while (r == 0) {
		orders = atomic_load_explicit(&shared->orders, memory_order_acquire); /* [BENCH-ORDER] pair: order() */
		if (orders == seen) {
			bench_await_change(&shared->orders, seen);
			continue;
		}
		seen = orders;
		if (shared->order == ORDER_END)
			return 0;
		if (shared->order == ORDER_LINE) {
			if (links[0].place == 1)
				bench_line_answer(&shared->line);
		} else {
			link = &links[shared->order];
			if (link->what->way->follow)
				r = link->what->way->follow(link);
		}
		/* [BENCH-ORDER] pair: answered() */
		atomic_fetch_add_explicit(&shared->answers, 1, memory_order_release);
		bench_tell_change(&shared->answers);
	}
	return r;
}

/* ns that a line takes now. */
static int read_line(struct bench_link *links, double *ret_line)
{
	order(links[0].shared, ORDER_LINE, 0);
	*ret_line = bench_line_ask(&links[0].shared->line);
	return answered(links[0].shared, links[0].followers);
}

/* One slice of a link. The histogram is the subject's alone. */
static int lead_slice(struct bench_link *links, size_t index, nonet_time length, double *ret_each)
{
	struct bench_slice slice = {.length = length};
	struct bench_shared *shared = links[0].shared;
	const struct bench_histogram kept = shared->run;
	int r;

	shared->order = (uint32_t)index;
	r = links[index].what->way->lead(&links[index], &slice);
	if (r == 0)
		r = bench_answered(&links[index]);
	if (index > 0)
		shared->run = kept;
	*ret_each = slice.each;
	return r;
}

/* All slices of all links, in turns. */
static int lead_run(struct bench_link *links, size_t count, const struct bench_options *options, double *ret_each)
{
	const nonet_time length = options->length / (nonet_time)(options->runs * options->slices * count);
	double each[1 + BENCH_LIMITS][BENCH_SLICES];
	size_t slice, turn, index;
	int r;

	memset(&links[0].shared->run, 0, sizeof(links[0].shared->run));
	for (slice = 0; slice < options->slices; slice++) {
		for (turn = 0; turn < count; turn++) {
			index = slice % 2 ? count - 1 - turn : turn;
			r = lead_slice(links, index, length, &each[index][slice]);
			if (r < 0)
				return r;
		}
	}
	for (index = 0; index < count; index++)
		ret_each[index] = statistics_median(each[index], options->slices);
	return 0;
}

/* A run that counts. */
static void add_run(struct runs *runs, const struct bench_row *row, const double *each, size_t count, double line,
		    const struct bench_histogram *histogram)
{
	const size_t run = runs->count++;
	double best = 0;
	size_t i;

	for (i = 0; i + 1 < count; i++) {
		runs->limits[i][run] = each[1 + i];
		if (best == 0 || each[1 + i] < best)
			best = each[1 + i];
	}
	runs->each[run] = each[0];
	runs->line[run] = line;
	if (best > 0)
		runs->ratio[run] = bench_is_rate(row) ? best / each[0] : each[0] / best;
	histogram_merge(&runs->histogram, histogram);
}

static void sum_up(struct runs *runs, const struct bench_row *row, size_t count, struct bench_result *result)
{
	const struct bench_histogram *histogram = &runs->histogram;
	double limit;
	size_t i;

	result->runs = (unsigned int)runs->count;
	result->each = statistics_median(runs->each, runs->count);
	result->line = statistics_median(runs->line, runs->count);
	for (i = 0; i + 1 < count; i++) {
		limit = statistics_median(runs->limits[i], runs->count);
		if (result->limit > 0 && limit >= result->limit)
			continue;
		result->limit = limit;
		result->best = i;
	}
	if (result->limit > 0)
		result->ratio = statistics_median(runs->ratio, runs->count);
	result->p99 = result->p999 = result->max = -1;
	if (bench_is_rate(row) || histogram->count == 0)
		return;
	result->p99 = (double)histogram_at(histogram, 0.99);
	result->p999 = (double)histogram_at(histogram, 0.999);
	result->max = (double)histogram->max;
}

static bool is_one_kind(double before, double after)
{
	return !bench_line_is_busy(before) && !bench_line_is_busy(after) &&
	       bench_line_is_far(before) == bench_line_is_far(after);
}

/*
 * Runs until one class has enough of them, or the time is over and it has one. Where none counts, as on a machine that
 * others use all the time, the last does.
 */
static int lead_runs(const struct bench_row *row, const struct bench_options *options, struct bench_link *links,
		     size_t count)
{
	struct bench_shared *shared = links[0].shared;
	struct bench_result *result = &shared->result;
	const nonet_time end = nonet_after(2 * options->length);
	unsigned int tries, made = 0;
	double each[1 + BENCH_LIMITS], before, after;
	struct runs *runs = NULL;
	bool last;
	int r = read_line(links, &before);

	for (tries = 0; r == 0 && tries < TRIES * options->runs; tries++) {
		r = lead_run(links, count, options, each);
		if (r == 0)
			r = read_line(links, &after);
		if (r < 0)
			break;
		made++;
		last = tries + 1 == TRIES * options->runs && both[0].count + both[1].count == 0;
		if (last || is_one_kind(before, after)) {
			runs = &both[bench_line_is_far(after)];
			add_run(runs, row, each, count, (before + after) / 2, &shared->run);
			if (runs->count == options->runs)
				break;
		}
		before = after;
		if (nonet_clock() >= end && both[0].count + both[1].count > 0)
			break;
	}
	if (r < 0)
		return r;
	if (both[0].count + both[1].count == 0)
		return -EBUSY;
	result->far = both[1].count > both[0].count;
	sum_up(&both[result->far], row, count, result);
	result->discarded = made - result->runs;
	return 0;
}

int bench_lead(const struct bench_row *row, const struct bench_options *options, struct bench_link *links, size_t count)
{
	double each;
	size_t i;
	int r = 0;

	memset(both, 0, sizeof(both));
	/* Nobody is asked anything yet. */
	atomic_store_explicit(&links[0].shared->answers, links[0].followers, memory_order_relaxed);
	/* Twice, so that memory, caches and the lengths of blocks are as they will be. */
	for (i = 0; i < 2 * count && r == 0; i++)
		r = lead_slice(links, i % count, options->length / (nonet_time)(20 * count), &each);
	if (r == 0)
		r = lead_runs(row, options, links, count);
	order(links[0].shared, ORDER_END, 0);
	return r;
}
