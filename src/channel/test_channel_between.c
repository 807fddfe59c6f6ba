/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "channel/test_channel_words.h"
#include "harness/domain.h"
#include "harness/process.h"
#include "harness/test.h"
#include "sys/fault.h"

/*
 * What is between two steps: of one publisher, instruction by instruction, and what the dead leave there. Words that
 * only one who is killed at the right instruction leaves so are written by hand.
 */

static char bytes[1000];

static int send_bytes(struct nonet_publisher *publisher)
{
	return nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW);
}

/* Runs a lane full, so that the next sends raise the floor, and waits to be led through them. */
static void publish_in_steps(void)
{
	struct nonet_publisher *publisher = words_publish();

	for (int i = 0; i < 60; i++)
		test_check_equal(send_bytes(publisher), 0);
	test_must(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	for (int i = 0; i < 8; i++)
		test_check_equal(send_bytes(publisher), 0);
	_exit(0);
}

/* One who is being overtaken looks after every instruction of who overtakes him. */
DOMAIN_TEST(the_overtaken_look_at_any_moment)
{
	struct nonet_subscriber *subscriber;
	struct nonet_message message = {0};
	unsigned steps = 0;
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_DROP, 1);
	subscriber = words_subscribe(0);
	child = (pid_t)test_must(fork());
	if (child == 0)
		publish_in_steps();
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check(WIFSTOPPED(status));
	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	while (WIFSTOPPED(status)) {
		/* Too large for no buffer, so that it stays the next. */
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, 0, NONET_NOW, NULL), -EMSGSIZE);
		test_must(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		test_check_equal(test_must(waitpid(child, &status, 0)), child);
		steps++;
	}
	test_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check(message.lost > 0);
	test_check_equal(message.sequence, 2 + message.lost);
	test_note("looked after each of %u instructions", steps);
	nonet_subscriber_close(subscriber);
	return 0;
}

/*
 * One joined while the floor was raised: he is below it, as its publisher would have seen by a second look, but was
 * killed before. The next publisher sees it.
 */
DOMAIN_TEST(who_is_below_the_floor_isnt_overwritten)
{
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct nonet_message message;
	struct words words;
	uint64_t sent = 0;
	uint64_t got = 0;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	subscriber = words_subscribe(0);
	publisher = words_publish();
	while (send_bytes(publisher) == 0)
		sent++;
	nonet_publisher_close(publisher);
	words = words_map();
	test_check(atomic_load(&words.lane->marked) > 8);
	atomic_store(&words.lane->floor_mark, 8);
	words_unmap(&words);
	publisher = words_publish();
	for (; got < 8; got++)
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	while (send_bytes(publisher) == 0)
		sent++;
	for (; got < sent; got++) {
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, &message), 1000);
		test_check_equal(message.sequence, got);
	}
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int publish_until_killed(struct test_child_side *side, void *argument)
{
	(void)argument;
	words_publish();
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int subscribe_until_killed(struct test_child_side *side, void *argument)
{
	(void)argument;
	words_subscribe(0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* He took a place that one who lives had left, and died before he said who he is: it is free all the same. */
DOMAIN_TEST(who_dies_before_he_says_who_he_is_keeps_no_place)
{
	struct nonet_subscriber *subscriber;
	struct words words;
	uint64_t left[2];

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	nonet_publisher_close(words_publish());
	nonet_subscriber_close(words_subscribe(0));
	words = words_map();
	left[0] = atomic_load(&words.lane->member);
	left[1] = atomic_load(&words.seats->member);
	test_kill(test_child_until(publish_until_killed, NULL));
	test_kill(test_child_until(subscribe_until_killed, NULL));
	test_check(atomic_load(&words.lane->claim) != 0 && atomic_load(&words.seats->claim) != 0);
	atomic_store(&words.lane->member, left[0]);
	atomic_store(&words.seats->member, left[1]);
	nonet_publisher_close(words_publish());
	subscriber = words_subscribe(0);
	/* The first seat is taken, not the next. */
	test_check_equal(atomic_load(&words.seats[1].claim), 0);
	nonet_subscriber_close(subscriber);
	words_unmap(&words);
	return 0;
}

/* Descriptor and bell: one who arms is told of a lane that he has never seen. */
DOMAIN_TEST(a_lane_that_is_new_is_told_by_descriptor)
{
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct pollfd bell = {.events = POLLIN};
	struct nonet_publisher *publishers[5];
	nonet_time latest = 0;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 8);
	subscriber = words_subscribe(0);
	bell.fd = nonet_subscriber_fd(subscriber);
	for (int i = 0; i < 5; i++) {
		const nonet_time begin = test_clock();

		test_check_equal(nonet_subscriber_arm(subscriber), 0);
		test_check_equal(poll(&bell, 1, 0), 0);
		/* Kept open, so that each has another lane. */
		publisher = words_publish();
		test_check_equal(send_bytes(publisher), 0);
		test_check_equal(poll(&bell, 1, 10000), 1);
		latest = test_clock() - begin > latest ? test_clock() - begin : latest;
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
		publishers[i] = publisher;
	}
	/* Nobody was left to the look that comes every 100 ms: at once five times in a row, it wouldn't be. */
	test_check(latest < NONET_MS(90) * (nonet_time)test_slowness());
	for (int i = 0; i < 5; i++)
		nonet_publisher_close(publishers[i]);
	nonet_subscriber_close(subscriber);
	return 0;
}

/*
 * Where membarrier(2) is forbidden a publisher without a fence may not see that one has armed. This one never does: the
 * helper looks each millisecond instead of ten times a second.
 */
DOMAIN_TEST(who_may_not_make_fences_is_told_soon)
{
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct pollfd bell = {.events = POLLIN};
	nonet_time fastest = NONET_FOREVER;
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	subscriber = words_subscribe(0);
	publisher = words_publish();
	words = words_map();
	for (int i = 0; i < 1100; i++) {
		test_check_equal(send_bytes(publisher), 0);
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	}
	test_check_equal(atomic_load(&words.lane->unfenced), 1);
	bell.fd = nonet_subscriber_fd(subscriber);
	sys_fault_arm_kind(SYS_CALL_MEMBARRIER, EPERM);
	for (int i = 0; i < 5; i++) {
		nonet_time begin;

		test_check_equal(nonet_subscriber_arm(subscriber), 0);
		/* The helper has had its look. */
		test_threads_settle();
		atomic_store(&words.lane->armed, atomic_load(&words.lane->bell) - 1);
		begin = test_clock();
		test_check_equal(send_bytes(publisher), 0);
		test_check_equal(poll(&bell, 1, 10000), 1);
		fastest = test_clock() - begin < fastest ? test_clock() - begin : fastest;
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	}
	sys_fault_disarm();
	test_check(fastest < NONET_MS(50));
	words_unmap(&words);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

/* What was held and what was copied is all read: nobody is waited for who has nothing. */
DOMAIN_TEST(the_last_release_makes_all_room)
{
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct nonet_message message;
	uint64_t sent = 0;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_REFUSE, 1);
	subscriber = words_subscribe(0);
	publisher = words_publish();
	while (send_bytes(publisher) == 0)
		sent++;
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	for (uint64_t i = 1; i < sent; i++)
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	test_check_equal(send_bytes(publisher), -EAGAIN);
	test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	for (uint64_t i = 0; i < sent / 2; i++)
		test_check_equal(send_bytes(publisher), 0);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

/* What is kept back is in the way of nobody but itself: that isn't waited for, since it wouldn't end. */
DOMAIN_TEST(a_batch_that_is_too_large_ends)
{
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	struct nonet_message message;
	void *buffer;
	uint64_t kept = 0;
	int error = 0;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	subscriber = words_subscribe(0);
	publisher = words_publish();
	while (error == 0) {
		error = nonet_publisher_loan(publisher, 1000, NONET_FOREVER, &buffer);
		if (error == 0) {
			memset(buffer, 'a', 1000);
			test_check_equal(nonet_publisher_publish(publisher, 1000, NONET_CHANNEL_MORE), 0);
			kept++;
		}
		/* He has read all that he can. */
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	}
	test_check_equal(error, -EAGAIN);
	test_check_equal(nonet_publisher_abort(publisher), 0);
	for (uint64_t i = 0; i < kept; i++) {
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
		test_check_equal(message.sequence, i);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	}
	test_check_equal(send_bytes(publisher), 0);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return 0;
}

/* Notes without end, of one who raises the floor as he goes round: there always is something, and never a message. */
DOMAIN_TEST(deadlines_hold_whatever_is_in_the_ring)
{
	static const uint32_t flags[] = {0, NONET_SUBSCRIBER_SLEEP, NONET_SUBSCRIBER_POLL};
	const uint64_t note = (CHANNEL_LINE - CHANNEL_HEADER) | CHANNEL_VALID | CHANNEL_NOTE;
	struct nonet_message message;
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	nonet_publisher_close(words_publish());
	words = words_map();
	for (int i = 0; i < 3; i++) {
		struct nonet_subscriber *subscriber;

		memset(words.ring, 0, WORDS_LANE);
		subscriber = words_subscribe(flags[i]);
		for (size_t at = 0; at < WORDS_LANE; at += CHANNEL_LINE)
			memcpy(words.ring + at, &note, sizeof(note));
		atomic_store(&words.lane->floor, CHANNEL_POSITION_MOST);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
		test_check_equal(nonet_subscriber_take(subscriber, nonet_after(NONET_MS(2)), &message), -ETIMEDOUT);
		atomic_store(&words.lane->floor, 0);
		nonet_subscriber_close(subscriber);
	}
	words_unmap(&words);
	return 0;
}

/* One thread of a killed publisher may still write, here one of ours: his lane is nobody's before that is gone. */
DOMAIN_TEST(the_lane_of_one_who_may_still_write_isnt_taken)
{
	struct nonet_publisher *publisher;
	struct nonet_publisher *other = NULL;
	struct test_child *child;
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 2);
	words = words_map();
	publisher = words_publish();
	child = test_child_until(publish_until_killed, NULL);
	atomic_store(&words.lane[1].member, atomic_load(&words.lane[0].member));
	test_kill(child);
	test_check_equal(nonet_publisher_open(WORDS_CHANNEL, &other, NULL), -EUSERS);
	atomic_store(&words.lane[1].member, CHANNEL_NOBODY);
	nonet_publisher_close(words_publish());
	nonet_publisher_close(publisher);
	words_unmap(&words);
	return 0;
}

/* A length that no message can have, a number that isn't the next one's: it is told, whoever reads or publishes. */
DOMAIN_TEST(what_a_header_says_is_no_bound)
{
	static const uint64_t headers[] = {
		(WORDS_LANE / 2 + 8) | CHANNEL_VALID,
		CHANNEL_LENGTH | CHANNEL_VALID,
		8 | CHANNEL_VALID | UINT64_C(1) << CHANNEL_SEQUENCE_SHIFT,
		8,
	};

	(void)side;
	(void)argument;
	for (size_t i = 0; i < 2 * sizeof(headers) / sizeof(headers[0]); i++) {
		struct nonet_subscriber *subscriber = NULL;
		struct nonet_publisher *publisher = NULL;
		struct nonet_message message;
		struct words words;

		words_make(NONET_CHANNEL_BLOCK, 1);
		nonet_publisher_close(words_publish());
		words = words_map();
		memcpy(words.ring, &headers[i / 2], sizeof(headers[0]));
		/* Each for himself: once it is found, all others are told. */
		if (i % 2) {
			subscriber = words_subscribe(NONET_SUBSCRIBER_HISTORY);
			test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EBADMSG);
		}
		test_check_equal(nonet_publisher_open(WORDS_CHANNEL, &publisher, NULL), -EBADMSG);
		nonet_subscriber_close(subscriber);
		words_unmap(&words);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(who_dies_before_he_says_who_he_is_keeps_no_place),
		test_case(the_overtaken_look_at_any_moment),
		test_case(who_is_below_the_floor_isnt_overwritten),
		test_case(a_lane_that_is_new_is_told_by_descriptor),
		test_case(who_may_not_make_fences_is_told_soon),
		test_case(the_last_release_makes_all_room),
		test_case(a_batch_that_is_too_large_ends),
		test_case(deadlines_hold_whatever_is_in_the_ring),
		test_case(the_lane_of_one_who_may_still_write_isnt_taken),
		test_case(what_a_header_says_is_no_bound),
	};
	return test_main(tests);
}
