/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "channel/test_link.h"
#include "harness/domain.h"

/*
 * Large lanes, to 1 GiB, of a name and over a socket: the largest messages, over the wrap of the ring and of 32 bits of
 * bytes. Only the ends of a message and some of its middle are written and read, or it would take long.
 */

#define CHANNEL "channel:large"
#define GIB     (UINT64_C(1) << 30)

/* Bytes of memory that can be had on tmpfs, and at all. */
static uint64_t room(void)
{
	struct statvfs status;
	unsigned long long available = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	test_check(file != NULL);
	while (fgets(line, sizeof(line), file) && sscanf(line, "MemAvailable: %llu kB", &available) != 1)
		;
	fclose(file);
	available *= 1024;
	test_must(statvfs("/dev/shm", &status));
	return status.f_bavail * status.f_frsize < available ? status.f_bavail * status.f_frsize : available;
}

#define MARKS 9

/* Where a message is written: its first bytes, its last ones, and between. */
static size_t mark_place(size_t size, unsigned mark)
{
	return (size - sizeof(uint64_t)) / (MARKS - 1) * mark + (mark == MARKS - 1 ? (size - 8) % (MARKS - 1) : 0);
}

static void write_one(struct nonet_publisher *publisher, size_t size, uint64_t number)
{
	void *buffer;

	test_check_equal(nonet_publisher_loan(publisher, size, NONET_NOW, &buffer), 0);
	for (unsigned mark = 0; mark < MARKS; mark++) {
		const uint64_t value = number * MARKS + mark;

		memcpy((char *)buffer + mark_place(size, mark), &value, sizeof(value));
	}
	test_check_equal(nonet_publisher_publish(publisher, size, 0), 0);
}

static void read_one(struct nonet_subscriber *subscriber, size_t size, uint64_t number)
{
	struct nonet_message message;

	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check(message.size == size && message.sequence == number);
	for (unsigned mark = 0; mark < MARKS; mark++) {
		const uint64_t value = number * MARKS + mark;

		test_check_equal(memcmp((const char *)message.data + mark_place(size, mark), &value, sizeof(value)), 0);
	}
	test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
}

/* Over the wrap of the ring again and again, and of 2^32 bytes once where that is near. */
static void go_round(struct nonet_publisher *publisher, struct nonet_subscriber *subscriber, uint64_t lane)
{
	const size_t limit = nonet_publisher_limit(publisher);

	test_check_equal(limit, lane / 2 - 64);
	for (uint64_t number = 0; number < 12; number++) {
		/* Of other lengths too, so that the wrap is in the midst of one. */
		const size_t size = number % 3 ? limit : limit / 3;

		write_one(publisher, size, number);
		read_one(subscriber, size, number);
	}
	/* What doesn't fit isn't there; what isn't read isn't written over. */
	write_one(publisher, limit, 12);
	write_one(publisher, limit / 3, 13);
	test_check_equal(nonet_publisher_send(publisher, NULL, 0, NONET_NOW), 0);
	for (int i = 0; i < 2; i++) {
		void *buffer;

		test_check_equal(nonet_publisher_loan(publisher, limit, NONET_NOW, &buffer), -EAGAIN);
	}
	read_one(subscriber, limit, 12);
	read_one(subscriber, limit / 3, 13);
}

static void play_named(uint64_t lane)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = lane};
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;

	test_check_equal(nonet_channel_create(CHANNEL, &options, NULL), 0);
	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, NULL), 0);
	test_check_equal(nonet_subscriber_open(CHANNEL, NULL, &subscriber, NULL), 0);
	go_round(publisher, subscriber, lane);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	test_check_equal(nonet_channel_unlink(CHANNEL, NULL), 0);
}

static void play_over_socket(uint64_t lane)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = lane};
	struct link_ends ends = link_meet(NONET_UNIX_STREAM, &options, 0);

	go_round(ends.publisher, ends.subscriber, lane);
	link_part(&ends);
}

DOMAIN_TEST(lanes_of_any_size_are_gone_round)
{
	(void)side;
	(void)argument;
	for (uint64_t lane = 65536; lane <= GIB / 8; lane *= 8) {
		play_named(lane);
		play_over_socket(lane);
	}
	return 0;
}

DOMAIN_TEST(a_lane_of_1_gib_is_gone_round)
{
	(void)side;
	(void)argument;
	play_named(GIB);
	play_over_socket(GIB);
	return 0;
}

static void a_lane_of_1_gib(void **state)
{
	if (room() < 3 * GIB)
		test_skip("memory", "it takes 3 GiB of memory, and of /dev/shm, that nobody uses");
	a_lane_of_1_gib_is_gone_round(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(lanes_of_any_size_are_gone_round),
		test_case(a_lane_of_1_gib),
	};
	return test_main(tests);
}
