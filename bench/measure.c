/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "partner.h"
#include "statistics.h"

/*
 * How a ratio comes about. A run is a number of short slices of each way in turns (nonet bare naked, naked bare nonet,
 * ...), so that whatever slows the machine down for a while hits all of them; a way's value of the run is the mean of
 * its middle slices (a reader that just keeps up and one that just doesn't go at different speeds, and a median would
 * jump from one to the other), the run's ratio nonet's value over bare's, and the result the median of the runs'
 * ratios. With two cores a run counts only if the raw line (line.h) reads the same before and after it, and only runs
 * of one class are put together.
 */

#define MEASURE_SAMPLES 65536
#define MEASURE_RUNS    64
#define MEASURE_SLICES  64
/* Those of a way that measures itself are longer. */
#define MEASURE_OWN_SLICES 5

/* One process that measures one case at one size. */
struct measure {
	const struct bench_case *item;
	size_t size;
	const struct bench_options *options;
	void *a[WAYS];
	void *b[WAYS];
	void *message;
	void *buffer;
	struct partner partner;
	double *samples;
};

/* The runs of one class. */
struct measure_runs {
	const char *class;
	int count;
	double value[WAYS][MEASURE_RUNS];
	double tail[WAYS][MEASURE_RUNS];
	double ratio[MEASURE_RUNS];
	double line[MEASURE_RUNS];
};

const char *bench_metric_name(enum bench_metric metric)
{
	static const char *const names[METRICS] = {"call", "latency", "throughput", "herd", "once"};

	return names[metric];
}

const char *bench_metric_unit(enum bench_metric metric)
{
	if (metric == METRIC_HERD)
		return "times/s";
	return metric == METRIC_THROUGHPUT ? "messages/s" : "ns";
}

int bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

int bench_pin_both(const int cpus[2])
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpus[0], &set);
	CPU_SET((size_t)cpus[1], &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* The way measures itself: it has no partner, and what it counts is up to it. */
static bool measure_is_own(enum bench_metric metric)
{
	return metric == METRIC_HERD || metric == METRIC_ONCE;
}

static void measure_close(struct measure *measure)
{
	for (int way = 0; way < WAYS; way++) {
		measure->item->ways[way]->close(measure->a[way]);
		if (measure->b[way] != measure->a[way])
			measure->item->ways[way]->close(measure->b[way]);
		measure->a[way] = NULL;
		measure->b[way] = NULL;
	}
}

static int measure_open(struct measure *measure)
{
	for (int way = 0; way < WAYS; way++) {
		int error = measure->item->ways[way]->open(measure->size, &measure->a[way], &measure->b[way]);

		if (error < 0) {
			measure_close(measure);
			return error;
		}
	}
	return 0;
}

/*
 * Of this process: what else runs on the core doesn't count. And of its children that were reaped: what a spawn does,
 * it does mostly in the child.
 */
static nonet_time measure_cpu_time(void)
{
	struct timespec used;
	struct rusage children;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	getrusage(RUSAGE_CHILDREN, &children);
	return NONET_S(used.tv_sec) + used.tv_nsec + NONET_S(children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
	       NONET_US(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
}

static int measure_call(struct measure *measure, enum bench_way_index index, size_t count, double *ret_each)
{
	const struct bench_way *way = measure->item->ways[index];
	void *a = measure->a[index];
	void *b = measure->b[index];
	nonet_time deadline = partner_deadline();
	nonet_time start = measure_cpu_time();
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = way->put(a, measure->message, measure->size, deadline);
		if (!error)
			error = way->take(b, measure->buffer, measure->size, deadline);
	}
	*ret_each = (double)(measure_cpu_time() - start) / (double)count;
	return error;
}

/* One slice: ns for each message. @samples is where those of METRIC_LATENCY go. */
static int measure_slice(struct measure *measure, enum bench_metric metric, enum bench_way_index way, size_t count,
			 double *samples, double *ret_each)
{
	nonet_time start = nonet_clock();
	struct bench_slice own;
	int error;

	switch (metric) {
	case METRIC_CALL:
		return measure_call(measure, way, count, ret_each);
	case METRIC_LATENCY:
		error = partner_latency(&measure->partner, way, count, samples);
		*ret_each = (double)(nonet_clock() - start) / (double)count;
		return error;
	case METRIC_THROUGHPUT:
		return partner_throughput(&measure->partner, way, count, ret_each);
	case METRIC_HERD:
	case METRIC_ONCE:
		error = measure->item->ways[way]->slice(measure->a[way], &own);
		if (error < 0)
			return error;
		*ret_each = own.each;
		*samples = own.least;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Warms all ways up, and finds out how many messages make a slice. */
static int measure_calibrate(struct measure *measure, enum bench_metric metric, size_t *ret_count)
{
	size_t limit = (size_t)(MEASURE_SAMPLES / measure->options->slices);
	double slice = (double)measure->options->slice;
	size_t count = 16;
	double each = 0;

	for (int way = WAYS - 1; way >= 0; way--) {
		/* Until one slice is long enough to be told from the clock and the start of the partner. */
		for (;;) {
			int error = measure_slice(measure, metric, (enum bench_way_index)way, count, measure->samples,
						  &each);

			if (error < 0)
				return error;
			if (measure_is_own(metric) || each * (double)count >= slice / 2 ||
			    count * 2 > limit * (metric == METRIC_LATENCY ? 1 : 1000))
				break;
			count *= 2;
		}
	}
	if (measure_is_own(metric)) {
		*ret_count = 1;
		return 0;
	}
	count = (size_t)(slice / each) + 1;
	if (metric == METRIC_LATENCY && count > limit)
		count = limit;
	*ret_count = count;
	return 0;
}

/* All slices of all ways. @ret_value is ns. */
static int measure_run(struct measure *measure, enum bench_metric metric, size_t count, double ret_value[WAYS],
		       double ret_tail[WAYS])
{
	const int wanted = measure->options->slices;
	const int slices = measure_is_own(metric) && wanted > MEASURE_OWN_SLICES ? MEASURE_OWN_SLICES : wanted;
	double each[WAYS][MEASURE_SLICES];

	for (int slice = 0; slice < slices; slice++) {
		for (int turn = 0; turn < WAYS; turn++) {
			enum bench_way_index way = (enum bench_way_index)(slice % 2 ? WAYS - 1 - turn : turn);
			double *samples = measure->samples + (size_t)way * MEASURE_SAMPLES + (size_t)slice * count;
			int error = measure_slice(measure, metric, way, count, samples, &each[way][slice]);

			if (error < 0)
				return error;
		}
	}
	for (int way = 0; way < WAYS; way++) {
		double *samples = measure->samples + (size_t)way * MEASURE_SAMPLES;

		if (metric == METRIC_LATENCY) {
			ret_value[way] = statistics_median(samples, count * (size_t)slices);
			ret_tail[way] = statistics_percentile(samples, count * (size_t)slices, 0.99);
		} else if (metric == METRIC_ONCE) {
			ret_value[way] = statistics_median(each[way], (size_t)slices);
			ret_tail[way] = 0;
		} else {
			ret_value[way] = statistics_middle(each[way], (size_t)slices);
			ret_tail[way] = metric == METRIC_HERD ? samples[slices - 1] : 0;
		}
	}
	return 0;
}

/* Both ways are played in turns: who has to wait for a core has to in both. */
static const char *measure_class(double hand_over)
{
	const char *class = line_class(hand_over);

	return class ? class : "far";
}

/* A run between two readings of the line. Return: 0, or 1 if the cores were moved, or a negative errno. */
static int measure_gated(struct measure *measure, enum bench_metric metric, size_t count, double ret_value[WAYS],
			 double ret_tail[WAYS], const char **ret_class, double *ret_line)
{
	const struct bench_options *options = measure->options;
	double before = 0;
	double after = 0;
	int error;

	if (measure_is_own(metric) || metric == METRIC_CALL || options->cpus[0] == options->cpus[1]) {
		*ret_class = measure_is_own(metric) ? "both" : "one core";
		*ret_line = 0;
		return measure_run(measure, metric, count, ret_value, ret_tail);
	}
	error = partner_line(&measure->partner, &before);
	if (!error)
		error = measure_run(measure, metric, count, ret_value, ret_tail);
	if (!error)
		error = partner_line(&measure->partner, &after);
	if (error < 0)
		return error;
	*ret_class = measure_class(before);
	*ret_line = (before + after) / 2;
	return measure_class(after) != *ret_class;
}

static void measure_sum_up(struct measure_runs *runs, struct bench_result *result)
{
	size_t count = (size_t)runs->count;

	for (int way = 0; way < WAYS; way++) {
		double value = statistics_median(runs->value[way], count);

		result->value[way] =
			result->metric == METRIC_THROUGHPUT || result->metric == METRIC_HERD ? 1e9 / value : value;
		result->tail[way] = statistics_median(runs->tail[way], count);
	}
	result->ratio = statistics_median(runs->ratio, count);
	result->ratio_min = runs->ratio[0]; /* sorted now */
	result->ratio_max = runs->ratio[count - 1];
	result->line = statistics_median(runs->line, count);
	result->class = runs->class;
}

/* Runs until one class has enough of them. */
static int measure_metric(struct measure *measure, struct bench_result *result)
{
	struct measure_runs classes[2] = {{.count = 0}, {.count = 0}};
	int wanted = measure->options->runs;
	size_t count;
	int error = measure_calibrate(measure, result->metric, &count);

	if (error < 0)
		return error;
	for (int tries = 0; tries < wanted * 4; tries++) {
		double value[WAYS];
		double tail[WAYS];
		const char *class;
		double line;
		struct measure_runs *runs;
		int moved = measure_gated(measure, result->metric, count, value, tail, &class, &line);

		if (moved < 0)
			return moved;
		if (moved) {
			result->discarded++;
			continue;
		}
		runs = !classes[0].count || classes[0].class == class ? &classes[0] : &classes[1];
		runs->class = class;
		runs->ratio[runs->count] = value[WAY_NONET] / value[WAY_BARE];
		runs->line[runs->count] = line;
		for (int way = 0; way < WAYS; way++) {
			runs->value[way][runs->count] = value[way];
			runs->tail[way][runs->count] = tail[way];
		}
		if (++runs->count == wanted) {
			result->discarded += classes[runs == &classes[0]].count;
			measure_sum_up(runs, result);
			return 0;
		}
	}
	/* The cores don't stay anywhere. */
	return -EBUSY;
}

static int measure_begin(struct measure *measure, enum bench_metric metric)
{
	const struct bench_options *options = measure->options;
	/* Who measures himself has processes on both, and leaves it to the kernel where. */
	int error = measure_is_own(metric) ? bench_pin_both(options->cpus) : bench_pin(options->cpus[0]);

	if (!error)
		error = measure_open(measure);
	if (!error && metric != METRIC_CALL && !measure_is_own(metric))
		error = partner_start(&measure->partner, measure->item, measure->size, measure->a, measure->b,
				      options->cpus[1]);
	return error;
}

static void measure_end(struct measure *measure)
{
	partner_stop(&measure->partner);
	measure_close(measure);
}

int bench_run(const struct bench_case *item, size_t size, const struct bench_options *options,
	      struct bench_result *ret_results)
{
	struct measure measure = {.item = item, .size = size, .options = options, .partner = {.control = -1}};
	int error = partner_buffers(size, &measure.message, &measure.buffer);
	int results = 0;

	measure.samples = calloc((size_t)WAYS * MEASURE_SAMPLES, sizeof(*measure.samples));
	if (!measure.samples)
		error = -ENOMEM;
	for (int metric = 0; metric < METRICS; metric++) {
		struct bench_result *result = &ret_results[results];

		if (!(item->metrics & options->metrics & BIT(metric)))
			continue;
		*result = (struct bench_result){.what = item->what, .size = size, .metric = (enum bench_metric)metric};
		result->judged = item->judged & BIT(metric);
		result->limit = item->limit;
		result->goal = item->goal > 0 ? item->goal : options->goal;
		result->class = "";
		/* Its own ends and partner: what one metric leaves behind is not the next one's. */
		result->error = error ? error : measure_begin(&measure, result->metric);
		if (!result->error)
			result->error = measure_metric(&measure, result);
		measure_end(&measure);
		results++;
	}
	free(measure.message);
	free(measure.buffer);
	free(measure.samples);
	return results;
}

int bench_loop(const struct bench_case *item, size_t size, enum bench_way_index way, nonet_time duration)
{
	struct measure measure = {.item = item, .size = size, .partner = {.control = -1}};
	nonet_time stop = nonet_after(duration);
	double each = 0;
	int error = partner_buffers(size, &measure.message, &measure.buffer);

	if (!error)
		error = item->ways[way]->open(size, &measure.a[way], &measure.b[way]);
	while (!error && nonet_clock() < stop)
		error = measure_call(&measure, way, 1000, &each);
	measure_close(&measure);
	free(measure.message);
	free(measure.buffer);
	return error;
}
