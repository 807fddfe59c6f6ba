/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream over a carrier in memory, where every cut that a kernel, a deadline or a death can make is made on
 * purpose: each write and read moves as many bytes as the test allows.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/test.h"
#include "stream/hot.h"

#define WIRE_SIZE (4u << 20)

/* Both ends of a stream, and the bytes between them. */
struct wire {
	struct stream stream; /* first: the carrier finds its wire by it */
	uint8_t *bytes;
	size_t start;
	size_t end;
	size_t read_most;  /* bytes that one read moves at most; 0: as many as there are */
	size_t write_most; /* the same of a write */
	size_t room;       /* bytes that can still be written before -EAGAIN */
	bool ended;
	int pair[2];      /* something to poll that is never ready */
	unsigned dropped; /* messages with descriptors */
	struct stream_carrier carrier;
};

static ssize_t wire_read(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	struct wire *wire = (struct wire *)stream;
	size_t left = wire->end - wire->start;
	size_t moved = 0;

	(void)how;
	if (left == 0)
		return wire->ended ? 0 : -EAGAIN;
	if (wire->read_most && left > wire->read_most)
		left = wire->read_most;
	for (int i = 0; i < count && left > 0; i++) {
		const size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		memcpy(vector[i].iov_base, wire->bytes + wire->start, size);
		wire->start += size;
		left -= size;
		moved += size;
	}
	return (ssize_t)moved;
}

static ssize_t wire_write(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	struct wire *wire = (struct wire *)stream;
	size_t left = wire->write_most && wire->write_most < wire->room ? wire->write_most : wire->room;
	size_t moved = 0;

	(void)how;
	if (left == 0)
		return -EAGAIN;
	for (int i = 0; i < count && left > 0; i++) {
		const size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		assert_true(wire->end + size <= WIRE_SIZE);
		memcpy(wire->bytes + wire->end, vector[i].iov_base, size);
		wire->end += size;
		left -= size;
		moved += size;
	}
	wire->room -= moved;
	return (ssize_t)moved;
}

static void wire_drop(struct stream *stream)
{
	((struct wire *)stream)->dropped++;
}

static struct wire *wire_new(bool atomic, uint32_t chunk_limit)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	assert_non_null(wire);
	wire->bytes = malloc(WIRE_SIZE);
	assert_non_null(wire->bytes);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire->pair), 0);
	wire->carrier = (struct stream_carrier){
		.read = wire_read,
		.write = wire_write,
		.drop_descriptors = wire_drop,
		.chunk_limit = chunk_limit,
		.atomic = atomic,
	};
	wire->room = WIRE_SIZE;
	stream_init(&wire->stream, &wire->carrier, wire->pair[0], 1u << 20);
	return wire;
}

static void wire_free(struct wire *wire)
{
	stream_done(&wire->stream);
	close(wire->pair[0]);
	close(wire->pair[1]);
	free(wire->bytes);
	free(wire);
}

static uint8_t *pattern(size_t size, uint32_t seed)
{
	uint8_t *bytes = malloc(size + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	return bytes;
}

static int send_pattern(struct wire *wire, size_t size, uint32_t seed)
{
	uint8_t *bytes = pattern(size, seed);
	int result = stream_send(wire->stream.carrier, &wire->stream, bytes, size, NONET_NOW);

	free(bytes);
	return result;
}

/* The next message has to be this one. */
static void receive_pattern(struct wire *wire, size_t size, uint32_t seed)
{
	uint8_t *expected = pattern(size, seed);
	uint8_t *buffer = malloc(size + 1);
	uint8_t descriptors;
	size_t got = 77;
	int result;

	assert_non_null(buffer);
	do
		result = stream_receive(&wire->stream, buffer, size, NONET_NOW, &got, &descriptors);
	while (result == -EAGAIN && wire->end > wire->start);
	assert_int_equal(result, 0);
	assert_int_equal(got, size);
	assert_memory_equal(buffer, expected, size);
	free(buffer);
	free(expected);
}

static int receive_result(struct wire *wire)
{
	uint8_t buffer[64];
	uint8_t descriptors;
	size_t got = 77;
	int result = stream_receive(&wire->stream, buffer, sizeof(buffer), NONET_NOW, &got, &descriptors);

	if (result < 0)
		assert_int_equal(got, 77);
	return result;
}

static void put_chunk(struct wire *wire, struct frame_header header, const void *payload, int verdict)
{
	frame_encode(&header, wire->bytes + wire->end);
	wire->end += FRAME_HEADER_SIZE;
	memcpy(wire->bytes + wire->end, payload, header.size);
	wire->end += header.size;
	if (verdict >= 0)
		wire->bytes[wire->end++] = (uint8_t)verdict;
}

static const size_t sizes[] = {0, 1, 2, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 100, 1000};

static void messages_survive_every_cut_of_reads_and_writes(void **state)
{
	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		for (uint32_t limit = 1; limit <= 16; limit += 5) {
			for (size_t cut = 1; cut <= 17; cut++) {
				struct wire *wire = wire_new(atomic, limit);

				wire->read_most = cut;
				/* An atomic carrier never cuts a chunk. */
				wire->write_most = atomic ? FRAME_HEADER_SIZE + limit : cut;
				for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
					assert_int_equal(send_pattern(wire, sizes[i], i), 0);
				for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
					receive_pattern(wire, sizes[i], i);
				wire->ended = true;
				assert_int_equal(receive_result(wire), -EPIPE);
				wire_free(wire);
			}
		}
	}
}

/* The deadline ends the sending of a message after each possible number of bytes. */
static void an_abandoned_message_is_never_seen(void **state)
{
	const uint32_t limit = 16;
	const size_t size = 70;
	const size_t image = size + 5 * FRAME_HEADER_SIZE + FRAME_VERDICT_SIZE;

	(void)state;
	for (size_t room = 0; room <= image; room++) {
		struct wire *wire = wire_new(false, limit);

		assert_int_equal(send_pattern(wire, 5, 1), 0);
		wire->room = room;
		assert_int_equal(send_pattern(wire, size, 2), room < image ? -EAGAIN : 0);
		if (room < image) {
			/* Still no room: nothing may be lost of what is owed. */
			assert_int_equal(send_pattern(wire, 5, 3), -EAGAIN);
			wire->room = 3;
			assert_int_equal(send_pattern(wire, 70, 3), -EAGAIN);
			wire->room = WIRE_SIZE / 2;
		}
		wire->room = WIRE_SIZE / 2;
		assert_int_equal(send_pattern(wire, 70, 4), 0);
		assert_int_equal(send_pattern(wire, 3, 5), 0);
		receive_pattern(wire, 5, 1);
		if (room == image)
			receive_pattern(wire, size, 2);
		receive_pattern(wire, 70, 4);
		receive_pattern(wire, 3, 5);
		wire->ended = true;
		assert_int_equal(receive_result(wire), -EPIPE);
		wire_free(wire);
	}
}

/* The bytes end after each possible number of them. */
static void an_end_in_the_middle_is_told_once(void **state)
{
	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		struct wire *whole = wire_new(atomic, 16);

		assert_int_equal(send_pattern(whole, 40, 9), 0);
		for (size_t size = 0; size < whole->end; size++) {
			struct wire *wire = wire_new(atomic, 16);

			memcpy(wire->bytes, whole->bytes, size);
			wire->end = size;
			wire->ended = true;
			if (size > 0)
				assert_int_equal(receive_result(wire), -EBADMSG);
			assert_int_equal(receive_result(wire), -EPIPE);
			assert_int_equal(receive_result(wire), -EPIPE);
			wire_free(wire);
		}
		wire_free(whole);
	}
}

static void small_messages_pass_between_the_pieces_of_a_large_one(void **state)
{
	struct wire *wire = wire_new(true, 16);
	const uint8_t *large = pattern(40, 1);

	(void)state;
	for (size_t cut = 0; cut < 60; cut++) {
		wire->read_most = cut;
		put_chunk(wire, (struct frame_header){FRAME_FIRST, 0, 7, 16, 40}, large, -1);
		assert_int_equal(send_pattern(wire, 5, 2), 0);
		put_chunk(wire, (struct frame_header){0, 0, 7, 16, 40, 16}, large + 16, -1);
		assert_int_equal(send_pattern(wire, 0, 3), 0);
		assert_int_equal(send_pattern(wire, 15, 4), 0);
		put_chunk(wire, (struct frame_header){FRAME_LAST, 0, 7, 8, 40, 32}, large + 32, FRAME_WHOLE);
		for (int i = 0; i < 4; i++) {
			static const struct {
				size_t size;
				uint32_t seed;
			} order[] = {{5, 2}, {0, 3}, {15, 4}, {40, 1}};
			uint8_t buffer[40];
			uint8_t descriptors;
			size_t got;
			uint8_t *expected = pattern(order[i].size, order[i].seed);
			int result;

			do
				result = stream_receive(&wire->stream, buffer, sizeof(buffer), NONET_NOW, &got,
							&descriptors);
			while (result == -EAGAIN && wire->end > wire->start);
			assert_int_equal(result, 0);
			assert_int_equal(got, order[i].size);
			assert_memory_equal(buffer, expected, got);
			free(expected);
		}
		assert_int_equal(receive_result(wire), -EAGAIN);
		assert_int_equal(stream_arm(&wire->stream), 0);
	}
	free((void *)large);
	wire_free(wire);
}

/* A writer is killed in the middle; another begins its own large message. */
static void a_torn_message_is_told_once_and_the_next_one_arrives(void **state)
{
	struct wire *wire = wire_new(true, 16);
	const uint8_t *large = pattern(40, 1);

	(void)state;
	put_chunk(wire, (struct frame_header){FRAME_FIRST, 0, 7, 16, 40}, large, -1);
	assert_int_equal(receive_result(wire), -EAGAIN);
	wire->stream.sender.id = 8;
	assert_int_equal(send_pattern(wire, 50, 2), 0);
	assert_int_equal(receive_result(wire), -EBADMSG);
	receive_pattern(wire, 50, 2);
	/* Pieces whose beginning nobody has: a message is lost, which is said once. */
	put_chunk(wire, (struct frame_header){0, 0, 9, 16, 40, 16}, large, -1);
	put_chunk(wire, (struct frame_header){FRAME_LAST, 0, 9, 8, 40, 32}, large, FRAME_WHOLE);
	assert_int_equal(send_pattern(wire, 5, 3), 0);
	assert_int_equal(receive_result(wire), -EBADMSG);
	receive_pattern(wire, 5, 3);
	free((void *)large);
	wire_free(wire);
}

/* What is dropped may not keep a call for longer than it may take; and what stands behind it isn't forgotten. */
static void a_peer_that_sends_only_what_is_dropped_does_not_hold_a_call(void **state)
{
	static const struct {
		struct frame_header header;
		int verdict;
	} rows[] = {
		{{FRAME_FIRST | FRAME_LAST, 0, 1, 1, 1}, FRAME_ABANDONED},
		{{FRAME_FIRST | FRAME_ABANDON, 0, 1, 1, 2}, -1},
	};
	const unsigned count = 1000;
	size_t size;
	uint8_t descriptors;

	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct wire *wire = wire_new(atomic, 16);
			unsigned calls = 0;
			int result;

			for (unsigned j = 0; j < count; j++)
				put_chunk(wire, rows[i].header, "x", rows[i].verdict);
			put_chunk(wire, (struct frame_header){FRAME_FIRST | FRAME_LAST | FRAME_ABANDON, 0, 1, 1, 1},
				  "y", FRAME_WHOLE);
			assert_int_equal(stream_peek(&wire->stream, NONET_NOW, &size, &descriptors), 0);
			while ((result = receive_result(wire)) == -EAGAIN) {
				assert_int_equal(stream_arm(&wire->stream), 1);
				calls++;
			}
			assert_int_equal(result, 0);
			assert_in_range(calls, 10, count);
			wire_free(wire);
		}
	}
}

/* A word about one writer's abandoned message must not touch another's. */
static void abandoning_names_its_message(void **state)
{
	struct wire *wire = wire_new(true, 16);
	const uint8_t *large = pattern(40, 1);

	(void)state;
	put_chunk(wire, (struct frame_header){FRAME_FIRST, 0, 7, 16, 40}, large, -1);
	put_chunk(wire, (struct frame_header){FRAME_FIRST | FRAME_LAST | FRAME_ABANDON, 0, 8, 2, 2}, "hi", FRAME_WHOLE);
	put_chunk(wire, (struct frame_header){0, 0, 7, 16, 40, 16}, large + 16, -1);
	put_chunk(wire, (struct frame_header){FRAME_LAST, 0, 7, 8, 40, 32}, large + 32, FRAME_WHOLE);
	assert_int_equal(receive_result(wire), 0);
	receive_pattern(wire, 40, 1);
	put_chunk(wire, (struct frame_header){FRAME_FIRST, 3, 7, 16, 40}, large, -1);
	put_chunk(wire, (struct frame_header){FRAME_FIRST | FRAME_LAST | FRAME_ABANDON, 0, 7, 2, 2}, "hi", FRAME_WHOLE);
	assert_int_equal(receive_result(wire), 0);
	assert_int_equal(wire->dropped, 1);
	assert_int_equal(receive_result(wire), -EAGAIN);
	free((void *)large);
	wire_free(wire);
}

static void what_is_no_frame_breaks_the_stream_for_good(void **state)
{
	static const struct {
		const char *what;
		struct frame_header header;
		int verdict;
	} cases[] = {
		{"unknown flag", {FRAME_FIRST | FRAME_LAST | 8, 0, 1, 1, 1}, FRAME_WHOLE},
		{"chunk over the limit", {FRAME_FIRST | FRAME_LAST, 0, 1, 17, 17}, FRAME_WHOLE},
		{"size that isn't the message's", {FRAME_FIRST | FRAME_LAST, 0, 1, 3, 4}, FRAME_WHOLE},
		{"beginning larger than the message", {FRAME_FIRST, 0, 1, 8, 7}, -1},
		{"empty beginning", {FRAME_FIRST, 0, 1, 0, 7}, -1},
		{"beginning that isn't at the beginning", {FRAME_FIRST, 0, 1, 8, 20, 8}, -1},
		{"end that isn't at the end", {FRAME_LAST, 0, 1, 4, 20, 8}, -1},
		{"piece behind the end", {0, 0, 1, 8, 20, 21}, -1},
		{"empty piece", {0, 0, 1, 0, 20, 7}, -1},
		{"message over the receiver's limit", {FRAME_FIRST, 0, 1, 8, (1u << 20) + 1}, -1},
		{"descriptors in a later piece", {0, 1, 1, 8, 20, 8}, -1},
		{"abandon in a later piece", {FRAME_ABANDON, 0, 1, 8, 20, 8}, -1},
		{"verdict that is none", {FRAME_FIRST | FRAME_LAST, 0, 1, 3, 3}, 2},
	};
	static const uint8_t payload[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *wire = wire_new(i % 2, 16);

		put_chunk(wire, cases[i].header, payload, cases[i].verdict);
		if (receive_result(wire) != -EBADMSG)
			fail_msg("not refused: %s", cases[i].what);
		wire->end = wire->start = 0;
		assert_int_equal(send_pattern(wire, 3, 1), 0);
		assert_int_equal(receive_result(wire), -EBADMSG);
		assert_int_equal(stream_arm(&wire->stream), 1);
		wire_free(wire);
	}
	for (int byte = 0; byte < 256; byte++) {
		struct wire *wire = wire_new(false, 16);

		if (byte == FRAME_MAGIC) {
			wire_free(wire);
			continue;
		}
		memset(wire->bytes, byte, FRAME_HEADER_SIZE);
		wire->end = FRAME_HEADER_SIZE;
		assert_int_equal(receive_result(wire), -EBADMSG);
		wire_free(wire);
	}
}

static void pieces_that_do_not_fit_break_the_stream(void **state)
{
	static const struct frame_header second[] = {
		{0, 0, 1, 8, 20, 9},           /* a gap */
		{0, 0, 1, 8, 20, 7},           /* an overlap */
		{0, 0, 1, 16, 20, 8},          /* beyond the end */
		{FRAME_LAST, 0, 1, 4, 20, 8},  /* ends before the end */
		{FRAME_LAST, 0, 1, 16, 20, 8}, /* ends after it */
		{0, 0, 1, 8, 24, 8},           /* another message's */
	};
	static const uint8_t payload[32];

	(void)state;
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		struct wire *wire = wire_new(i % 2, 16);

		put_chunk(wire, (struct frame_header){FRAME_FIRST, 0, 1, 8, 20}, payload, -1);
		put_chunk(wire, second[i], payload, second[i].flags & FRAME_LAST ? FRAME_WHOLE : -1);
		assert_int_equal(receive_result(wire), -EBADMSG);
		assert_true(wire->stream.receiver.broken);
		wire_free(wire);
	}
}

static void a_message_that_does_not_fit_stays(void **state)
{
	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		struct wire *wire = wire_new(atomic, 200);
		uint8_t descriptors;
		size_t size = 0;

		assert_int_equal(send_pattern(wire, 100, 1), 0);
		assert_int_equal(send_pattern(wire, 1000, 2), 0);
		assert_int_equal(receive_result(wire), -EMSGSIZE);
		assert_int_equal(receive_result(wire), -EMSGSIZE);
		assert_int_equal(stream_arm(&wire->stream), 1);
		assert_int_equal(stream_peek(&wire->stream, NONET_NOW, &size, &descriptors), 0);
		assert_int_equal(size, 100);
		receive_pattern(wire, 100, 1);
		assert_int_equal(receive_result(wire), -EMSGSIZE);
		assert_int_equal(stream_peek(&wire->stream, NONET_NOW, &size, &descriptors), 0);
		assert_int_equal(size, 1000);
		receive_pattern(wire, 1000, 2);
		assert_int_equal(stream_arm(&wire->stream), 0);
		assert_int_equal(stream_send(wire->stream.carrier, &wire->stream, NULL, (1u << 20) + 1, NONET_NOW),
				 -EMSGSIZE);
		wire_free(wire);
	}
}

static void reading_ahead_shows_in_arm_and_an_unfinished_message_does_not(void **state)
{
	(void)state;
	for (int atomic = 0; atomic < 2; atomic++) {
		struct wire *wire = wire_new(atomic, 200);
		size_t whole;

		assert_int_equal(send_pattern(wire, 10, 1), 0);
		assert_int_equal(send_pattern(wire, 10, 2), 0);
		whole = wire->end;
		assert_int_equal(send_pattern(wire, 10, 3), 0);
		wire->end = whole + 5;
		assert_int_equal(stream_arm(&wire->stream), 0);
		receive_pattern(wire, 10, 1);
		assert_int_equal(stream_arm(&wire->stream), 1);
		receive_pattern(wire, 10, 2);
		/* What is left is five bytes of a header: ready to be tried once, not for ever. */
		assert_int_equal(receive_result(wire), -EAGAIN);
		assert_int_equal(stream_arm(&wire->stream), 0);
		wire->end = whole + 10 + FRAME_HEADER_SIZE + FRAME_VERDICT_SIZE;
		receive_pattern(wire, 10, 3);
		wire_free(wire);
	}
}

static void the_header_on_the_wire_is_the_documented_one(void **state)
{
	static const uint8_t expected[] = {0x6e, 3, 0, 0x2a, 5, 0,   0,   0,   5,   0,   0,
					   0,    0, 0, 0,    0, 'h', 'e', 'l', 'l', 'o', 1};
	struct wire *wire = wire_new(false, 65536);

	(void)state;
	wire->stream.sender.id = 0x2a;
	assert_int_equal(stream_send(wire->stream.carrier, &wire->stream, "hello", 5, NONET_NOW), 0);
	assert_int_equal(wire->end, sizeof(expected));
	assert_memory_equal(wire->bytes, expected, sizeof(expected));
	wire_free(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(messages_survive_every_cut_of_reads_and_writes),
		test_case(an_abandoned_message_is_never_seen),
		test_case(an_end_in_the_middle_is_told_once),
		test_case(small_messages_pass_between_the_pieces_of_a_large_one),
		test_case(a_torn_message_is_told_once_and_the_next_one_arrives),
		test_case(a_peer_that_sends_only_what_is_dropped_does_not_hold_a_call),
		test_case(abandoning_names_its_message),
		test_case(what_is_no_frame_breaks_the_stream_for_good),
		test_case(pieces_that_do_not_fit_break_the_stream),
		test_case(a_message_that_does_not_fit_stays),
		test_case(reading_ahead_shows_in_arm_and_an_unfinished_message_does_not),
		test_case(the_header_on_the_wire_is_the_documented_one),
	};

	return test_main(tests);
}
