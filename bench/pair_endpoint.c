/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/endpoint.h>

/*
 * What it costs to reach a carrier by its address: here "bare" is the carrier's own call, nonet_pipe_send() and its
 * like, and the ratio is that of the dispatch alone.
 */

struct pair_endpoint {
	struct nonet_endpoint *in;
	struct nonet_endpoint *out; /* the same on a socket */
};

static void pair_endpoint_close(void *end)
{
	struct pair_endpoint *own = end;

	if (!own)
		return;
	if (own->out != own->in)
		nonet_endpoint_close(own->out);
	nonet_endpoint_close(own->in);
	free(own);
}

/* Takes the descriptor. */
static int pair_endpoint_take(int fd, uint32_t flags, struct nonet_endpoint **ret_endpoint)
{
	struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};
	char address[32];
	int error;

	snprintf(address, sizeof(address), "fd:%d", fd);
	error = nonet_endpoint_open(address, &options, NONET_NOW, ret_endpoint, NULL);
	close(fd);
	return error;
}

static int pair_pipe_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	for (int i = 0; i < 2; i++) {
		struct pair_endpoint *end = calloc(1, sizeof(*end));

		if (!end)
			return -ENOMEM;
		*(i ? ret_b : ret_a) = end;
	}
	for (int i = 0; i < 2; i++) {
		struct pair_endpoint *from = i ? *ret_b : *ret_a;
		struct pair_endpoint *to = i ? *ret_a : *ret_b;
		int fds[2];
		int error;

		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		error = pair_endpoint_take(fds[0], NONET_ENDPOINT_RECEIVE, &to->in);
		if (!error)
			error = pair_endpoint_take(fds[1], NONET_ENDPOINT_SEND, &from->out);
		if (error < 0)
			return error;
	}
	return 0;
}

static int pair_socket_open(int type, void **ret_a, void **ret_b)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		struct pair_endpoint *end = calloc(1, sizeof(*end));
		int error = end ? pair_endpoint_take(fds[i], 0, &end->in) : -ENOMEM;

		*(i ? ret_b : ret_a) = end;
		if (error < 0)
			return error;
		end->out = end->in;
	}
	return 0;
}

static int pair_stream_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_socket_open(SOCK_STREAM, ret_a, ret_b);
}

static int pair_seqpacket_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_socket_open(SOCK_SEQPACKET, ret_a, ret_b);
}

static int pair_endpoint_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_endpoint_send(((struct pair_endpoint *)end)->out, message, size, deadline);
}

static int pair_endpoint_get(void *end, void *buffer, size_t size, nonet_time deadline)
{
	size_t got;
	int error = nonet_endpoint_receive(((struct pair_endpoint *)end)->in, buffer, size, deadline, &got);

	return error ? error : got == size ? 0 : -EPROTO;
}

static const struct bench_way endpoint_pipe = {pair_pipe_open, pair_endpoint_put, pair_endpoint_get,
					       pair_endpoint_close};
static const struct bench_way endpoint_stream = {pair_stream_open, pair_endpoint_put, pair_endpoint_get,
						 pair_endpoint_close};
static const struct bench_way endpoint_seqpacket = {pair_seqpacket_open, pair_endpoint_put, pair_endpoint_get,
						    pair_endpoint_close};

const struct bench_case endpoint_cases[] = {
	{.what = "endpoint, pipe",
	 .sizes = {64},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&endpoint_pipe, &nonet_pipe_messages, &naked_pipe}},
	{.what = "endpoint, stream",
	 .sizes = {64},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&endpoint_stream, &nonet_stream_messages, &naked_stream}},
	{.what = "endpoint, seqpacket",
	 .sizes = {64},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&endpoint_seqpacket, &nonet_seqpacket_taken, &naked_seqpacket}},
	{.what = NULL},
};
