/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include <nonet/wait.h>

#include "channel/publisher.h"
#include "channel/test_link.h"
#include "sys/fault.h"

/* Channels over sockets: what a publisher and a subscriber who don't share a domain can do. */

#define LANE 65536u

static const struct nonet_channel_options small = {.size = sizeof(small), .lane = LANE};

/* Whether all of a descriptor's events can be waited for: POLLIN in no time. */
static bool is_ready(int fd)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	return test_must(poll(&item, 1, 0)) > 0;
}

static void what_is_published_is_received(void **state)
{
	(void)state;
	for (int type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		struct link_ends ends = link_meet((enum nonet_unix_type)type, NULL, 0);
		struct nonet_message message;
		void *buffer;

		test_check_equal(nonet_publisher_limit(ends.publisher), (1u << 20) / 2 - 64);
		test_check_equal(nonet_subscriber_take(ends.subscriber, NONET_NOW, &message), -EAGAIN);
		test_check_equal(nonet_publisher_loan(ends.publisher, 100, NONET_NOW, &buffer), 0);
		memset(buffer, 'x', 100);
		test_check_equal(nonet_publisher_publish(ends.publisher, 100, 0), 0);
		link_say(ends.publisher, 7);
		test_check_equal(nonet_subscriber_take(ends.subscriber, NONET_NOW, &message), 0);
		test_check(message.size == 100 && *(const char *)message.data == 'x' && message.publisher == 1);
		test_check_equal(nonet_subscriber_release(ends.subscriber, &message), 0);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), 7);
		test_check_equal(nonet_subscriber_take(ends.subscriber, nonet_after(NONET_MS(1)), &message),
				 -ETIMEDOUT);
		link_part(&ends);
	}
}

/* Round and round the ring: as much as it has room for, then again. */
static void it_goes_round_the_ring(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	uint64_t said = 0;
	uint64_t heard = 0;
	uint64_t number = 0;

	(void)state;
	while (said < 100000) {
		while (nonet_publisher_send(ends.publisher, &said, sizeof(said), NONET_NOW) == 0)
			said++;
		test_check_equal(nonet_publisher_send(ends.publisher, &said, sizeof(said), nonet_after(NONET_MS(1))),
				 -ETIMEDOUT);
		while (nonet_subscriber_receive(ends.subscriber, &number, sizeof(number), NONET_NOW, NULL) > 0)
			test_check_equal(number, heard++);
		test_check_equal(heard, said);
	}
	link_part(&ends);
}

static void each_policy_is_kept(void **state)
{
	struct nonet_channel_options options = small;
	struct nonet_message message;
	struct link_ends ends;
	uint64_t number = 0;
	uint64_t lost;

	(void)state;
	options.policy = NONET_CHANNEL_REFUSE;
	ends = link_meet(NONET_UNIX_SEQPACKET, &options, 0);
	while (nonet_publisher_send(ends.publisher, &number, sizeof(number), test_deadline()) == 0)
		number++;
	test_check_equal(nonet_publisher_send(ends.publisher, &number, sizeof(number), test_deadline()), -EAGAIN);
	link_part(&ends);
	options.policy = NONET_CHANNEL_DROP;
	ends = link_meet(NONET_UNIX_SEQPACKET, &options, 0);
	for (number = 0; number < LANE; number++)
		link_say(ends.publisher, number);
	test_check(nonet_subscriber_receive(ends.subscriber, &number, sizeof(number), NONET_NOW, &message) > 0);
	lost = message.lost;
	test_check(lost > 0 && number == lost && message.sequence == lost);
	link_part(&ends);
}

/* Who sleeps, by a call or by a descriptor, is woken by a message; who waits for room by its being read. */
struct sleeper {
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	uint64_t rounds;
};

static void *hear_all(void *argument)
{
	struct sleeper *sleeper = argument;

	for (uint64_t i = 0; i < sleeper->rounds; i++)
		test_check_equal(link_hear(sleeper->subscriber, test_deadline()), i);
	return NULL;
}

static void who_sleeps_is_woken(void **state)
{
	static const uint32_t ways[] = {0, NONET_SUBSCRIBER_SLEEP, NONET_SUBSCRIBER_POLL};
	pthread_t thread;

	(void)state;
	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
		struct link_ends ends = link_meet(NONET_UNIX_STREAM, &small, ways[way]);
		struct sleeper sleeper = {.subscriber = ends.subscriber, .rounds = test_scaled(100000)};

		test_check_equal(pthread_create(&thread, NULL, hear_all, &sleeper), 0);
		/* The ring is full and empty in turn, so that both sleep. */
		for (uint64_t i = 0; i < sleeper.rounds; i++)
			test_check_equal(nonet_publisher_send(ends.publisher, &i, sizeof(i), test_deadline()), 0);
		test_check_equal(pthread_join(thread, NULL), 0);
		link_part(&ends);
	}
}

static void who_waits_by_descriptor_is_woken(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, NULL, 0);
	const int fd = nonet_subscriber_fd(ends.subscriber);

	(void)state;
	/* Unfenced too: so many messages without a ring. */
	for (uint64_t i = 0; i < 2000; i++) {
		link_say(ends.publisher, i);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), i);
	}
	for (uint64_t i = 0; i < 100; i++) {
		test_check_equal(nonet_subscriber_arm(ends.subscriber), 0);
		test_check(!is_ready(fd));
		link_say(ends.publisher, i);
		test_check(is_ready(fd));
		test_check_equal(nonet_subscriber_arm(ends.subscriber), 1);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), i);
		/* Nobody waits: nobody is rung. */
		link_say(ends.publisher, i);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), i);
	}
	link_part(&ends);
}

/* A subscriber without membarrier(2), or so it says: the publisher has his fence each time. */
static void who_may_not_make_fences_is_published_to_with_them(void **state)
{
	struct link_ends ends;

	(void)state;
	sys_fault_arm_kind(SYS_CALL_MEMBARRIER, EPERM);
	ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	for (uint64_t i = 0; i < 3000; i++) {
		link_say(ends.publisher, i);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), i);
		test_check_equal(atomic_load(&ends.publisher->lane->unfenced), 0);
	}
	sys_fault_disarm();
	link_part(&ends);
	ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	test_check(ends.publisher->can_unfence);
	link_part(&ends);
}

/* A publisher who waits for room by the socket is rung there; one who sleeps isn't. */
static void who_waits_for_room_is_rung(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	struct channel_lane *lane = ends.publisher->lane;
	const int fd = ends.publisher->channel.link->fd;

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		const uint32_t room = atomic_load(&lane->room);

		/* As publisher_sleep() does. */
		if (i % 2)
			atomic_store(&lane->wants_polled, room);
		atomic_store(&lane->wants, room);
		link_say(ends.publisher, i);
		test_check_equal(link_hear(ends.subscriber, NONET_NOW), i);
		test_check_equal(atomic_load(&lane->room), room + 1);
		test_check_equal(is_ready(fd), i % 2 != 0);
		test_check(!channel_link_look(ends.publisher->channel.link));
	}
	link_part(&ends);
}

static void it_is_waited_for_with_others(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_SEQPACKET, NULL, 0);
	struct nonet_wait_set *set = NULL;
	struct nonet_wait_event event;
	size_t count = 0;

	(void)state;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_subscriber_waitable(ends.subscriber), NONET_WAIT_RECEIVE, NULL),
			 0);
	test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(1)), &count), -ETIMEDOUT);
	link_say(ends.publisher, 1);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check_equal(link_hear(ends.subscriber, NONET_NOW), 1);
	ends.publisher = nonet_publisher_close(ends.publisher);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	link_part(&ends);
	nonet_wait_set_free(set);
}

static void the_end_is_told_after_the_last_message(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, NULL, 0);
	struct nonet_message message;
	struct nonet_error error;

	(void)state;
	link_say(ends.publisher, 1);
	link_say(ends.publisher, 2);
	ends.publisher = nonet_publisher_close(ends.publisher);
	test_check_equal(link_hear(ends.subscriber, NONET_NOW), 1);
	test_check_equal(link_hear(ends.subscriber, test_deadline()), 2);
	test_check_equal(nonet_subscriber_take(ends.subscriber, NONET_NOW, &message), -EPIPE);
	test_check_equal(nonet_subscriber_take(ends.subscriber, test_deadline(), &message), -EPIPE);
	test_check_equal(nonet_subscriber_arm(ends.subscriber), 1);
	nonet_subscriber_explain(ends.subscriber, -EPIPE, &error);
	test_check(strstr(error.text, "no publisher left") != NULL);
	link_part(&ends);
}

static void a_publisher_is_told_that_nobody_reads(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	struct nonet_error error;
	uint64_t sent = 0;
	int result = 0;

	(void)state;
	link_say(ends.publisher, 0);
	test_check_equal(nonet_publisher_subscribers(ends.publisher), 1);
	ends.subscriber = nonet_subscriber_close(ends.subscriber);
	test_check_equal(nonet_publisher_subscribers(ends.publisher), 0);
	while (result == 0 && sent++ < LANE)
		result = nonet_publisher_send(ends.publisher, &sent, sizeof(sent), test_deadline());
	test_check_equal(result, -EPIPE);
	test_check(sent <= LANE / 16 / 16 + 1);
	test_check_equal(nonet_publisher_send(ends.publisher, &sent, sizeof(sent), NONET_NOW), -EPIPE);
	nonet_publisher_explain(ends.publisher, -EPIPE, &error);
	test_check(strstr(error.text, "has gone") != NULL);
	link_part(&ends);
}

/* More than once round, and each message over the wrap is where it should be. */
static void go_round(struct link_ends *ends)
{
	const size_t size = nonet_publisher_limit(ends->publisher) - 8;

	for (uint64_t i = 0; i < 10; i++) {
		struct nonet_message message;
		void *buffer;

		test_check_equal(nonet_publisher_loan(ends->publisher, size, NONET_NOW, &buffer), 0);
		memcpy(buffer, &i, sizeof(i));
		memcpy((char *)buffer + size - sizeof(i), &i, sizeof(i));
		test_check_equal(nonet_publisher_publish(ends->publisher, size, 0), 0);
		test_check_equal(nonet_subscriber_take(ends->subscriber, NONET_NOW, &message), 0);
		test_check_equal(message.size, size);
		test_check_equal(memcmp(message.data, &i, sizeof(i)), 0);
		test_check_equal(memcmp((const char *)message.data + size - sizeof(i), &i, sizeof(i)), 0);
		test_check_equal(nonet_subscriber_release(ends->subscriber, &message), 0);
	}
}

/* With huge pages where there are some; else with others, or not at all, as was asked. */
static void huge_pages_are_used_if_there_are_any(void **state)
{
	struct nonet_channel_options options = {.size = sizeof(options), .flags = NONET_CHANNEL_HUGE};
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &options, 0);
	struct nonet_publisher *publisher = NULL;
	const size_t page = ends.publisher->channel.page;
	struct nonet_error error = {0};
	struct nonet_unix *a;
	struct nonet_unix *b;
	int result;

	(void)state;
	test_check_equal(nonet_publisher_limit(ends.publisher), (page > 1u << 20 ? page : 1u << 20) / 2 - 64);
	go_round(&ends);
	link_part(&ends);
	options.flags = NONET_CHANNEL_HUGE_ONLY;
	link_pair(NONET_UNIX_STREAM, &a, &b);
	/* Nobody meets it. */
	result = nonet_publisher_take_socket(&a, &options, NONET_NOW, &publisher, &error);
	test_note("pages of %zu bytes; only huge ones: %s", page, error.text);
	test_check_equal(result, page > 4096 ? -EAGAIN : result == -EOPNOTSUPP ? -EOPNOTSUPP : -ENOSPC);
	test_check(result == -EAGAIN || strstr(error.text, "huge pages") != NULL);
	nonet_unix_close(a);
	nonet_unix_close(b);
}

/* In a child the handles are the parent's, whose end isn't the child's either. */
static int look_in_child(struct test_child_side *side, void *argument)
{
	struct link_ends *ends = argument;
	struct nonet_message message;
	void *buffer;

	test_check_equal(nonet_publisher_loan(ends->publisher, 1, NONET_NOW, &buffer), -ECHILD);
	test_check_equal(nonet_subscriber_take(ends->subscriber, NONET_NOW, &message), -ECHILD);
	test_check_equal(nonet_subscriber_fd(ends->subscriber), -ECHILD);
	test_report(side, "ready");
	test_await(side, "close");
	link_part(ends);
	test_report(side, "closed");
	test_await(side, "end");
	return 0;
}

static void a_child_has_nothing_of_it_and_ends_nothing(void **state)
{
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &small, 0);
	struct test_child *closes = test_child_until(look_in_child, &ends);
	struct test_child *keeps = test_child_until(look_in_child, &ends);
	struct nonet_message message;

	(void)state;
	test_child_tell(closes, "close");
	test_child_wait_state(closes, "closed");
	link_say(ends.publisher, 1);
	test_check_equal(link_hear(ends.subscriber, NONET_NOW), 1);
	test_check_equal(nonet_subscriber_take(ends.subscriber, NONET_NOW, &message), -EAGAIN);
	/* Told now, though a child has the socket. */
	ends.publisher = nonet_publisher_close(ends.publisher);
	test_check_equal(nonet_subscriber_take(ends.subscriber, NONET_NOW, &message), -EPIPE);
	test_child_tell(keeps, "close");
	test_child_tell(keeps, "end");
	test_child_tell(closes, "end");
	test_check_equal(test_child_join(keeps), 0);
	test_check_equal(test_child_join(closes), 0);
	link_part(&ends);
}

static void an_option_that_makes_no_sense_is_refused(void **state)
{
	const struct nonet_channel_options bad[] = {
		{.size = 1},
		{.size = sizeof(bad[0]), .flags = NONET_CHANNEL_MAY_EXIST},
		{.size = sizeof(bad[0]), .flags = NONET_CHANNEL_HUGE | NONET_CHANNEL_HUGE_ONLY},
		{.size = sizeof(bad[0]), .flags = 1u << 20},
		{.size = sizeof(bad[0]), .publishers = 2},
		{.size = sizeof(bad[0]), .subscribers = 2},
		{.size = sizeof(bad[0]), .mode = 0600},
		{.size = sizeof(bad[0]), .lane = LANE + 1},
		{.size = sizeof(bad[0]), .policy = 3},
		{.size = sizeof(bad[0]), .reserved = {1}},
	};
	const struct nonet_subscriber_options worse[] = {
		{.size = sizeof(worse[0]), .flags = 1u << 20},
		{.size = sizeof(worse[0]), .flags = NONET_SUBSCRIBER_TAP},
	};
	const struct nonet_channel_options named = {.size = sizeof(named), .flags = NONET_CHANNEL_HUGE};
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_unix *a;
	struct nonet_unix *b;

	(void)state;
	link_pair(NONET_UNIX_STREAM, &a, &b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nonet_error error = {0};

		test_check_equal(nonet_publisher_take_socket(&a, &bad[i], NONET_NOW, &publisher, &error), -EINVAL);
		test_check(error.text[0] != '\0' && a != NULL && publisher == NULL);
	}
	for (size_t i = 0; i < 2; i++)
		test_check_equal(nonet_subscriber_take_socket(&b, &worse[i], NONET_NOW, &subscriber, NULL), -EINVAL);
	nonet_unix_close(a);
	nonet_unix_close(b);
	link_pair(NONET_UNIX_DATAGRAM, &a, &b);
	test_check_equal(nonet_publisher_take_socket(&a, NULL, NONET_NOW, &publisher, NULL), -EOPNOTSUPP);
	test_check_equal(nonet_subscriber_take_socket(&b, NULL, NONET_NOW, &subscriber, NULL), -EOPNOTSUPP);
	test_check(a && b && !publisher && !subscriber);
	nonet_unix_close(a);
	nonet_unix_close(b);
	/* A name's memory is on tmpfs. */
	test_check_equal(nonet_channel_create("channel:huge", &named, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_published_is_received),
		test_case(it_goes_round_the_ring),
		test_case(each_policy_is_kept),
		test_case(who_sleeps_is_woken),
		test_case(who_waits_by_descriptor_is_woken),
		test_case(who_may_not_make_fences_is_published_to_with_them),
		test_case(who_waits_for_room_is_rung),
		test_case(it_is_waited_for_with_others),
		test_case(the_end_is_told_after_the_last_message),
		test_case(a_publisher_is_told_that_nobody_reads),
		test_case(huge_pages_are_used_if_there_are_any),
		test_case(a_child_has_nothing_of_it_and_ends_nothing),
		test_case(an_option_that_makes_no_sense_is_refused),
	};
	return test_main(tests);
}
