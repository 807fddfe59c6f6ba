/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "pipe/pipe.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/pipe.h"

/*
 * SPLICE_F_NONBLOCK is for the pipe's side alone: the other descriptor blocks as its own flags say, past any deadline.
 * A regular file is as bounded as its disk.
 */
static int move_check(int fd)
{
	struct stat status;
	int flags = sys_get_flags(fd);
	int error = flags < 0 ? flags : sys_stat_fd(fd, &status);

	if (error < 0)
		return error;
	if (!S_ISREG(status.st_mode) && !(flags & O_NONBLOCK))
		return -EINVAL;
	return 0;
}

/*
 * Try @from -> @to until something moves. splice(2) doesn't say which side it found empty or full, so both are waited
 * for, one after the other.
 */
static int move_bytes(ssize_t (*move)(int from, int to, size_t size), int from, int to, size_t size,
		      nonet_time deadline, size_t *ret_moved)
{
	ssize_t moved;
	int ready;

	for (;;) {
		moved = move(from, to, size);
		if (moved >= 0) {
			*ret_moved = (size_t)moved;
			return 0;
		}
		if (moved != -EAGAIN)
			return (int)moved;
		ready = sys_poll_one(from, POLLIN, deadline);
		if (ready < 0)
			return ready;
		ready = sys_poll_one(to, POLLOUT, deadline);
		if (ready < 0)
			return ready;
	}
}

int nonet_pipe_splice_from(struct nonet_pipe *pipe, int fd, size_t size, nonet_time deadline, size_t *ret_moved)
{
	int error;

	if (pipe->end != NONET_PIPE_WRITER)
		return -EBADF;
	error = move_check(fd);
	if (error < 0)
		return error;
	return move_bytes(sys_splice, fd, pipe->stream.fd, size, deadline, ret_moved);
}

/*
 * Move what is in @pipe. Nothing means the end, but not before the first writer (pipe_carrier_read() has the same): its
 * bytes or its departure are waited for.
 */
static int move_from_pipe(ssize_t (*move)(int from, int to, size_t size), struct nonet_pipe *pipe, int to, size_t size,
			  nonet_time deadline, size_t *ret_moved)
{
	const int from = pipe->stream.fd;
	size_t moved;
	int ready;
	int error;

	for (;;) {
		error = move_bytes(move, from, to, size, deadline, &moved);
		/* The kernel means the other side of @to; -EPIPE is kept for the end of what is moved. */
		if (error == -EPIPE)
			return -ECONNRESET;
		if (error < 0)
			return error;
		if (moved > 0 || size == 0)
			break;
		if (pipe->writer_seen)
			return -EPIPE;
		ready = sys_poll_now(from, POLLIN);
		if (ready == 0)
			ready = sys_poll_one(from, POLLIN, deadline);
		if (ready < 0)
			return ready;
		pipe->writer_seen = ready & POLLHUP;
	}
	pipe->writer_seen |= moved > 0;
	*ret_moved = moved;
	return 0;
}

int nonet_pipe_splice_to(struct nonet_pipe *pipe, int fd, size_t size, nonet_time deadline, size_t *ret_moved)
{
	int error;

	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	if (stream_ahead(&pipe->stream) > 0)
		return -EBUSY;
	error = move_check(fd);
	if (error < 0)
		return error;
	return move_from_pipe(sys_splice, pipe, fd, size, deadline, ret_moved);
}

int nonet_pipe_tee(struct nonet_pipe *from, struct nonet_pipe *to, size_t size, nonet_time deadline, size_t *ret_copied)
{
	if (from->end != NONET_PIPE_READER || to->end != NONET_PIPE_WRITER)
		return -EBADF;
	if (stream_ahead(&from->stream) > 0)
		return -EBUSY;
	return move_from_pipe(sys_tee, from, to->stream.fd, size, deadline, ret_copied);
}

int nonet_pipe_vmsplice(struct nonet_pipe *pipe, const void *bytes, size_t size, nonet_time deadline, size_t *done)
{
	size_t begun = done ? *done : 0;
	ssize_t put;
	int error = 0;

	if (pipe->end != NONET_PIPE_WRITER)
		return -EBADF;
	if (begun > size)
		return -EINVAL;
	while (begun < size) {
		put = sys_vmsplice(pipe->stream.fd, (const char *)bytes + begun, size - begun);
		if (put == -EAGAIN) {
			error = sys_poll_one(pipe->stream.fd, POLLOUT, deadline);
			if (error < 0)
				break;
			continue;
		}
		if (put < 0) {
			error = (int)put;
			break;
		}
		begun += (size_t)put;
	}
	if (done)
		*done = begun;
	return error < 0 ? error : 0;
}
