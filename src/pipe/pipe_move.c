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

/* Of a pipe, nothing means the end. */
static int move_end(const struct nonet_pipe *pipe, int error, size_t size, size_t moved, size_t *ret_moved)
{
	if (error < 0)
		return error;
	if (moved == 0 && size > 0)
		return pipe->writer_seen ? -EPIPE : -EAGAIN;
	*ret_moved = moved;
	return 0;
}

int nonet_pipe_splice_to(struct nonet_pipe *pipe, int fd, size_t size, nonet_time deadline, size_t *ret_moved)
{
	size_t moved = 0;
	int error;

	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	if (stream_ahead(&pipe->stream) > 0)
		return -EBUSY;
	error = move_check(fd);
	if (error < 0)
		return error;
	error = move_bytes(sys_splice, pipe->stream.fd, fd, size, deadline, &moved);
	return move_end(pipe, error, size, moved, ret_moved);
}

int nonet_pipe_tee(struct nonet_pipe *from, struct nonet_pipe *to, size_t size, nonet_time deadline, size_t *ret_copied)
{
	size_t copied = 0;
	int error;

	if (from->end != NONET_PIPE_READER || to->end != NONET_PIPE_WRITER)
		return -EBADF;
	if (stream_ahead(&from->stream) > 0)
		return -EBUSY;
	error = move_bytes(sys_tee, from->stream.fd, to->stream.fd, size, deadline, &copied);
	return move_end(from, error, size, copied, ret_copied);
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
