/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/process.h>
#include <nonet/signal.h>

#include "bare.h"
#include "bare_talk.h"

/* put queues a real-time signal with a value for this process; take receives it. */
static int pair_signal_open(size_t size, void **ret_a, void **ret_b)
{
	const int numbers[] = {SIGRTMIN + 3};
	struct nonet_signal *signal;
	int error = nonet_signal_open(numbers, 1, NULL, &signal, NULL);

	(void)size;
	if (!error)
		*ret_a = *ret_b = signal;
	return error;
}

static int pair_signal_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	static pid_t self;
	const int value = 7;

	(void)end;
	(void)message;
	(void)size;
	(void)deadline;
	if (self == 0)
		self = getpid();
	return nonet_signal_send(self, SIGRTMIN + 3, &value, NULL);
}

static int pair_signal_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct nonet_signal_info info;
	int error = nonet_signal_receive(end, deadline, &info);

	(void)buffer;
	(void)size;
	return error == 0 && info.value != 7 ? -EPROTO : error;
}

static void pair_signal_close(void *end)
{
	nonet_signal_close(end);
}

#define TALK_NUMBER (SIGRTMIN + 3)

/* Two processes that signal each other; the receiver is opened by the process that it is of. */
static int talk_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_talk_open(TALK_NUMBER, ret_a, ret_b);
}

static int talk_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const pid_t peer = bare_talk_peer(end, deadline);
	const int value = 7;

	(void)message;
	(void)size;
	return peer < 0 ? peer : nonet_signal_send(peer, TALK_NUMBER, &value, NULL);
}

static int talk_begin(struct bare_talk_end *end)
{
	struct nonet_signal *signal;
	int error = nonet_signal_open(&end->talk->number, 1, NULL, &signal, NULL);

	if (error < 0)
		return error;
	end->receiver = signal;
	bare_talk_here(end);
	return 0;
}

static int talk_take(void *argument, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_talk_end *end = argument;
	struct nonet_signal_info info;
	int error = end->receiver ? 0 : talk_begin(end);

	(void)buffer;
	(void)size;
	if (error == 0)
		error = nonet_signal_receive(end->receiver, deadline, &info);
	return error == 0 && info.value != 7 ? -EPROTO : error;
}

static void talk_close(void *argument)
{
	struct bare_talk_end *end = argument;

	if (!end)
		return;
	nonet_signal_close(end->receiver);
	bare_talk_close(end);
}

/* put starts /bin/true; take waits for its end. */
struct pair_process {
	struct nonet_process *process;
};

static int pair_process_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	*ret_a = *ret_b = calloc(1, sizeof(struct pair_process));
	return *ret_a ? 0 : -ENOMEM;
}

static int pair_process_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	static const char *const program[] = {"/bin/true", NULL};

	(void)message;
	(void)size;
	(void)deadline;
	return nonet_process_spawn(program, NULL, &((struct pair_process *)end)->process, NULL);
}

static int pair_process_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_process *own = end;
	struct nonet_process_status status;
	int error = nonet_process_wait(own->process, deadline, &status);

	(void)buffer;
	(void)size;
	own->process = nonet_process_close(own->process);
	return error == 0 && status.code != 0 ? -EPROTO : error;
}

static void pair_process_close(void *end)
{
	free(end);
}

static const struct bench_way nonet_signals = {pair_signal_open, pair_signal_put, pair_signal_take, pair_signal_close};
static const struct bench_way nonet_talk = {talk_open, talk_put, talk_take, talk_close};
static const struct bench_way nonet_processes = {pair_process_open, pair_process_put, pair_process_take,
						 pair_process_close};

const struct bench_case signal_cases[] = {
	{.what = "signal, send and receive",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_signals, &bare_signal, &naked_signal}},
	{.what = "signals, between two processes",
	 .sizes = {1},
	 .metrics = BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_talk, &bare_signal_talk, &naked_signal_talk}},
	{.what = "process, spawn and wait",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_processes, &bare_process, &naked_process}},
	{.what = NULL},
};
