/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <nonet/channel.h>

#include "channel/subscriber.h"
#include "channel/test_channel_words.h"
#include "harness/domain.h"
#include "harness/random.h"
#include "harness/test.h"

/*
 * Every number that runs free, over its end: positions over 2^32 and 2^63, sequences over 20, 32 and 63 bits, the bell,
 * the room, the news, the marks, the publishers, the messages that a subscriber holds. A new channel's words are set as
 * if it had been used for so long, before anybody opens it.
 */

struct beginning {
	uint64_t position;
	uint64_t sequence;
	uint64_t marked;
	uint32_t bell, room, news;
	uint64_t lives;
};

static const struct beginning beginnings[] = {
	{(UINT64_C(1) << 32) - 40, 0xfffff - 3, 1, UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1},
	{(UINT64_C(1) << 63) - 40, UINT32_MAX - 3, UINT64_C(1) << 32, INT32_MAX - 1, INT32_MAX - 1, INT32_MAX - 1,
	 INT64_MAX - 1},
	{(UINT64_C(1) << 63) - 65536, INT64_MAX - 3, (UINT64_C(1) << 63) - 2, UINT32_MAX, UINT32_MAX, UINT32_MAX,
	 UINT64_MAX - 1000},
	{CHANNEL_POSITION_MOST - (UINT64_C(1) << 40) - 7, UINT64_MAX - 3000, 77, 1, UINT32_MAX, 0, 0},
};
#define BEGINNINGS (sizeof(beginnings) / sizeof(beginnings[0]))

static void begin_at(const struct beginning *beginning, uint32_t policy)
{
	struct words words;
	struct channel_mark *mark;

	words_make(policy, 1);
	words = words_map();
	mark = &words.lane->marks[(beginning->marked - 1) % CHANNEL_MARKS];
	atomic_store(&mark->position, beginning->position);
	atomic_store(&mark->sequence, beginning->sequence);
	atomic_store(&words.lane->marked, beginning->marked);
	atomic_store(&words.lane->floor_mark, beginning->marked - 1);
	atomic_store(&words.lane->floor, beginning->position);
	atomic_store(&words.lane->bell, beginning->bell);
	atomic_store(&words.lane->armed, beginning->bell - 1);
	atomic_store(&words.lane->asleep, beginning->bell - 1);
	atomic_store(&words.lane->room, beginning->room);
	atomic_store(&words.lane->wants, beginning->room - 1);
	atomic_store(&words.board->news, beginning->news);
	atomic_store(&words.board->lives, beginning->lives);
	words_unmap(&words);
}

/* More messages than a lane takes. */
#define FILLS 200u

/* Sizes at random, several times round the ring; what isn't there was lost, and is counted. */
static void run_over(const struct beginning *beginning, uint32_t policy, uint64_t seed)
{
	struct test_random random = test_random_init(test_seed(), seed);
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_subscriber *late;
	struct nonet_message message;
	uint64_t expected = beginning->sequence;
	uint64_t sent = beginning->sequence;
	uint64_t life = beginning->lives + 1;
	void *buffer;

	begin_at(beginning, policy);
	publisher = words_publish();
	subscriber = words_subscribe(0);
	while (sent - beginning->sequence < 2000) {
		const size_t size = test_random_between(&random, 0, sent % 8 == 0 ? WORDS_LANE / 2 - 64 : 500);
		const int error = nonet_publisher_loan(publisher, size, NONET_NOW, &buffer);

		if (error == 0) {
			memset(buffer, (int)(sent & 0xff), size);
			test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
			sent++;
		}
		test_check(error == 0 || (error == -EAGAIN && policy != NONET_CHANNEL_DROP));
		/* The first lane is filled, so that the subscriber is still before the end of the numbers. */
		if (error == 0 && (sent - beginning->sequence < FILLS || test_random_between(&random, 0, 9) > 0))
			continue;
		while (nonet_subscriber_take(subscriber, NONET_NOW, &message) == 0) {
			const unsigned char *bytes = message.data;

			expected += message.lost;
			test_check(message.lost == 0 || policy == NONET_CHANNEL_DROP);
			test_check_equal(message.sequence, expected);
			/* All was read before the next one began. */
			test_check_equal(message.publisher, life);
			for (size_t i = 0; i < message.size; i++)
				test_check(bytes[i] == (expected & 0xff));
			test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
			expected++;
		}
		test_check_equal(expected, sent);
		/* Another publisher resumes, another subscriber joins. */
		if (test_random_between(&random, 0, 3) == 0) {
			nonet_publisher_close(publisher);
			publisher = words_publish();
			life++;
			late = words_subscribe(NONET_SUBSCRIBER_HISTORY);
			test_check(nonet_subscriber_take(late, NONET_NOW, &message) == 0 ? message.sequence < sent
											 : expected == sent);
			nonet_subscriber_close(late);
		}
	}
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
}

DOMAIN_TEST(every_policy_goes_on_over_the_end_of_its_numbers)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < BEGINNINGS; i++)
		for (uint32_t policy = NONET_CHANNEL_BLOCK; policy <= NONET_CHANNEL_DROP; policy++)
			run_over(&beginnings[i], policy, i * 3 + policy);
	return 0;
}

static int read_asleep(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = words_subscribe(NONET_SUBSCRIBER_SLEEP);
	uint64_t number = 1;

	(void)argument;
	test_report(side, "ready");
	while (number != 0) {
		test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), test_deadline(), NULL),
				 8);
		test_report(side, "woke");
	}
	nonet_subscriber_close(subscriber);
	return 0;
}

/* One sleeps, and is woken by each message at once; the bell goes over its end meanwhile. */
static nonet_time wake_over(uint64_t count)
{
	struct nonet_publisher *publisher = words_publish();
	struct test_child *reader = test_child_until(read_asleep, NULL);
	nonet_time latest = 0;

	for (uint64_t number = count; number-- > 0;) {
		nonet_time begin;

		test_child_wait_blocked(reader);
		begin = test_clock();
		test_check_equal(nonet_publisher_send(publisher, &number, sizeof(number), NONET_NOW), 0);
		test_child_wait_state(reader, "woke");
		begin = test_clock() - begin;
		latest = begin > latest ? begin : latest;
	}
	test_check_equal(test_child_join(reader), 0);
	nonet_publisher_close(publisher);
	return latest;
}

DOMAIN_TEST(bells_ring_over_the_end_of_their_numbers)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < BEGINNINGS; i++) {
		nonet_time latest;

		begin_at(&beginnings[i], NONET_CHANNEL_BLOCK);
		latest = wake_over(8);
		test_note("the latest of 8 wakes: %lld us", (long long)(latest / 1000));
		/* Nobody was left to the look that comes every 100 ms. */
		test_check(latest < NONET_MS(90) * (nonet_time)test_slowness());
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

/* Two thousand million rings of descriptors alone, and then one sleeps without. */
DOMAIN_TEST(descriptors_alone_leave_sleepers_their_number)
{
	struct beginning beginning = beginnings[0];
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct words words;
	struct pollfd bell = {.events = POLLIN};
	nonet_time latest;
	uint64_t number = 1;

	(void)side;
	(void)argument;
	beginning.bell = UINT32_C(1) << 31;
	begin_at(&beginning, NONET_CHANNEL_BLOCK);
	words = words_map();
	/* As it was kept up so far. */
	atomic_store(&words.lane->asleep, 1);
	words_unmap(&words);
	publisher = words_publish();
	subscriber = words_subscribe(0);
	bell.fd = nonet_subscriber_fd(subscriber);
	for (int i = 0; i < 4; i++) {
		test_check_equal(nonet_subscriber_arm(subscriber), 0);
		test_check_equal(nonet_publisher_send(publisher, &number, sizeof(number), NONET_NOW), 0);
		test_check_equal(poll(&bell, 1, 10000), 1);
		test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), NONET_NOW, NULL), 8);
	}
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	latest = wake_over(8);
	test_check(latest < NONET_MS(90) * (nonet_time)test_slowness());
	return 0;
}

static int fill_asleep(struct test_child_side *side, void *argument)
{
	const uint64_t *count = argument;
	struct nonet_publisher *publisher = words_publish();

	test_report(side, "ready");
	for (uint64_t number = 0; number < *count; number++) {
		void *buffer;

		test_check_equal(nonet_publisher_loan(publisher, WORDS_LANE / 4, test_deadline(), &buffer), 0);
		test_check_equal(nonet_publisher_publish(publisher, WORDS_LANE / 4, 0), 0);
		test_report(side, "sent");
	}
	nonet_publisher_close(publisher);
	return 0;
}

/* A publisher sleeps until there is room, and is woken by each message that is read; the room goes over its end. */
DOMAIN_TEST(room_is_told_over_the_end_of_its_numbers)
{
	uint64_t count = 11;

	(void)side;
	(void)argument;
	for (size_t i = 0; i < BEGINNINGS; i++) {
		struct nonet_subscriber *subscriber;
		struct nonet_message message;
		struct test_child *publisher;
		nonet_time latest = 0;

		begin_at(&beginnings[i], NONET_CHANNEL_BLOCK);
		subscriber = words_subscribe(0);
		publisher = test_child_until(fill_asleep, &count);
		/* There is room for three at once. */
		for (int k = 0; k < 3; k++)
			test_child_wait_state(publisher, "sent");
		for (uint64_t k = 3; k < count; k++) {
			nonet_time begin;

			test_child_wait_blocked(publisher);
			test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), 0);
			begin = test_clock();
			test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
			test_child_wait_state(publisher, "sent");
			begin = test_clock() - begin;
			latest = begin > latest ? begin : latest;
		}
		test_check_equal(test_child_join(publisher), 0);
		test_note("the latest of %d wakes: %lld us", (int)count - 3, (long long)(latest / 1000));
		test_check(latest < NONET_MS(90) * (nonet_time)test_slowness());
		nonet_subscriber_close(subscriber);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

/* One sleeps before there is any publisher, and reads what the first one sends: of him only the news tell. */
DOMAIN_TEST(news_are_told_over_the_end_of_their_numbers)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < BEGINNINGS; i++) {
		struct test_child *reader;
		struct nonet_publisher *publisher;
		const uint64_t last = 0;
		nonet_time begin;

		begin_at(&beginnings[i], NONET_CHANNEL_BLOCK);
		reader = test_child_until(read_asleep, NULL);
		test_child_wait_blocked(reader);
		begin = test_clock();
		publisher = words_publish();
		test_check_equal(nonet_publisher_send(publisher, &last, sizeof(last), NONET_NOW), 0);
		test_child_wait_state(reader, "woke");
		test_check(test_clock() - begin < NONET_MS(90) * (nonet_time)test_slowness());
		test_check_equal(test_child_join(reader), 0);
		nonet_publisher_close(publisher);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_policy_goes_on_over_the_end_of_its_numbers),
		test_case(bells_ring_over_the_end_of_their_numbers),
		test_case(room_is_told_over_the_end_of_its_numbers),
		test_case(news_are_told_over_the_end_of_their_numbers),
		test_case(descriptors_alone_leave_sleepers_their_number),
	};
	return test_main(tests);
}
