/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two publishers and three subscribers of one channel; every 5 ms one of them is killed, whatever it is doing, and
 * another takes its place. A stream is what one publisher's life publishes and one subscriber's life reads. Of each,
 * every message is there, whole and in order: from the first that was seen to the last whose publishing returned. With
 * NONET_CHANNEL_DROP what is missing is counted, exactly.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <nonet/channel.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/prove.h"
#include "harness/random.h"
#include "harness/test.h"

#define CHANNEL     "channel:kill"
#define PUBLISHERS  2
#define SUBSCRIBERS 3
#define LANES       4
/* A message in 64 is LARGE, the others up to SMALL bytes. */
#define LANE  (UINT64_C(1) << 18)
#define SMALL 2000u
#define LARGE 60000u
/* On average two of the next: a kill every 5 ms, and 24 million messages in a minute of each policy. */
#define PAUSE    NONET_MS(10)
#define MESSAGES UINT64_C(24000000)
/* Publishers' lives in one run, by far. */
#define STREAMS (UINT64_C(1) << 16)

/* What all processes of a run share. */
struct board {
	_Atomic int stop;         /* publishers, end */
	_Atomic uint64_t streams; /* how many publishers' lives there were; numbers are from 1 on */
	_Atomic uint64_t read;
	_Atomic uint64_t lost;
	_Atomic uint64_t sent[STREAMS]; /* by each: messages whose publishing has returned */
};

struct role {
	struct board *board;
	int number;
	bool drops;
};

struct head {
	uint64_t stream;
	uint64_t number;
};

/* What a message has behind its head begins at any place of it. */
static unsigned char pattern[256 + LARGE];

static const unsigned char *bytes_of(const struct head *head)
{
	return pattern + (head->stream * 31 + head->number * 7) % 256;
}

static size_t size_of(const struct head *head)
{
	const uint64_t random = (head->stream << 32 ^ head->number) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	return sizeof(*head) + (random >> 8) % ((random % 64 == 0 ? LARGE : SMALL) - sizeof(*head));
}

static int publish(struct test_child_side *side, void *argument)
{
	const struct role *role = argument;
	struct board *board = role->board;
	struct nonet_publisher *publisher = NULL;
	struct head head = {.stream = atomic_fetch_add(&board->streams, 1) + 1};
	void *buffer;

	test_check(head.stream < STREAMS);
	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, NULL), 0);
	test_report(side, "ready");
	for (; !atomic_load_explicit(&board->stop, memory_order_relaxed); head.number++) {
		const size_t size = size_of(&head);

		test_check_equal(nonet_publisher_loan(publisher, size, test_deadline(), &buffer), 0);
		memcpy(buffer, &head, sizeof(head));
		memcpy((char *)buffer + sizeof(head), bytes_of(&head), size - sizeof(head));
		test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
		atomic_store_explicit(&board->sent[head.stream], head.number + 1, memory_order_release);
	}
	nonet_publisher_close(publisher);
	return 0;
}

/* How far a subscriber has come in one lane. */
struct place {
	uint64_t stream; /* 0: it has seen none yet */
	uint64_t next;   /* message of that stream */
	uint64_t missing;
	uint64_t sequence;
};

/* All that a stream had was read or is missing: what was published, and at most the one that was being published. */
static void check_end(const struct board *board, const struct place *place, uint64_t missing)
{
	const uint64_t sent = atomic_load_explicit(&board->sent[place->stream], memory_order_acquire);

	if (place->stream == 0)
		return;
	test_check(place->next + missing >= sent);
	test_check(missing > 0 || place->next <= sent + 1);
}

/* A message that is as it was when it was read. */
static void check_message(const struct board *board, struct place *place, const struct nonet_message *message,
			  const struct head *head, bool whole)
{
	const uint64_t missing = place->missing + message->lost;

	test_check(whole);
	test_check_equal(message->size, size_of(head));
	if (place->stream != 0)
		test_check_equal(message->sequence, place->sequence + missing);
	if (place->stream == head->stream) {
		test_check_equal(head->number, place->next + missing);
	} else if (place->stream != 0) {
		/* The one before it is over. Others may be between the two only if their messages are missing. */
		test_check(head->number <= missing);
		check_end(board, place, missing - head->number);
	}
	*place = (struct place){head->stream, head->number + 1, 0, message->sequence + 1};
}

static bool is_whole(const struct nonet_message *message, struct head *ret_head)
{
	if (message->size < sizeof(*ret_head) || message->size > LARGE)
		return false;
	memcpy(ret_head, message->data, sizeof(*ret_head));
	return memcmp((const char *)message->data + sizeof(*ret_head), bytes_of(ret_head),
		      message->size - sizeof(*ret_head)) == 0;
}

/* In place or copied, as it comes. Return: as nonet_subscriber_take(). */
static int read_one(struct nonet_subscriber *subscriber, const struct role *role, struct place *places, bool copies)
{
	static unsigned char bytes[LARGE];
	struct nonet_message message;
	struct head head;
	bool whole;
	int error = copies ? nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), test_deadline(), &message)
			   : nonet_subscriber_take(subscriber, test_deadline(), &message);

	if (error == -EPIPE)
		return error;
	test_check(error >= 0);
	test_check(message.lane < LANES && (role->drops || message.lost == 0));
	whole = is_whole(&message, &head);
	error = copies ? 0 : nonet_subscriber_release(subscriber, &message);
	atomic_fetch_add_explicit(&role->board->lost, message.lost, memory_order_relaxed);
	if (error == -ESTALE) {
		/* It was overwritten while we looked: what it said counts for nothing, but that it was there does. */
		test_check(role->drops);
		places[message.lane].missing += message.lost + 1;
		return 0;
	}
	test_check_equal(error, 0);
	check_message(role->board, &places[message.lane], &message, &head, whole);
	atomic_fetch_add_explicit(&role->board->read, 1, memory_order_relaxed);
	return 0;
}

static int read_on(struct test_child_side *side, void *argument)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_END};
	const struct role *role = argument;
	struct nonet_subscriber *subscriber = NULL;
	struct place places[LANES] = {{0}};
	bool stopped;
	int error;

	test_check_equal(nonet_subscriber_open(CHANNEL, &options, &subscriber, NULL), 0);
	test_report(side, "ready");
	for (uint64_t number = 0;; number++) {
		stopped = atomic_load(&role->board->stop);
		error = read_one(subscriber, role, places, (number + (uint64_t)role->number) % 3 == 0);
		/* Else between one publisher's death and the next one's life. */
		if (error == -EPIPE && stopped)
			break;
	}
	for (int i = 0; i < LANES; i++)
		check_end(role->board, &places[i], places[i].missing);
	nonet_subscriber_close(subscriber);
	return 0;
}

static uint64_t count_sent(const struct board *board)
{
	uint64_t sent = 0;

	for (uint64_t stream = 0; stream <= atomic_load(&board->streams); stream++)
		sent += atomic_load(&board->sent[stream]);
	return sent;
}

/* Kills until it is time; returns how many. */
static uint64_t kill_on(struct test_child **children, struct role *roles, nonet_time until, struct test_random *random)
{
	nonet_time next = test_clock();
	nonet_time now = next;
	uint64_t kills = 0;

	for (; now < until; now = test_clock()) {
		const int i = (int)test_random_between(random, 0, PUBLISHERS + SUBSCRIBERS - 1);
		test_child_function *function = i < PUBLISHERS ? publish : read_on;

		next = (next < now ? now : next) + (nonet_time)test_random_between(random, 0, (uint64_t)PAUSE);
		kills += (uint64_t)test_kill_at_random(children[i], next - now, next - now, random);
		/* One in two may be killed before it has opened the channel. */
		children[i] = test_random_between(random, 0, 1) ? test_child_start(function, &roles[i])
								: test_child_until(function, &roles[i]);
	}
	return kills;
}

static void run(uint32_t policy)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.lane = LANE,
		.policy = policy,
		.publishers = LANES,
		.subscribers = 2 * SUBSCRIBERS,
	};
	struct test_random random = test_random_init(test_seed(), policy);
	const bool soaks = test_scaled(100) >= 100;
	const nonet_time duration = (nonet_time)test_scaled((uint64_t)(soaks ? NONET_S(60) : NONET_S(35)));
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[PUBLISHERS + SUBSCRIBERS];
	struct role roles[PUBLISHERS + SUBSCRIBERS];
	uint64_t kills = 0;

	test_check(board != MAP_FAILED);
	test_watchdog_extend(10 * duration + NONET_S(60));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i + i / 256);
	test_check_equal(nonet_channel_create(CHANNEL, &options, NULL), 0);
	for (int i = 0; i < PUBLISHERS + SUBSCRIBERS; i++) {
		roles[i] = (struct role){board, i, policy == NONET_CHANNEL_DROP};
		children[i] = test_child_until(i < PUBLISHERS ? publish : read_on, &roles[i]);
	}
	/* In a soak until so many have gone through, as well. */
	do
		kills += kill_on(children, roles, test_clock() + duration, &random);
	while (soaks && count_sent(board) < MESSAGES);
	atomic_store(&board->stop, 1);
	for (int i = 0; i < PUBLISHERS + SUBSCRIBERS; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check(atomic_load(&board->read) > 0 && kills > 0);
	test_note("%s: %llu kills, %llu publishers, %llu messages published, %llu read, %llu lost and told",
		  policy == NONET_CHANNEL_DROP ? "drop" : "block", (unsigned long long)kills,
		  (unsigned long long)atomic_load(&board->streams), (unsigned long long)count_sent(board),
		  (unsigned long long)atomic_load(&board->read), (unsigned long long)atomic_load(&board->lost));
	test_prove("channel-send", 5, kills, 0);
	test_must(munmap(board, sizeof(*board)));
}

DOMAIN_TEST(who_blocks_loses_nothing)
{
	(void)side;
	(void)argument;
	run(NONET_CHANNEL_BLOCK);
	return 0;
}

DOMAIN_TEST(who_drops_counts_what_is_lost)
{
	(void)side;
	(void)argument;
	run(NONET_CHANNEL_DROP);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(who_blocks_loses_nothing),
		test_case(who_drops_counts_what_is_lost),
	};
	return test_main(tests);
}
