/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishers and subscribers of one channel are killed at random moments, and others take their places. Of each stream,
 * what one publisher's life publishes and one subscriber's life reads, every message is there, whole and in order: from
 * the first that it saw to the last that was published. With NONET_CHANNEL_DROP what is missing is counted, exactly.
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
/* Lives at once whose streams a subscriber remembers; and messages' bytes. */
#define STREAMS 64
#define LARGEST 2000

/* What all processes of a run share. */
struct board {
	_Atomic uint64_t streams; /* how many publishers' lives there were */
	_Atomic uint64_t sent;
	_Atomic uint64_t read;
	_Atomic uint64_t lost;
	_Atomic int stop;                  /* publishers, end */
	_Atomic uint64_t last[PUBLISHERS]; /* stream and how many messages it had, of those that ended by themselves */
	_Atomic uint64_t count[PUBLISHERS];
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

static unsigned char byte_of(const struct head *head, size_t place)
{
	return (unsigned char)(head->stream * 31 + head->number * 7 + place);
}

static size_t size_of(const struct head *head)
{
	return sizeof(*head) + (head->stream * 13 + head->number * 2654435761u) % (LARGEST - sizeof(*head));
}

/* The place of one who was killed is free once he is gone. */
static struct nonet_publisher *publisher_open(void)
{
	struct nonet_publisher *publisher = NULL;
	int error;

	do
		error = nonet_publisher_open(CHANNEL, &publisher, NULL);
	while (error == -EUSERS && test_clock() < test_deadline());
	test_check_equal(error, 0);
	return publisher;
}

static int publish(struct test_child_side *side, void *argument)
{
	const struct role *role = argument;
	struct board *board = role->board;
	struct nonet_publisher *publisher = publisher_open();
	struct head head = {.stream = atomic_fetch_add(&board->streams, 1) + 1};
	void *buffer;

	test_report(side, "ready");
	for (; !atomic_load(&board->stop); head.number++) {
		const size_t size = size_of(&head);

		test_check_equal(nonet_publisher_loan(publisher, size, test_deadline(), &buffer), 0);
		memcpy(buffer, &head, sizeof(head));
		for (size_t i = sizeof(head); i < size; i++)
			((unsigned char *)buffer)[i] = byte_of(&head, i);
		test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
		atomic_fetch_add(&board->sent, 1);
	}
	atomic_store(&board->last[role->number], head.stream);
	atomic_store(&board->count[role->number], head.number);
	nonet_publisher_close(publisher);
	return 0;
}

/* Where a stream is: the last few lives are remembered. */
struct stream {
	uint64_t number;
	uint64_t next;
};

static void look(struct stream *streams, const struct nonet_message *message, uint64_t lost)
{
	struct head head;
	struct stream *stream;

	test_check(message->size >= sizeof(head));
	memcpy(&head, message->data, sizeof(head));
	stream = &streams[head.stream % STREAMS];
	test_check_equal(message->size, size_of(&head));
	for (size_t i = sizeof(head); i < message->size; i++)
		test_check(((const unsigned char *)message->data)[i] == byte_of(&head, i));
	/* The first of a life that it sees is any; nothing is missing from there on but what was told. */
	if (stream->number == head.stream)
		test_check_equal(head.number, stream->next + lost);
	stream->number = head.stream;
	stream->next = head.number + 1;
}

static int read_on(struct test_child_side *side, void *argument)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_END};
	const struct role *role = argument;
	struct nonet_subscriber *subscriber = NULL;
	struct stream streams[STREAMS] = {{0}};
	struct nonet_message message;
	unsigned char bytes[LARGEST];
	int error;

	do
		error = nonet_subscriber_open(CHANNEL, &options, &subscriber, NULL);
	while (error == -EUSERS && test_clock() < test_deadline());
	test_check_equal(error, 0);
	test_report(side, "ready");
	for (;;) {
		error = role->drops
				? nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), test_deadline(), &message)
				: nonet_subscriber_take(subscriber, test_deadline(), &message);
		/* Between one publisher's death and the next one's life. */
		if (error == -EPIPE && !atomic_load(&role->board->stop))
			continue;
		if (error == -EPIPE)
			break;
		test_check(error >= 0);
		test_check(role->drops || message.lost == 0);
		look(streams, &message, message.lost);
		if (!role->drops)
			test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
		atomic_fetch_add(&role->board->read, 1);
		atomic_fetch_add(&role->board->lost, message.lost);
	}
	/* To the last message of those who ended by themselves. */
	for (int i = 0; i < PUBLISHERS && !role->drops; i++) {
		const uint64_t last = atomic_load(&role->board->last[i]);

		if (last && streams[last % STREAMS].number == last)
			test_check_equal(streams[last % STREAMS].next, atomic_load(&role->board->count[i]));
	}
	nonet_subscriber_close(subscriber);
	return 0;
}

static void run(uint32_t policy)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.lane = 65536,
		.policy = policy,
		.publishers = 2 * PUBLISHERS,
		.subscribers = 2 * SUBSCRIBERS,
	};
	struct test_random random = test_random_init(test_seed(), policy);
	const nonet_time until = test_clock() + (nonet_time)test_scaled(60) * NONET_S(1);
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[PUBLISHERS + SUBSCRIBERS];
	struct role roles[PUBLISHERS + SUBSCRIBERS];
	uint64_t kills = 0;

	test_check(board != MAP_FAILED);
	test_check_equal(nonet_channel_create(CHANNEL, &options, NULL), 0);
	for (int i = 0; i < PUBLISHERS + SUBSCRIBERS; i++) {
		roles[i] = (struct role){board, i, policy == NONET_CHANNEL_DROP};
		children[i] = test_child_until(i < PUBLISHERS ? publish : read_on, &roles[i]);
	}
	while (test_clock() < until) {
		const int i = (int)test_random_between(&random, 0, PUBLISHERS + SUBSCRIBERS - 1);

		kills += (uint64_t)test_kill_at_random(children[i], 0, NONET_MS(10), &random);
		children[i] = test_child_until(i < PUBLISHERS ? publish : read_on, &roles[i]);
	}
	atomic_store(&board->stop, 1);
	for (int i = 0; i < PUBLISHERS + SUBSCRIBERS; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check(atomic_load(&board->read) > 0 && kills > 0);
	test_note("%s: %llu kills, %llu messages published, %llu read, %llu lost and told",
		  policy == NONET_CHANNEL_DROP ? "drop" : "block", (unsigned long long)kills,
		  (unsigned long long)atomic_load(&board->sent), (unsigned long long)atomic_load(&board->read),
		  (unsigned long long)atomic_load(&board->lost));
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
