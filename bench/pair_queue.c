/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/queue.h>

#include "bare.h"

/* Two queues, one for each way between the ends. */
struct pair_queue {
	struct nonet_queue *out;
	struct nonet_queue *in;
	pid_t opener; /* removes System V queues, which are gone at once then: 0 of the end that doesn't */
};

/* One to send with and one to receive with: *ret_out, *ret_in. */
static int queue_pair(bool posix, int number, size_t size, struct nonet_queue **ret_out, struct nonet_queue **ret_in)
{
	struct nonet_queue_options options = {.size = sizeof(options), .flags = NONET_QUEUE_SEND};
	char address[64];
	int error;

	if (posix) {
		options.message_size = size;
		snprintf(address, sizeof(address), "posixmq:/nonet-bench-%d-%d", (int)getpid(), number);
	} else {
		snprintf(address, sizeof(address), "sysvmsg:%u",
			 0x42000000u | ((unsigned)getpid() & 0xfffff) << 1 | (unsigned)number);
	}
	error = nonet_queue_create(address, &options, ret_out, NULL);
	if (error < 0)
		return error;
	options = (struct nonet_queue_options){.size = sizeof(options), .flags = NONET_QUEUE_RECEIVE};
	error = nonet_queue_open(address, &options, ret_in, NULL);
	if (posix)
		(void)!nonet_queue_unlink(address, NULL);
	return error;
}

static int queue_open(bool posix, size_t size, void **ret_a, void **ret_b)
{
	struct pair_queue *a = calloc(1, sizeof(*a));
	struct pair_queue *b = calloc(1, sizeof(*b));
	int error = a && b ? 0 : -ENOMEM;

	*ret_a = a;
	*ret_b = b;
	if (!error)
		error = queue_pair(posix, 0, size, &a->out, &b->in);
	if (!error)
		error = queue_pair(posix, 1, size, &b->out, &a->in);
	if (!error && !posix)
		a->opener = getpid();
	return error;
}

static int queue_open_posix(size_t size, void **ret_a, void **ret_b)
{
	return queue_open(true, size, ret_a, ret_b);
}

static int queue_open_sysv(size_t size, void **ret_a, void **ret_b)
{
	return queue_open(false, size, ret_a, ret_b);
}

static void queue_close(void *end)
{
	struct pair_queue *own = end;

	if (!own)
		return;
	if (own->opener == getpid()) {
		(void)!nonet_queue_unlink(nonet_queue_address(own->out), NULL);
		(void)!nonet_queue_unlink(nonet_queue_address(own->in), NULL);
	}
	nonet_queue_close(own->out);
	nonet_queue_close(own->in);
	free(own);
}

static int queue_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_queue_send(((struct pair_queue *)end)->out, message, size, NULL, deadline);
}

static int queue_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct nonet_queue_message message;
	int error = nonet_queue_receive(((struct pair_queue *)end)->in, buffer, size, NULL, deadline, &message);

	return error ? error : message.size == size ? 0 : -EPROTO;
}

static const struct bench_way nonet_posix = {queue_open_posix, queue_put, queue_take, queue_close};
static const struct bench_way nonet_sysv = {queue_open_sysv, queue_put, queue_take, queue_close};

const struct bench_case queue_cases[] = {
	{.what = "posix queue",
	 .sizes = {64, 1024, 4096},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_posix, &bare_mqueue, &naked_mqueue}},
	/* Who waits does it in another way than by hand: that is told, and no yardstick. */
	{.what = "system v queue",
	 .sizes = {64, 1024, 8192},
	 .metrics = BENCH_ALL,
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_sysv, &bare_sysv_queue, &naked_sysv_queue}},
	{.what = NULL},
};
