/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "channel/link_meet.h"
#include "channel/subscriber.h"
#include "sys/files.h"
#include "sys/membarrier.h"
#include "sys/memory.h"

/* Becoming the subscriber of a channel over a socket. */

static const struct nonet_subscriber_options socket_defaults = {.size = sizeof(socket_defaults)};

/* What the publisher sent, and what we make. */
struct socket_memory {
	struct nonet_memory *words; /* page 0 */
	struct nonet_memory *ring;
	struct nonet_memory *own; /* page 1 */
};

static int socket_meet(struct channel *channel, struct socket_memory *memory, nonet_time deadline,
		       struct nonet_error *reterr)
{
	struct link_hello hello;
	int fds[2] = {-1, -1};
	int error = link_receive(channel->link->socket, LINK_PUBLISHER, &hello, fds, 2, deadline, reterr);

	if (error < 0)
		return error;
	if (!channel_is_lane(hello.lane) || hello.policy > CHANNEL_DROP)
		error = error_set(reterr, -EBADMSG,
				  "the other side of the socket says that its lane has %llu bytes, and its policy is "
				  "%u: no channel's; it is broken, or hostile",
				  (unsigned long long)hello.lane, hello.policy);
	if (error == 0)
		error = link_take(&fds[0], LINK_PAGE, &memory->words, reterr);
	if (error == 0)
		error = link_take(&fds[1], hello.lane, &memory->ring, reterr);
	sys_close(&fds[0]);
	sys_close(&fds[1]);
	channel->ring = hello.lane;
	channel->policy = (enum channel_policy)hello.policy;
	return error;
}

static int socket_map(struct channel *channel, const struct socket_memory *memory, struct nonet_error *reterr)
{
	struct nonet_memory_info info;
	int error = link_map(channel, 0, memory->words, false, reterr);

	if (error == 0)
		error = link_map(channel, 1, memory->own, true, reterr);
	if (error < 0)
		return error;
	error = nonet_memory_info(memory->ring, &info);
	if (error < 0)
		return error_set(reterr, error, "can't look at a lane's memory: %s", error_reason(error));
	channel->page = (size_t)info.page;
	channel->link->theirs = &channel_lane(channel, 0)->claim;
	atomic_store_explicit(&channel_lane(channel, 0)->room, 1, memory_order_relaxed);
	atomic_store_explicit(&channel_seat(channel, 0)->claim, LINK_CLAIM, memory_order_relaxed);
	return 0;
}

/* Read the lane, from its ring's descriptor, which is needed for that alone. */
static int socket_join(struct nonet_subscriber *subscriber, struct nonet_memory *ring, unsigned flags,
		       struct nonet_error *reterr)
{
	struct channel *channel = &subscriber->channel;
	struct stat status;
	int error;

	channel->object.fd = nonet_memory_descriptor(ring);
	error = sys_stat_fd(channel->object.fd, &status);
	if (error == 0) {
		channel->object.number = status.st_ino;
		channel->object.device = status.st_dev;
		channel->object.file = channel->ring;
		subscriber->seat = channel_seat(channel, 0);
		subscriber->owner = LINK_CLAIM;
		error = subscriber_join(subscriber, flags);
	}
	channel->object.fd = -1;
	if (error == -EBADMSG)
		return error_set(reterr, error,
				 "the other side of the socket sent memory that holds no channel; it is broken, or "
				 "hostile");
	if (error < 0)
		return error_set(reterr, error, "can't read the other side's lane of %llu bytes: %s",
				 (unsigned long long)channel->ring, error_reason(error));
	return 0;
}

static int socket_give(const struct channel *channel, struct nonet_memory *own, nonet_time deadline,
		       struct nonet_error *reterr)
{
	const struct link_hello hello = {
		.magic = LINK_SUBSCRIBER,
		.layout = CHANNEL_LAYOUT,
		.flags = sys_membarrier() < 0 ? LINK_FENCED : 0,
	};
	const int fd = nonet_memory_descriptor(own);
	int error = link_seal(own, reterr);

	return error < 0 ? error : link_send(channel->link->socket, &hello, &fd, 1, deadline, reterr);
}

static int socket_subscribe(struct nonet_subscriber *subscriber, unsigned flags, nonet_time deadline,
			    struct nonet_error *reterr)
{
	struct channel *channel = &subscriber->channel;
	struct socket_memory memory = {0};
	int error = socket_meet(channel, &memory, deadline, reterr);

	if (error == 0)
		error = link_make(LINK_PAGE, 0, &memory.own, reterr);
	if (error == 0)
		error = socket_map(channel, &memory, reterr);
	if (error == 0)
		error = socket_join(subscriber, memory.ring, flags, reterr);
	if (error == 0)
		error = socket_give(channel, memory.own, deadline, reterr);
	nonet_memory_close(memory.words);
	nonet_memory_close(memory.ring);
	nonet_memory_close(memory.own);
	return error;
}

int nonet_subscriber_take_socket(struct nonet_unix **socket, const struct nonet_subscriber_options *options,
				 nonet_time deadline, struct nonet_subscriber **ret_subscriber,
				 struct nonet_error *reterr)
{
	struct nonet_subscriber *subscriber;
	int error;

	options = options ? options : &socket_defaults;
	error = subscriber_check_options(options, reterr);
	if (error < 0)
		return error;
	if (options->flags & NONET_SUBSCRIBER_TAP)
		return error_set(
			reterr, -EINVAL,
			"over a socket there is one subscriber, and nothing to look on; tap a channel that has "
			"a name");
	subscriber = sys_allocate(sizeof(*subscriber));
	if (!subscriber)
		return error_set(reterr, -ENOMEM, "no memory for a subscriber's handle");
	error = link_begin(&subscriber->channel, *socket, reterr);
	if (error < 0) {
		sys_free(subscriber);
		return error;
	}
	error = socket_subscribe(subscriber, options->flags, deadline, reterr);
	if (error < 0) {
		/* Not closed with it. */
		subscriber->channel.link->socket = NULL;
		subscriber_free(subscriber);
		return error;
	}
	link_keep(&subscriber->channel, socket);
	waitable_init(&subscriber->waitable, subscriber->channel.link->fd, subscriber_arm_link);
	*ret_subscriber = subscriber;
	return 0;
}
