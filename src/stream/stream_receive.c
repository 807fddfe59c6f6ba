/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving whole messages from a byte stream. What keeps the pieces together:
 *
 *  - Everything that was read and not consumed lies in the read-ahead buffer, in order; a payload that goes straight to
 *    its message is consumed by that. So a call may end anywhere, and the next goes on.
 *  - A header is consumed only once it was checked against the message that is partial. receiver->chunk is it.
 *  - partial_got counts the bytes that are in place, in the caller's buffer during a call (@place), else in the stash.
 *  - A peer can say anything: no size of its is used before it was compared with a limit of ours.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/time.h"
#include "stream/stream.h"
#include "sys/event.h"
#include "sys/memory.h"

/* What one read takes at most: as much as a pipe holds by default, so that one call can empty it. */
#define AHEAD_READ 65536u
/*
 * Where it begins in the buffer, which begins at a page: in the middle of one. The kernel's source is mostly at the
 * beginning of a page of its own, and Zen 4 copies up to five times more slowly to a place in a page less than 16 bytes
 * behind that of the source in its own, half as fast up to 48 (ADR 0004).
 */
#define AHEAD_BASE 2048u
/* Room for that behind a header and what a read finds in the caller's buffer beyond its message. */
#define AHEAD_SIZE (AHEAD_BASE + FRAME_HEADER_SIZE + 2 * AHEAD_READ)

/* Below, a copy costs less than to have the kernel fill three places. */
#define STRAIGHT_LEAST 4096u

/* How many pieces or messages a call drops, even one that may not wait, before it looks at the deadline. */
#define DROPS_FREE 16

static size_t receive_available(const struct stream_receiver *receiver)
{
	return receiver->end - receiver->start;
}

static int receive_allocate(struct stream_receiver *receiver)
{
	if (receiver->ahead)
		return 0;
	receiver->ahead = sys_allocate_buffer(AHEAD_SIZE);
	return receiver->ahead ? 0 : -ENOMEM;
}

/*
 * Read into @vector, and wait for the first byte by the deadline.
 * Return: how many bytes; 0 at the end of the stream; or an error.
 */
static ssize_t receive_read(struct stream *stream, const struct iovec *vector, int count, nonet_time deadline)
{
	ssize_t size;
	int ready;

	for (;;) {
		size = stream->carrier->read(stream, vector, count, stream_how(deadline));
		if (size != -EAGAIN)
			return size;
		ready = sys_poll_one(stream->fd, POLLIN, deadline);
		if (ready < 0) {
			stream->receiver.starved = ready == -EAGAIN || ready == -ETIMEDOUT;
			return ready;
		}
	}
}

/*
 * A peer that sends nothing but what is dropped, as fast as we read it, would never let us wait, and so never let the
 * deadline end the call. Return: 0 to go on; else -EAGAIN or -ETIMEDOUT, without being starved.
 */
static int receive_patience(struct stream *stream, nonet_time deadline)
{
	if (stream->receiver.dropped < DROPS_FREE || deadline == NONET_FOREVER)
		return 0;
	return deadline > nonet_clock() ? 0 : time_expired(deadline);
}

/* The open chunk is a whole message, and another may be in hand beside it: on a pipe others write too. */
static bool receive_is_small(const struct stream *stream)
{
	const int whole = FRAME_FIRST | FRAME_LAST;

	return stream->carrier->atomic && (stream->receiver.chunk.flags & whole) == whole;
}

/* The message in hand is lost. */
static void receive_drop(struct stream *stream)
{
	struct stream_receiver *receiver = &stream->receiver;

	if (receiver->partial && receiver->partial_descriptors)
		stream->carrier->drop_descriptors(stream);
	receiver->dropped += receiver->partial;
	receiver->partial = false;
	receiver->stash = sys_free(receiver->stash);
}

static int receive_break(struct stream *stream)
{
	receive_drop(stream);
	stream->receiver.broken = true;
	return -EBADMSG;
}

/* The end of the stream: clean between messages, else what came of the last one is torn, which is said once. */
static int receive_end(struct stream *stream)
{
	struct stream_receiver *receiver = &stream->receiver;
	const bool begun = receiver->chunk_open || receive_available(receiver) > 0;
	const bool torn = receiver->partial || (begun && !receiver->skip);

	receive_drop(stream);
	receiver->chunk_open = false;
	receiver->skip = false;
	receiver->skip_told = false;
	receiver->start = receiver->end = 0;
	return torn ? -EBADMSG : -EPIPE;
}

/* Read ahead until at least @need bytes are there; @need is at most AHEAD_READ. */
static int receive_fill(struct stream *stream, size_t need, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	struct iovec vector;
	ssize_t size;

	while (receive_available(receiver) < need) {
		if (receiver->start != AHEAD_BASE) {
			size_t kept = receive_available(receiver);

			memmove(receiver->ahead + AHEAD_BASE, receiver->ahead + receiver->start, kept);
			receiver->start = AHEAD_BASE;
			receiver->end = AHEAD_BASE + kept;
		}
		vector.iov_base = receiver->ahead + receiver->end;
		vector.iov_len = AHEAD_READ;
		size = receive_read(stream, &vector, 1, deadline);
		if (size < 0)
			return (int)size;
		if (size == 0)
			return receive_end(stream);
		receiver->end += (size_t)size;
	}
	return 0;
}

/* A piece that belongs to no message in hand: its beginning was dropped, or its sender isn't in step. */
static int receive_stray(struct stream *stream)
{
	struct stream_receiver *receiver = &stream->receiver;
	const bool told = receiver->skip_told;

	receiver->skip = true;
	receiver->skip_told = !(receiver->chunk.flags & FRAME_LAST);
	return told ? 0 : -EBADMSG;
}

/*
 * Compare a header, already consumed, with the message in hand.
 * Return: 0, or -EBADMSG: a message is lost, and the chunk is open all the same; or nothing can be received any more.
 */
static int receive_check(struct stream *stream)
{
	struct stream_receiver *receiver = &stream->receiver;
	const struct frame_header *chunk = &receiver->chunk;
	bool torn;

	if (!(chunk->flags & FRAME_FIRST)) {
		if (!receiver->partial || chunk->id != receiver->partial_id)
			return receive_stray(stream);
		/* That it lies within its total was checked with the header. */
		if (chunk->total != receiver->partial_total || chunk->offset != receiver->partial_got)
			return receive_break(stream);
		return 0;
	}
	if (chunk->total > stream->message_size || (chunk->descriptors && !stream->carrier->drop_descriptors))
		return receive_break(stream);
	if (chunk->flags & FRAME_ABANDON && receiver->partial && receiver->partial_id == chunk->id)
		receive_drop(stream);
	if (receive_is_small(stream))
		return 0;
	torn = receiver->partial;
	receive_drop(stream);
	receiver->skip_told = false;
	receiver->partial = true;
	receiver->partial_id = chunk->id;
	receiver->partial_descriptors = chunk->descriptors;
	receiver->partial_total = chunk->total;
	receiver->partial_got = 0;
	return torn ? -EBADMSG : 0;
}

/*
 * Nothing is read ahead and no message is in hand: read the next header and, if all is as it mostly is, the payload
 * straight into the caller's buffer. What the buffer got beyond the payload goes in front of what was read ahead.
 */
static int receive_straight(struct stream *stream, uint8_t *buffer, size_t capacity, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	const size_t room = capacity < AHEAD_READ ? capacity : AHEAD_READ;
	const size_t front = AHEAD_BASE + FRAME_HEADER_SIZE + room;
	uint8_t bytes[FRAME_HEADER_SIZE];
	struct frame_header header;
	struct iovec vector[3] = {
		{.iov_base = bytes, .iov_len = FRAME_HEADER_SIZE},
		{.iov_base = buffer, .iov_len = room},
		{.iov_base = receiver->ahead + front, .iov_len = AHEAD_READ},
	};
	size_t placed = 0;
	size_t in_buffer;
	size_t behind;
	size_t beyond;
	ssize_t size = receive_read(stream, vector, 3, deadline);

	if (size < 0)
		return (int)size;
	if (size == 0)
		return receive_end(stream);
	if ((size_t)size < FRAME_HEADER_SIZE) {
		memcpy(receiver->ahead + AHEAD_BASE, bytes, (size_t)size);
		receiver->start = AHEAD_BASE;
		receiver->end = AHEAD_BASE + (size_t)size;
		return 0;
	}
	behind = (size_t)size > FRAME_HEADER_SIZE + room ? (size_t)size - FRAME_HEADER_SIZE - room : 0;
	in_buffer = (size_t)size - behind - FRAME_HEADER_SIZE;
	if (frame_decode(bytes, stream->carrier->chunk_limit, &header) == 0 && header.flags & FRAME_FIRST &&
	    header.total <= capacity && header.total <= stream->message_size &&
	    header.descriptors <= receiver->descriptors_room)
		placed = header.size < in_buffer ? header.size : in_buffer;
	beyond = in_buffer - placed;
	receiver->start = front - beyond - FRAME_HEADER_SIZE;
	receiver->end = front + behind;
	memcpy(receiver->ahead + receiver->start, bytes, FRAME_HEADER_SIZE);
	if (beyond > 0)
		memcpy(receiver->ahead + front - beyond, buffer + placed, beyond);
	receiver->placed = (uint32_t)placed;
	return 0;
}

/*
 * Come to a chunk whose payload is wanted. @buffer may be NULL if @capacity is 0.
 * Return: 0 with the chunk open; or an error, -EBADMSG also when a chunk is open: a message was lost before it.
 */
static int receive_chunk(struct stream *stream, uint8_t *buffer, size_t capacity, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	int error;

	while (!receiver->chunk_open) {
		if (receive_available(receiver) < FRAME_HEADER_SIZE) {
			if (capacity >= STRAIGHT_LEAST && receive_available(receiver) == 0 && !receiver->partial &&
			    !stream->carrier->atomic)
				error = receive_straight(stream, buffer, capacity, deadline);
			else
				error = receive_fill(stream, FRAME_HEADER_SIZE, deadline);
			if (error < 0)
				return error;
			continue;
		}
		error = frame_decode(receiver->ahead + receiver->start, stream->carrier->chunk_limit, &receiver->chunk);
		if (error < 0)
			return receive_break(stream);
		receiver->start += FRAME_HEADER_SIZE;
		receiver->chunk_open = true;
		receiver->chunk_left = receiver->chunk.size;
		error = receive_check(stream);
		if (error < 0)
			return error;
		receiver->chunk_left -= receiver->placed;
		receiver->partial_got += receiver->placed;
		receiver->placed = 0;
	}
	return 0;
}

/* Drop the payload, and the verdict, of a chunk that belongs to nothing. */
static int receive_skip(struct stream *stream, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	const bool last = receiver->chunk.flags & FRAME_LAST;
	size_t size;
	int error;

	while (receiver->chunk_left > 0 || last) {
		error = receive_fill(stream, 1, deadline);
		if (error < 0)
			return error;
		if (receiver->chunk_left == 0) {
			receiver->start++;
			break;
		}
		size = receive_available(receiver);
		size = size < receiver->chunk_left ? size : receiver->chunk_left;
		receiver->start += size;
		receiver->chunk_left -= (uint32_t)size;
	}
	receiver->skip = false;
	receiver->chunk_open = false;
	receiver->dropped++;
	return 0;
}

/* The rest of the open chunk's payload, to @place, the beginning of its message. */
static int receive_payload(struct stream *stream, uint8_t *place, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	struct iovec vector[2];
	size_t size;
	ssize_t read;

	while (receiver->chunk_left > 0) {
		size = receive_available(receiver);
		if (size > 0) {
			size = size < receiver->chunk_left ? size : receiver->chunk_left;
			memcpy(place + receiver->partial_got, receiver->ahead + receiver->start, size);
			receiver->start += size;
		} else {
			vector[0].iov_base = place + receiver->partial_got;
			vector[0].iov_len = receiver->chunk_left;
			vector[1].iov_base = receiver->ahead + AHEAD_BASE;
			vector[1].iov_len = AHEAD_READ;
			read = receive_read(stream, vector, 2, deadline);
			if (read < 0)
				return (int)read;
			if (read == 0)
				return receive_end(stream);
			size = (size_t)read < receiver->chunk_left ? (size_t)read : receiver->chunk_left;
			receiver->start = AHEAD_BASE;
			receiver->end = AHEAD_BASE + (size_t)read - size;
		}
		receiver->partial_got += (uint32_t)size;
		receiver->chunk_left -= (uint32_t)size;
	}
	return 0;
}

/*
 * The open chunk is the last of its message, and all of the payload is consumed: take the verdict.
 * Return: 1 whole, 0 abandoned, or an error.
 */
static int receive_verdict(struct stream *stream, nonet_time deadline)
{
	struct stream_receiver *receiver = &stream->receiver;
	int error = receive_fill(stream, FRAME_VERDICT_SIZE, deadline);
	uint8_t verdict;

	if (error < 0)
		return error;
	verdict = receiver->ahead[receiver->start++];
	receiver->chunk_open = false;
	if (verdict > FRAME_WHOLE)
		return receive_break(stream);
	return verdict;
}

/* A whole small message on a pipe: it went in at once, so it is there at once but for where a read ended. */
static int receive_small(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct stream_receiver *receiver = &stream->receiver;
	const uint32_t size = receiver->chunk.size;
	const uint8_t *payload;
	int verdict;

	if (size > capacity)
		return -EMSGSIZE;
	verdict = receive_fill(stream, size + FRAME_VERDICT_SIZE, deadline);
	if (verdict < 0)
		return verdict;
	payload = receiver->ahead + receiver->start;
	receiver->start += size;
	verdict = receive_verdict(stream, NONET_NOW);
	receiver->dropped += verdict == FRAME_ABANDONED;
	if (verdict <= 0)
		return verdict;
	if (size > 0)
		memcpy(buffer, payload, size);
	*ret_size = size;
	return 1;
}

/* The next piece of the message in hand. Return: 1 with *ret_size when it is complete, 0 to go on, or an error. */
static int receive_piece(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct stream_receiver *receiver = &stream->receiver;
	int error;

	/*
	 * Asked of each message that the call comes to, not once at its beginning: the one that was there then may turn
	 * out to be abandoned.
	 */
	if (receiver->partial_total > capacity || receiver->partial_descriptors > receiver->descriptors_room)
		return -EMSGSIZE;
	error = receive_payload(stream, receiver->stash ? receiver->stash : buffer, deadline);
	if (error < 0)
		return error;
	if (!(receiver->chunk.flags & FRAME_LAST)) {
		receiver->chunk_open = false;
		return 0;
	}
	error = receive_verdict(stream, deadline);
	if (error < 0)
		return error;
	if (error == FRAME_ABANDONED) {
		receive_drop(stream);
		return 0;
	}
	if (receiver->stash)
		memcpy(buffer, receiver->stash, receiver->partial_total);
	*ret_size = receiver->partial_total;
	return 1;
}

/* A call ends, or a small message needs the buffer: what came of the message in hand must outlive it. */
static int receive_keep(struct stream *stream, const void *buffer)
{
	struct stream_receiver *receiver = &stream->receiver;

	if (!receiver->partial || receiver->stash || receiver->partial_got == 0)
		return 0;
	receiver->stash = sys_allocate(receiver->partial_total);
	if (!receiver->stash) {
		/* It is lost; what is still to come of it is dropped without a further word. */
		receive_drop(stream);
		receiver->skip = receiver->chunk_open && !receive_is_small(stream);
		receiver->skip_told = true;
		return -ENOMEM;
	}
	memcpy(receiver->stash, buffer, receiver->partial_got);
	return 0;
}

static int receive_message(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size,
			   uint8_t *ret_descriptors)
{
	struct stream_receiver *receiver = &stream->receiver;
	int done = 0;

	while (done == 0) {
		done = receive_patience(stream, deadline);
		if (done == 0)
			done = receive_chunk(stream, buffer, capacity, deadline);
		if (done < 0)
			return done;
		if (receiver->skip) {
			done = receive_skip(stream, deadline);
		} else if (receive_is_small(stream)) {
			done = receive_keep(stream, buffer);
			if (done == 0)
				done = receive_small(stream, buffer, capacity, deadline, ret_size);
			if (done == 1)
				*ret_descriptors = receiver->chunk.descriptors;
		} else {
			done = receive_piece(stream, buffer, capacity, deadline, ret_size);
			if (done == 1) {
				*ret_descriptors = receiver->partial_descriptors;
				receiver->partial = false;
				receiver->stash = sys_free(receiver->stash);
			}
		}
	}
	return done < 0 ? done : 0;
}

int stream_receive(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size,
		   uint8_t *ret_descriptors)
{
	struct stream_receiver *receiver = &stream->receiver;
	int error;

	if (receiver->broken)
		return -EBADMSG;
	error = receive_allocate(receiver);
	if (error < 0)
		return error;
	receiver->starved = false;
	receiver->dropped = 0;
	error = receive_message(stream, buffer, capacity, deadline, ret_size, ret_descriptors);
	stream_update(stream);
	if (error < 0) {
		const int kept = receive_keep(stream, buffer);

		return kept < 0 ? kept : error;
	}
	return 0;
}

int stream_peek(struct stream *stream, nonet_time deadline, size_t *ret_size, uint8_t *ret_descriptors)
{
	struct stream_receiver *receiver = &stream->receiver;
	int error;

	if (receiver->broken)
		return -EBADMSG;
	error = receive_allocate(receiver);
	receiver->starved = false;
	receiver->dropped = 0;
	while (error == 0) {
		error = receive_chunk(stream, NULL, 0, deadline);
		if (error == 0 && !receiver->skip)
			break;
		if (error == 0)
			error = receive_skip(stream, deadline);
		if (error == 0)
			error = receive_patience(stream, deadline);
	}
	stream_update(stream);
	if (error < 0)
		return error;
	*ret_size = receive_is_small(stream) ? receiver->chunk.size : receiver->partial_total;
	*ret_descriptors = receive_is_small(stream) ? receiver->chunk.descriptors : receiver->partial_descriptors;
	return 0;
}
