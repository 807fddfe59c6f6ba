/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include "base/error.h"
#include "stream/hot.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/pipe.h"

/* The header is public and a number; this is where it comes from. */
_Static_assert(NONET_PIPE_ATOMIC == PIPE_BUF - FRAME_HEADER_SIZE - FRAME_VERDICT_SIZE, "one message, one atomic write");

static ssize_t pipe_carrier_read(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	struct nonet_pipe *pipe = (struct nonet_pipe *)stream;
	ssize_t size = sys_pipe_read(stream->fd, vector, count);
	int ready;

	(void)how;
	if (size != 0 || pipe->writer_seen) {
		pipe->writer_seen |= size > 0;
		return size;
	}
	/* No writer: hung up only if there was one since this end was opened (pipe_poll() in the kernel). */
	ready = sys_poll_now(stream->fd, POLLIN);
	if (ready < 0)
		return ready;
	if (!(ready & POLLHUP))
		return -EAGAIN;
	/* It may have come, written and gone between the two calls above: what it left is read before the end is. */
	pipe->writer_seen = true;
	return sys_pipe_read(stream->fd, vector, count);
}

static ssize_t pipe_carrier_write(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	(void)how;
	return sys_pipe_write(stream->fd, vector, count);
}

/*
 * A lock belongs to an open file description. After a fork the end's own is the other process's too, which it wouldn't
 * keep out, and which would keep the lock of one that was killed. So each lock has a description for itself.
 */
static int pipe_carrier_lock(struct stream *stream)
{
	struct nonet_pipe *pipe = (struct nonet_pipe *)stream;
	int error;

	pipe->lock = sys_reopen(stream->fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (pipe->lock == -ENXIO)
		return -EPIPE;
	/* No /proc, no permission, no room: what we have must do. */
	error = sys_flock_try(pipe->lock < 0 ? stream->fd : pipe->lock);
	if (error < 0)
		sys_close(&pipe->lock);
	return error;
}

static void pipe_carrier_unlock(struct stream *stream)
{
	struct nonet_pipe *pipe = (struct nonet_pipe *)stream;

	/* Not only closed: a thread may have forked meanwhile. */
	sys_flock_release(pipe->lock < 0 ? stream->fd : pipe->lock);
	sys_close(&pipe->lock);
}

static const struct stream_carrier pipe_carrier = {
	.read = pipe_carrier_read,
	.write = pipe_carrier_write,
	.chunk_limit = PIPE_BUF - FRAME_HEADER_SIZE,
	.atomic = true,
};

static const struct stream_carrier pipe_carrier_locking = {
	.read = pipe_carrier_read,
	.write = pipe_carrier_write,
	.lock = pipe_carrier_lock,
	.unlock = pipe_carrier_unlock,
	.chunk_limit = PIPE_BUF - FRAME_HEADER_SIZE,
	.atomic = true,
};

static int pipe_waitable_arm(struct nonet_waitable *waitable)
{
	return stream_arm(&container_of(waitable, struct nonet_pipe, waitable)->stream);
}

int pipe_check_options(const struct nonet_pipe_options *options, struct nonet_error *reterr)
{
	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the pipe options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~NONET_PIPE_EARLY || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the pipe options have unknown flags or a reserved field set");
	if (options->message_size > STREAM_MESSAGE_LIMIT)
		return error_set(reterr, -EINVAL, "a message size of %llu is over the limit of 1 GiB",
				 (unsigned long long)options->message_size);
	if (options->capacity > INT_MAX)
		return error_set(reterr, -EINVAL, "a pipe's capacity of %llu is over the limit of 2 GiB",
				 (unsigned long long)options->capacity);
	return 0;
}

int pipe_make(int fd, enum nonet_pipe_end end, const char *path, bool lock, const struct nonet_pipe_options *options,
	      struct nonet_pipe **ret_pipe, struct nonet_error *reterr)
{
	struct nonet_pipe *pipe;
	int error;

	if (options && options->capacity) {
		error = sys_pipe_set_capacity(fd, (int)options->capacity);
		if (error < 0)
			return error_set(reterr, error,
					 "can't let the pipe hold %llu bytes: %s (see pipe-max-size and "
					 "pipe-user-pages-soft in pipe(7))",
					 (unsigned long long)options->capacity, error_reason(error));
	}
	pipe = sys_allocate(sizeof(*pipe));
	if (pipe && path)
		pipe->path = sys_copy_string(path);
	if (!pipe || (path && !pipe->path)) {
		sys_free(pipe);
		return error_set(reterr, -ENOMEM, "no memory for a pipe's handle");
	}
	stream_init(&pipe->stream, lock ? &pipe_carrier_locking : &pipe_carrier, fd,
		    options ? options->message_size : 0);
	waitable_init(&pipe->waitable, fd, pipe_waitable_arm);
	pipe->end = end;
	pipe->lock = -1;
	pipe->sender = sys_generation();
	*ret_pipe = pipe;
	return 0;
}

int nonet_pipe_new(const struct nonet_pipe_options *options, struct nonet_pipe **ret_reader,
		   struct nonet_pipe **ret_writer, struct nonet_error *reterr)
{
	struct nonet_pipe *reader = NULL;
	struct nonet_pipe *writer = NULL;
	int fds[2];
	int error = pipe_check_options(options, reterr);

	if (error < 0)
		return error;
	error = sys_pipe(fds);
	if (error < 0)
		return error_set(reterr, error, "can't make a pipe: %s", error_reason(error));
	error = pipe_make(fds[0], NONET_PIPE_READER, NULL, false, options, &reader, reterr);
	if (error == 0)
		error = pipe_make(fds[1], NONET_PIPE_WRITER, NULL, false, NULL, &writer, reterr);
	if (error < 0) {
		if (reader)
			nonet_pipe_close(reader);
		else
			sys_close(&fds[0]);
		sys_close(&fds[1]);
		return error;
	}
	/* Both ends exist from the start. */
	reader->writer_seen = true;
	writer->stream.message_size = reader->stream.message_size;
	*ret_reader = reader;
	*ret_writer = writer;
	return 0;
}

struct nonet_pipe *nonet_pipe_close(struct nonet_pipe *pipe)
{
	if (!pipe)
		return NULL;
	waitable_done(&pipe->waitable);
	stream_done(&pipe->stream);
	sys_close(&pipe->stream.fd);
	sys_free(pipe->path);
	return sys_free(pipe);
}

int nonet_pipe_send(struct nonet_pipe *pipe, const void *message, size_t size, nonet_time deadline)
{
	if (pipe->end != NONET_PIPE_WRITER)
		return -EBADF;
	/* A forked child is a sender of its own: what it says of its messages mustn't be taken for its parent's. */
	if ((size > NONET_PIPE_ATOMIC || pipe->stream.sender.abandon) && pipe->sender != sys_generation()) {
		pipe->sender = sys_generation();
		stream_become_sender(&pipe->stream);
	}
	return stream_send(&pipe_carrier, &pipe->stream, message, size, deadline);
}

/* What a call read ahead, the descriptor doesn't show any more. */
static int pipe_touch(struct nonet_pipe *pipe, int result)
{
	if (stream_arm(&pipe->stream))
		waitable_touch(&pipe->waitable);
	return result;
}

FLAT int nonet_pipe_receive(struct nonet_pipe *pipe, void *buffer, size_t capacity, nonet_time deadline,
			    size_t *ret_size)
{
	uint8_t descriptors;

	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	return pipe_touch(pipe, stream_receive(&pipe->stream, buffer, capacity, deadline, ret_size, &descriptors));
}

int nonet_pipe_message_size(struct nonet_pipe *pipe, nonet_time deadline, size_t *ret_size)
{
	uint8_t descriptors;

	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	return pipe_touch(pipe, stream_peek(&pipe->stream, deadline, ret_size, &descriptors));
}

int nonet_pipe_read(struct nonet_pipe *pipe, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	return pipe_touch(pipe, stream_read(&pipe_carrier, &pipe->stream, buffer, capacity, deadline, ret_size));
}

int nonet_pipe_read_exactly(struct nonet_pipe *pipe, void *buffer, size_t size, nonet_time deadline, size_t *done)
{
	if (pipe->end != NONET_PIPE_READER)
		return -EBADF;
	return pipe_touch(pipe, stream_read_exactly(&pipe_carrier, &pipe->stream, buffer, size, deadline, done));
}

int nonet_pipe_write(struct nonet_pipe *pipe, const void *bytes, size_t size, nonet_time deadline, size_t *done)
{
	if (pipe->end != NONET_PIPE_WRITER)
		return -EBADF;
	return stream_write(&pipe_carrier, &pipe->stream, bytes, size, deadline, done);
}

int nonet_pipe_capacity(struct nonet_pipe *pipe, size_t *ret_capacity)
{
	int capacity = sys_pipe_capacity(pipe->stream.fd);

	if (capacity < 0)
		return capacity;
	*ret_capacity = (size_t)capacity;
	return 0;
}

int nonet_pipe_set_capacity(struct nonet_pipe *pipe, size_t capacity)
{
	if (capacity == 0 || capacity > INT_MAX)
		return -EINVAL;
	return sys_pipe_set_capacity(pipe->stream.fd, (int)capacity);
}

int nonet_pipe_queued(struct nonet_pipe *pipe, size_t *ret_queued)
{
	size_t queued;
	int error = sys_queued(pipe->stream.fd, &queued);

	if (error < 0)
		return error;
	*ret_queued = queued + stream_ahead(&pipe->stream);
	return 0;
}

int nonet_pipe_fd(struct nonet_pipe *pipe)
{
	return pipe->stream.fd;
}

enum nonet_pipe_end nonet_pipe_get_end(struct nonet_pipe *pipe)
{
	return pipe->end;
}

int nonet_pipe_arm(struct nonet_pipe *pipe)
{
	return stream_arm(&pipe->stream);
}

struct nonet_waitable *nonet_pipe_waitable(struct nonet_pipe *pipe)
{
	return &pipe->waitable;
}

/* Which side a call waited for that got nowhere. */
static void pipe_explain_stuck(const struct nonet_pipe *pipe, int code, const char *what, struct nonet_error *ret_error)
{
	const char *when = code == -EAGAIN ? "now" : "before the deadline";
	const bool reader = pipe->end == NONET_PIPE_READER;
	const int ready = sys_poll_now(pipe->stream.fd, reader ? POLLIN : POLLOUT);

	if (reader && ready > 0 && ready & POLLIN)
		error_set(ret_error, code, "there are bytes in %s, but what they were to go to had no room %s", what,
			  when);
	else if (reader)
		error_set(ret_error, code, "nothing to receive from %s %s", what, when);
	else if (ready > 0 && ready & POLLOUT)
		error_set(
			ret_error, code,
			"no room in %s %s, though there is some by now; or what was to be put into it didn't come; or "
			"another writer was in the middle of a large message",
			what, when);
	else
		error_set(ret_error, code, "no room in %s %s: its reader is slow", what, when);
}

void nonet_pipe_explain(struct nonet_pipe *pipe, int code, struct nonet_error *ret_error)
{
	const bool reader = pipe->end == NONET_PIPE_READER;
	const char *what = pipe->path ? pipe->path : "the pipe";
	const struct stream_receiver *receiver = &pipe->stream.receiver;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		pipe_explain_stuck(pipe, code, what, ret_error);
		return;
	case -EPIPE:
		error_set(ret_error, code,
			  reader ? "the last writer of %s has gone, and everything it sent was taken"
				 : "nobody reads %s any more",
			  what);
		return;
	case -EBADMSG:
		error_set(ret_error, code,
			  receiver->broken ? "what came from %s isn't a message of nonet's: its writer uses plain "
					     "bytes, or is damaged"
					   : "a writer of %s went away in the middle of a message, which is lost",
			  what);
		return;
	case -EMSGSIZE:
		if (reader)
			error_set(ret_error, code, "the next message in %s is larger than the buffer", what);
		else
			error_set(ret_error, code,
				  "the message is larger than the %u bytes that this end of %s may send",
				  pipe->stream.message_size, what);
		return;
	case -EBADF:
		error_set(ret_error, code, "this end of %s only %s", what, reader ? "reads" : "writes");
		return;
	case -ECONNRESET:
		error_set(ret_error, code, "nobody reads what the bytes in %s were to go to; they stay", what);
		return;
	case -EINVAL:
		error_set(ret_error, code,
			  "a bad argument for %s; a descriptor to splice has to be a regular file, or have O_NONBLOCK",
			  what);
		return;
	case -EBUSY:
		error_set(ret_error, code, "%s holds bytes that this call would have to pass over", what);
		return;
	case -EPERM:
		error_set(ret_error, code,
			  "that much capacity for %s is over pipe-max-size or the user's pipe-user-pages (pipe(7))",
			  what);
		return;
	default:
		error_set(ret_error, code, "%s: %s", what, error_reason(code));
		return;
	}
}
