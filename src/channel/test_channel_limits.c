/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <nonet/channel.h>

#include "channel/subscriber.h"
#include "channel/test_channel_words.h"
#include "harness/deadline.h"
#include "harness/domain.h"
#include "harness/process.h"
#include "harness/test.h"
#include "sys/fault.h"

/* Channels at their limits: the most and the least of everything, no memory, and one who is stopped. */

DOMAIN_TEST(as_many_as_there_may_be)
{
	const struct nonet_channel_options options = {.size = sizeof(options),
						      .lane = WORDS_LANE,
						      .publishers = NONET_CHANNEL_PUBLISHERS,
						      .subscribers = NONET_CHANNEL_SUBSCRIBERS};
	static struct nonet_publisher *publishers[NONET_CHANNEL_PUBLISHERS];
	static struct nonet_subscriber *subscribers[NONET_CHANNEL_SUBSCRIBERS];
	struct nonet_publisher *none = NULL;
	struct nonet_subscriber *nobody = NULL;
	struct nonet_message message;
	uint64_t number;

	(void)side;
	(void)argument;
	test_check_equal(nonet_channel_create(WORDS_CHANNEL, &options, NULL), 0);
	for (number = 0; number < NONET_CHANNEL_PUBLISHERS; number++)
		publishers[number] = words_publish();
	for (int i = 0; i < (int)NONET_CHANNEL_SUBSCRIBERS; i++)
		subscribers[i] = words_subscribe(NONET_SUBSCRIBER_SLEEP);
	test_check_equal(nonet_publisher_open(WORDS_CHANNEL, &none, NULL), -EUSERS);
	test_check_equal(nonet_subscriber_open(WORDS_CHANNEL, NULL, &nobody, NULL), -EUSERS);
	test_check(!none && !nobody);
	/* All lanes, and those who publish in them, are slept on at once. */
	for (number = 0; number < NONET_CHANNEL_PUBLISHERS; number++)
		test_check_equal(nonet_publisher_send(publishers[number], &number, sizeof(number), NONET_NOW), 0);
	for (int i = 0; i < (int)NONET_CHANNEL_SUBSCRIBERS; i += 51) {
		uint64_t seen = 0;

		for (int j = 0; j < (int)NONET_CHANNEL_PUBLISHERS; j++) {
			test_check_equal(
				nonet_subscriber_receive(subscribers[i], &number, sizeof(number), NONET_NOW, &message),
				8);
			seen |= UINT64_C(1) << number;
		}
		test_check_equal(seen, (UINT64_C(1) << NONET_CHANNEL_PUBLISHERS) - 1);
		test_check_equal(nonet_subscriber_take(subscribers[i], nonet_after(NONET_MS(1)), &message), -ETIMEDOUT);
	}
	for (int i = 0; i < (int)NONET_CHANNEL_SUBSCRIBERS; i++)
		nonet_subscriber_close(subscribers[i]);
	for (number = 0; number < NONET_CHANNEL_PUBLISHERS; number++)
		nonet_publisher_close(publishers[number]);
	return 0;
}

static void send_and_read(struct nonet_publisher *publisher, struct nonet_subscriber *subscriber, size_t size)
{
	struct nonet_message message;
	void *buffer;

	test_check_equal(nonet_publisher_loan(publisher, size, NONET_NOW, &buffer), 0);
	memset(buffer, 'x', size);
	test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check_equal(message.size, size);
	test_check(size == 0 ||
		   (((const char *)message.data)[0] == 'x' && ((const char *)message.data)[size - 1] == 'x'));
	test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
}

/* The empty ones are nothing but headers; one of the most fits whenever all is read, wherever the lane is. */
DOMAIN_TEST(messages_of_nothing_and_of_the_most)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	void *buffer;
	int empty = 0;

	(void)side;
	(void)argument;
	for (uint32_t policy = NONET_CHANNEL_BLOCK; policy <= NONET_CHANNEL_DROP; policy++) {
		words_make(policy, 1);
		publisher = words_publish();
		subscriber = words_subscribe(0);
		for (int i = 0; i < 30000; i++)
			send_and_read(publisher, subscriber, 0);
		for (int i = 0; i < 300; i++) {
			send_and_read(publisher, subscriber, (size_t)(i % 7) * 1001);
			send_and_read(publisher, subscriber, nonet_publisher_limit(publisher));
			/* Most of what was loaned isn't used. */
			test_check_equal(
				nonet_publisher_loan(publisher, nonet_publisher_limit(publisher), NONET_NOW, &buffer),
				0);
			test_check_equal(nonet_publisher_publish(publisher, 0, 0), 0);
			test_check_equal(nonet_subscriber_receive(subscriber, NULL, 0, NONET_NOW, NULL), 0);
		}
		/* Until it is full; nobody reads. */
		while (policy != NONET_CHANNEL_DROP && nonet_publisher_send(publisher, NULL, 0, NONET_NOW) == 0)
			empty++;
		nonet_subscriber_close(subscriber);
		nonet_publisher_close(publisher);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	test_check(empty > 15000 && empty < 16384);
	return 0;
}

/* A lane that there is no memory for: nobody has it then, and those who read go on. */
DOMAIN_TEST(a_lane_without_memory_is_refused)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = UINT64_C(1) << 40};
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher = NULL;
	struct nonet_message message;
	int error;

	(void)side;
	(void)argument;
	error = nonet_channel_create(WORDS_CHANNEL, &options, NULL);
	test_check_equal(error, 0);
	subscriber = words_subscribe(0);
	for (int i = 0; i < 3; i++) {
		error = nonet_publisher_open(WORDS_CHANNEL, &publisher, NULL);
		test_check(error == -ENOSPC || error == -ENOMEM || error == -EFBIG);
		test_check(!publisher);
	}
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int read_until_the_end(struct test_child_side *side, void *argument)
{
	struct nonet_subscriber *subscriber = words_subscribe(NONET_SUBSCRIBER_END);
	uint64_t expected = 0;
	uint64_t number = 0;
	int result;

	(void)argument;
	test_report(side, "ready");
	for (;;) {
		result = nonet_subscriber_receive(subscriber, &number, sizeof(number), test_deadline(), NULL);
		if (result != 8)
			break;
		test_check_equal(number, expected++);
	}
	test_check_equal(result, -EPIPE);
	test_report_number(side, (int64_t)expected);
	nonet_subscriber_close(subscriber);
	return 0;
}

/* One who is stopped lives: he is waited for until the deadline, or not at all, and then gets everything. */
DOMAIN_TEST(one_who_is_stopped_is_slow)
{
	(void)side;
	(void)argument;
	for (uint32_t policy = NONET_CHANNEL_BLOCK; policy <= NONET_CHANNEL_REFUSE; policy++) {
		struct nonet_publisher *publisher;
		struct test_child *reader;
		uint64_t sent = 0;
		nonet_time begin;

		words_make(policy, 1);
		publisher = words_publish();
		reader = test_child_until(read_until_the_end, NULL);
		test_child_stop(reader);
		while (nonet_publisher_send(publisher, &sent, sizeof(sent), NONET_NOW) == 0)
			sent++;
		test_check(sent > 3500);
		begin = test_clock();
		test_check_equal(nonet_publisher_send(publisher, &sent, sizeof(sent), nonet_after(NONET_MS(150))),
				 policy == NONET_CHANNEL_BLOCK ? -ETIMEDOUT : -EAGAIN);
		test_check(policy == NONET_CHANNEL_REFUSE || test_clock() - begin >= NONET_MS(150));
		test_child_continue(reader);
		while (policy == NONET_CHANNEL_BLOCK && sent < 20000) {
			test_check_equal(nonet_publisher_send(publisher, &sent, sizeof(sent), test_deadline()), 0);
			sent++;
		}
		nonet_publisher_close(publisher);
		test_check_equal(test_child_number(reader), (int64_t)sent);
		test_check_equal(test_child_join(reader), 0);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

struct watch {
	const struct words *words;
	atomic_bool stop;
	_Atomic uint64_t least;
};

/* The least position that a seat ever says it reads from. */
static void *watch_seat(void *argument)
{
	struct watch *watch = argument;

	while (!atomic_load(&watch->stop)) {
		const uint64_t position = atomic_load(&watch->words->positions[0].position);

		if (position & CHANNEL_READS && position < atomic_load(&watch->least))
			atomic_store(&watch->least, position);
	}
	return NULL;
}

/* Who joins without the history keeps no more of a full ring than what follows the last mark: at no moment. */
DOMAIN_TEST(one_who_joins_takes_no_room)
{
	struct nonet_publisher *publisher;
	struct words words;
	struct watch watch = {.words = &words, .least = UINT64_MAX};
	pthread_t thread;
	uint64_t tail = 0;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	words = words_map();
	publisher = words_publish();
	for (uint64_t i = 0; i < 2 * WORDS_LANE / 16 + 100; i++)
		test_check_equal(nonet_publisher_send(publisher, &i, sizeof(i), NONET_NOW), 0);
	test_check_equal(pthread_create(&thread, NULL, watch_seat, &watch), 0);
	/* Until it has seen one at all: a busy machine may let it begin late. */
	for (int i = 0; i < 500 || atomic_load(&watch.least) == UINT64_MAX; i++) {
		struct nonet_subscriber *subscriber = words_subscribe(0);

		tail = atomic_load(&words.positions[0].position);
		nonet_subscriber_close(subscriber);
	}
	atomic_store(&watch.stop, true);
	test_check_equal(pthread_join(thread, NULL), 0);
	test_check(atomic_load(&watch.least) <= tail);
	test_check(tail - atomic_load(&watch.least) <= WORDS_LANE / CHANNEL_STEPS + 64);
	nonet_publisher_close(publisher);
	words_unmap(&words);
	return 0;
}

/* The floor is above the last mark: nobody begins below it, where all may be overwritten. */
DOMAIN_TEST(nobody_joins_below_the_floor)
{
	struct nonet_subscriber *subscriber = NULL;
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 1);
	words = words_map();
	atomic_store(&words.lane->marks[0].position, 4096);
	atomic_store(&words.lane->marked, 2);
	test_check_equal(nonet_subscriber_open(WORDS_CHANNEL, NULL, &subscriber, NULL), -EBADMSG);
	test_check(!subscriber);
	words_unmap(&words);
	return 0;
}

static int publish_and_hang(struct test_child_side *side, void *argument)
{
	(void)argument;
	(void)words_publish();
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* How long after @begin the descriptor told of it, that is of the end. */
static nonet_time await_the_end(struct nonet_subscriber *subscriber, nonet_time begin)
{
	struct pollfd poll_fd = {nonet_subscriber_fd(subscriber), POLLIN, 0};
	struct nonet_message message;
	int result;

	test_check_equal(test_poll(&poll_fd, 1, test_deadline()), 1);
	begin = test_clock() - begin;
	while ((result = nonet_subscriber_take(subscriber, NONET_NOW, &message)) == -EAGAIN)
		if (nonet_subscriber_arm(subscriber) == 0)
			test_check_equal(test_poll(&poll_fd, 1, test_deadline()), 1);
	test_check_equal(result, -EPIPE);
	return begin;
}

enum death {
	DEATH,
	DEATH_OF_LAST_THREAD, /* who was killed is seen to be, and may still publish for a while */
	DEATH_UNSEEN,         /* membarrier(2) is forbidden */
	DEATHS,
};

/* From a publisher's death to when its subscriber's descriptor tells. */
static nonet_time be_told(struct nonet_subscriber *subscriber, struct words *words, enum death death)
{
	const bool last_thread = death == DEATH_OF_LAST_THREAD;
	struct nonet_publisher *publisher = words_publish();
	struct test_child *child = test_child_until(publish_and_hang, NULL);
	struct nonet_message message;
	nonet_time begin;

	if (last_thread) {
		/* As if he were one of ours, who live. */
		atomic_store(&words->lane[1].member, atomic_load(&words->lane[0].member));
		test_kill(child);
	}
	nonet_publisher_close(publisher);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	if (death == DEATH_UNSEEN) {
		atomic_store(&words->lane[1].unfenced, 1);
		sys_fault_arm_kind(SYS_CALL_MEMBARRIER, EPERM);
	}
	test_check_equal(nonet_subscriber_arm(subscriber), 0);
	sys_fault_disarm();
	test_threads_settle(); /* the helper has looked */
	begin = test_clock();
	if (last_thread)
		atomic_store(&words->lane[1].member, CHANNEL_NOBODY);
	else
		test_kill(child);
	return await_the_end(subscriber, begin);
}

/* Who is killed rings nobody, and raises no news; nor does his last thread, which may go some time after the first. */
DOMAIN_TEST(the_end_of_the_killed_is_told_by_descriptor)
{
	static const char *const names[] = {"killed", "its last thread gone", "killed, without fences"};
	struct nonet_subscriber *subscriber;
	struct words words;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_BLOCK, 2);
	words = words_map();
	subscriber = words_subscribe(NONET_SUBSCRIBER_END);
	for (enum death death = DEATH; death < DEATHS; death++) {
		nonet_time least = NONET_FOREVER;

		/* Not by the look that comes every 100 ms: a busy machine is late once. */
		for (int round = 0; round < 8 && least > NONET_MS(20); round++) {
			const nonet_time took = be_told(subscriber, &words, death);

			least = took < least ? took : least;
		}
		test_note("%s: told by descriptor after %lld us", names[death], (long long)(least / 1000));
		test_check(least < NONET_MS(20) * (nonet_time)test_slowness());
	}
	words_unmap(&words);
	nonet_subscriber_close(subscriber);
	return 0;
}

static nonet_time processor_time(void)
{
	struct timespec time;

	test_must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
	return time.tv_sec * NONET_S(1) + time.tv_nsec;
}

/* What the cheapest of so many waits in vain takes of the processor: a busy machine makes the others dearer. */
static nonet_time wait_in_vain(struct nonet_subscriber *subscriber, unsigned count)
{
	nonet_time least = NONET_FOREVER;
	struct nonet_message message;

	for (unsigned i = 0; i < count; i++) {
		const nonet_time begin = processor_time();
		nonet_time took;

		test_check_equal(nonet_subscriber_take(subscriber, nonet_after(NONET_US(100)), &message), -ETIMEDOUT);
		took = processor_time() - begin;
		least = took < least ? took : least;
	}
	return least;
}

/* ... and what looking alone does. */
static nonet_time look_in_vain(void)
{
	nonet_time least = NONET_FOREVER;

	for (unsigned i = 0; i < 16; i++) {
		const nonet_time begin = processor_time();
		nonet_time took;

		for (unsigned j = 0; j < SUBSCRIBER_LOOKS; j++)
			pause_once();
		took = processor_time() - begin;
		least = took < least ? took : least;
	}
	return least;
}

/* Where nobody is prompt it sleeps at once, but for each 16th time; and looks again when one was. */
DOMAIN_TEST(nobody_looks_in_vain_for_long)
{
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	const nonet_time looks = look_in_vain();
	nonet_time looking;
	nonet_time sleeping;

	(void)side;
	(void)argument;
	for (uint32_t lanes = 1; lanes <= 2; lanes++) {
		words_make(NONET_CHANNEL_BLOCK, lanes);
		publisher = words_publish();
		subscriber = words_subscribe(0);
		looking = wait_in_vain(subscriber, 16);
		sleeping = wait_in_vain(subscriber, 320);
		test_note("%u lanes: %lld ns looking, %lld ns sleeping; the looks take %lld ns", lanes,
			  (long long)looking, (long long)sleeping, (long long)looks);
		/* On one processor nobody ever looks. */
		if (pause_helps())
			test_check(looking > looks / 2 && sleeping < looks);
		test_check(subscriber->vain >= 16 || !pause_helps());
		nonet_subscriber_close(subscriber);
		nonet_publisher_close(publisher);
		test_check_equal(nonet_channel_unlink(WORDS_CHANNEL, NULL), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(as_many_as_there_may_be),
		test_case(messages_of_nothing_and_of_the_most),
		test_case(a_lane_without_memory_is_refused),
		test_case(one_who_is_stopped_is_slow),
		test_case(one_who_joins_takes_no_room),
		test_case(nobody_joins_below_the_floor),
		test_case(the_end_of_the_killed_is_told_by_descriptor),
		test_case(nobody_looks_in_vain_for_long),
	};
	return test_main(tests);
}
