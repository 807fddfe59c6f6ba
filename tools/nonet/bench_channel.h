/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_CHANNEL_H
#define NONET_TOOL_BENCH_CHANNEL_H

#include <sys/epoll.h>

#include <nonet/channel.h>

#include "bench_loops.h"

/* A channel there and one back, in a domain of their own that goes with them. */
struct bench_channel {
	char domain[32]; /* empty: it isn't there */
	char there[48], back[48];
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	int set; /* BENCH_EPOLL */
};

/* Parts of ways: as struct bench_way says. */
int bench_channel_prepare(struct bench_link *link);
void bench_channel_discard(struct bench_link *link);
/* NULL: doesn't publish, or doesn't read. */
int bench_channel_join(struct bench_link *link, const char *publishes, const char *reads);

/* A message is copied into the channel. */
LOOP int channel_send(struct bench_link *link)
{
	const struct bench_channel *channel = link->state;

	return nonet_publisher_send(channel->publisher, link->message, link->what->size, NONET_FOREVER);
}

/* A message is written in place; or, where it is not touched, only its place is had. */
LOOP int channel_publish(struct bench_link *link, int touched)
{
	const struct bench_channel *channel = link->state;
	void *place;
	int r = nonet_publisher_loan(channel->publisher, link->what->size, NONET_FOREVER, &place);

	if (r < 0)
		return r;
	if (touched)
		loop_fill(place, link->message, link->what->size);
	return nonet_publisher_publish(channel->publisher, link->what->size, 0);
}

/* A message is copied out. */
LOOP int channel_receive(struct bench_link *link, nonet_time deadline)
{
	const struct bench_channel *channel = link->state;
	int r = nonet_subscriber_receive(channel->subscriber, link->buffer, link->what->size, deadline, NULL);

	if (r < 0)
		return r;
	link->sum += loop_sum(link->buffer, link->what->size);
	return 0;
}

/* A message is read in place, or not at all. */
LOOP int channel_take(struct bench_link *link, int touched, nonet_time deadline)
{
	const struct bench_channel *channel = link->state;
	struct nonet_message message;
	int r = nonet_subscriber_take(channel->subscriber, deadline, &message);

	if (r < 0)
		return r;
	if (message.size != link->what->size)
		return -EBADMSG;
	if (touched)
		link->sum += loop_sum(message.data, link->what->size);
	return nonet_subscriber_release(channel->subscriber, &message);
}

#endif
