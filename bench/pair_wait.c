/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>

#include <nonet/pipe.h>
#include <nonet/wait.h>

#include "bare.h"

/* As struct bare_set: wake objects that nobody signals, and one pipe. */
struct pair_set {
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t members;
	bool reads;
	struct nonet_wait_set *set; /* made by who waits, after the fork */
	struct nonet_wake **silent;
};

static void pair_set_close(void *end)
{
	struct pair_set *own = end;

	if (!own)
		return;
	nonet_wait_set_free(own->set);
	for (size_t i = 0; own->silent && i + 1 < own->members; i++)
		nonet_wake_free(own->silent[i]);
	free(own->silent);
	nonet_pipe_close(own->reader);
	nonet_pipe_close(own->writer);
	free(own);
}

static int pair_set_open(size_t members, bool reads, void **ret_a, void **ret_b)
{
	struct pair_set *a = calloc(1, sizeof(*a));
	struct pair_set *b = calloc(1, sizeof(*b));
	int error = a && b ? 0 : -ENOMEM;

	*ret_a = a;
	*ret_b = b;
	if (!error)
		error = nonet_pipe_new(NULL, &b->reader, &a->writer, NULL);
	if (!error)
		error = nonet_pipe_new(NULL, &a->reader, &b->writer, NULL);
	if (!error) {
		a->members = b->members = members;
		a->reads = b->reads = reads;
	}
	return error;
}

static int pair_set_fill(struct pair_set *own)
{
	int error = nonet_wait_set_new(&own->set, NULL);

	own->silent = calloc(own->members, sizeof(*own->silent));
	if (!own->silent)
		error = -ENOMEM;
	for (size_t i = 0; i + 1 < own->members && !error; i++) {
		error = nonet_wake_new(&own->silent[i], NULL);
		if (!error)
			error = nonet_wait_set_add(own->set, nonet_wake_waitable(own->silent[i]), NONET_WAIT_RECEIVE,
						   &own->silent[i]);
	}
	if (!error)
		error = nonet_wait_set_add(own->set, nonet_pipe_waitable(own->reader), NONET_WAIT_RECEIVE, own);
	return error;
}

static int pair_set_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_set *own = end;
	int error = own->set ? 0 : pair_set_fill(own);
	struct nonet_wait_event event;
	size_t count;

	(void)size;
	if (!error)
		error = nonet_wait(own->set, &event, 1, deadline, &count);
	if (!error && event.data != own)
		error = -EPROTO;
	if (!error && own->reads)
		error = nonet_pipe_read_exactly(own->reader, buffer, 1, deadline, NULL);
	return error;
}

static int pair_set_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)size;
	return nonet_pipe_write(((struct pair_set *)end)->writer, message, 1, deadline, NULL);
}

static int pair_set_put_nothing(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)end;
	(void)message;
	(void)size;
	(void)deadline;
	return 0;
}

static int pair_ready_open(size_t members, void **ret_a, void **ret_b)
{
	int error = pair_set_open(members, false, ret_a, ret_b);

	return error ? error : pair_set_put(*ret_a, "", 1, NONET_NOW);
}

static int pair_pipe_open(size_t members, void **ret_a, void **ret_b)
{
	return pair_set_open(members, true, ret_a, ret_b);
}

/* put sets the timer to a time in the past; take waits for it to expire. */
static int pair_timer_open(size_t size, void **ret_a, void **ret_b)
{
	struct nonet_timer *timer;
	int error = nonet_timer_new(&timer, NULL);

	(void)size;
	if (!error)
		*ret_a = *ret_b = timer;
	return error;
}

static int pair_timer_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	(void)deadline;
	return nonet_timer_set(end, 1, 0);
}

static int pair_timer_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	uint64_t count;

	(void)buffer;
	(void)size;
	return nonet_timer_take(end, deadline, &count);
}

static void pair_timer_close(void *end)
{
	nonet_timer_free(end);
}

static const struct bench_way nonet_wait_ready = {pair_ready_open, pair_set_put_nothing, pair_set_take, pair_set_close};
static const struct bench_way nonet_wait_pipe = {pair_pipe_open, pair_set_put, pair_set_take, pair_set_close};
static const struct bench_way nonet_timer = {pair_timer_open, pair_timer_put, pair_timer_take, pair_timer_close};

const struct bench_case wait_cases[] = {
	{.what = "wait, one ready of",
	 .sizes = {1, 1000},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_wait_ready, &bare_wait_ready, &naked_wait_ready}},
	{.what = "wait, read one of",
	 .sizes = {1, 1000},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_wait_pipe, &bare_wait_pipe, &naked_wait_pipe}},
	{.what = "timer, set and take",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_timer, &bare_timer, &naked_timer}},
	{.what = NULL},
};
