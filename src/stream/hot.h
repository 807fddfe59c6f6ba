/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_HOT_H
#define STREAM_HOT_H

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/flat.h"
#include "stream/stream.h"
#include "sys/event.h"

/*
 * What nearly every call of a stream does, for a carrier to inline: given the carrier as a constant, its read and write
 * are called directly. Right after a system call an indirect call and each return from a nested one is predicted
 * wrongly where the kernel guards against that; it was 4 % of a packet of 64 bytes.
 *
 * @carrier: stream->carrier, or one with the same read and write
 */

/*
 * Send a message. Return: 0, or -EMSGSIZE, -EAGAIN, -ETIMEDOUT, or what the carrier says.
 */
static inline int stream_send(const struct stream_carrier *carrier, struct stream *stream, const void *message,
			      size_t size, nonet_time deadline)
{
	uint8_t bytes[STREAM_COPY];
	struct iovec vector = {.iov_base = bytes};
	ssize_t sent;

	if (!stream_is_plain_case(stream, size))
		return stream_send_any(stream, message, size, deadline);
	vector.iov_len = stream_image(stream, message, size, bytes);
	sent = carrier->write(stream, &vector, 1, stream_how(deadline));
	return sent == (ssize_t)vector.iov_len ? 0 : stream_send_begun(stream, message, size, sent, deadline);
}

/* Plain bytes: at least one, up to @capacity. */
static inline int stream_read(const struct stream_carrier *carrier, struct stream *stream, void *buffer,
			      size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct iovec vector = {.iov_base = buffer, .iov_len = capacity};
	ssize_t size;
	int ready;

	if (capacity == 0 || stream_ahead(stream) > 0) {
		*ret_size = stream_take_ahead(stream, buffer, capacity);
		return 0;
	}
	for (;;) {
		size = carrier->read(stream, &vector, 1, stream_how(deadline) | STREAM_PLAIN);
		if (size > 0) {
			*ret_size = (size_t)size;
			return 0;
		}
		if (size == 0)
			return -EPIPE;
		if (size != -EAGAIN)
			return (int)size;
		ready = sys_poll_one(stream->fd, POLLIN, deadline);
		if (ready < 0)
			return ready;
	}
}

/* Plain bytes: until *done, in and out, is @size. @done may be NULL. */
static inline int stream_read_exactly(const struct stream_carrier *carrier, struct stream *stream, void *buffer,
				      size_t size, nonet_time deadline, size_t *done)
{
	size_t begun = done ? *done : 0;
	size_t more = 0;
	int error = 0;

	if (begun > size)
		return -EINVAL;
	while (begun < size) {
		error = stream_read(carrier, stream, (uint8_t *)buffer + begun, size - begun, deadline, &more);
		if (error < 0)
			break;
		begun += more;
	}
	if (done)
		*done = begun;
	return error;
}

/* The other way. */
static inline int stream_write(const struct stream_carrier *carrier, struct stream *stream, const void *bytes,
			       size_t size, nonet_time deadline, size_t *done)
{
	size_t begun = done ? *done : 0;
	struct iovec vector;
	ssize_t more;
	int error = 0;

	if (begun > size)
		return -EINVAL;
	while (begun < size) {
		vector.iov_base = (uint8_t *)bytes + begun;
		vector.iov_len = size - begun;
		more = carrier->write(stream, &vector, 1, stream_how(deadline));
		if (more == -EAGAIN) {
			error = sys_poll_one(stream->fd, POLLOUT, deadline);
			if (error < 0)
				break;
			continue;
		}
		if (more < 0) {
			error = (int)more;
			break;
		}
		begun += (size_t)more;
	}
	if (done)
		*done = begun;
	return error < 0 ? error : 0;
}

#endif
