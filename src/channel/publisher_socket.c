/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "channel/link_meet.h"
#include "channel/publisher.h"
#include "sys/files.h"
#include "sys/membarrier.h"
#include "sys/memory.h"

/* Becoming the publisher of a channel over a socket. */

static const struct nonet_channel_options socket_defaults = {.size = sizeof(socket_defaults)};

#define SOCKET_HUGE (NONET_CHANNEL_HUGE | NONET_CHANNEL_HUGE_ONLY)

static int socket_check_options(const struct nonet_channel_options *options, struct nonet_error *reterr)
{
	struct nonet_channel_options rest = *options;
	int error;

	rest.flags &= ~SOCKET_HUGE;
	error = channel_check_options(&rest, reterr);
	if (error < 0)
		return error;
	if (rest.flags || rest.mode || rest.publishers > 1 || rest.subscribers > 1)
		return error_set(reterr, -EINVAL,
				 "a channel over a socket has one publisher, one subscriber, no mode, and isn't one "
				 "that exists");
	if ((options->flags & SOCKET_HUGE) == SOCKET_HUGE)
		return error_set(reterr, -EINVAL, "NONET_CHANNEL_HUGE_ONLY and NONET_CHANNEL_HUGE: choose one");
	return 0;
}

static uint32_t socket_memory_flags(uint32_t flags)
{
	return (flags & NONET_CHANNEL_HUGE ? NONET_MEMORY_HUGE : 0) |
	       (flags & NONET_CHANNEL_HUGE_ONLY ? NONET_MEMORY_HUGE_ONLY : 0);
}

/* Our page, as channel_create() and publisher_join() would have left it. */
static void socket_fill(struct nonet_publisher *publisher)
{
	struct channel *channel = &publisher->channel;
	struct channel_board *board = channel_board(channel);
	struct channel_lane *lane = channel_lane(channel, 0);

	board->lanes = channel->lanes;
	board->seats = channel->seats;
	board->ring = channel->ring;
	board->policy = channel->policy;
	atomic_store_explicit(&board->lives, 1, memory_order_relaxed);
	atomic_store_explicit(&lane->claim, LINK_CLAIM, memory_order_relaxed);
	atomic_store_explicit(&lane->bell, 1, memory_order_relaxed);
	publisher->lane = lane;
	publisher->owner = LINK_CLAIM;
	publisher->life = 1;
}

/* All that is ours, mapped and sealed. */
static int socket_prepare(struct nonet_publisher *publisher, struct nonet_memory *words, struct nonet_memory *ring,
			  struct nonet_error *reterr)
{
	struct channel *channel = &publisher->channel;
	struct nonet_memory_info info;
	int error = link_map(channel, 0, words, true, reterr);

	if (error < 0)
		return error;
	error = nonet_memory_info(ring, &info);
	if (error == 0) {
		channel->page = (size_t)info.page;
		/* Huge pages may have made it longer. */
		channel->ring = info.length;
		channel->object.fd = nonet_memory_descriptor(ring);
		socket_fill(publisher);
		error = publisher_start(publisher);
		channel->object.fd = -1;
	}
	if (error < 0)
		return error_set(reterr, error, "can't map a lane of %llu bytes: %s", (unsigned long long)channel->ring,
				 error_reason(error));
	error = link_seal(words, reterr);
	return error < 0 ? error : link_seal(ring, reterr);
}

/* The other side's page. */
static int socket_meet(struct nonet_publisher *publisher, nonet_time deadline, struct nonet_error *reterr)
{
	struct channel *channel = &publisher->channel;
	struct nonet_memory *words;
	struct link_hello hello;
	int fd = -1;
	int error = link_receive(channel->link->socket, LINK_SUBSCRIBER, &hello, &fd, 1, deadline, reterr);

	if (error < 0)
		return error;
	error = link_take(&fd, LINK_PAGE, &words, reterr);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	error = link_map(channel, 1, words, false, reterr);
	nonet_memory_close(words);
	if (error < 0)
		return error;
	channel->link->theirs = &channel_seat(channel, 0)->claim;
	publisher->can_unfence = publisher->can_unfence && !(hello.flags & LINK_FENCED);
	return 0;
}

static int socket_give(const struct channel *channel, struct nonet_memory *words, struct nonet_memory *ring,
		       nonet_time deadline, struct nonet_error *reterr)
{
	const struct link_hello hello = {
		.magic = LINK_PUBLISHER,
		.layout = CHANNEL_LAYOUT,
		.policy = channel->policy,
		.lane = channel->ring,
	};
	const int fds[2] = {nonet_memory_descriptor(words), nonet_memory_descriptor(ring)};

	return link_send(channel->link->socket, &hello, fds, 2, deadline, reterr);
}

static int socket_publish(struct nonet_publisher *publisher, const struct nonet_channel_options *options,
			  nonet_time deadline, struct nonet_error *reterr)
{
	const uint64_t lane = options->lane ? options->lane : CHANNEL_LANE_USUAL;
	struct nonet_memory *words = NULL;
	struct nonet_memory *ring = NULL;
	int error = link_make(LINK_PAGE, 0, &words, reterr);

	publisher->channel.policy = (enum channel_policy)options->policy;
	if (error == 0)
		error = link_make(lane, socket_memory_flags(options->flags), &ring, reterr);
	if (error == 0)
		error = socket_prepare(publisher, words, ring, reterr);
	if (error == 0)
		error = socket_give(&publisher->channel, words, ring, deadline, reterr);
	/* The mappings are what may write. */
	nonet_memory_close(words);
	nonet_memory_close(ring);
	return error < 0 ? error : socket_meet(publisher, deadline, reterr);
}

int nonet_publisher_take_socket(struct nonet_unix **socket, const struct nonet_channel_options *options,
				nonet_time deadline, struct nonet_publisher **ret_publisher, struct nonet_error *reterr)
{
	struct nonet_publisher *publisher;
	int error;

	options = options ? options : &socket_defaults;
	error = socket_check_options(options, reterr);
	if (error < 0)
		return error;
	publisher = sys_allocate(sizeof(*publisher));
	if (!publisher)
		return error_set(reterr, -ENOMEM, "no memory for a publisher's handle");
	publisher->can_unfence = sys_membarrier_register() == 0;
	error = link_begin(&publisher->channel, *socket, reterr);
	if (error < 0) {
		sys_free(publisher);
		return error;
	}
	error = socket_publish(publisher, options, deadline, reterr);
	if (error < 0) {
		channel_unmap(&publisher->ring);
		link_drop(&publisher->channel);
		sys_free(publisher);
		return error;
	}
	link_keep(&publisher->channel, socket);
	*ret_publisher = publisher;
	return 0;
}
