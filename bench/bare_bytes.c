/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Plain bytes by hand: exactly as many as asked, by a deadline, over a pipe, a UNIX stream or TCP. */

struct bare_ends {
	int in;
	int out;
};

static void bare_ends_close(void *end)
{
	struct bare_ends *ends = end;

	if (!ends)
		return;
	close(ends->in);
	if (ends->out != ends->in)
		close(ends->out);
	free(ends);
}

static int bare_ends_make(int in, int out, void **ret_end)
{
	struct bare_ends *ends = malloc(sizeof(*ends));

	if (!ends)
		return -ENOMEM;
	*ends = (struct bare_ends){.in = in, .out = out};
	*ret_end = ends;
	return 0;
}

static int bare_pipe_open(size_t size, void **ret_a, void **ret_b)
{
	int ab[2];
	int ba[2];
	int error;

	(void)size;
	/* Non-blocking: else a write that has no room can't come back by a deadline. */
	if (pipe2(ab, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(ba, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	error = bare_ends_make(ba[0], ab[1], ret_a);
	return error ? error : bare_ends_make(ab[0], ba[1], ret_b);
}

static int bare_pipe_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	return bare_write_all(((struct bare_ends *)end)->out, message, size, deadline);
}

static int bare_pipe_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	return bare_read_all(((struct bare_ends *)end)->in, buffer, size, deadline);
}

static int bare_stream_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];
	int error;

	(void)size;
	/* Blocking, as others may have the socket too: each call says that it may not wait. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	error = bare_ends_make(fds[0], fds[0], ret_a);
	return error ? error : bare_ends_make(fds[1], fds[1], ret_b);
}

static int bare_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];
	int error = bare_inet_pair(SOCK_STREAM, fds);

	(void)size;
	if (error == 0)
		error = bare_ends_make(fds[0], fds[0], ret_a);
	return error ? error : bare_ends_make(fds[1], fds[1], ret_b);
}

static int bare_stream_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const int fd = ((struct bare_ends *)end)->in;
	const char *from = message;

	while (size > 0) {
		ssize_t sent = send(fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int error = 0;

		if (sent >= 0) {
			from += sent;
			size -= (size_t)sent;
		} else if (errno == EAGAIN) {
			error = bare_wait(fd, POLLOUT, deadline);
		} else if (errno != EINTR) {
			error = -errno;
		}
		if (error < 0)
			return error;
	}
	return 0;
}

static int bare_stream_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const int fd = ((struct bare_ends *)end)->in;
	char *place = buffer;

	while (size > 0) {
		ssize_t got = recv(fd, place, size, MSG_DONTWAIT);
		int error = 0;

		if (got > 0) {
			place += got;
			size -= (size_t)got;
		} else if (got == 0) {
			error = -EPIPE;
		} else if (errno == EAGAIN) {
			error = bare_wait(fd, POLLIN, deadline);
		} else if (errno != EINTR) {
			error = -errno;
		}
		if (error < 0)
			return error;
	}
	return 0;
}

const struct bench_way bare_pipe_bytes = {bare_pipe_open, bare_pipe_put, bare_pipe_take, bare_ends_close};
const struct bench_way bare_tcp_bytes = {bare_tcp_open, bare_stream_put, bare_stream_take, bare_ends_close};
const struct bench_way bare_stream_bytes = {bare_stream_open, bare_stream_put, bare_stream_take, bare_ends_close};
