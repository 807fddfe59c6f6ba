/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame decoder, fed by whoever is on the other side. Two properties:
 *  - any bytes, in any cuts: no crash, no write beyond the caller's buffer, at most one result per byte, and -EBADMSG
 * for ever once the stream is broken;
 *  - what stream_send() wrote, in any cuts, comes back as it was.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stream/hot.h"

#define CANARY    0xa5
#define WIRE_SIZE 65536

struct wire {
	struct stream stream; /* first: the carrier finds its wire by it */
	const uint8_t *bytes;
	size_t size;
	uint8_t cut; /* bytes a read moves at most; 0: all */
	uint8_t written[WIRE_SIZE];
	size_t written_size;
};

static ssize_t wire_read(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	struct wire *wire = (struct wire *)stream;
	size_t left = wire->cut && wire->cut < wire->size ? wire->cut : wire->size;
	size_t moved = 0;

	(void)how;
	for (int i = 0; i < count && left > 0; i++) {
		const size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		memcpy(vector[i].iov_base, wire->bytes, size);
		wire->bytes += size;
		wire->size -= size;
		left -= size;
		moved += size;
	}
	return (ssize_t)moved;
}

static ssize_t wire_write(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	struct wire *wire = (struct wire *)stream;
	size_t moved = 0;

	(void)how;
	for (int i = 0; i < count; i++) {
		if (wire->written_size + vector[i].iov_len > WIRE_SIZE)
			abort();
		memcpy(wire->written + wire->written_size, vector[i].iov_base, vector[i].iov_len);
		wire->written_size += vector[i].iov_len;
		moved += vector[i].iov_len;
	}
	return (ssize_t)moved;
}

static void wire_drop(struct stream *stream)
{
	(void)stream;
}

static struct wire wire;

/* The read-ahead buffer is kept from run to run: to allocate it is ten times the work of a run. */
static uint8_t *ahead;

static void wire_begin(const struct stream_carrier *carrier)
{
	stream_init(&wire.stream, carrier, -1, 4096);
	wire.stream.receiver.ahead = ahead;
}

static void wire_end(void)
{
	ahead = wire.stream.receiver.ahead;
	wire.stream.receiver.ahead = NULL;
	stream_done(&wire.stream);
}

static void check_any_bytes(const struct stream_carrier *carrier, const uint8_t *data, size_t size, uint8_t cut,
			    uint8_t capacity)
{
	uint8_t buffer[256 + 16];
	uint8_t descriptors;
	size_t results = 0;
	size_t got;
	int result;

	wire_begin(carrier);
	wire.bytes = data;
	wire.size = size;
	wire.cut = cut;
	memset(buffer, CANARY, sizeof(buffer));
	do {
		result = stream_receive(&wire.stream, buffer, capacity, NONET_NOW, &got, &descriptors);
		if (result == 0 && got > capacity)
			abort();
		if (result == -EMSGSIZE) {
			/* It stays, so it has to be possible to ask for its size, and to drop it by taking it. */
			uint8_t large[4096];

			result = stream_peek(&wire.stream, NONET_NOW, &got, &descriptors);
			if (result == 0 && (got <= capacity || got > sizeof(large)))
				abort();
			result = stream_receive(&wire.stream, large, sizeof(large), NONET_NOW, &got, &descriptors);
			if (result == -EMSGSIZE)
				abort();
		}
		if (results++ > size + 2)
			abort();
		for (size_t i = capacity; i < sizeof(buffer); i++)
			if (buffer[i] != CANARY)
				abort();
	} while (result != -EPIPE && !wire.stream.receiver.broken);
	if (wire.stream.receiver.broken &&
	    stream_receive(&wire.stream, buffer, capacity, NONET_NOW, &got, &descriptors) != -EBADMSG)
		abort();
	wire_end();
}

/* Each of the first bytes of @data is the size of a message. */
static void check_round_trip(const struct stream_carrier *carrier, const uint8_t *data, size_t size, uint8_t cut)
{
	uint8_t message[256];
	uint8_t buffer[256];
	uint8_t descriptors;
	size_t got;

	size = size < 6 ? size : 6;
	wire_begin(carrier);
	wire.written_size = 0;
	for (size_t i = 0; i < size; i++) {
		memset(message, data[i], sizeof(message));
		if (stream_send(carrier, &wire.stream, message, data[i], NONET_NOW) != 0)
			abort();
	}
	wire.bytes = wire.written;
	wire.size = wire.written_size;
	wire.cut = cut;
	for (size_t i = 0; i < size; i++) {
		memset(message, data[i], sizeof(message));
		if (stream_receive(&wire.stream, buffer, data[i], NONET_NOW, &got, &descriptors) != 0 ||
		    got != data[i] || memcmp(buffer, message, got) != 0)
			abort();
	}
	if (stream_receive(&wire.stream, buffer, sizeof(buffer), NONET_NOW, &got, &descriptors) != -EPIPE)
		abort();
	wire_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_carrier carrier = {.read = wire_read, .write = wire_write, .drop_descriptors = wire_drop};
	uint8_t *copy;

	if (size < 3)
		return 0;
	carrier.atomic = data[0] & 1;
	carrier.chunk_limit = data[0] & 2 ? 4080 : 16 + (data[0] >> 2);
	/* In memory of exactly that size, so that a read beyond it is found. */
	copy = malloc(size - 3 ? size - 3 : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 3, size - 3);
	check_any_bytes(&carrier, copy, size - 3, data[1], data[2]);
	check_round_trip(&carrier, copy, size - 3, data[1]);
	free(copy);
	return 0;
}
