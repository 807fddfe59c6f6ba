/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "sys/event.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/process.h"

void stream_init(struct stream *stream, const struct stream_carrier *carrier, int fd, uint64_t message_size)
{
	*stream = (struct stream){
		.carrier = carrier,
		.fd = fd,
		.message_size = message_size ? (uint32_t)message_size : STREAM_MESSAGE_DEFAULT,
		.receiver.descriptors_room = FRAME_DESCRIPTORS_MAX,
	};
	stream_become_sender(stream);
}

void stream_become_sender(struct stream *stream)
{
	/* Handles of one process, and processes that follow each other, should differ; a match costs no more than a
	 * word. */
	stream->sender.id = (uint8_t)((uintptr_t)stream >> 6 ^ (unsigned)sys_process_id());
	stream->sender.abandon = false;
}

void stream_done(struct stream *stream)
{
	/* Paid twice, it would be read as the beginning of a message. */
	if (stream->sender.owed_size && stream->sender.owed_by == sys_generation() && stream->fd >= 0)
		(void)stream_settle(stream, NONET_NOW);
	stream->receiver.ahead = sys_free(stream->receiver.ahead);
	stream->receiver.stash = sys_free(stream->receiver.stash);
}

void stream_update(struct stream *stream)
{
	const struct stream_receiver *receiver = &stream->receiver;
	const bool ready = receiver->broken || (receiver->end > receiver->start && !receiver->starved);

	atomic_store_explicit(&stream->receiver.ready, ready, memory_order_relaxed);
}

int stream_arm(struct stream *stream)
{
	return atomic_load_explicit(&stream->receiver.ready, memory_order_relaxed);
}

size_t stream_ahead(const struct stream *stream)
{
	return stream->receiver.end - stream->receiver.start;
}

int stream_read(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct stream_receiver *receiver = &stream->receiver;
	size_t ahead = receiver->end - receiver->start;
	struct iovec vector = {.iov_base = buffer, .iov_len = capacity};
	ssize_t size;
	int ready;

	if (capacity == 0) {
		*ret_size = 0;
		return 0;
	}
	if (ahead > 0) {
		ahead = ahead < capacity ? ahead : capacity;
		memcpy(buffer, receiver->ahead + receiver->start, ahead);
		receiver->start += ahead;
		stream_update(stream);
		*ret_size = ahead;
		return 0;
	}
	for (;;) {
		size = stream->carrier->read(stream, &vector, 1, stream_how(deadline) | STREAM_PLAIN);
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

int stream_read_exactly(struct stream *stream, void *buffer, size_t size, nonet_time deadline, size_t *done)
{
	size_t begun = done ? *done : 0;
	size_t more;
	int error = 0;

	if (begun > size)
		return -EINVAL;
	while (begun < size) {
		error = stream_read(stream, (uint8_t *)buffer + begun, size - begun, deadline, &more);
		if (error < 0)
			break;
		begun += more;
	}
	if (done)
		*done = begun;
	return error;
}

int stream_write(struct stream *stream, const void *bytes, size_t size, nonet_time deadline, size_t *done)
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
		more = stream->carrier->write(stream, &vector, 1, stream_how(deadline));
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
