/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "stream/stream.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/fork.h"
#include "sys/process.h"

/* Chunks that one call hands to the kernel at most; a header, a payload and a verdict each is what it takes. */
#define SEND_CHUNKS 32

static const uint8_t send_verdict_whole = FRAME_WHOLE;
static const uint8_t send_zeros[4096];

/* The image of one message on the wire: all chunks but the last are @stride bytes long. */
struct send_image {
	const uint8_t *message;
	uint64_t size;
	uint64_t stride;
	uint64_t chunks;
	uint64_t length;
	bool abandon; /* the message before this one was given up between two chunks */
};

static struct send_image send_image(const struct stream *stream, const void *message, size_t size)
{
	const uint32_t limit = stream->carrier->chunk_limit;
	struct send_image image = {
		.message = message,
		.size = size,
		.stride = (uint64_t)FRAME_HEADER_SIZE + limit,
		.abandon = stream->sender.abandon,
	};

	/* Where a chunk has to be atomic, the verdict has to fit in: the last has room for a byte less, and may be
	 * empty. */
	if (stream->carrier->atomic)
		image.chunks = (size + limit) / limit;
	else
		image.chunks = size ? (size + limit - 1) / limit : 1;
	image.length = size + image.chunks * FRAME_HEADER_SIZE + FRAME_VERDICT_SIZE;
	return image;
}

/* Which chunk a position is in. The last one may be longer than the others, by its verdict. */
static uint64_t send_chunk_at(const struct send_image *image, uint64_t position)
{
	const uint64_t chunk = position / image->stride;

	return chunk < image->chunks ? chunk : image->chunks - 1;
}

static void send_header(const struct stream *stream, const struct send_image *image, uint64_t chunk,
			uint8_t ret_bytes[FRAME_HEADER_SIZE])
{
	const struct stream_sender *sender = &stream->sender;
	const uint64_t payload = image->stride - FRAME_HEADER_SIZE;
	const uint64_t offset = chunk * payload;
	struct frame_header header = {
		.id = sender->id,
		.size = (uint32_t)(chunk + 1 < image->chunks ? payload : image->size - offset),
		.total = (uint32_t)image->size,
		.offset = (uint32_t)offset,
	};

	if (chunk == 0) {
		header.flags |= FRAME_FIRST | (image->abandon ? FRAME_ABANDON : 0);
		header.descriptors = sender->descriptors;
	}
	if (chunk + 1 == image->chunks)
		header.flags |= FRAME_LAST;
	frame_encode(&header, ret_bytes);
}

/* Add what of [@from, @from + @size) lies at or after @skip, where @skip counts from the same start; returns the rest
 * of it. */
static uint64_t send_add(struct iovec *vector, int *count, const void *from, uint64_t size, uint64_t skip)
{
	if (skip >= size)
		return skip - size;
	vector[*count].iov_base = (uint8_t *)from + skip;
	vector[*count].iov_len = size - skip;
	(*count)++;
	return 0;
}

/*
 * One write of the image from @position on. On an atomic carrier the last chunk goes alone, since a write that isn't a
 * multiple of the page may be merged into a page that another writer began, and could then be cut in the middle.
 */
static ssize_t send_some(struct stream *stream, const struct send_image *image, uint64_t position, int batch,
			 unsigned how)
{
	const struct stream_carrier *carrier = stream->carrier;
	uint8_t headers[SEND_CHUNKS][FRAME_HEADER_SIZE];
	struct iovec vector[3 * SEND_CHUNKS];
	uint64_t chunk = send_chunk_at(image, position);
	uint64_t skip = position - chunk * image->stride;
	uint64_t offset;
	uint64_t payload;
	int count = 0;

	for (int i = 0; i < batch && chunk < image->chunks; i++, chunk++) {
		const bool last = chunk + 1 == image->chunks;

		if (last && carrier->atomic && i > 0)
			break;
		offset = chunk * (image->stride - FRAME_HEADER_SIZE);
		payload = last ? image->size - offset : image->stride - FRAME_HEADER_SIZE;
		send_header(stream, image, chunk, headers[i]);
		skip = send_add(vector, &count, headers[i], FRAME_HEADER_SIZE, skip);
		skip = send_add(vector, &count, image->message + offset, payload, skip);
		if (last)
			skip = send_add(vector, &count, &send_verdict_whole, FRAME_VERDICT_SIZE, skip);
	}
	return carrier->write(stream, vector, count, how);
}

/* The same for a small message in one chunk. */
static ssize_t send_small(struct stream *stream, const struct send_image *image, uint64_t position, unsigned how)
{
	uint8_t bytes[STREAM_COPY];
	struct iovec vector = {.iov_base = bytes + position, .iov_len = image->length - position};

	(void)stream_image(stream, image->message, image->size, bytes);
	if (image->abandon)
		bytes[1] |= FRAME_ABANDON;
	return stream->carrier->write(stream, &vector, 1, how);
}

/* The caller gives up at @position: owe the rest of the chunk that was begun, or only the word. */
static void send_abandon(struct stream *stream, const struct send_image *image, uint64_t position)
{
	struct stream_sender *sender = &stream->sender;
	const uint64_t chunk = send_chunk_at(image, position);
	const uint64_t done = position - chunk * image->stride;
	const bool last = chunk + 1 == image->chunks;

	if (position == 0)
		return;
	/* An abandoned verdict says it all; where none will be sent, the next message has to say it. */
	sender->abandon = done == 0 || !last;
	if (done == 0)
		return;
	send_header(stream, image, chunk, sender->owed_header);
	sender->owed_done = done;
	sender->owed_by = sys_generation();
	sender->owed_size = last ? image->length - chunk * image->stride : image->stride;
}

int stream_settle(struct stream *stream, nonet_time deadline)
{
	struct stream_sender *sender = &stream->sender;
	struct iovec vector[17];
	uint64_t left;
	ssize_t size;
	int count;
	int ready;

	while (sender->owed_done < sender->owed_size) {
		count = 0;
		left = sender->owed_size - sender->owed_done;
		if (sender->owed_done < FRAME_HEADER_SIZE) {
			(void)send_add(vector, &count, sender->owed_header, FRAME_HEADER_SIZE, sender->owed_done);
			left -= vector[0].iov_len;
		}
		/* Payload and verdict alike: FRAME_ABANDONED is a zero. */
		for (; left > 0 && count < 17; count++) {
			vector[count].iov_base = (void *)send_zeros;
			vector[count].iov_len = left < sizeof(send_zeros) ? left : sizeof(send_zeros);
			left -= vector[count].iov_len;
		}
		size = stream->carrier->write(stream, vector, count, stream_how(deadline));
		if (size == -EAGAIN) {
			ready = sys_poll_one(stream->fd, POLLOUT, deadline);
			if (ready < 0)
				return ready;
			continue;
		}
		if (size < 0)
			return (int)size;
		sender->owed_done += (uint64_t)size;
	}
	sender->owed_size = 0;
	sender->owed_done = 0;
	return 0;
}

static int send_lock(struct stream *stream, nonet_time deadline)
{
	struct sys_retry retry = {0};
	int error;

	/* flock(2) either blocks past any deadline or doesn't wait at all: look again, less and less often. */
	for (;;) {
		error = stream->carrier->lock(stream);
		if (error != -EAGAIN)
			return error;
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			return error;
	}
}

/*
 * How many chunks one write may carry. Several are atomic each only where a chunk is exactly a page: pipe_write() in
 * the kernel fills page after page, and stops between two. tests/kernel has the proof.
 */
static int send_batch(const struct stream *stream, const struct send_image *image)
{
	if (image->chunks == 1)
		return 1;
	return !stream->carrier->atomic || sys_page_size() == (long)image->stride ? SEND_CHUNKS : 1;
}

/* The next write of the image. */
static ssize_t send_next(struct stream *stream, const struct send_image *image, uint64_t position, nonet_time deadline)
{
	if (image->chunks == 1 && image->length <= STREAM_COPY)
		return send_small(stream, image, position, stream_how(deadline));
	return send_some(stream, image, position, send_batch(stream, image), stream_how(deadline));
}

/* All of the image. @size: what the first write of it said. */
static int send_image_all(struct stream *stream, const struct send_image *image, ssize_t size, nonet_time deadline)
{
	uint64_t position = 0;
	int error;

	for (;;) {
		error = size == -EAGAIN ? sys_poll_one(stream->fd, POLLOUT, deadline) : size < 0 ? (int)size : 0;
		if (error < 0) {
			send_abandon(stream, image, position);
			return error;
		}
		if (size > 0) {
			if (position == 0)
				stream->sender.abandon = false;
			position += (uint64_t)size;
			if (position == image->length)
				return 0;
		}
		size = send_next(stream, image, position, deadline);
	}
}

int stream_send_any(struct stream *stream, const void *message, size_t size, nonet_time deadline)
{
	struct send_image image;
	bool locked = false;
	int error;

	if (size > stream->message_size)
		return -EMSGSIZE;
	if (stream->sender.owed_size) {
		error = stream_settle(stream, deadline);
		if (error < 0)
			return error;
	}
	image = send_image(stream, message, size);
	if (image.chunks > 1 && stream->carrier->lock) {
		error = send_lock(stream, deadline);
		if (error < 0)
			return error;
		locked = true;
	}
	error = send_image_all(stream, &image, send_next(stream, &image, 0, deadline), deadline);
	if (locked)
		stream->carrier->unlock(stream);
	return error;
}

int stream_send_begun(struct stream *stream, const void *message, size_t size, ssize_t first, nonet_time deadline)
{
	const struct send_image image = send_image(stream, message, size);

	return send_image_all(stream, &image, first, deadline);
}
