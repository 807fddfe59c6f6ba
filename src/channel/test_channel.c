/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "harness/domain.h"
#include "harness/random.h"
#include "harness/test.h"

#define CHANNEL "channel:news"

static void make(const struct nonet_channel_options *options)
{
	test_check_equal(nonet_channel_create(CHANNEL, options, NULL), 0);
}

static struct nonet_publisher *publish(void)
{
	struct nonet_publisher *publisher = NULL;

	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, NULL), 0);
	return publisher;
}

static struct nonet_subscriber *subscribe(uint32_t flags)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_subscriber *subscriber = NULL;

	test_check_equal(nonet_subscriber_open(CHANNEL, &options, &subscriber, NULL), 0);
	return subscriber;
}

static void send_number(struct nonet_publisher *publisher, uint64_t number)
{
	test_check_equal(nonet_publisher_send(publisher, &number, sizeof(number), NONET_NOW), 0);
}

static uint64_t next_number(struct nonet_subscriber *subscriber, nonet_time deadline)
{
	uint64_t number = 0;

	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), deadline, NULL), 8);
	return number;
}

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

DOMAIN_TEST(one_who_holds_too_many_is_told)
{
	struct nonet_message messages[NONET_CHANNEL_TAKEN + 1];
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	for (unsigned i = 0; i <= NONET_CHANNEL_TAKEN; i++)
		send_number(publisher, i);
	for (unsigned i = 0; i < NONET_CHANNEL_TAKEN; i++)
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[i]), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[64]), -ENOBUFS);
	test_check_equal(nonet_subscriber_release(subscriber, &messages[1]), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[64]), -ENOBUFS);
	test_check_equal(nonet_subscriber_release(subscriber, &messages[0]), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &messages[64]), 0);
	test_check_equal(*(const uint64_t *)messages[64].data, 64);
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

static int publish_all(struct test_child_side *side, void *argument)
{
	const uint64_t count = *(const uint64_t *)argument;
	struct nonet_publisher *publisher = publish();

	test_report(side, "ready");
	test_await(side, "go");
	for (uint64_t i = 0; i < count; i++)
		test_check_equal(nonet_publisher_send(publisher, &i, sizeof(i), test_deadline()), 0);
	test_report(side, "sent");
	test_await(side, "end");
	nonet_publisher_close(publisher);
	return 0;
}

static int read_all(struct test_child_side *side, void *argument)
{
	const uint64_t count = *(const uint64_t *)argument;
	struct nonet_subscriber *subscriber = subscribe(0);
	uint64_t expected[2] = {0};
	struct nonet_message message;
	uint64_t number;

	test_report(side, "ready");
	for (uint64_t i = 0; i < 2 * count; i++) {
		test_check_equal(
			nonet_subscriber_receive(subscriber, &number, sizeof(number), test_deadline(), &message), 8);
		test_check_equal(message.lost, 0);
		test_check_equal(number, expected[message.lane]++);
	}
	nonet_subscriber_close(subscriber);
	return 0;
}

/* Two processes publish, three read: everything, in each lane's order; asleep and awake as it comes. */
DOMAIN_TEST(many_publish_and_many_read)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536, .publishers = 2};
	uint64_t count = test_scaled(1000000);
	struct test_child *publishers[2];
	struct test_child *subscribers[3];

	(void)side;
	(void)argument;
	make(&options);
	for (int i = 0; i < 2; i++)
		publishers[i] = test_child_until(publish_all, &count);
	for (int i = 0; i < 3; i++)
		subscribers[i] = test_child_until(read_all, &count);
	for (int i = 0; i < 2; i++)
		test_child_tell(publishers[i], "go");
	for (int i = 0; i < 3; i++)
		test_check_equal(test_child_join(subscribers[i]), 0);
	for (int i = 0; i < 2; i++) {
		test_child_wait_state(publishers[i], "sent");
		test_child_tell(publishers[i], "end");
		test_check_equal(test_child_join(publishers[i]), 0);
	}
	return 0;
}

static int publish_and_hang(struct test_child_side *side, void *argument)
{
	struct nonet_publisher *publisher = publish();
	void *buffer;

	(void)argument;
	send_number(publisher, 1);
	send_number(publisher, 2);
	test_check_equal(nonet_publisher_loan(publisher, 100, NONET_NOW, &buffer), 0);
	memset(buffer, 0xff, 100);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int read_and_hang(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = subscribe(0);
	struct nonet_message message;

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), 0);
	test_report(side, "holds");
	test_await(side, "never");
	return 0;
}

static int take_the_end(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = subscribe(NONET_SUBSCRIBER_END);
	struct nonet_message message;
	nonet_time begin;

	(void)argument;
	test_report(side, "ready");
	test_await(side, "go");
	begin = test_clock();
	test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), -EPIPE);
	test_report_number(side, (int64_t)(test_clock() - begin));
	nonet_subscriber_close(subscriber);
	return 0;
}

DOMAIN_TEST(the_dead_leave_whole_messages_and_stop_nobody)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct test_child *child;
	struct test_child *ender;
	struct nonet_message message;
	char bytes[1000] = "";

	(void)side;
	(void)argument;
	make(&options);
	subscriber = subscribe(0);
	child = test_child_until(publish_and_hang, NULL);
	ender = test_child_until(take_the_end, NULL);
	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, NULL), -EUSERS);
	test_child_tell(ender, "go");
	test_child_wait_blocked(ender);
	test_kill(child);
	test_note("the end was told %lld us after it was waited for", (long long)(test_child_number(ender) / 1000));
	test_check_equal(test_child_join(ender), 0);
	test_check_equal(next_number(subscriber, NONET_NOW), 1);
	test_check_equal(next_number(subscriber, NONET_NOW), 2);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	publisher = publish();
	child = test_child_until(read_and_hang, NULL);
	send_number(publisher, 3);
	test_child_wait_state(child, "holds");
	test_check_equal(next_number(subscriber, NONET_NOW), 3);
	test_kill(child);
	/* The dead one's position is in nobody's way. */
	for (int i = 0; i < 1000; i++) {
		test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), test_deadline()), 0);
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	}
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int wake_at_each(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = subscribe(*(const uint32_t *)argument);
	uint64_t number = 0;

	test_report(side, "ready");
	while (number != UINT64_MAX) {
		number = next_number(subscriber, test_deadline());
		test_report(side, "woke");
	}
	nonet_subscriber_close(subscriber);
	return 0;
}

static int wake_by_descriptor(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = subscribe(0);
	struct pollfd poll_fd = {nonet_subscriber_fd(subscriber), POLLIN, 0};
	uint64_t number = 0;
	int result;

	(void)argument;
	test_report(side, "ready");
	while (number != UINT64_MAX) {
		result = nonet_subscriber_arm(subscriber);
		test_check(result >= 0);
		if (result == 0)
			test_check_equal(poll(&poll_fd, 1, 10000), 1);
		while (nonet_subscriber_receive(subscriber, &number, sizeof(number), NONET_NOW, NULL) == 8)
			test_report(side, "woke");
	}
	nonet_subscriber_close(subscriber);
	return 0;
}

/* However the lane is just now, fenced or not, and how they sleep: each message wakes all who sleep, at once. */
DOMAIN_TEST(who_sleeps_is_woken_by_each_message)
{
	static const uint32_t flags[] = {NONET_SUBSCRIBER_SLEEP, 0};
	struct nonet_publisher *publisher;
	struct test_child *readers[3];
	nonet_time latest = 0;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	/* Unfenced: nobody has slept for long. */
	for (uint64_t i = 0; i < 3000; i++)
		send_number(publisher, i);
	for (int i = 0; i < 2; i++)
		readers[i] = test_child_until(wake_at_each, (void *)(uintptr_t)&flags[i]);
	readers[2] = test_child_until(wake_by_descriptor, NULL);
	for (uint64_t turn = 0; turn <= 30; turn++) {
		const uint64_t number = turn < 30 ? turn : UINT64_MAX;
		nonet_time begin;

		for (int i = 0; i < 3; i++)
			test_child_wait_blocked(readers[i]);
		begin = test_clock();
		send_number(publisher, number);
		for (int i = 0; i < 3; i++)
			test_child_wait_state(readers[i], "woke");
		begin = test_clock() - begin;
		latest = begin > latest ? begin : latest;
	}
	for (int i = 0; i < 3; i++)
		test_check_equal(test_child_join(readers[i]), 0);
	test_note("the latest of 30 wakes of three: %lld us", (long long)(latest / 1000));
	/* Nobody was left to the look that comes every 100 ms. */
	test_check(latest < NONET_MS(90) * (nonet_time)test_slowness());
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	child = (pid_t)test_must(fork());
	if (child == 0) {
		bool good = nonet_publisher_send(publisher, "", 1, NONET_NOW) == -ECHILD &&
			    nonet_subscriber_take(subscriber, NONET_NOW, &message) == -ECHILD;

		nonet_publisher_close(publisher);
		nonet_subscriber_close(subscriber);
		_exit(good ? 0 : 1);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
	send_number(publisher, 5);
	test_check_equal(next_number(subscriber, NONET_NOW), 5);
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
	options.flags = 2;
	test_check_equal(nonet_channel_create(CHANNEL, &options, &error), -EINVAL);
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
		test_case(one_who_holds_too_many_is_told),
		test_case(the_ring_goes_round),
		test_case(a_slow_subscriber_is_waited_for_or_loses),
		test_case(who_comes_late_reads_from_now_or_the_history),
		test_case(the_end_is_told_if_asked_for),
		test_case(many_publish_and_many_read),
		test_case(the_dead_leave_whole_messages_and_stop_nobody),
		test_case(who_sleeps_is_woken_by_each_message),
		test_case(a_child_opens_its_own),
		test_case(what_makes_no_sense_is_refused),
	};
	return test_main(tests);
}
