/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A UNIX stream, or TCP, by hand. Nothing of the socket is changed: MSG_DONTWAIT and MSG_NOSIGNAL go with each call.
 *
 * Messages: a header, the payload, and a verdict. If the sender's deadline passes in the middle, it owes the rest,
 * which goes out as zeros before the next message: the verdict 0 then tells the receiver to drop what it has.
 * The receiver reads the header, the payload and what follows in one call, the payload straight to its place.
 */

#define STREAM_AHEAD  65536u
#define STREAM_DIRECT 4096u /* below, a copy costs less than a list of places */

/* The descriptors of a message into stream->received. Room for all that can come, so that none is lost unseen. */
static ssize_t bare_stream_recvmsg(struct bare_stream *stream, struct msghdr *packet)
{
	union bare_control control; /* room for all that can come */
	int descriptor;
	ssize_t got;

	packet->msg_control = control.bytes;
	packet->msg_controllen = sizeof(control.bytes);
	got = recvmsg(stream->fd, packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return got;
	if (bare_descriptors(packet, &descriptor) > 0) {
		if (stream->received_count < 2)
			stream->received[stream->received_count++] = descriptor;
		else
			close(descriptor); /* no peer that keeps to this framing sends so many */
	}
	return got;
}

/* At least one byte, or -EPIPE at the end, -EBADMSG if that is in the middle of a message. */
static ssize_t bare_stream_read(struct bare_stream *stream, struct iovec *vector, size_t count, nonet_time deadline)
{
	for (;;) {
		struct msghdr packet = {.msg_iov = vector, .msg_iovlen = count};
		ssize_t got;
		int error = 0;

		if (stream->passes)
			got = bare_stream_recvmsg(stream, &packet);
		else if (count == 1)
			got = recv(stream->fd, vector->iov_base, vector->iov_len, MSG_DONTWAIT);
		else
			got = recvmsg(stream->fd, &packet, MSG_DONTWAIT); /* the kernel closes any descriptors */
		if (got > 0)
			return got;
		if (got == 0)
			return stream->partial || stream->end > stream->at ? -EBADMSG : -EPIPE;
		if (errno == EAGAIN)
			error = bare_wait(stream->fd, POLLIN, deadline);
		else if (errno != EINTR)
			error = -errno;
		if (error < 0)
			return error;
	}
}

static int bare_stream_fill(struct bare_stream *stream, nonet_time deadline)
{
	struct iovec vector;
	ssize_t got;

	memmove(stream->ahead, stream->ahead + stream->at, stream->end - stream->at);
	stream->end -= stream->at;
	stream->at = 0;
	vector = (struct iovec){stream->ahead + stream->end, STREAM_AHEAD};
	got = bare_stream_read(stream, &vector, 1, deadline);
	if (got < 0)
		return (int)got;
	stream->end += (size_t)got;
	return 0;
}

/* Nothing is read ahead: the next header, its payload to @buffer, and what follows behind, all in one read. */
static int bare_stream_straight(struct bare_stream *stream, unsigned char *buffer, size_t capacity, nonet_time deadline)
{
	const size_t room = capacity < STREAM_AHEAD ? capacity : STREAM_AHEAD;
	struct bare_header *header = &stream->header;
	struct iovec vector[3] = {
		{header, sizeof(*header)}, {buffer, room}, {stream->ahead + STREAM_AHEAD, STREAM_AHEAD}};
	ssize_t got = bare_stream_read(stream, vector, 3, deadline);
	size_t in_buffer;
	size_t surplus;

	if (got < 0)
		return (int)got;
	stream->at = stream->end = STREAM_AHEAD;
	if ((size_t)got < sizeof(*header)) {
		memcpy(stream->ahead + stream->end, header, (size_t)got);
		stream->end += (size_t)got;
		return 0;
	}
	in_buffer = (size_t)got - sizeof(*header);
	if (in_buffer > room) {
		stream->end += in_buffer - room;
		in_buffer = room;
	}
	stream->have = in_buffer < header->total ? in_buffer : header->total;
	surplus = in_buffer - stream->have;
	/* What the buffer got of the next message goes in front of the rest of it. */
	stream->at -= surplus;
	memcpy(stream->ahead + stream->at, buffer + stream->have, surplus);
	stream->partial = true;
	return 0;
}

/* The next header, and maybe some of its payload already. */
static int bare_stream_begin(struct bare_stream *stream, void *buffer, size_t capacity, nonet_time deadline)
{
	while (!stream->partial) {
		int error = 0;

		if (stream->end - stream->at >= sizeof(stream->header)) {
			memcpy(&stream->header, stream->ahead + stream->at, sizeof(stream->header));
			stream->at += sizeof(stream->header);
			stream->partial = true;
			stream->have = 0;
		} else if (stream->end == stream->at && capacity >= STREAM_DIRECT) {
			error = bare_stream_straight(stream, buffer, capacity, deadline);
		} else {
			error = bare_stream_fill(stream, deadline);
		}
		if (error < 0)
			return error;
	}
	if (stream->header.magic != BARE_MAGIC || stream->header.total > BARE_LIMIT)
		return -EBADMSG;
	return stream->header.total > capacity ? -EMSGSIZE : 0;
}

/* The rest of the payload, straight to its place as far as it wasn't read ahead, and the verdict. */
static int bare_stream_finish(struct bare_stream *stream, unsigned char *buffer, nonet_time deadline)
{
	const size_t total = stream->header.total;

	while (stream->have < total || stream->at == stream->end) {
		size_t left = total - stream->have;
		size_t ahead = stream->end - stream->at;

		if (ahead > 0) {
			left = left < ahead ? left : ahead;
			memcpy(buffer + stream->have, stream->ahead + stream->at, left);
			stream->at += left;
			stream->have += left;
		} else {
			struct iovec vector[2] = {{buffer + stream->have, left}, {stream->ahead, STREAM_AHEAD}};
			ssize_t got = bare_stream_read(stream, left ? vector : vector + 1, left ? 2 : 1, deadline);

			if (got < 0)
				return (int)got;
			left = (size_t)got < left ? (size_t)got : left;
			stream->have += left;
			stream->at = 0;
			stream->end = (size_t)got - left;
		}
	}
	stream->partial = false;
	return stream->ahead[stream->at++];
}

/* What came with the oldest message that announced one: -EMFILE if this process had no room for it. */
static int bare_stream_descriptor(struct bare_stream *stream, int *ret_descriptor)
{
	if (!stream->received_count)
		return -EMFILE;
	*ret_descriptor = stream->received[0];
	stream->received[0] = stream->received[1];
	stream->received_count--;
	return 0;
}

/* @ret_descriptor: -1 if none came. */
static int bare_stream_receive(struct bare_stream *stream, unsigned char *buffer, size_t capacity, nonet_time deadline,
			       size_t *ret_size, int *ret_descriptor)
{
	int descriptor;
	int result;

	if (stream->kept) {
		if (stream->header.total > capacity)
			return -EMSGSIZE;
		memcpy(buffer, stream->kept, stream->have);
		free(stream->kept);
		stream->kept = NULL;
	}
	for (;;) {
		result = bare_stream_begin(stream, buffer, capacity, deadline);
		if (!result)
			result = bare_stream_finish(stream, buffer, deadline);
		if (result)
			break;
		/* The sender gave it up: drop it, and what came with it. */
		if (stream->header.descriptors && bare_stream_descriptor(stream, &descriptor) == 0)
			close(descriptor);
	}
	if (result < 0) {
		/* Out of time in the middle: what came is kept for the next call. */
		if (stream->partial && stream->have > 0) {
			stream->kept = malloc(stream->header.total);
			if (!stream->kept)
				return -ENOMEM;
			memcpy(stream->kept, buffer, stream->have);
		}
		return result;
	}
	*ret_size = stream->have;
	*ret_descriptor = -1;
	return stream->header.descriptors ? bare_stream_descriptor(stream, ret_descriptor) : 0;
}

static int bare_messages_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	return bare_stream_send(end, message, size, -1, deadline);
}

static int bare_descriptors_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	return bare_stream_send(end, message, size, STDERR_FILENO, deadline);
}

static int bare_messages_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int descriptor;
	size_t got;
	int error = bare_stream_receive(end, buffer, size, deadline, &got, &descriptor);

	return error ? error : got == size ? 0 : -EPROTO;
}

static int bare_descriptors_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int descriptor;
	size_t got;
	int error = bare_stream_receive(end, buffer, size, deadline, &got, &descriptor);

	if (!error && descriptor < 0)
		error = -EPROTO;
	if (!error)
		close(descriptor);
	return error ? error : got == size ? 0 : -EPROTO;
}

static void bare_stream_close(void *end)
{
	struct bare_stream *stream = end;

	if (!stream)
		return;
	while (stream->received_count > 0)
		close(stream->received[--stream->received_count]);
	close(stream->fd);
	free(stream->ahead);
	free(stream->kept);
	free(stream);
}

static int bare_stream_ends(const int fds[2], bool passes, void **ret_a, void **ret_b)
{
	for (int i = 0; i < 2; i++) {
		struct bare_stream *stream = calloc(1, sizeof(*stream));

		if (!stream)
			return -ENOMEM;
		stream->fd = fds[i];
		stream->passes = passes;
		stream->ahead = malloc(2 * STREAM_AHEAD);
		if (!stream->ahead)
			return -ENOMEM;
		*(i ? ret_b : ret_a) = stream;
	}
	return 0;
}

static int bare_stream_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];

	(void)size;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	return bare_stream_ends(fds, false, ret_a, ret_b);
}

static int bare_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];
	int error = bare_inet_pair(SOCK_STREAM, fds);

	(void)size;
	return error ? error : bare_stream_ends(fds, false, ret_a, ret_b);
}

static int bare_descriptors_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];

	(void)size;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	return bare_stream_ends(fds, true, ret_a, ret_b);
}

const struct bench_way bare_stream_messages = {bare_stream_open, bare_messages_put, bare_messages_take,
					       bare_stream_close};
const struct bench_way bare_tcp_messages = {bare_tcp_open, bare_messages_put, bare_messages_take, bare_stream_close};
const struct bench_way bare_stream_descriptors = {bare_descriptors_open, bare_descriptors_put, bare_descriptors_take,
						  bare_stream_close};
