/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "channel/test_channel.h"
#include "harness/domain.h"
#include "harness/random.h"
#include "harness/test.h"

DOMAIN_TEST(a_message_reaches_all_who_read)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *first;
	struct nonet_subscriber *second;
	struct nonet_message message;
	struct nonet_error error;
	char text[16];

	(void)side;
	(void)argument;
	make(NULL);
	test_check_equal(nonet_channel_create(CHANNEL, NULL, &error), -EEXIST);
	first = subscribe(0);
	publisher = publish();
	second = subscribe(0);
	test_check_equal(nonet_subscriber_take(first, NONET_NOW, &message), -EAGAIN);
	test_check_equal(nonet_subscriber_take(first, nonet_after(NONET_MS(1)), &message), -ETIMEDOUT);
	test_check_equal(nonet_publisher_send(publisher, "hello", 5, NONET_NOW), 0);
	test_check_equal(nonet_publisher_send(publisher, NULL, 0, NONET_NOW), 0);
	test_check_equal(nonet_publisher_send(publisher, "world", 6, NONET_NOW), 0);
	test_check_equal(nonet_subscriber_take(first, NONET_NOW, &message), 0);
	test_check(message.size == 5 && memcmp(message.data, "hello", 5) == 0);
	test_check_equal(message.sequence, 0);
	test_check_equal(message.publisher, 1);
	test_check_equal(nonet_subscriber_release(first, &message), 0);
	test_check_equal(nonet_subscriber_release(first, &message), -EINVAL);
	test_check_equal(nonet_subscriber_receive(first, text, 0, NONET_NOW, &message), 0);
	test_check_equal(message.sequence, 1);
	test_check_equal(nonet_subscriber_receive(second, text, 4, NONET_NOW, NULL), -EMSGSIZE);
	test_check_equal(nonet_subscriber_receive(second, text, 5, NONET_NOW, NULL), 5);
	test_check_equal(nonet_subscriber_receive(second, text, 5, NONET_NOW, NULL), 0);
	test_check_equal(nonet_subscriber_receive(second, text, 6, NONET_NOW, NULL), 6);
	test_check(memcmp(text, "world", 6) == 0);
	test_check_equal(nonet_subscriber_receive(second, text, 6, NONET_NOW, NULL), -EAGAIN);
	nonet_subscriber_close(first);
	nonet_subscriber_close(second);
	nonet_publisher_close(publisher);
	test_check_equal(nonet_channel_unlink(CHANNEL, NULL), 0);
	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, &error), -ENOENT);
	return 0;
}

DOMAIN_TEST(messages_are_written_and_read_in_place)
{
	struct nonet_message messages[3];
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	void *buffer;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	test_check_equal(nonet_publisher_publish(publisher, 1, 0), -EINVAL);
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_publisher_loan(publisher, 100, NONET_NOW, &buffer), 0);
		test_check_equal((uintptr_t)buffer % 8, 0);
		memset(buffer, 'a' + i, 100);
		test_check_equal(nonet_publisher_publish(publisher, 101, 0), -EMSGSIZE);
		/* Nothing is there before the last one is. */
		test_check_equal(nonet_publisher_publish(publisher, 50 + (size_t)i, i < 2 ? NONET_CHANNEL_MORE : 0), 0);
		if (i < 2)
			test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[0]), -EAGAIN);
	}
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[i]), 0);
		test_check_equal(messages[i].size, 50 + i);
		test_check_equal(*(const char *)messages[i].data, 'a' + i);
	}
	for (int i = 2; i >= 0; i--)
		test_check_equal(nonet_subscriber_release(subscriber, &messages[i]), 0);
	/* A loan that is given back was never there; what was kept back is. */
	test_check_equal(nonet_publisher_loan(publisher, 8, NONET_NOW, &buffer), 0);
	test_check_equal(nonet_publisher_publish(publisher, 8, NONET_CHANNEL_MORE), 0);
	test_check_equal(nonet_publisher_loan(publisher, 8, NONET_NOW, &buffer), 0);
	test_check_equal(nonet_publisher_abort(publisher), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[0]), 0);
	test_check_equal(messages[0].sequence, 3);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[1]), -EAGAIN);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* The header behind the next message is cleared early: a loan may be written over it. */
DOMAIN_TEST(a_loan_may_be_larger_than_its_message)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	void *buffer;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	for (size_t larger = 8; larger <= 64; larger += 8) {
		send_number(publisher, 1);
		test_check_equal(nonet_publisher_loan(publisher, larger, NONET_NOW, &buffer), 0);
		memset(buffer, 0xff, larger);
		if (larger % 16 == 0)
			test_check_equal(nonet_publisher_abort(publisher), 0);
		else
			test_check_equal(nonet_publisher_publish(publisher, 8, 0), 0);
		send_number(publisher, 2);
		test_check_equal(next_number(subscriber, NONET_NOW), 1);
		if (larger % 16 != 0)
			test_check_equal(next_number(subscriber, NONET_NOW), UINT64_MAX);
		test_check_equal(next_number(subscriber, NONET_NOW), 2);
		test_check_equal(nonet_subscriber_receive(subscriber, &larger, sizeof(larger), NONET_NOW, NULL),
				 -EAGAIN);
	}
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* The same where the ring is full: the first message that is unread stands where the one behind the next would. */
DOMAIN_TEST(what_is_unread_is_not_cleared)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	/* Behind the note of 64 bytes; and one more, so that the first 64 bytes of the ring are left to the next. */
	const uint64_t count = (65536 - 8 - 72 - 64) / 16;
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	char last[64] = "last";

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	for (uint64_t number = 0; number < count; number++)
		send_number(publisher, number);
	test_check_equal(nonet_publisher_send(publisher, last, sizeof(last), NONET_NOW), 0);
	test_check_equal(nonet_publisher_send(publisher, last, 1, NONET_NOW), -EAGAIN);
	for (uint64_t number = 0; number < count; number++)
		test_check_equal(next_number(subscriber, NONET_NOW), number);
	test_check_equal(nonet_subscriber_receive(subscriber, last, sizeof(last), NONET_NOW, NULL), 64);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* What one is given to read isn't his to write, not even by the kernel. */
DOMAIN_TEST(a_message_that_is_taken_cannot_be_written)
{
	const int zero = (int)test_must(open("/dev/zero", O_RDONLY | O_CLOEXEC));
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	send_number(publisher, 7);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check_equal(read(zero, (void *)(uintptr_t)message.data, message.size), -1);
	test_check_equal(errno, EFAULT);
	test_check_equal(*(const uint64_t *)message.data, 7);
	close(zero);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* Sizes at random, over and over round the ring: each byte is as it was written, and in order. */
DOMAIN_TEST(the_ring_goes_round)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	struct test_random random = test_random_init(test_seed(), 1);
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;
	const size_t limit = 65536 / 2 - 64;
	uint64_t sent = 0;
	uint64_t got = 0;
	void *buffer;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	test_check_equal(nonet_publisher_limit(publisher), limit);
	test_check_equal(nonet_publisher_loan(publisher, limit + 1, NONET_NOW, &buffer), -EMSGSIZE);
	while (got < 20000) {
		size_t size = test_random_between(&random, 0, test_random_between(&random, 0, 19) == 0 ? limit : 299);
		int error = nonet_publisher_loan(publisher, size, NONET_NOW, &buffer);

		if (error == 0) {
			memset(buffer, (int)(sent & 0xff), size);
			test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
			sent++;
			if (test_random_between(&random, 0, 2) > 0)
				continue;
		}
		test_check(error == 0 || (error == -EAGAIN && sent > got));
		while (nonet_subscriber_take(subscriber, NONET_NOW, &message) == 0) {
			const unsigned char *bytes = message.data;

			test_check_equal(message.sequence, got);
			test_check_equal(message.lost, 0);
			for (size_t i = 0; i < message.size; i++)
				test_check(bytes[i] == (got & 0xff));
			test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
			got++;
		}
		test_check_equal(got, sent);
	}
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(a_slow_subscriber_is_waited_for_or_loses)
{
	struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;
	uint64_t number = 0;
	uint64_t lost = 0;
	uint64_t got = 0;
	char bytes[1000] = "";

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	while (nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW) == 0)
		number++;
	test_check(number >= 60 && number <= 65);
	test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), nonet_after(NONET_MS(5))), -ETIMEDOUT);
	nonet_subscriber_close(subscriber);
	test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW), 0);
	nonet_publisher_close(publisher);
	test_check_equal(nonet_channel_unlink(CHANNEL, NULL), 0);

	options.policy = NONET_CHANNEL_REFUSE;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	while (nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW) == 0)
		;
	test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_FOREVER), -EAGAIN);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	test_check_equal(nonet_channel_unlink(CHANNEL, NULL), 0);

	options.policy = NONET_CHANNEL_DROP;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	for (number = 1; number < 1000; number++)
		test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW), 0);
	test_check_equal(nonet_subscriber_release(subscriber, &message), -ESTALE);
	for (got = 1; nonet_subscriber_take(subscriber, NONET_NOW, &message) == 0; got++) {
		lost += message.lost;
		test_check_equal(message.sequence, got + lost);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	}
	test_check_equal(got + lost, 1000);
	test_check(got >= 50 && lost > 900);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(who_comes_late_reads_from_now_or_the_history)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536, .publishers = 2};
	struct nonet_publisher *publisher;
	struct nonet_subscriber *late;
	struct nonet_subscriber *later;
	struct nonet_message message;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	for (uint64_t i = 0; i < 100; i++)
		send_number(publisher, i);
	late = subscribe(NONET_SUBSCRIBER_HISTORY);
	later = subscribe(0);
	send_number(publisher, 100);
	for (uint64_t i = 0; i <= 100; i++)
		test_check_equal(next_number(late, NONET_NOW), i);
	test_check_equal(next_number(later, NONET_NOW), 100);
	/* Whoever is next goes on where this one ended. */
	nonet_publisher_close(publisher);
	publisher = publish();
	send_number(publisher, 7);
	test_check_equal(nonet_subscriber_take(later, NONET_NOW, &message), 0);
	test_check_equal(message.sequence, 101);
	test_check_equal(message.publisher, 2);
	nonet_subscriber_close(late);
	nonet_subscriber_close(later);
	/* Far behind: the oldest that is still there. */
	for (uint64_t i = 0; i < 100000; i++)
		send_number(publisher, i);
	late = subscribe(NONET_SUBSCRIBER_HISTORY);
	test_check_equal(nonet_subscriber_take(late, NONET_NOW, &message), 0);
	test_check_equal(message.sequence, 102 + *(const uint64_t *)message.data);
	test_check(message.sequence > 90000 && message.sequence < 98000);
	nonet_subscriber_close(late);
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(the_end_is_told_if_asked_for)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;

	(void)side;
	(void)argument;
	make(NULL);
	subscriber = subscribe(NONET_SUBSCRIBER_END);
	/* Nobody has begun. */
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	publisher = publish();
	send_number(publisher, 1);
	nonet_publisher_close(publisher);
	test_check_equal(next_number(subscriber, NONET_FOREVER), 1);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_FOREVER, &message), -EPIPE);
	publisher = publish();
	send_number(publisher, 2);
	test_check_equal(next_number(subscriber, NONET_FOREVER), 2);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

DOMAIN_TEST(what_makes_no_sense_is_refused)
{
	struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536 + 8};
	struct nonet_subscriber_options reading = {.size = sizeof(reading), .flags = 12};
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	test_check(strstr(error.text, "a lane of 65544 bytes was asked for; its size is a power of two"));
	options.lane = 0;
	options.publishers = 64;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	options.publishers = 0;
	options.policy = 3;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	options.policy = 0;
	options.flags = 4;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	/* Who answers calls has no other subscribers. */
	options.flags = NONET_CHANNEL_CALLS;
	options.subscribers = 1;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	options.subscribers = 0;
	options.flags = 0;
	options.size = 8;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
	test_check_equal(nonet_channel_create("event:news", NULL, &error), -EINVAL);
	test_check_equal(nonet_subscriber_open(CHANNEL, &reading, &subscriber, &error), -EINVAL);
	test_check_equal(nonet_channel_unlink(CHANNEL, &error), -ENOENT);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_message_reaches_all_who_read),
		test_case(messages_are_written_and_read_in_place),
		test_case(a_loan_may_be_larger_than_its_message),
		test_case(what_is_unread_is_not_cleared),
		test_case(a_message_that_is_taken_cannot_be_written),
		test_case(the_ring_goes_round),
		test_case(a_slow_subscriber_is_waited_for_or_loses),
		test_case(who_comes_late_reads_from_now_or_the_history),
		test_case(the_end_is_told_if_asked_for),
		test_case(what_makes_no_sense_is_refused),
	};
	return test_main(tests);
}
