/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * A pipe by hand. The descriptors are non-blocking, for only then a write that has no room comes back.
 *
 * Messages: a header and the payload in one writev of at most PIPE_BUF bytes, which is atomic, so that several may
 * write. A larger message goes in pieces of exactly a page, and on a FIFO under flock(2): the kernel fills page after
 * page and can only be interrupted between two, so many pieces may go into one writev; small messages of others then
 * stand between the pieces, never in them. A message that was given up in the middle is dropped by the reader when the
 * next one in pieces begins.
 */

#define PIPE_PIECE  (PIPE_BUF - sizeof(struct bare_header))
#define PIPE_PIECES 17u /* in one writev: what the pipe holds by default, and one */
#define PIPE_AHEAD  65536u

struct bare_pipe {
	int reader;
	int writer;
	bool fifo;
	/* What was read ahead: [at, end). */
	unsigned char *ahead;
	size_t at;
	size_t end;
	/* A message in pieces, of which @have bytes came; between calls they lie in @kept. */
	bool partial;
	size_t have;
	size_t total;
	unsigned char *kept;
};

/* One writer of a large message at a time, or -EAGAIN, -ETIMEDOUT: flock(2) itself knows no deadline. */
static int bare_lock(int fd, nonet_time deadline)
{
	static const struct timespec interval = {.tv_nsec = 1000000};

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct timespec left;

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (deadline == NONET_NOW)
			return -EAGAIN;
		left = bare_left(deadline);
		if (!left.tv_sec && !left.tv_nsec)
			return -ETIMEDOUT;
		nanosleep(&interval, NULL);
	}
	return 0;
}

static int bare_send_pieces(int fd, const char *message, size_t size, nonet_time deadline)
{
	struct bare_header headers[PIPE_PIECES];
	struct iovec vector[2 * PIPE_PIECES];
	size_t done = 0;

	while (done < size) {
		size_t to = done;
		int count = 0;

		/* The last piece goes alone: it isn't a page, and could be merged into one that somebody began. */
		while (to < size && count < 2 * (int)PIPE_PIECES) {
			struct bare_header *header = &headers[count / 2];
			size_t piece = size - to < PIPE_PIECE ? size - to : PIPE_PIECE;

			if (piece < PIPE_PIECE && count > 0)
				break;
			*header = (struct bare_header){.magic = BARE_MAGIC, .piece = (uint32_t)piece};
			header->flags = (to == 0 ? BARE_FIRST : 0) | (to + piece == size ? BARE_LAST : 0);
			header->total = (uint32_t)size;
			vector[count++] = (struct iovec){.iov_base = header, .iov_len = sizeof(*header)};
			vector[count++] = (struct iovec){.iov_base = (char *)message + to, .iov_len = piece};
			to += piece;
		}
		ssize_t written = bare_write(fd, vector, count);

		if (written > 0) {
			/* Whole pieces, see above. */
			done = (size_t)written % PIPE_BUF ? to : done + (size_t)written / PIPE_BUF * PIPE_PIECE;
		} else if (errno == EAGAIN) {
			int error = bare_wait(fd, POLLOUT, deadline);

			if (error < 0)
				return error;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/*
 * The lock in an open file description of its own: a process forked from this one would share any other, so that it
 * wouldn't be kept out, and would keep the lock of a sender that is killed.
 */
static int bare_lock_own(int fd, nonet_time deadline, int *ret_lock)
{
	char path[32];
	int error;
	int lock;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	lock = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (lock < 0)
		return errno == ENXIO ? -EPIPE : -errno;
	error = bare_lock(lock, deadline);
	if (error < 0) {
		close(lock);
		return error;
	}
	*ret_lock = lock;
	return 0;
}

static int bare_pipe_send(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_pipe *pipe = end;
	struct bare_header header = {.magic = BARE_MAGIC, .flags = BARE_FIRST | BARE_LAST};
	struct iovec vector[2] = {{&header, sizeof(header)}, {(void *)message, size}};
	int error;

	if (size > PIPE_PIECE) {
		int lock = -1;

		/* Others may be sending a large one. */
		error = pipe->fifo ? bare_lock_own(pipe->writer, deadline, &lock) : 0;
		if (error < 0)
			return error;
		error = bare_send_pieces(pipe->writer, message, size, deadline);
		if (pipe->fifo) {
			flock(lock, LOCK_UN);
			close(lock);
		}
		return error;
	}
	header.piece = (uint32_t)size;
	header.total = (uint32_t)size;
	/* At most PIPE_BUF bytes: all or nothing. */
	while (bare_write(pipe->writer, vector, 2) < 0) {
		error = errno == EAGAIN ? bare_wait(pipe->writer, POLLOUT, deadline) : errno == EINTR ? 0 : -errno;
		if (error < 0)
			return error;
	}
	return 0;
}

/* Read ahead as much as there is. */
static int bare_pipe_fill(struct bare_pipe *pipe, nonet_time deadline)
{
	ssize_t got;

	memmove(pipe->ahead, pipe->ahead + pipe->at, pipe->end - pipe->at);
	pipe->end -= pipe->at;
	pipe->at = 0;
	for (;;) {
		got = read(pipe->reader, pipe->ahead + pipe->end, PIPE_AHEAD);
		if (got > 0) {
			pipe->end += (size_t)got;
			return 0;
		}
		if (got == 0) /* the last writer has gone; if in the middle of a message, it is torn */
			return pipe->partial ? -EBADMSG : -EPIPE;
		if (errno == EAGAIN) {
			int error = bare_wait(pipe->reader, POLLIN, deadline);

			if (error < 0)
				return error;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

/* A call ends without the message that is partial: what came of it is kept. */
static int bare_pipe_keep(struct bare_pipe *pipe, const void *buffer, int result)
{
	if (!pipe->partial || pipe->have == 0)
		return result;
	pipe->kept = malloc(pipe->total);
	if (!pipe->kept)
		return -ENOMEM;
	memcpy(pipe->kept, buffer, pipe->have);
	return result;
}

/* One piece that is all there: 1 if it made a message whole, 0 if more is to come. */
static int bare_pipe_piece(struct bare_pipe *pipe, const struct bare_header *header, unsigned char *buffer,
			   size_t capacity, size_t *ret_size)
{
	const unsigned char *payload = pipe->ahead + pipe->at + sizeof(*header);

	if (header->flags & BARE_FIRST && header->total > capacity)
		return -EMSGSIZE; /* it stays */
	if (header->flags == (BARE_FIRST | BARE_LAST)) {
		/* Small and whole, maybe between the pieces of a large one. */
		int error = bare_pipe_keep(pipe, buffer, 0);

		if (error < 0)
			return error;
		memcpy(buffer, payload, header->piece);
		pipe->at += sizeof(*header) + header->piece;
		*ret_size = header->piece;
		return 1;
	}
	if (header->flags & BARE_FIRST) {
		pipe->partial = true; /* and one that was partial before has been given up */
		pipe->have = 0;
		pipe->total = header->total;
	}
	if (!pipe->partial || header->piece > pipe->total - pipe->have)
		return -EBADMSG;
	memcpy(buffer + pipe->have, payload, header->piece);
	pipe->have += header->piece;
	pipe->at += sizeof(*header) + header->piece;
	if (!(header->flags & BARE_LAST))
		return 0;
	pipe->partial = false;
	*ret_size = pipe->have;
	return pipe->have == pipe->total ? 1 : -EBADMSG;
}

static int bare_pipe_receive(struct bare_pipe *pipe, void *buffer, size_t capacity, nonet_time deadline,
			     size_t *ret_size)
{
	struct bare_header header;
	int result;

	if (pipe->kept) {
		if (pipe->total > capacity)
			return -EMSGSIZE;
		memcpy(buffer, pipe->kept, pipe->have);
		free(pipe->kept);
		pipe->kept = NULL;
	}
	for (;;) {
		size_t ready = pipe->end - pipe->at;
		bool whole = false;

		if (ready >= sizeof(header)) {
			memcpy(&header, pipe->ahead + pipe->at, sizeof(header));
			if (header.magic != BARE_MAGIC || header.piece > PIPE_PIECE || header.total > BARE_LIMIT)
				return -EBADMSG;
			whole = ready >= sizeof(header) + header.piece;
		}
		result = whole ? bare_pipe_piece(pipe, &header, buffer, capacity, ret_size)
			       : bare_pipe_fill(pipe, deadline);
		if (result < 0)
			return bare_pipe_keep(pipe, buffer, result);
		if (result > 0)
			return 0;
	}
}

static int bare_pipe_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	size_t got = 0;
	int error = bare_pipe_receive(end, buffer, size, deadline, &got);

	return error ? error : got == size ? 0 : -EPROTO;
}

static void bare_pipe_close(void *end)
{
	struct bare_pipe *pipe = end;

	if (!pipe)
		return;
	close(pipe->reader);
	close(pipe->writer);
	free(pipe->ahead);
	free(pipe->kept);
	free(pipe);
}

static int bare_pipe_ends(int ab[2], int ba[2], bool fifo, void **ret_a, void **ret_b)
{
	struct bare_pipe *ends[2] = {calloc(1, sizeof(**ends)), calloc(1, sizeof(**ends))};

	for (int i = 0; i < 2; i++) {
		if (!ends[i])
			return -ENOMEM;
		ends[i]->reader = i ? ab[0] : ba[0];
		ends[i]->writer = i ? ba[1] : ab[1];
		ends[i]->fifo = fifo;
		ends[i]->ahead = malloc(PIPE_AHEAD + PIPE_BUF);
		if (!ends[i]->ahead)
			return -ENOMEM;
	}
	*ret_a = ends[0];
	*ret_b = ends[1];
	return 0;
}

static int bare_pipe_open(size_t size, void **ret_a, void **ret_b)
{
	int ab[2];
	int ba[2];

	(void)size;
	if (pipe2(ab, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(ba, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return bare_pipe_ends(ab, ba, false, ret_a, ret_b);
}

static int bare_fifo_make(int ret_fds[2])
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/bare-bench-%d", (int)getpid());
	if (mkfifo(path, 0600) < 0)
		return -errno;
	ret_fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ret_fds[1] = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	unlink(path);
	return ret_fds[0] < 0 || ret_fds[1] < 0 ? -EIO : 0;
}

static int bare_fifo_open(size_t size, void **ret_a, void **ret_b)
{
	int ab[2];
	int ba[2];
	int error = bare_fifo_make(ab);

	(void)size;
	if (!error)
		error = bare_fifo_make(ba);
	return error ? error : bare_pipe_ends(ab, ba, true, ret_a, ret_b);
}

const struct bench_way bare_pipe_messages = {bare_pipe_open, bare_pipe_send, bare_pipe_take, bare_pipe_close};
const struct bench_way bare_fifo_messages = {bare_fifo_open, bare_pipe_send, bare_pipe_take, bare_pipe_close};
