/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a channel over a socket is killed at a random moment, from its first call on. The other is told by the
 * socket: a subscriber once it has read, whole and in order, what was published; a publisher instead of waiting for
 * ever.
 */
#include <errno.h>
#include <pthread.h>

#include <nonet/channel.h>

#include "harness/kill.h"
#include "harness/random.h"
#include "harness/test.h"

#define LARGEST 3000

struct sides {
	struct nonet_unix *ours;
	struct nonet_unix *theirs;
};

static const struct nonet_channel_options small = {.size = sizeof(small), .lane = 65536};

static size_t size_of(uint64_t number)
{
	return sizeof(number) + number * 2654435761u % (LARGEST - sizeof(number));
}

static void fill(unsigned char *bytes, uint64_t number)
{
	const size_t size = size_of(number);

	memcpy(bytes, &number, sizeof(number));
	for (size_t i = sizeof(number); i < size; i++)
		bytes[i] = (unsigned char)(number + i);
}

/* A publisher's life: it publishes until it can't. Return: how that was told. */
static int publish_on(struct nonet_publisher *publisher)
{
	void *buffer;
	int error = 0;

	for (uint64_t number = 0; error == 0; number++) {
		error = nonet_publisher_loan(publisher, size_of(number), test_deadline(), &buffer);
		if (error < 0)
			break;
		fill(buffer, number);
		error = nonet_publisher_publish(publisher, size_of(number), 0);
	}
	return error;
}

/* A subscriber's: every message is the one after the last. */
static int read_on(struct nonet_subscriber *subscriber, uint64_t *ret_count)
{
	unsigned char bytes[LARGEST];
	struct nonet_message message;
	uint64_t number = 0;
	int error;

	for (;; number++) {
		error = nonet_subscriber_take(subscriber, test_deadline(), &message);
		if (error < 0)
			break;
		fill(bytes, number);
		test_check_equal(message.size, size_of(number));
		test_check(message.sequence == number && message.lost == 0);
		test_check_equal(memcmp(message.data, bytes, message.size), 0);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
	}
	*ret_count = number;
	return error;
}

static int be_publisher(struct test_child_side *side, void *argument)
{
	struct sides *sides = argument;
	struct nonet_publisher *publisher = NULL;

	nonet_unix_close(sides->ours);
	test_report(side, "ready");
	test_check_equal(nonet_publisher_take_socket(&sides->theirs, &small, test_deadline(), &publisher, NULL), 0);
	(void)publish_on(publisher);
	nonet_publisher_close(publisher);
	return 0;
}

static int be_subscriber(struct test_child_side *side, void *argument)
{
	struct sides *sides = argument;
	struct nonet_subscriber *subscriber = NULL;
	uint64_t count;

	nonet_unix_close(sides->ours);
	test_report(side, "ready");
	test_check_equal(nonet_subscriber_take_socket(&sides->theirs, NULL, test_deadline(), &subscriber, NULL), 0);
	(void)read_on(subscriber, &count);
	nonet_subscriber_close(subscriber);
	return 0;
}

/* Ours, in a thread, so that the other side is killed meanwhile. */
struct ours {
	struct nonet_unix *socket;
	bool publishes;
	uint64_t count; /* messages that were read */
	int met, end;
	nonet_time ended;
};

static void *live(void *argument)
{
	struct ours *ours = argument;
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;

	ours->met = ours->publishes
			    ? nonet_publisher_take_socket(&ours->socket, &small, test_deadline(), &publisher, NULL)
			    : nonet_subscriber_take_socket(&ours->socket, NULL, test_deadline(), &subscriber, NULL);
	if (ours->met == 0)
		ours->end = ours->publishes ? publish_on(publisher) : read_on(subscriber, &ours->count);
	ours->ended = test_clock();
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	return NULL;
}

static void kill_many(bool publishes)
{
	struct test_random random = test_random_init(test_seed(), publishes);
	const uint64_t kills = test_scaled(1000);
	uint64_t early = 0;
	uint64_t read = 0;
	nonet_time slowest = 0;

	for (uint64_t i = 0; i < kills; i++) {
		struct sides sides = {NULL, NULL};
		struct ours ours = {.publishes = publishes};
		struct test_child *child;
		pthread_t thread;
		nonet_time killed;

		test_check_equal(nonet_unix_pair(i % 2 ? NONET_UNIX_STREAM : NONET_UNIX_SEQPACKET, NULL, &sides.ours,
						 &sides.theirs, NULL),
				 0);
		child = test_child_until(publishes ? be_subscriber : be_publisher, &sides);
		nonet_unix_close(sides.theirs);
		ours.socket = sides.ours;
		test_check_equal(pthread_create(&thread, NULL, live, &ours), 0);
		test_check_equal(test_kill_at_random(child, 0, NONET_MS(6), &random), 1);
		killed = test_clock();
		test_check_equal(pthread_join(thread, NULL), 0);
		/* Before they had met it is the socket that says so. */
		test_check(ours.met == 0 || ours.met == -EPIPE || ours.met == -ECONNRESET);
		test_check(ours.met < 0 || ours.end == -EPIPE);
		early += ours.met < 0;
		read += ours.count;
		if (ours.ended - killed > slowest)
			slowest = ours.ended - killed;
		nonet_unix_close(ours.socket);
	}
	test_check(early < kills);
	test_check(publishes || read > 0);
	test_note("%llu killed, %llu of them before they had met; %llu messages read; told %.1f ms later at most",
		  (unsigned long long)kills, (unsigned long long)early, (unsigned long long)read,
		  (double)slowest / NONET_MS(1));
}

static void a_subscriber_outlives_its_publisher(void **state)
{
	(void)state;
	kill_many(false);
}

static void a_publisher_outlives_its_subscriber(void **state)
{
	(void)state;
	kill_many(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_subscriber_outlives_its_publisher),
		test_case(a_publisher_outlives_its_subscriber),
	};
	return test_main(tests);
}
