/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "base/list.h"
#include "channel/subscriber.h"
#include "domain/thread.h"
#include "sys/memory.h"

/*
 * Becoming a subscriber, and ceasing to be one.
 *
 * [CHANNEL-FLOOR]  We store our position, the floor or above, and raise joins, then look at the floor; the publisher
 *                  raises it, then looks at joins. A full fence between the two on both sides: so he sees that we
 *                  join, and overwrites nothing from there on, or we see that it was raised above us, and begin anew.
 *
 * [CHANNEL-JOINS]  Who sees joins as we raised it sees where we read from.
 *
 * [CHANNEL-JOINED] Who sees that one has joined publishes behind where he reads from.
 *
 * [CHANNEL-MARK]   Who sees the number of a mark sees the mark. It is written over only when the floor is far above.
 */

static const struct nonet_subscriber_options subscriber_defaults = {.size = sizeof(subscriber_defaults)};

int subscriber_check_options(const struct nonet_subscriber_options *options, struct nonet_error *reterr)
{
	const uint32_t flags = NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END | NONET_SUBSCRIBER_POLL |
			       NONET_SUBSCRIBER_SLEEP | NONET_SUBSCRIBER_TAP;
	const uint32_t both = NONET_SUBSCRIBER_POLL | NONET_SUBSCRIBER_SLEEP;

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the subscriber options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~flags || options->reserved[0] || options->reserved[1] || options->reserved[2])
		return error_set(reterr, -EINVAL, "the subscriber options have unknown flags or a reserved field set");
	if ((options->flags & both) == both)
		return error_set(reterr, -EINVAL,
				 "a subscriber polls or sleeps at once, not both; choose one, or none");
	return 0;
}

static struct subscriber_start subscriber_read_mark(const struct subscriber_lane *lane, uint64_t number)
{
	const struct channel_mark *mark = &lane->lane->marks[number % CHANNEL_MARKS];

	return (struct subscriber_start){
		.position = atomic_load_explicit(&mark->position, memory_order_relaxed),
		.sequence = atomic_load_explicit(&mark->sequence, memory_order_relaxed),
		.life = atomic_load_explicit(&mark->life, memory_order_relaxed),
	};
}

int subscriber_read_floor(const struct nonet_subscriber *subscriber, const struct subscriber_lane *lane,
			  struct subscriber_start *ret_start)
{
	uint64_t number = atomic_load_explicit(&lane->lane->floor_mark, memory_order_acquire); /* [CHANNEL-MARK] */
	uint64_t before;

	for (uint32_t i = 0; i < SUBSCRIBER_TRIES; i++) {
		*ret_start = subscriber_read_mark(lane, number);
		atomic_thread_fence(memory_order_acquire); /* [CHANNEL-MARK] pair: publisher_add_mark() */
		before = number;
		/* [CHANNEL-MARK] pair: publisher_raise() */
		number = atomic_load_explicit(&lane->lane->floor_mark, memory_order_acquire);
		if (number - before >= CHANNEL_MARKS / 2)
			continue;
		if (ret_start->position % 8 != 0 || ret_start->position > CHANNEL_POSITION_MOST)
			break;
		return 0;
	}
	return channel_poison(&subscriber->channel);
}

/* The last mark: 0, or -EBADMSG. A lane without one begins at 0. */
static int subscriber_read_last(const struct nonet_subscriber *subscriber, const struct subscriber_lane *lane,
				struct subscriber_start *ret_start)
{
	uint64_t marked = atomic_load_explicit(&lane->lane->marked, memory_order_acquire); /* [CHANNEL-MARK] */
	uint64_t before;

	for (uint32_t i = 0; i < SUBSCRIBER_TRIES; i++) {
		*ret_start = marked ? subscriber_read_mark(lane, marked - 1) : (struct subscriber_start){0};
		atomic_thread_fence(memory_order_acquire); /* [CHANNEL-MARK] pair: publisher_add_mark() */
		before = marked;
		marked = atomic_load_explicit(&lane->lane->marked, memory_order_acquire); /* [CHANNEL-MARK] */
		/* It may be another by now, of which we have read a half. */
		if (marked - before >= CHANNEL_MARKS / 2)
			continue;
		if (ret_start->position % 8 != 0 || ret_start->position > CHANNEL_POSITION_MOST)
			break;
		return 0;
	}
	return channel_poison(&subscriber->channel);
}

/* From there up to what is published now. */
static int subscriber_walk(struct nonet_subscriber *subscriber, struct subscriber_lane *lane)
{
	/* One who publishes all the time isn't run after: what comes later is to be received. */
	const uint64_t most = atomic_load_explicit(&lane->head, memory_order_relaxed) + subscriber->channel.ring;
	struct subscriber_found found;
	int result = 1;

	while (result == 1 && atomic_load_explicit(&lane->head, memory_order_relaxed) < most) {
		result = subscriber_find_in(subscriber, lane, &found);
		if (result == 1) {
			atomic_store_explicit(&lane->head, found.position + channel_record(found.length),
					      memory_order_relaxed);
			lane->sequence++;
		}
	}
	lane->lost = 0;
	return result < 0 ? result : 0;
}

/*
 * Read a lane from its floor on, or, without the history, from its last mark: from then on nothing there is
 * overwritten, but with CHANNEL_DROP. From the floor on publishers would have no room until we have mapped the ring and
 * read it all; and none at all, were we stopped meanwhile.
 */
static int subscriber_attach(struct nonet_subscriber *subscriber, struct subscriber_lane *lane)
{
	const bool history = subscriber->flags & NONET_SUBSCRIBER_HISTORY;
	struct subscriber_start start;
	struct subscriber_start floor;
	int error = 0;

	for (uint32_t i = 0; i < SUBSCRIBER_TRIES && error == 0; i++) {
		error = history ? subscriber_read_floor(subscriber, lane, &start)
				: subscriber_read_last(subscriber, lane, &start);
		if (error < 0)
			break;
		atomic_store_explicit(&lane->position->position, start.position | CHANNEL_READS, memory_order_relaxed);
		/* Who only looks on writes nothing, and nobody waits for him. */
		if (!subscriber->tap)
			/* [CHANNEL-JOINS] pair: publisher_look() */
			atomic_fetch_add_explicit(&lane->lane->joins, 1, memory_order_release);
		atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-FLOOR] pair: publisher_raise() */
		error = subscriber_read_floor(subscriber, lane, &floor);
		if (error == 0 && floor.position <= start.position &&
		    start.position - floor.position <= subscriber->channel.ring) {
			lane->sequence = start.sequence;
			lane->life = start.life;
			atomic_store_explicit(&lane->head, start.position, memory_order_relaxed);
			return 0;
		}
	}
	return error < 0 ? error : channel_poison(&subscriber->channel);
}

int subscriber_map(struct nonet_subscriber *subscriber)
{
	const struct channel *channel = &subscriber->channel;
	/* [CHANNEL-NEWS] pair: channel_news() */
	const uint32_t news = atomic_load_explicit(&channel_board(channel)->news, memory_order_acquire);
	int error = 0;

	for (uint32_t number = 0; number < channel->lanes && error == 0; number++) {
		struct subscriber_lane *lane = &subscriber->lanes[number];

		/* [CHANNEL-MADE] It has its memory. pair: publisher_begin() */
		if (lane->ring.base || !atomic_load_explicit(&lane->lane->made, memory_order_acquire))
			continue;
		error = channel_check_file(channel);
		if (error == 0)
			error = channel_map(channel, number, false, &lane->ring);
		/* Of mmap(2): more than may be locked. To who takes it would say that there is no message. */
		error = error == -EAGAIN ? -ENOMEM : error;
		if (error == 0)
			atomic_store_explicit(&lane->base, lane->ring.base, memory_order_relaxed);
	}
	if (error == 0)
		atomic_store_explicit(&subscriber->news, news, memory_order_relaxed);
	return error;
}

/* A seat that no living process has; nothing of the one before is left in it. */
static int subscriber_take_seat(struct nonet_subscriber *subscriber)
{
	const struct channel *channel = &subscriber->channel;
	int error;

	if (channel->object.observed)
		return subscriber_tap_begin(subscriber);
	error = domain_process_owner(channel->object.domain, &subscriber->owner);

	if (error < 0)
		return error;
	error = -EUSERS;
	for (uint32_t number = 0; number < channel->seats && !subscriber->seat; number++) {
		struct channel_seat *seat = channel_seat(channel, number);
		const int result = channel_take(channel, &seat->claim, &seat->member, subscriber->owner);
		if (result > 0) {
			subscriber->seat = seat;
			subscriber->number = number;
		} else if (result < 0) {
			error = result;
		}
	}
	if (!subscriber->seat)
		return error;
	atomic_store_explicit(&subscriber->seat->lost, 0, memory_order_relaxed);
	/* Also in lanes that we don't know: of a channel for calls the seat's last holder may have read others. */
	for (uint32_t number = 0; number < channel->all; number++)
		atomic_store_explicit(&channel_position_in(channel, number, subscriber->number)->position, 0,
				      memory_order_relaxed);
	return 0;
}

static void subscriber_leave(struct nonet_subscriber *subscriber)
{
	const struct channel *channel = &subscriber->channel;

	for (uint32_t number = 0; number < channel->lanes; number++) {
		struct channel_lane *lane = channel_lane(channel, number);

		if (!subscriber->lanes[number].position)
			break;
		/* [CHANNEL-ROOM] pair: publisher_least() */
		atomic_store_explicit(&subscriber->lanes[number].position->position, 0, memory_order_release);
		atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-WANTS] pair: publisher_sleep() */
		subscriber_tell(subscriber, lane, atomic_load_explicit(&lane->wants, memory_order_relaxed));
	}
	atomic_store_explicit(&subscriber->seat->joined, 0, memory_order_relaxed);
	channel_leave(&subscriber->seat->claim, &subscriber->seat->member);
}

int subscriber_join(struct nonet_subscriber *subscriber, unsigned flags)
{
	const struct channel *channel = &subscriber->channel;
	int error;

	subscriber->mask = channel->ring - 1;
	subscriber->flags = flags;
	subscriber->lanes = sys_allocate(channel->lanes * sizeof(*subscriber->lanes));
	if (!subscriber->lanes)
		return -ENOMEM;
	subscriber->turn = subscriber->lanes;
	/* Over a socket it has the only one. */
	error = subscriber->seat ? 0 : subscriber_take_seat(subscriber);
	if (error < 0)
		return error;
	/* To one who only looks on all is as with CHANNEL_DROP, whatever the channel's policy. */
	subscriber->most = channel->policy == CHANNEL_DROP ? 0 : channel->ring / 2 + 1;
	subscriber->watches = channel->lanes == 1 && channel->policy != CHANNEL_DROP &&
			      !(flags & NONET_SUBSCRIBER_SLEEP) && (flags & NONET_SUBSCRIBER_POLL || pause_helps());
	for (uint32_t number = 0; number < channel->lanes && error == 0; number++) {
		struct subscriber_lane *lane = &subscriber->lanes[number];

		lane->number = number;
		lane->after = &subscriber->lanes[number + 1 == channel->lanes ? 0 : number + 1];
		lane->lane = channel_lane(channel, number);
		lane->record = channel_record(lane->length);
		lane->position = subscriber->tap ? subscriber_tap_position(subscriber, number)
						 : channel_position(channel, number, subscriber->number);
		error = subscriber_attach(subscriber, lane);
	}
	if (error == 0)
		error = subscriber_map(subscriber);
	for (uint32_t number = 0; number < channel->lanes && error == 0 && !(flags & NONET_SUBSCRIBER_HISTORY);
	     number++) {
		struct subscriber_lane *lane = &subscriber->lanes[number];

		if (lane->ring.base)
			error = subscriber_walk(subscriber, lane);
		subscriber->waited += lane->sequence;
		subscriber_move(subscriber, lane, atomic_load_explicit(&lane->head, memory_order_relaxed));
	}
	atomic_store_explicit(&subscriber->seat->lost, 0, memory_order_relaxed);
	/* [CHANNEL-JOINED] pair: nonet_publisher_subscribers() */
	if (error == 0)
		atomic_store_explicit(&subscriber->seat->joined, subscriber->owner, memory_order_release);
	return error;
}

static void subscriber_rest(struct nonet_waitable *waitable)
{
	struct nonet_subscriber *subscriber = container_of(waitable, struct nonet_subscriber, waitable);

	if (subscriber->channel.object.generation != sys_generation())
		return;
	if (subscriber->tap)
		subscriber_tap_rest(subscriber);
	else
		doorbell_rest(&subscriber->bell);
}

/* All but its channel. */
static void subscriber_end(struct nonet_subscriber *subscriber)
{
	const struct channel *channel = &subscriber->channel;

	if (subscriber->tap)
		subscriber_tap_end(subscriber);
	else if (subscriber->seat && subscriber->lanes && channel->object.generation == sys_generation())
		subscriber_leave(subscriber);
	for (uint32_t number = 0; subscriber->lanes && number < channel->lanes; number++)
		channel_unmap(&subscriber->lanes[number].ring);
	sys_free(subscriber->lanes);
}

struct nonet_subscriber *subscriber_free(struct nonet_subscriber *subscriber)
{
	subscriber_end(subscriber);
	channel_close(&subscriber->channel);
	return sys_free(subscriber);
}

int subscriber_new(struct channel *channel, unsigned flags, struct nonet_subscriber **ret_subscriber)
{
	struct nonet_subscriber *subscriber = sys_allocate(sizeof(*subscriber));
	int error;

	if (!subscriber)
		return -ENOMEM;
	subscriber->channel = *channel;
	error = subscriber_join(subscriber, flags);
	if (error < 0) {
		subscriber_end(subscriber);
		sys_free(subscriber);
		return error;
	}
	*channel = (struct channel){0};
	doorbell_init(&subscriber->bell, &subscriber->channel.object, &subscriber_bell, subscriber);
	/* Until it has a bell; in a child it won't. */
	waitable_init(&subscriber->waitable, -ECHILD, subscriber_arm);
	subscriber->waitable.rest = subscriber_rest;
	*ret_subscriber = subscriber;
	return 0;
}

int nonet_subscriber_open(const char *address, const struct nonet_subscriber_options *options,
			  struct nonet_subscriber **ret_subscriber, struct nonet_error *reterr)
{
	struct channel channel;
	int error;

	options = options ? options : &subscriber_defaults;
	error = subscriber_check_options(options, reterr);
	if (error < 0)
		return error;
	error = options->flags & NONET_SUBSCRIBER_TAP ? channel_observe(address, &channel, reterr)
						      : channel_open(address, &channel, reterr);
	if (error < 0)
		return error;
	error = channel_check_use(&channel, false, reterr);
	if (error < 0) {
		channel_close(&channel);
		return error;
	}
	error = subscriber_new(&channel, options->flags, ret_subscriber);
	if (error == -EUSERS)
		error_set(reterr, error, "%s has %u subscribers, as many as it was made for", address, channel.seats);
	else if (error < 0)
		error_set(reterr, error, "can't subscribe to %s: %s", address, error_reason(error));
	channel_close(&channel);
	return error;
}

struct nonet_subscriber *nonet_subscriber_close(struct nonet_subscriber *subscriber)
{
	if (!subscriber)
		return NULL;
	waitable_done(&subscriber->waitable);
	if (!subscriber->channel.link)
		doorbell_done(&subscriber->bell);
	return subscriber_free(subscriber);
}

/* What it is waited for by, or why it can't be. */
static int subscriber_start(struct nonet_subscriber *subscriber)
{
	int error = object_check(&subscriber->channel.object);

	if (error == 0 && subscriber->tap)
		error = subscriber_tap_start(subscriber);
	else if (error == 0 && subscriber->channel.link)
		error = subscriber->channel.link->fd;
	else if (error == 0)
		error = doorbell_start(&subscriber->bell);
	subscriber->waitable.fd = error;
	return error;
}

int nonet_subscriber_fd(struct nonet_subscriber *subscriber)
{
	return subscriber_start(subscriber);
}

int nonet_subscriber_arm(struct nonet_subscriber *subscriber)
{
	int error = subscriber_start(subscriber);

	if (error >= 0 && !subscriber->channel.link)
		error = object_check_domain(&subscriber->channel.object);
	return error < 0 ? error : waitable_arm(&subscriber->waitable);
}

struct nonet_waitable *nonet_subscriber_waitable(struct nonet_subscriber *subscriber)
{
	(void)subscriber_start(subscriber);
	return &subscriber->waitable;
}

void nonet_subscriber_explain(struct nonet_subscriber *subscriber, int code, struct nonet_error *ret_error)
{
	const char *text = subscriber->channel.object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		error_set(ret_error, code, "%s has no message; somebody has to publish one", text);
		break;
	case -EPIPE:
		error_set(ret_error, code, "%s has no publisher left, and all that was published is read", text);
		break;
	case -ENOBUFS:
		error_set(ret_error, code, "%u messages of one lane of %s are held; release some", NONET_CHANNEL_TAKEN,
			  text);
		break;
	case -EMSGSIZE:
		error_set(ret_error, code,
			  "the next message of %s is larger than the buffer; give it more room, or take "
			  "it in place",
			  text);
		break;
	case -ESTALE:
		/* Of a release, unless something is wrong with the channel now. */
		if (subscriber->most == 0 && object_check(&subscriber->channel.object) == 0 &&
		    object_check_shared(&subscriber->channel.object) == 0) {
			error_set(
				ret_error, code,
				"a message of %s was overwritten while it was held, so what was read of it isn't to be "
				"used; read faster, or make the channel with larger lanes",
				text);
			break;
		}
		channel_explain(&subscriber->channel, code, ret_error);
		break;
	default:
		channel_explain(&subscriber->channel, code, ret_error);
		break;
	}
}
