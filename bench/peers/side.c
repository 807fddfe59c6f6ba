/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nonet/error.h>

#include "../statistics.h"

#define SIDE_SAMPLES 65536u
#define SIDE_STREAM  (1u << 24)
#define SIDE_TRIES   4

enum side_order {
	ORDER_OPEN,
	ORDER_JOIN,
	ORDER_LINE,
	ORDER_LATENCY, /* one round trip more than @count, which warms up */
	ORDER_STREAM,  /* likewise */
	ORDER_CLOSE,
};

static const char *const side_did[] = {
	[ORDER_OPEN] = "open its end",
	[ORDER_JOIN] = "find the other side",
	[ORDER_LINE] = "read the line",
	[ORDER_LATENCY] = "send a message to and fro",
	[ORDER_STREAM] = "move a stream of messages",
	[ORDER_CLOSE] = "close its end",
};

struct side_command {
	enum side_order order;
	size_t count;
};

struct side_reply {
	int error;
	double elapsed; /* ORDER_STREAM: ns, for @count messages */
};

/* The first of the two that fails says why. */
static int side_failed(struct side *side, enum side_order order, int error)
{
	struct session_outcome *outcome = &side->shared->outcome;

	if (error < 0 && !outcome->why[0])
		snprintf(outcome->why, sizeof(outcome->why), "%s couldn't %s: %s", side->session->side ? "b" : "a",
			 side_did[order], nonet_error_name(error));
	return error;
}

/* Before anything of the peer's runs, so that its threads are there too. */
static int side_pin(struct side *side)
{
	struct session_outcome *outcome = &side->shared->outcome;
	int cpu = side->options->cpus[side->session->side];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return 0;
	snprintf(outcome->why, sizeof(outcome->why), "this process may not run on CPU %d", cpu);
	return -EINVAL;
}

static int side_load(struct side *side)
{
	struct session_outcome *outcome = &side->shared->outcome;
	void *module;

	side->peer = side->entry->peer;
	if (!side->peer) {
		module = dlopen(side->entry->module, RTLD_NOW | RTLD_LOCAL);
		side->peer = module ? dlsym(module, "nonet_peer") : NULL;
	}
	if (!side->peer) {
		snprintf(outcome->why, sizeof(outcome->why), "the module can't be loaded: %s", dlerror());
		return -ENOEXEC;
	}
	if (side->session->side == 0) {
		snprintf(outcome->mode, sizeof(outcome->mode), "%s", side->peer->mode);
		side->peer->version(outcome->version, sizeof(outcome->version));
	}
	return 0;
}

/* A message whose words all differ, so that bytes in a wrong place are noticed. */
static int side_prepare(struct side *side)
{
	size_t size = side->session->size;
	uint64_t *words = aligned_alloc(4096, (size + 4096) & ~(size_t)4095);

	if (!words)
		return -ENOMEM;
	words[0] = 0;
	for (size_t i = 1; i < size / 8; i++) {
		words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
		side->words += words[i];
	}
	side->message = words;
	return 0;
}

/* Whether all that arrived so far is what was sent. */
static int side_check(const struct side *side)
{
	return side->reader.wrong || side->reader.sum != side->reader.next * side->words ? -EBADMSG : 0;
}

static int side_latency(struct side *side, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = side->peer->receive(side->end, &side->reader, 1);
		if (!error)
			error = side->peer->send(side->end, side->message, 1);
	}
	return error ? error : side_check(side);
}

static int side_stream(struct side *side, size_t count, double *ret_elapsed)
{
	int error = side->peer->receive(side->end, &side->reader, 1);
	nonet_time start = nonet_clock();

	if (!error)
		error = side->peer->receive(side->end, &side->reader, count);
	*ret_elapsed = (double)(nonet_clock() - start);
	return error ? error : side_check(side);
}

static int side_obey(struct side *side, const struct side_command *command, double *ret_elapsed)
{
	switch (command->order) {
	case ORDER_OPEN:
		return side->peer->open(side->session, &side->end);
	case ORDER_JOIN:
		return side->peer->join ? side->peer->join(side->end) : 0;
	case ORDER_LINE:
		line_answer(&side->shared->line);
		return 0;
	case ORDER_LATENCY:
		return side_latency(side, command->count + 1);
	case ORDER_STREAM:
		return side_stream(side, command->count, ret_elapsed);
	case ORDER_CLOSE:
		side->peer->close(side->end);
		return 0;
	default:
		return -EINVAL;
	}
}

static int side_begin(struct side *side)
{
	int error = side_pin(side);

	if (!error)
		error = side_load(side);
	return error ? error : side_prepare(side);
}

int side_answer(struct side *side)
{
	struct side_command command;
	int error = side_begin(side);

	while (!error && read(side->control, &command, sizeof(command)) == sizeof(command)) {
		struct side_reply reply = {.error = 0};

		reply.error = side_obey(side, &command, &reply.elapsed);
		error = side_failed(side, command.order, reply.error);
		if (write(side->control, &reply, sizeof(reply)) != sizeof(reply))
			break;
	}
	free(side->message);
	return error;
}

static int side_order(struct side *side, enum side_order order, size_t count)
{
	struct side_command command = {.order = order, .count = count};

	return write(side->control, &command, sizeof(command)) == sizeof(command) ? 0 : -EPIPE;
}

static int side_wait(struct side *side, double *ret_elapsed)
{
	struct side_reply reply;

	if (read(side->control, &reply, sizeof(reply)) != sizeof(reply))
		return -EPIPE;
	if (ret_elapsed)
		*ret_elapsed = reply.elapsed;
	return reply.error;
}

static int side_line(struct side *side, double *ret_line)
{
	int error = side_order(side, ORDER_LINE, 0);

	if (error < 0)
		return error;
	*ret_line = line_ask(&side->shared->line);
	return side_wait(side, NULL);
}

/* What two readings of the clock cost, which each sample has in it. */
static double side_clock(void)
{
	double cost[1001];

	for (size_t i = 0; i < sizeof(cost) / sizeof(*cost); i++) {
		nonet_time before = nonet_clock();

		cost[i] = (double)(nonet_clock() - before);
	}
	return statistics_median(cost, sizeof(cost) / sizeof(*cost));
}

/* @samples get half of each round trip in ns. */
static int side_measure_latency(struct side *side, size_t count, double clock, double *samples)
{
	int error = side_order(side, ORDER_LATENCY, count);
	nonet_time before = nonet_clock();

	for (size_t i = 0; i <= count && !error; i++) {
		nonet_time now;

		error = side->peer->send(side->end, side->message, 1);
		if (!error)
			error = side->peer->receive(side->end, &side->reader, 1);
		now = nonet_clock();
		if (i)
			samples[i - 1] = ((double)(now - before) - clock) / 2;
		before = now;
	}
	if (!error)
		error = side_check(side);
	error = side_failed(side, ORDER_LATENCY, error);
	return error ? error : side_wait(side, NULL);
}

static int side_measure_stream(struct side *side, size_t count, double *ret_elapsed)
{
	int error = side_order(side, ORDER_STREAM, count);

	if (!error)
		error = side->peer->send(side->end, side->message, count + 1);
	error = side_failed(side, ORDER_STREAM, error);
	return error ? error : side_wait(side, ret_elapsed);
}

/* One slice of either; a run is what the line says of it. */
static int side_slice(struct side *side, enum side_order order, size_t count, double clock, double *samples,
		      struct session_run *ret_run, double *ret_elapsed)
{
	nonet_time start = nonet_clock();
	int error;

	if (order == ORDER_LATENCY) {
		error = side_measure_latency(side, count, clock, samples);
		*ret_elapsed = (double)(nonet_clock() - start);
		if (error < 0)
			return error;
		ret_run->p50 = statistics_percentile(samples, count, 0.5);
		ret_run->p99 = statistics_percentile(samples, count, 0.99);
		return 0;
	}
	error = side_measure_stream(side, count, ret_elapsed);
	if (!error)
		ret_run->rate = (double)count * 1e9 / (*ret_elapsed > 1 ? *ret_elapsed : 1);
	return error;
}

/* Warms up, and finds out how many messages make a slice. */
static int side_calibrate(struct side *side, enum side_order order, double clock, double *samples, size_t *ret_count)
{
	const size_t limit = order == ORDER_LATENCY ? SIDE_SAMPLES : SIDE_STREAM;
	const double slice = (double)side->options->slice;
	struct session_run run;
	size_t count = 8;

	for (;;) {
		double elapsed;
		int error = side_slice(side, order, count, clock, samples, &run, &elapsed);
		double wanted = slice * (double)count / (elapsed > 1 ? elapsed : 1);

		if (error < 0)
			return error;
		if (elapsed >= slice / 2 || count == limit) {
			count = wanted > (double)limit ? limit : (size_t)wanted;
			break;
		}
		count = count * 4 < limit ? count * 4 : limit;
	}
	if (order == ORDER_LATENCY && count < side->options->samples)
		count = side->options->samples;
	*ret_count = count < 8 ? 8 : count;
	return 0;
}

/* Runs until enough of one class were between two equal readings of the line. */
static int side_runs(struct side *side, enum side_order order, double clock, double *samples, struct session_run *runs,
		     int *count)
{
	struct session_outcome *outcome = &side->shared->outcome;
	const int wanted = side->options->runs;
	int far = 0;
	size_t messages;
	int error = side_calibrate(side, order, clock, samples, &messages);

	for (int tries = 0; !error && tries < wanted * SIDE_TRIES; tries++) {
		struct session_run run = {.p50 = 0};
		double elapsed;
		double before = 0;
		double after = 0;

		error = side_line(side, &before);
		if (!error)
			error = side_slice(side, order, messages, clock, samples, &run, &elapsed);
		if (!error)
			error = side_line(side, &after);
		if (error < 0)
			return error;
		run.class = line_class(before);
		run.line = (before + after) / 2;
		/* On a machine that others use all the time the last one counts. */
		if ((!run.class || line_class(after) != run.class) && (*count > 0 || tries + 1 < wanted * SIDE_TRIES)) {
			outcome->discarded++;
			continue;
		}
		run.class = run.class ? run.class : "far";
		far += strcmp(run.class, "far") == 0;
		runs[(*count)++] = run;
		if (far >= wanted || *count - far >= wanted)
			return 0;
	}
	if (error || *count)
		return error;
	snprintf(outcome->why, sizeof(outcome->why), "the cores were moved during each of %d runs",
		 wanted * SIDE_TRIES);
	return -EBUSY;
}

static int side_both(struct side *side, enum side_order order)
{
	double ignored;
	int error = side_order(side, order, 0);

	if (!error)
		error = side_failed(side, order, side_obey(side, &(struct side_command){.order = order}, &ignored));
	return error ? error : side_wait(side, NULL);
}

int side_ask(struct side *side)
{
	struct session_outcome *outcome = &side->shared->outcome;
	double *samples = calloc(SIDE_SAMPLES, sizeof(*samples));
	int error = samples ? side_begin(side) : -ENOMEM;
	double clock = side_clock();

	if (!error)
		error = side_failed(side, ORDER_OPEN, side->peer->open(side->session, &side->end));
	if (!error)
		error = side_order(side, ORDER_OPEN, 0);
	if (!error)
		error = side_wait(side, NULL);
	if (!error)
		error = side_both(side, ORDER_JOIN);
	if (!error)
		error = side_runs(side, ORDER_LATENCY, clock, samples, outcome->latency, &outcome->latencies);
	if (!error)
		error = side_runs(side, ORDER_STREAM, clock, samples, outcome->stream, &outcome->streams);
	if (!error)
		error = side_order(side, ORDER_CLOSE, 0);
	if (!error)
		error = side_wait(side, NULL);
	if (side->end)
		side->peer->close(side->end);
	free(side->message);
	free(samples);
	return error;
}
