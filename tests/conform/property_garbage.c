/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/property.h"

/* A peer that isn't nonet: its bytes are made by hand. Packets and datagrams are what they are, whatever is in them. */

/* docs/frame.md: magic, flags, descriptors, id, size, total, offset. */
struct bytes {
	size_t size;
	uint8_t bytes[64];
};

static const struct bytes garbage[] = {
	{17, "GET / HTTP/1.0\r\n\r\n"},
	{16, {0}},
	{16, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	/* Unknown flags. */
	{17, {0x6e, 0xf3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	/* A message of 2 GiB. */
	{17, {0x6e, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 1}},
	/* A chunk of 1 GiB. */
	{17, {0x6e, 3, 0, 1, 0, 0, 0, 0x40, 0, 0, 0, 0x40, 0, 0, 0, 0, 1}},
	/* The last chunk is not what the message has left. */
	{20, {0x6e, 3, 0, 1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c', 1}},
	/* A verdict that is none. */
	{17, {0x6e, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
	/* Chunks that bring nothing forward. */
	{32, {0x6e, 1, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x6e, 1, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}},
	/* The second chunk isn't where the first one ended. */
	{36, {0x6e, 1, 0, 1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,   'a', 0x6e,
	      2,    0, 1, 1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 'b', 1}},
};
#define GARBAGE (sizeof(garbage) / sizeof(garbage[0]))

struct hostile {
	struct pair *pair;
	const struct bytes *bytes;
	size_t before; /* messages that are good */
};

static int send_garbage(struct test_child_side *side, void *argument)
{
	const struct hostile *hostile = argument;
	struct nonet_endpoint *sender = pair_open(hostile->pair, PAIR_SENDER);

	for (uint64_t i = 0; i < hostile->before; i++)
		message_send(sender, i, 100);
	test_check_equal(
		nonet_endpoint_write(sender, hostile->bytes->bytes, hostile->bytes->size, test_deadline(), NULL), 0);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_endpoint_close(sender);
	return 0;
}

static void check_garbage(const struct carrier *carrier, const struct bytes *bytes, size_t before)
{
	struct hostile hostile = {.pair = pair_new(carrier), .bytes = bytes, .before = before};
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(hostile.pair, send_garbage, &hostile, PAIR_RECEIVER, &receiver);
	struct nonet_error error = {0};
	uint8_t came[100];
	size_t size = 77;

	for (uint64_t i = 0; i < before; i++)
		message_receive(receiver, i, 100);
	if (carrier->framed) {
		for (int i = 0; i < 3; i++)
			test_check_equal(nonet_endpoint_receive(receiver, came, sizeof(came),
								i ? NONET_NOW : test_deadline(), &size),
					 -EBADMSG);
		test_check_equal(nonet_endpoint_message_size(receiver, NONET_FOREVER, &size), -EBADMSG);
		test_check_equal(size, 77);
		nonet_endpoint_explain(receiver, -EBADMSG, &error);
		test_check(strstr(error.text, "isn't a message of nonet's"));
	} else {
		test_check_equal(nonet_endpoint_receive(receiver, came, sizeof(came), test_deadline(), &size), 0);
		test_check_equal(size, bytes->size);
		test_check(memcmp(came, bytes->bytes, size) == 0);
	}
	talk_end(hostile.pair, child, receiver);
}

void bytes_that_are_no_message_are_refused(const struct carrier *carrier)
{
	for (size_t i = 0; i < GARBAGE; i++)
		check_garbage(carrier, &garbage[i], 0);
}

void a_message_before_the_garbage_is_received(const struct carrier *carrier)
{
	check_garbage(carrier, &garbage[0], 1);
	check_garbage(carrier, &garbage[3], 7);
}

/* The peer dies after @size bytes of a message of 8000 in two chunks, or of a packet that isn't one. */
struct cut {
	struct pair *pair;
	size_t size;
};

static int send_a_part(struct test_child_side *side, void *argument)
{
	const struct cut *cut = argument;
	struct nonet_endpoint *sender = pair_open(cut->pair, PAIR_SENDER);
	uint8_t bytes[8100] = {0x6e, 1, 0, 1, 0xa0, 0x0f, 0, 0, 0x40, 0x1f};

	message_send(sender, 0, 500);
	memcpy(bytes + 16 + 4000, "\x6e\x02\x00\x01\xa0\x0f\x00\x00\x40\x1f\x00\x00\xa0\x0f\x00\x00", 16);
	test_check_equal(nonet_endpoint_write(sender, bytes, cut->size, test_deadline(), NULL), 0);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_endpoint_close(sender);
	return 0;
}

void a_message_cut_off_by_death_is_told_once(const struct carrier *carrier)
{
	static const size_t sizes[] = {1, 15, 16, 17, 4015, 4016, 4017, 4031, 4032, 8031, 8032};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cut cut = {.pair = pair_new(carrier), .size = sizes[i]};
		struct nonet_endpoint *receiver;
		struct test_child *child = talk_start(cut.pair, send_a_part, &cut, PAIR_RECEIVER, &receiver);
		uint8_t bytes[8100];
		size_t size = 77;

		message_receive(receiver, 0, 500);
		if (!carrier->framed)
			test_check_equal(nonet_endpoint_receive(receiver, bytes, 8100, NONET_NOW, &size), 0);
		test_check_equal(nonet_endpoint_receive(receiver, bytes, 8100, NONET_NOW, &size), -EAGAIN);
		test_kill(child);
		if (carrier->framed)
			test_check_equal(nonet_endpoint_receive(receiver, bytes, 8100, test_deadline(), &size),
					 -EBADMSG);
		for (int j = 0; j < 3; j++)
			test_check_equal(nonet_endpoint_receive(receiver, bytes, 8100, NONET_NOW, &size), -EPIPE);
		test_check_equal(size, carrier->framed ? 77 : sizes[i]);
		talk_end(cut.pair, NULL, receiver);
	}
}

/* Bytes that mostly look like headers. */
static int send_random(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_endpoint *sender = pair_open(pair, PAIR_SENDER);
	struct test_random random = test_random_init(test_seed(), pair->message_size);
	uint8_t bytes[600];

	test_random_bytes(&random, bytes, sizeof(bytes));
	for (size_t at = 0; at + 16 < sizeof(bytes); at += test_random_between(&random, 1, 40)) {
		bytes[at] = 0x6e;
		bytes[at + 1] &= 7;
		memset(bytes + at + 5, 0, 3);
		memset(bytes + at + 9, 0, 3);
		memset(bytes + at + 13, 0, 3);
	}
	(void)!nonet_endpoint_write(sender, bytes, sizeof(bytes), test_deadline(), NULL);
	test_report(side, "ready");
	nonet_endpoint_close(sender);
	return 0;
}

void random_bytes_never_hang_nor_crash(const struct carrier *carrier)
{
	const uint64_t rounds = test_scaled(300);

	for (uint64_t i = 0; i < rounds; i++) {
		struct pair *pair = pair_new(carrier);
		struct nonet_endpoint *receiver;
		struct test_child *child;
		uint8_t bytes[600];
		size_t size;
		int code;

		/* The round's number, for the child's bytes. */
		pair->message_size = 1000 + i;
		child = talk_start(pair, send_random, pair, PAIR_RECEIVER, &receiver);
		test_check_equal(test_child_join(child), 0);
		for (int taken = 0; taken < 1000; taken++) {
			size = 0;
			code = nonet_endpoint_receive(receiver, bytes, sizeof(bytes), NONET_NOW, &size);
			test_check(size <= sizeof(bytes));
			test_check(code == 0 || code == -EBADMSG || code == -EPIPE || code == -EMSGSIZE ||
				   (code == -EAGAIN && carrier->why_not[ABILITY_END]));
			if (code == -EPIPE || code == -EAGAIN || code == -EMSGSIZE)
				break;
		}
		nonet_endpoint_close(receiver);
		pair_free(pair);
	}
}
