/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/pipe.h>

#include "bare.h"

struct pair_pipe {
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
};

static void pair_pipe_close(void *end)
{
	struct pair_pipe *pipe = end;

	if (!pipe)
		return;
	nonet_pipe_close(pipe->reader);
	nonet_pipe_close(pipe->writer);
	free(pipe);
}

static int pair_pipe_new(struct nonet_pipe **ret_reader, struct nonet_pipe **ret_writer)
{
	return nonet_pipe_new(NULL, ret_reader, ret_writer, NULL);
}

static int pair_fifo_new(struct nonet_pipe **ret_reader, struct nonet_pipe **ret_writer)
{
	struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/tmp/nonet-bench-%d", (int)getpid());
	error = nonet_pipe_create(path, 0, NULL);
	if (error < 0)
		return error;
	error = nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, ret_reader, NULL);
	if (!error)
		error = nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, NONET_NOW, ret_writer, NULL);
	/* Open ends go on without the name. */
	return error ? error : nonet_pipe_unlink(path, NULL);
}

static int pair_pipe_ends(int (*new)(struct nonet_pipe **, struct nonet_pipe **), void **ret_a, void **ret_b)
{
	struct pair_pipe *a = calloc(1, sizeof(*a));
	struct pair_pipe *b = calloc(1, sizeof(*b));
	int error = a && b ? 0 : -ENOMEM;

	if (!error)
		error = new (&b->reader, &a->writer);
	if (!error)
		error = new (&a->reader, &b->writer);
	*ret_a = a;
	*ret_b = b;
	return error;
}

static int pair_pipe_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_pipe_ends(pair_pipe_new, ret_a, ret_b);
}

static int pair_fifo_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_pipe_ends(pair_fifo_new, ret_a, ret_b);
}

static int pair_write(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_pipe_write(((struct pair_pipe *)end)->writer, message, size, deadline, NULL);
}

static int pair_read(void *end, void *buffer, size_t size, nonet_time deadline)
{
	return nonet_pipe_read_exactly(((struct pair_pipe *)end)->reader, buffer, size, deadline, NULL);
}

static int pair_send(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_pipe_send(((struct pair_pipe *)end)->writer, message, size, deadline);
}

static int pair_receive(void *end, void *buffer, size_t size, nonet_time deadline)
{
	size_t got;
	int error = nonet_pipe_receive(((struct pair_pipe *)end)->reader, buffer, size, deadline, &got);

	return error ? error : got == size ? 0 : -EPROTO;
}

static const struct bench_way nonet_pipe_bytes = {pair_pipe_open, pair_write, pair_read, pair_pipe_close};
const struct bench_way nonet_pipe_messages = {pair_pipe_open, pair_send, pair_receive, pair_pipe_close};
static const struct bench_way nonet_fifo_messages = {pair_fifo_open, pair_send, pair_receive, pair_pipe_close};

const struct bench_case pipe_cases[] = {
	{.what = "pipe bytes",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_pipe_bytes, &bare_pipe_bytes, &naked_pipe}},
	{.what = "pipe messages",
	 .sizes = {64, 1024, 16384},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_pipe_messages, &bare_pipe_messages, &naked_pipe}},
	/* With what is around it, more than a pipe holds: one process alone would wait for itself. */
	{.what = "pipe messages",
	 .sizes = {65536},
	 .metrics = BENCH_JUDGED,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_pipe_messages, &bare_pipe_messages, &naked_pipe}},
	{.what = "fifo messages",
	 .sizes = {64, 16384},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_fifo_messages, &bare_fifo_messages, &naked_pipe}},
	{.what = "fifo messages",
	 .sizes = {65536},
	 .metrics = BENCH_JUDGED,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_fifo_messages, &bare_fifo_messages, &naked_pipe}},
	{.what = NULL},
};
