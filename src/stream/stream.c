/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream.h"

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
	/* Elsewhere there is one sender, and the id tells nothing. */
	if (carrier->atomic)
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

size_t stream_take_ahead(struct stream *stream, void *buffer, size_t capacity)
{
	struct stream_receiver *receiver = &stream->receiver;
	const size_t ahead = stream_ahead(stream);
	const size_t size = ahead < capacity ? ahead : capacity;

	if (size == 0)
		return 0;
	memcpy(buffer, receiver->ahead + receiver->start, size);
	receiver->start += size;
	stream_update(stream);
	return size;
}
