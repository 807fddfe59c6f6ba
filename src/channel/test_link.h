/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_TEST_LINK_H
#define CHANNEL_TEST_LINK_H

#include <pthread.h>

#include <nonet/channel.h>

#include "harness/test.h"

/* A channel over a socket: its two sides meet, each in a thread of its own. */

struct link_side {
	struct nonet_unix *socket;
	const struct nonet_channel_options *options;
	struct nonet_publisher *publisher;
	int error;
};

static inline void *link_publish(void *argument)
{
	struct link_side *side = argument;

	side->error =
		nonet_publisher_take_socket(&side->socket, side->options, test_deadline(), &side->publisher, NULL);
	return NULL;
}

struct link_ends {
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
};

static inline void link_pair(enum nonet_unix_type type, struct nonet_unix **ret_a, struct nonet_unix **ret_b)
{
	*ret_a = NULL;
	*ret_b = NULL;
	test_check_equal(nonet_unix_pair(type, NULL, ret_a, ret_b, NULL), 0);
}

static inline struct link_ends link_meet(enum nonet_unix_type type, const struct nonet_channel_options *options,
					 uint32_t flags)
{
	const struct nonet_subscriber_options how = {.size = sizeof(how), .flags = flags};
	struct link_side side = {.options = options};
	struct link_ends ends = {NULL, NULL};
	struct nonet_unix *other;
	pthread_t thread;

	link_pair(type, &side.socket, &other);
	test_check_equal(pthread_create(&thread, NULL, link_publish, &side), 0);
	test_check_equal(nonet_subscriber_take_socket(&other, &how, test_deadline(), &ends.subscriber, NULL), 0);
	test_check_equal(pthread_join(thread, NULL), 0);
	test_check_equal(side.error, 0);
	test_check(side.socket == NULL && other == NULL);
	ends.publisher = side.publisher;
	return ends;
}

static inline void link_part(struct link_ends *ends)
{
	ends->publisher = nonet_publisher_close(ends->publisher);
	ends->subscriber = nonet_subscriber_close(ends->subscriber);
}

static inline void link_say(struct nonet_publisher *publisher, uint64_t number)
{
	test_check_equal(nonet_publisher_send(publisher, &number, sizeof(number), NONET_NOW), 0);
}

static inline uint64_t link_hear(struct nonet_subscriber *subscriber, nonet_time deadline)
{
	uint64_t number = 0;

	test_check_equal(nonet_subscriber_receive(subscriber, &number, sizeof(number), deadline, NULL), 8);
	return number;
}

#endif
