/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_TEST_CHANNEL_H
#define CHANNEL_TEST_CHANNEL_H

#include <nonet/channel.h>

#include "harness/test.h"

/* A channel in the domain of a test, with numbers as messages. */

#define CHANNEL "channel:news"

static inline void make(const struct nonet_channel_options *options)
{
	test_check_equal(nonet_channel_create(CHANNEL, options, NULL), 0);
}

static inline struct nonet_publisher *publish(void)
{
	struct nonet_publisher *publisher = NULL;

	test_check_equal(nonet_publisher_open(CHANNEL, &publisher, NULL), 0);
	return publisher;
}

static inline struct nonet_subscriber *subscribe(uint32_t flags)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_subscriber *subscriber = NULL;

	test_check_equal(nonet_subscriber_open(CHANNEL, &options, &subscriber, NULL), 0);
	return subscriber;
}

static inline void send_number(struct nonet_publisher *publisher, uint64_t number)
{
	test_check_equal(nonet_publisher_send(publisher, &number, sizeof(number), NONET_NOW), 0);
}

static inline uint64_t next_number(struct nonet_subscriber *subscriber, nonet_time deadline)
{
	uint64_t number = 0;

	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), deadline, NULL), 8);
	return number;
}

#endif
