/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_TEST_CHANNEL_WORDS_H
#define CHANNEL_TEST_CHANNEL_WORDS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "channel/channel_layout.h"
#include "domain/object_layout.h"
#include "harness/test.h"

/* A channel in the domain of a test, and its shared words, which the test writes to. */

#define WORDS_CHANNEL "channel:words"
#define WORDS_LANE    65536u

/* Of a channel with one lane. */
struct words {
	struct channel_board *board;
	struct channel_lane *lane;
	struct channel_seat *seats;
	struct channel_position *positions;
	uint8_t *ring;
	void *base;
	size_t size;
};

static inline void words_make(uint32_t policy, uint32_t publishers)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options), .lane = WORDS_LANE, .policy = policy, .publishers = publishers};

	test_check_equal(nonet_channel_create(WORDS_CHANNEL, &options, NULL), 0);
}

static inline struct words words_map(void)
{
	struct words words = {0};
	struct stat status;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/words.channel", getenv("NONET_DOMAIN"));
	fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	test_must(fstat(fd, &status));
	words.size = (size_t)status.st_size;
	words.base = mmap(NULL, words.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	test_check(words.base != MAP_FAILED);
	close(fd);
	words.board = (struct channel_board *)((char *)words.base + OBJECT_PAYLOAD);
	words.lane = (struct channel_lane *)(words.board + 1);
	words.seats = (struct channel_seat *)(words.lane + words.board->lanes);
	words.positions = (struct channel_position *)(words.seats + words.board->seats);
	words.ring = (uint8_t *)words.base + words.size - WORDS_LANE;
	return words;
}

static inline void words_unmap(struct words *words)
{
	test_must(munmap(words->base, words->size));
}

static inline struct nonet_publisher *words_publish(void)
{
	struct nonet_publisher *publisher = NULL;

	test_check_equal(nonet_publisher_open(WORDS_CHANNEL, &publisher, NULL), 0);
	return publisher;
}

static inline struct nonet_subscriber *words_subscribe(uint32_t flags)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_subscriber *subscriber = NULL;

	test_check_equal(nonet_subscriber_open(WORDS_CHANNEL, &options, &subscriber, NULL), 0);
	return subscriber;
}

#endif
