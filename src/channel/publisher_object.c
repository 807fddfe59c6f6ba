/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "channel/publisher.h"
#include "domain/thread.h"
#include "guard/whole.h"
#include "sync/doorbell.h"
#include "sys/membarrier.h"
#include "sys/memory.h"

/*
 * Becoming a publisher, ceasing to be one, and saying what went wrong.
 *
 * [CHANNEL-MADE]  Who sees that a lane is made finds its memory.
 */

/* A lane that no living process has: 0, or -EUSERS, ... */
static int publisher_take_lane(struct nonet_publisher *publisher)
{
	const struct channel *channel = &publisher->channel;
	int error = -EUSERS;

	for (uint32_t number = 0; number < channel->lanes; number++) {
		struct channel_lane *lane = channel_lane(channel, number);
		int result = channel_take(channel, &lane->claim, &lane->member, publisher->owner);

		if (result > 0) {
			publisher->lane = lane;
			publisher->number = number;
			return 0;
		}
		if (result < 0)
			error = result;
	}
	return error;
}

/* The lane's memory. */
static int publisher_begin(struct nonet_publisher *publisher)
{
	struct channel *channel = &publisher->channel;
	const uint64_t place = channel_place(channel, publisher->number);
	struct channel_lane *lane = publisher->lane;
	int error = channel_check_file(channel);

	if (error == 0 && !atomic_load_explicit(&lane->made, memory_order_relaxed))
		error = whole_reserve(channel->object.fd, place, place + channel->ring);
	return error < 0 ? error : publisher_start(publisher);
}

int publisher_start(struct nonet_publisher *publisher)
{
	struct channel_lane *lane = publisher->lane;
	int error = channel_map(&publisher->channel, publisher->number, true, &publisher->ring);

	if (error < 0)
		return error;
	publisher->mask = publisher->channel.ring - 1;
	publisher->most = publisher->channel.ring / 2 - 64;
	/* Whoever armed for this bell was rung, or will be: the one before may have died over it. */
	publisher->bell = atomic_load_explicit(&lane->bell, memory_order_relaxed);
	atomic_store_explicit(&lane->unfenced, 0, memory_order_relaxed);
	atomic_store_explicit(&lane->made, 1, memory_order_release); /* [CHANNEL-MADE] pair: subscriber_map() */
	return publisher_resume(publisher);
}

static void publisher_leave(struct nonet_publisher *publisher)
{
	channel_leave(&publisher->lane->claim, &publisher->lane->member);
	if (publisher->channel.link)
		publisher_ring(publisher);
	else
		channel_news(&publisher->channel);
}

static int publisher_join(struct nonet_publisher *publisher)
{
	struct channel_board *board = channel_board(&publisher->channel);
	int error = domain_process_owner(publisher->channel.object.domain, &publisher->owner);

	if (error == 0)
		error = publisher_take_lane(publisher);
	if (error < 0)
		return error;
	error = publisher_begin(publisher);
	if (error < 0) {
		publisher_leave(publisher);
		return error;
	}
	publisher->life = atomic_fetch_add_explicit(&board->lives, 1, memory_order_relaxed) + 1;
	channel_news(&publisher->channel);
	return 0;
}

int publisher_new(struct channel *channel, struct nonet_publisher **ret_publisher)
{
	struct nonet_publisher *publisher = sys_allocate(sizeof(*publisher));
	int error;

	if (!publisher)
		return -ENOMEM;
	publisher->can_unfence = sys_membarrier_register() == 0;
	publisher->channel = *channel;
	doorbell_ring_prepare();
	error = publisher_join(publisher);
	if (error < 0) {
		doorbell_ring_forget(&publisher->channel.object);
		channel_unmap(&publisher->ring);
		sys_free(publisher);
		return error;
	}
	*channel = (struct channel){0};
	*ret_publisher = publisher;
	return 0;
}

int nonet_publisher_open(const char *address, struct nonet_publisher **ret_publisher, struct nonet_error *reterr)
{
	struct channel channel;
	int error;

	/* Before the domain's helper thread is there, which makes it slow; publisher_new() asks whether it could be. */
	(void)sys_membarrier_register();
	error = channel_open(address, &channel, reterr);
	if (error < 0)
		return error;
	error = channel_check_use(&channel, false, reterr);
	if (error < 0) {
		channel_close(&channel);
		return error;
	}
	error = publisher_new(&channel, ret_publisher);
	if (error == -EUSERS)
		error_set(reterr, error, "%s has %u publishers, as many as it was made for", address, channel.lanes);
	else if (error < 0)
		error_set(reterr, error, "can't publish in %s: %s", address, error_reason(error));
	channel_close(&channel);
	return error;
}

struct nonet_publisher *nonet_publisher_close(struct nonet_publisher *publisher)
{
	if (!publisher)
		return NULL;
	/* In a child it is the parent's. */
	if (publisher->channel.object.generation == sys_generation())
		publisher_leave(publisher);
	if (!publisher->channel.link)
		doorbell_ring_forget(&publisher->channel.object);
	channel_unmap(&publisher->ring);
	channel_close(&publisher->channel);
	return sys_free(publisher);
}

void nonet_publisher_explain(struct nonet_publisher *publisher, int code, struct nonet_error *ret_error)
{
	const char *text = publisher->channel.object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		error_set(ret_error, code,
			  "%s has no room: a subscriber is behind by a lane of %llu bytes; it has to read, or end",
			  text, (unsigned long long)publisher->channel.ring);
		break;
	case -EPIPE:
		error_set(ret_error, code, "the subscriber of %s has gone; nobody reads what is published", text);
		break;
	case -EMSGSIZE:
		error_set(
			ret_error, code,
			"a message of %s has at most %zu bytes, a half of a lane, and one that is written in place as "
			"many as were loaned",
			text, nonet_publisher_limit(publisher));
		break;
	case -EINVAL:
		error_set(
			ret_error, code,
			"nothing is loaned of %s, or a flag is unknown; loan first, and NONET_CHANNEL_MORE is the flag",
			text);
		break;
	default:
		channel_explain(&publisher->channel, code, ret_error);
		break;
	}
}
