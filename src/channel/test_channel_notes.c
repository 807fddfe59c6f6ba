/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <nonet/channel.h>

#include "channel/publisher.h"
#include "channel/subscriber.h"
#include "channel/test_channel_words.h"
#include "harness/deadline.h"
#include "harness/domain.h"
#include "harness/test.h"

/* Notes of the channel's own, as many as only a peer writes who is up to no good. */

/* Notes, as many as no publisher writes. Each look ends, and what was passed is passed. */
static void flood(struct nonet_publisher *publisher, unsigned count)
{
	const uint64_t size = sizeof(publisher->life);
	uint64_t header = (publisher->sequence & CHANNEL_SEQUENCE) << CHANNEL_SEQUENCE_SHIFT | CHANNEL_VALID;

	for (unsigned i = 0; i < count; i++) {
		const uint64_t position = publisher->tail;

		publisher->tail += channel_record(size);
		memcpy(channel_header(publisher->ring.base, publisher->mask, position + CHANNEL_HEADER),
		       &publisher->life, sizeof(publisher->life));
		atomic_store(channel_header(publisher->ring.base, publisher->mask, publisher->tail), 0);
		publisher_show(publisher, position, header | CHANNEL_NOTE | size);
	}
}

DOMAIN_TEST(notes_hide_nothing_and_hold_up_nobody)
{
	const uint64_t word = 7;

	(void)side;
	(void)argument;
	test_check_equal(nonet_channel_create(WORDS_CHANNEL, NULL, NULL), 0);
	for (int ends = 0; ends < 2; ends++) {
		struct nonet_subscriber *subscriber = words_subscribe(ends ? NONET_SUBSCRIBER_END : 0);
		struct nonet_publisher *publisher = words_publish();
		struct nonet_message message;
		int looks = 1;

		test_check_equal(nonet_publisher_send(publisher, &word, sizeof(word), NONET_NOW), 0);
		flood(publisher, 8 * SUBSCRIBER_PASSES);
		test_check_equal(nonet_publisher_send(publisher, &word, sizeof(word), NONET_NOW), 0);
		if (ends)
			nonet_publisher_close(publisher);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
		while (!ends && nonet_subscriber_take(subscriber, NONET_NOW, &message) == -EAGAIN)
			looks++;
		test_check(ends || (looks > 2 && looks < 10));
		if (ends)
			test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), 0);
		test_check(message.size == sizeof(word) && memcmp(message.data, &word, sizeof(word)) == 0);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), ends ? -EPIPE : -EAGAIN);
		if (!ends)
			nonet_publisher_close(publisher);
		nonet_subscriber_close(subscriber);
	}
	return 0;
}

/* A ring without an end, of notes, which have no number of their own: whoever goes round it is to notice. */
DOMAIN_TEST(notes_all_over_the_ring_are_no_messages)
{
	static const uint32_t flags[] = {0, NONET_SUBSCRIBER_END, NONET_SUBSCRIBER_END | NONET_SUBSCRIBER_TAP,
					 NONET_SUBSCRIBER_POLL};
	const uint64_t header = CHANNEL_VALID | CHANNEL_NOTE | 8;

	(void)side;
	(void)argument;
	for (size_t i = 0; i < 2 * sizeof(flags) / sizeof(flags[0]); i++) {
		const bool dies = i % 2 == 0;
		struct nonet_publisher *publisher;
		struct nonet_subscriber *subscriber;
		struct nonet_message message;
		struct words words;
		int result = -EAGAIN;

		words_make(NONET_CHANNEL_BLOCK, 1);
		words = words_map();
		publisher = words_publish();
		test_check_equal(nonet_publisher_send(publisher, "", 1, NONET_NOW), 0);
		subscriber = words_subscribe(flags[i / 2] | NONET_SUBSCRIBER_HISTORY);
		test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), 0);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
		for (size_t place = 0; place < WORDS_LANE; place += 16)
			atomic_store((_Atomic uint64_t *)(words.ring + place),
				     header | UINT64_C(1) << CHANNEL_SEQUENCE_SHIFT);
		if (dies)
			publisher = nonet_publisher_close(publisher);
		for (int looks = 0; looks < 1000 && result == -EAGAIN && i / 2 == 0; looks++)
			result = nonet_subscriber_take(subscriber, NONET_NOW, &message);
		if (result == -EAGAIN)
			result = nonet_subscriber_take(subscriber, test_after(NONET_S(1)), &message);
		test_check_equal(result, -EBADMSG);
		nonet_subscriber_close(subscriber);
		nonet_publisher_close(publisher);
		words_unmap(&words);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(notes_hide_nothing_and_hold_up_nobody),
		test_case(notes_all_over_the_ring_are_no_messages),
	};
	return test_main(tests);
}
