/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "endpoint/endpoint.h"
#include "sys/clock.h"

static void channel_close(struct nonet_endpoint *endpoint)
{
	struct endpoint_channel *channel = &endpoint->with.channel;

	channel->publisher = nonet_publisher_close(channel->publisher);
	channel->subscriber = nonet_subscriber_close(channel->subscriber);
	waitable_done(&channel->nothing);
}

static int channel_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	endpoint->with.channel.sent = true;
	return nonet_publisher_send(endpoint->with.channel.publisher, message, size, deadline);
}

static int channel_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			   size_t *ret_size)
{
	struct endpoint_channel *channel = &endpoint->with.channel;
	struct nonet_message message;
	int result;

	channel->sent = false;
	result = nonet_subscriber_receive(channel->subscriber, buffer, capacity, deadline, &message);
	if (result < 0)
		return result;
	channel->lost += message.lost;
	*ret_size = message.size;
	return 0;
}

static int channel_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	endpoint->with.channel.sent = false;
	return nonet_subscriber_message_size(endpoint->with.channel.subscriber, deadline, ret_size);
}

/* Messages keep their bounds, so plain bytes are one of them. */
static int channel_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
			 size_t *done)
{
	const size_t begun = done ? *done : 0;
	int error = channel_send(endpoint, (const char *)bytes + begun, size - begun, deadline);

	if (error == 0 && done)
		*done = size;
	return error;
}

static int channel_finish(struct nonet_endpoint *endpoint)
{
	(void)endpoint;
	return -EOPNOTSUPP;
}

/* That there is room isn't told by any descriptor. */
static struct nonet_waitable *channel_waitable(struct nonet_endpoint *endpoint)
{
	struct endpoint_channel *channel = &endpoint->with.channel;

	return channel->subscriber ? nonet_subscriber_waitable(channel->subscriber) : &channel->nothing;
}

static void channel_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	const struct endpoint_channel *channel = &endpoint->with.channel;

	if (channel->sent || !channel->subscriber)
		nonet_publisher_explain(channel->publisher, code, ret_error);
	else
		nonet_subscriber_explain(channel->subscriber, code, ret_error);
}

static const struct endpoint_carrier channel_endpoint_carrier = {
	.close = channel_close,
	.send = channel_send,
	.receive = channel_receive,
	.message_size = channel_message_size,
	.read = channel_receive,
	.write = channel_write,
	.finish = channel_finish,
	.waitable = channel_waitable,
	.explain = channel_explain,
};

uint64_t nonet_endpoint_lost(const struct nonet_endpoint *endpoint)
{
	return endpoint->carrier == &channel_endpoint_carrier ? endpoint->with.channel.lost : 0;
}

/* A half of a lane, less 64 bytes, is the largest message. */
static uint64_t channel_lane_for(uint64_t message_size)
{
	uint64_t lane = (uint64_t)1 << 16;

	while (lane / 2 - 64 < message_size)
		lane *= 2;
	return lane;
}

static int channel_make(const char *address, const struct nonet_endpoint_options *options, struct nonet_error *reterr)
{
	const struct nonet_channel_options channel = {
		.size = sizeof(channel),
		.flags = NONET_CHANNEL_MAY_EXIST,
		.mode = options->mode,
		.lane = options->message_size ? channel_lane_for(options->message_size) : 0,
	};

	return nonet_channel_create(address, &channel, reterr);
}

static int channel_try_open(struct nonet_endpoint *endpoint, uint32_t flags, struct nonet_error *reterr)
{
	const struct nonet_subscriber_options options = {
		.size = sizeof(options),
		.flags = (flags & NONET_ENDPOINT_HISTORY ? NONET_SUBSCRIBER_HISTORY : 0) |
			 (flags & NONET_ENDPOINT_END ? NONET_SUBSCRIBER_END : 0),
	};
	const char *address = nonet_address_text(endpoint->address);
	struct endpoint_channel *channel = &endpoint->with.channel;
	int error = 0;

	if (endpoint->flags & NONET_ENDPOINT_RECEIVE && !channel->subscriber)
		error = nonet_subscriber_open(address, &options, &channel->subscriber, reterr);
	if (error == 0 && endpoint->flags & NONET_ENDPOINT_SEND && !channel->publisher)
		error = nonet_publisher_open(address, &channel->publisher, reterr);
	return error;
}

/* Of one who only sends: there is somebody who receives. 0, or -EAGAIN: there is nobody; ... */
static int channel_has_reader(const struct nonet_endpoint *endpoint, struct nonet_error *reterr)
{
	const struct endpoint_channel *channel = &endpoint->with.channel;
	int count;

	if (channel->subscriber)
		return 0;
	count = nonet_publisher_subscribers(channel->publisher);
	if (count < 0)
		nonet_publisher_explain(channel->publisher, count, reterr);
	return count > 0 ? 0 : count == 0 ? -EAGAIN : count;
}

static const char *channel_lacks(const struct nonet_endpoint *endpoint)
{
	const bool reads = endpoint->flags & NONET_ENDPOINT_RECEIVE && !endpoint->with.channel.subscriber;

	return reads ? "subscriber" : "publisher";
}

/* With NONET_ENDPOINT_WAIT: until there is a channel that has a place for us, and somebody who reads what we send. */
static int channel_open(struct nonet_endpoint *endpoint, uint32_t flags, nonet_time deadline,
			struct nonet_error *reterr)
{
	struct sys_retry retry = {0};
	bool opened = false;
	int error;
	int slept;

	for (;;) {
		error = opened ? 0 : channel_try_open(endpoint, flags, reterr);
		opened = error == 0;
		if (!(flags & NONET_ENDPOINT_WAIT))
			return error;
		if (opened)
			error = channel_has_reader(endpoint, reterr);
		if (error != -ENOENT && error != -EUSERS && error != -EAGAIN)
			return error;
		slept = sys_retry_sleep(&retry, deadline);
		if (slept < 0)
			break;
	}
	if (opened)
		return error_set(reterr, slept, "nobody reads %s %s", nonet_address_text(endpoint->address),
				 slept == -EAGAIN ? "yet" : "before the deadline");
	if (error == -ENOENT)
		return error_set(reterr, slept, "there is no %s %s", nonet_address_text(endpoint->address),
				 slept == -EAGAIN ? "yet" : "before the deadline");
	return error_set(reterr, slept, "%s has no place for another %s %s", nonet_address_text(endpoint->address),
			 channel_lacks(endpoint), slept == -EAGAIN ? "yet" : "before the deadline");
}

int endpoint_open_channel(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
			  nonet_time deadline, struct nonet_error *reterr)
{
	int error = 0;

	if (endpoint->flags == 0)
		endpoint->flags = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	if (options->flags & (NONET_ENDPOINT_HISTORY | NONET_ENDPOINT_END) &&
	    !(endpoint->flags & NONET_ENDPOINT_RECEIVE))
		return error_set(reterr, -EINVAL, "%s was asked to tell its history or its end, but only sends",
				 nonet_address_text(endpoint->address));
	waitable_init(&endpoint->with.channel.nothing, -EOPNOTSUPP, NULL);
	if (options->flags & NONET_ENDPOINT_LISTEN)
		error = channel_make(nonet_address_text(endpoint->address), options, reterr);
	if (error == 0)
		error = channel_open(endpoint, options->flags, deadline, reterr);
	if (error < 0)
		channel_close(endpoint);
	else
		endpoint->carrier = &channel_endpoint_carrier;
	return error;
}
