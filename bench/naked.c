/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The plain calls: they wait for ever, keep no messages apart on a byte stream, are ended by signals, and kill the
 * process by SIGPIPE. What is to come is known to be exactly as large as the buffer. They show what guarantees cost.
 */

struct naked_ends {
	int in;
	int out;
};

static int naked_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)deadline;
	return write(((struct naked_ends *)end)->out, message, size) == (ssize_t)size ? 0 : -EIO;
}

static int naked_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	char *place = buffer;

	(void)deadline;
	/* Even this much is needed: a byte stream may give less than was asked for. */
	while (size > 0) {
		ssize_t got = read(((struct naked_ends *)end)->in, place, size);

		if (got <= 0)
			return -EIO;
		place += got;
		size -= (size_t)got;
	}
	return 0;
}

static void naked_close(void *end)
{
	struct naked_ends *ends = end;

	if (!ends)
		return;
	close(ends->in);
	if (ends->out != ends->in)
		close(ends->out);
	free(ends);
}

static int naked_make(int in, int out, void **ret_end)
{
	struct naked_ends *ends = malloc(sizeof(*ends));

	if (!ends)
		return -ENOMEM;
	*ends = (struct naked_ends){.in = in, .out = out};
	*ret_end = ends;
	return 0;
}

static int naked_pipe_open(size_t size, void **ret_a, void **ret_b)
{
	int ab[2];
	int ba[2];
	int error;

	(void)size;
	if (pipe(ab) < 0 || pipe(ba) < 0)
		return -errno;
	error = naked_make(ba[0], ab[1], ret_a);
	return error ? error : naked_make(ab[0], ba[1], ret_b);
}

static int naked_socket_open(int domain, int type, void **ret_a, void **ret_b)
{
	int fds[2];
	int error = 0;

	if (domain == AF_INET)
		error = bare_inet_pair(type, fds);
	else if (socketpair(domain, type, 0, fds) < 0)
		error = -errno;
	if (error < 0)
		return error;
	error = naked_make(fds[0], fds[0], ret_a);
	return error ? error : naked_make(fds[1], fds[1], ret_b);
}

static int naked_stream_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_socket_open(AF_UNIX, SOCK_STREAM, ret_a, ret_b);
}

static int naked_seqpacket_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_socket_open(AF_UNIX, SOCK_SEQPACKET, ret_a, ret_b);
}

static int naked_datagram_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_socket_open(AF_UNIX, SOCK_DGRAM, ret_a, ret_b);
}

static int naked_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_socket_open(AF_INET, SOCK_STREAM, ret_a, ret_b);
}

static int naked_udp_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_socket_open(AF_INET, SOCK_DGRAM, ret_a, ret_b);
}

const struct bench_way naked_pipe = {naked_pipe_open, naked_put, naked_take, naked_close};
const struct bench_way naked_stream = {naked_stream_open, naked_put, naked_take, naked_close};
const struct bench_way naked_seqpacket = {naked_seqpacket_open, naked_put, naked_take, naked_close};
const struct bench_way naked_tcp = {naked_tcp_open, naked_put, naked_take, naked_close};
const struct bench_way naked_udp = {naked_udp_open, naked_put, naked_take, naked_close};
const struct bench_way naked_datagram = {naked_datagram_open, naked_put, naked_take, naked_close};
