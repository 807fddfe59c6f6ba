/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel/test_channel.h"
#include "harness/domain.h"
#include "harness/test.h"

/* Channels between processes: many at once, asleep, killed, forked. */

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

static _Atomic uint64_t received;

static void *receive_each_first(void *argument)
{
	const uint64_t rounds = *(const uint64_t *)argument;

	for (uint64_t i = 1; i <= rounds; i++) {
		struct nonet_subscriber *subscriber = subscribe(0);

		test_check_equal(next_number(subscriber, test_deadline()), i);
		nonet_subscriber_close(subscriber);
		atomic_store(&received, i);
	}
	return NULL;
}

/* Whoever is counted has joined: what is published from then on is received. */
DOMAIN_TEST(who_is_counted_misses_nothing)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	uint64_t rounds = 2000;
	struct nonet_publisher *publisher;
	pthread_t thread;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	send_number(publisher, 0);
	test_check_equal(pthread_create(&thread, NULL, receive_each_first, &rounds), 0);
	for (uint64_t i = 1; i <= rounds; i++) {
		while (nonet_publisher_subscribers(publisher) != 1)
			continue;
		send_number(publisher, i);
		while (atomic_load(&received) != i)
			continue;
	}
	test_check_equal(pthread_join(thread, NULL), 0);
	nonet_publisher_close(publisher);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(many_publish_and_many_read),
		test_case(the_dead_leave_whole_messages_and_stop_nobody),
		test_case(who_sleeps_is_woken_by_each_message),
		test_case(a_child_opens_its_own),
		test_case(who_is_counted_misses_nothing),
	};
	return test_main(tests);
}
