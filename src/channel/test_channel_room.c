/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <nonet/channel.h>

#include "channel/channel.h"
#include "channel/test_channel_words.h"
#include "harness/domain.h"
#include "harness/test.h"
#include "sys/futex.h"

/*
 * Who waits for room may be missed by a subscriber whose position hasn't gone out when he looks whether anybody waits.
 * A processor does that too rarely to be caught at it, so a test does what the others would see:
 * proofs/channel_room.pml.
 */
#define SIZE  (WORDS_LANE / 4) /* three fit */
#define TRIES 9

static int send_asleep(struct test_child_side *side, void *argument)
{
	struct nonet_publisher *publisher = words_publish();
	void *buffer;

	(void)argument;
	test_report(side, "ready");
	for (int i = 0; i < 3 + TRIES; i++) {
		test_check_equal(nonet_publisher_loan(publisher, SIZE, test_deadline(), &buffer), 0);
		test_check_equal(nonet_publisher_publish(publisher, SIZE, 0), 0);
		test_report(side, "sent");
	}
	nonet_publisher_close(publisher);
	return 0;
}

/*
 * One tells of room that isn't there, and is late to wake; another has read, and doesn't tell. Return: how long it
 * takes until the publisher has found his room.
 */
static nonet_time read_untold(const struct words *words, struct nonet_subscriber *subscriber,
			      struct test_child *publisher)
{
	const uint32_t room = atomic_load(&words->lane->room) + 1;
	struct nonet_message message;
	nonet_time begin;
	nonet_time moment;

	test_child_wait_blocked(publisher);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	atomic_store(&words->lane->room, room);
	(void)sys_futex_wake(&words->lane->room, SYS_FUTEX_ALL);
	while (atomic_load(&words->lane->wants) != room)
		test_check(test_clock() < test_deadline());
	begin = test_clock();
	do {
		(void)sys_futex_wake(&words->lane->room, SYS_FUTEX_ALL);
		moment = test_clock();
	} while (moment - begin < NONET_US(200));
	atomic_store(&words->positions[0].position, (message.position + channel_record(message.size)) | CHANNEL_READS);
	test_child_wait_state(publisher, "sent");
	moment = test_clock() - moment;
	test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	return moment;
}

static int by_length(const void *one, const void *other)
{
	const nonet_time a = *(const nonet_time *)one;
	const nonet_time b = *(const nonet_time *)other;

	return (a > b) - (a < b);
}

/* A first sleep that was cut short isn't the last short one: else he sleeps on for the 100 ms that nobody has to wait.
 */
DOMAIN_TEST(a_wake_that_comes_late_makes_nobody_sleep_long)
{
	struct nonet_subscriber *subscriber;
	struct test_child *publisher;
	nonet_time times[TRIES];
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	words = words_map();
	subscriber = words_subscribe(0);
	publisher = test_child_until(send_asleep, NULL);
	for (int i = 0; i < 3; i++)
		test_child_wait_state(publisher, "sent");
	for (int i = 0; i < TRIES; i++)
		times[i] = read_untold(&words, subscriber, publisher);
	test_check_equal(test_child_join(publisher), 0);
	qsort(times, TRIES, sizeof(times[0]), by_length);
	test_note("found after %lld us, the median of %d", (long long)(times[TRIES / 2] / 1000), TRIES);
	/* Where we were held up for longer than a short sleep, it was over before: so not each time. */
	test_check(times[TRIES / 2] < NONET_MS(50) * (nonet_time)test_slowness());
	nonet_subscriber_close(subscriber);
	words_unmap(&words);
	return 0;
}

static uint64_t receive_number(struct nonet_subscriber *subscriber)
{
	uint64_t number = 0;

	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), NONET_NOW, NULL),
			 sizeof(number));
	return number;
}

/*
 * A publisher who knows how far all have read looks for room by that alone, until somebody joins: who begins with the
 * oldest message there is loses none. @joins: the word's value before
 */
static void join_late(uint32_t joins)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *reader;
	struct nonet_subscriber *late;
	struct words words;
	uint64_t sent = 0;
	uint64_t number;

	words_make(NONET_CHANNEL_REFUSE, 1);
	words = words_map();
	atomic_store(&words.lane->joins, joins);
	publisher = words_publish();
	reader = words_subscribe(0);
	/* Two rounds and a half: what was seen last is from the third one, the floor from the second. */
	while (sent < 5 * (WORDS_LANE / 16) / 2) {
		test_check_equal(nonet_publisher_send(publisher, &sent, sizeof(sent), NONET_NOW), 0);
		test_check_equal(receive_number(reader), sent);
		sent++;
	}
	late = words_subscribe(NONET_SUBSCRIBER_HISTORY);
	while (nonet_publisher_send(publisher, &sent, sizeof(sent), NONET_NOW) == 0) {
		test_check_equal(receive_number(reader), sent);
		sent++;
	}
	/* All of a round, but for one step and what the last publisher's note takes. */
	number = receive_number(late);
	test_check(sent - number > WORDS_LANE / 16 * (CHANNEL_STEPS - 1) / CHANNEL_STEPS - 4);
	while (number + 1 < sent)
		test_check_equal(receive_number(late), ++number);
	/* And it goes on. */
	test_check_equal(nonet_publisher_send(publisher, &sent, sizeof(sent), NONET_NOW), 0);
	nonet_subscriber_close(late);
	nonet_subscriber_close(reader);
	nonet_publisher_close(publisher);
	words_unmap(&words);
	test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
}

DOMAIN_TEST(who_joins_late_loses_nothing)
{
	(void)side;
	(void)argument;
	join_late(0);
	join_late(UINT32_MAX);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_wake_that_comes_late_makes_nobody_sleep_long),
		test_case(who_joins_late_loses_nothing),
	};

	return test_main(tests);
}
