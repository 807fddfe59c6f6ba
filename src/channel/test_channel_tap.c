/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "channel/test_channel.h"
#include "channel/test_channel_words.h"
#include "harness/domain.h"
#include "harness/test.h"

/* Who only looks on: takes no place, keeps nobody, changes nothing, and needs no right but to read. */

DOMAIN_TEST(a_tap_takes_no_place_and_keeps_nobody)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536, .subscribers = 1};
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_subscriber *tap;
	struct nonet_message message;
	uint64_t seen = 0;
	uint64_t lost = 0;
	uint64_t number;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	test_check_equal(nonet_publisher_subscribers(publisher), 1);
	tap = subscribe(NONET_SUBSCRIBER_TAP);
	test_check_equal(nonet_publisher_subscribers(publisher), 1);
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), -EAGAIN);
	/* Several lanes' worth, all of which the one with a place reads. */
	for (number = 0; number < 20000; number++) {
		send_number(publisher, number);
		test_check_equal(next_number(subscriber, NONET_NOW), number);
	}
	while (nonet_subscriber_receive(tap, &number, sizeof(number), NONET_NOW, &message) == 8) {
		lost += message.lost;
		test_check_equal(number, message.sequence);
		test_check_equal(number, seen + lost);
		seen++;
	}
	test_check(lost > 0 && seen > 0);
	test_check_equal(lost + seen, 20000);
	nonet_subscriber_close(subscriber);
	test_check_equal(nonet_publisher_subscribers(publisher), 0);
	nonet_subscriber_close(tap);
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(what_a_tap_holds_may_be_overwritten)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536};
	struct nonet_publisher *publisher;
	struct nonet_subscriber *tap;
	struct nonet_message message;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	send_number(publisher, 7);
	tap = subscribe(NONET_SUBSCRIBER_TAP | NONET_SUBSCRIBER_HISTORY);
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), 0);
	test_check_equal(*(const uint64_t *)message.data, 7);
	test_check_equal(nonet_subscriber_release(tap, &message), 0);
	send_number(publisher, 8);
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), 0);
	for (uint64_t number = 0; number < 10000; number++)
		send_number(publisher, number);
	test_check_equal(nonet_subscriber_release(tap, &message), -ESTALE);
	nonet_subscriber_close(tap);
	nonet_publisher_close(publisher);
	return 0;
}

/* The file of a channel, byte for byte. */
static uint64_t sum_of(const struct words *words)
{
	const uint8_t *bytes = words->base;
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < words->size; i++)
		sum = (sum ^ bytes[i]) * 1099511628211u;
	return sum;
}

/* A record that can't be: a member is told, and everybody with him; a tap says so to itself. */
DOMAIN_TEST(a_tap_writes_nothing)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *tap;
	struct nonet_message message;
	struct words words;
	uint64_t before;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	publisher = words_publish();
	words = words_map();
	before = sum_of(&words);
	tap = words_subscribe(NONET_SUBSCRIBER_TAP);
	test_check_equal(nonet_subscriber_take(tap, nonet_after(NONET_MS(5)), &message), -ETIMEDOUT);
	test_check(nonet_subscriber_fd(tap) >= 0);
	test_check_equal(nonet_subscriber_arm(tap), 0);
	test_check(sum_of(&words) == before);

	send_number(publisher, 1);
	before = sum_of(&words);
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), 0);
	test_check_equal(nonet_subscriber_release(tap, &message), 0);
	test_check(sum_of(&words) == before);

	/* Behind a note and the message. */
	*(uint64_t *)(words.ring + CHANNEL_LINE + 16) = UINT64_MAX;
	before = sum_of(&words);
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), -EBADMSG);
	test_check(sum_of(&words) == before);
	nonet_subscriber_close(tap);
	test_check(sum_of(&words) == before);
	words_unmap(&words);
	nonet_publisher_close(publisher);
	return 0;
}

/* Of one who may read the channel's file, and nothing else of the domain. */
static int look_as_a_stranger(struct test_child_side *side, void *argument)
{
	const struct nonet_subscriber_options look = {
		.size = sizeof(look), .flags = NONET_SUBSCRIBER_TAP | NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END};
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_message message;
	struct nonet_error error = {0};
	uint64_t number;

	(void)argument;
	test_must(setuid(65534));
	test_check_equal(nonet_subscriber_open(CHANNEL, NULL, &subscriber, &error), -EACCES);
	test_check_equal(nonet_subscriber_open("channel:shut", &look, &subscriber, &error), -EACCES);
	test_check(strstr(error.text, "channel:shut") != NULL);
	test_check_equal(nonet_subscriber_open(CHANNEL, &look, &subscriber, &error), 0);
	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), test_deadline(), NULL), 8);
	test_check_equal(number, 11);
	test_report(side, "ready");
	test_await(side, "killed");
	/* That its publisher is dead can't be known by who may not read .domain. */
	test_check_equal(nonet_subscriber_take(subscriber, nonet_after(NONET_MS(5)), &message), -ETIMEDOUT);
	test_report(side, "looked");
	test_await(side, "ended");
	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), test_deadline(), NULL), 8);
	test_check_equal(nonet_subscriber_take(subscriber, test_deadline(), &message), -EPIPE);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int publish_one(struct test_child_side *side, void *argument)
{
	struct nonet_publisher *publisher = publish();

	(void)argument;
	send_number(publisher, 11);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_publisher_close(publisher);
	return 0;
}

DOMAIN_TEST(whoever_may_read_a_channel_may_tap_it)
{
	const struct nonet_channel_options open = {.size = sizeof(open), .mode = 0644};
	const struct nonet_channel_options shut = {.size = sizeof(shut)};
	struct test_child *publisher;
	struct test_child *stranger;

	(void)side;
	/* As anybody else there is no second user to be. */
	if (geteuid() != 0)
		return 0;
	test_must(chmod(argument, 0755));
	make(&open);
	test_check_equal(nonet_channel_create("channel:shut", &shut, NULL), 0);
	publisher = test_child_until(publish_one, NULL);
	stranger = test_child_until(look_as_a_stranger, NULL);
	test_kill(publisher);
	test_child_tell(stranger, "killed");
	test_child_wait_state(stranger, "looked");
	/* The next one takes the lane over, and leaves it as one should. */
	publisher = test_child_until(publish_one, NULL);
	test_child_tell(publisher, "end");
	test_check_equal(test_child_join(publisher), 0);
	test_child_tell(stranger, "ended");
	test_check_equal(test_child_join(stranger), 0);
	return 0;
}

/* Nobody rings for it, and it doesn't miss anything. */
DOMAIN_TEST(a_tap_is_waited_for_like_any_other)
{
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_subscriber *tap;
	struct nonet_message message;
	struct test_child *publisher;
	nonet_time deadline = test_deadline();
	size_t count;
	int result = -EAGAIN;

	(void)side;
	(void)argument;
	make(NULL);
	tap = subscribe(NONET_SUBSCRIBER_TAP | NONET_SUBSCRIBER_END);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_subscriber_waitable(tap), NONET_WAIT_RECEIVE, NULL), 0);
	publisher = test_child_until(publish_one, NULL);
	while ((result = nonet_subscriber_take(tap, NONET_NOW, &message)) == -EAGAIN)
		test_check_equal(nonet_wait(set, &event, 1, deadline, &count), 0);
	test_check_equal(result, 0);
	test_check_equal(*(const uint64_t *)message.data, 11);
	test_check_equal(nonet_subscriber_release(tap, &message), 0);
	/* A killed one is the end, as soon as he is gone. */
	test_kill(publisher);
	while ((result = nonet_subscriber_take(tap, NONET_NOW, &message)) == -EAGAIN)
		test_check_equal(nonet_wait(set, &event, 1, deadline, &count), 0);
	test_check_equal(result, -EPIPE);
	nonet_subscriber_close(tap);
	nonet_wait_set_free(set);
	return 0;
}

static int tap_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *tap = argument;
	struct nonet_message message;

	(void)side;
	test_check_equal(nonet_subscriber_take(tap, NONET_NOW, &message), -ECHILD);
	test_check_equal(nonet_subscriber_arm(tap), -ECHILD);
	nonet_subscriber_close(tap);
	return 0;
}

DOMAIN_TEST(a_tap_is_told_what_any_other_is)
{
	const struct nonet_subscriber_options polls = {.size = sizeof(polls),
						       .flags = NONET_SUBSCRIBER_TAP | NONET_SUBSCRIBER_POLL};
	struct nonet_subscriber *poller;
	struct nonet_subscriber *tap;
	struct nonet_message message;
	struct nonet_error error;
	size_t size;

	(void)side;
	test_check_equal(nonet_subscriber_open(CHANNEL, &polls, &tap, &error), -ENOENT);
	make(NULL);
	tap = subscribe(NONET_SUBSCRIBER_TAP);
	test_check_equal(nonet_subscriber_open(CHANNEL, &polls, &poller, NULL), 0);
	test_check_equal(nonet_subscriber_take(poller, nonet_after(NONET_MS(1)), &message), -ETIMEDOUT);
	test_check_equal(nonet_subscriber_message_size(tap, NONET_NOW, &size), -EAGAIN);
	nonet_subscriber_close(poller);
	test_check_equal(test_child_join(test_child_start(tap_the_parents, tap)), 0);
	/* The domain is removed: within one interval it is told. */
	test_domain_free_files(argument);
	test_check_equal(nonet_subscriber_take(tap, test_deadline(), &message), -ESTALE);
	nonet_subscriber_close(tap);
	test_must(mkdir(argument, 0700));
	return 0;
}

DOMAIN_TEST(the_next_size_is_told_and_its_message_stays)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .publishers = 2};
	struct nonet_publisher *first;
	struct nonet_publisher *second;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;
	size_t size = 0;

	(void)side;
	(void)argument;
	make(&options);
	first = publish();
	second = publish();
	subscriber = subscribe(0);
	test_check_equal(nonet_subscriber_message_size(subscriber, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
	test_check_equal(nonet_publisher_send(first, "one", 3, NONET_NOW), 0);
	test_check_equal(nonet_publisher_send(second, "three", 5, NONET_NOW), 0);
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_subscriber_message_size(subscriber, NONET_NOW, &size), 0);
		test_check_equal(nonet_subscriber_message_size(subscriber, NONET_NOW, &size), 0);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
		test_check_equal(message.size, size);
		test_check_equal(message.lane, i);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	}
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(first);
	nonet_publisher_close(second);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_tap_takes_no_place_and_keeps_nobody),
		test_case(what_a_tap_holds_may_be_overwritten),
		test_case(a_tap_writes_nothing),
		test_case(whoever_may_read_a_channel_may_tap_it),
		test_case(a_tap_is_waited_for_like_any_other),
		test_case(a_tap_is_told_what_any_other_is),
		test_case(the_next_size_is_told_and_its_message_stays),
	};
	return test_main(tests);
}
