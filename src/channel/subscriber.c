/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/subscriber.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * Reading. channel_layout.h has the ring.
 *
 * [CHANNEL-RECORD]  Who sees a record's header sees its message, and that the next header was cleared.
 *
 * [CHANNEL-FLOOR]   With CHANNEL_DROP what is read may be overwritten. The publisher stored the floor before, so that
 *                   who has read a byte of the new, and then looks at the floor, sees that it is above.
 */

bool subscriber_is_over(const struct subscriber_lane *lane, uint64_t position)
{
	atomic_thread_fence(memory_order_acquire); /* [CHANNEL-FLOOR] pair: publisher_raise() */
	/* [CHANNEL-MARK] And the mark that it is at is there. pair: publisher_raise() */
	return atomic_load_explicit(&lane->lane->floor, memory_order_acquire) > position;
}

/* What each message needs is one function, inlined where it is called: a call costs as much as a part of it does. */
#define EACH_MESSAGE static inline __attribute__((always_inline))

EACH_MESSAGE void subscriber_moves(const struct nonet_subscriber *subscriber, const struct subscriber_lane *lane,
				   uint64_t position)
{
	struct channel_lane *shared = lane->lane;
	uint32_t room;

	/* [CHANNEL-ROOM] What we read is read. pair: publisher_least() */
	atomic_store_explicit(&lane->position->position, position | CHANNEL_READS, memory_order_release);
	if (subscriber->channel.policy != CHANNEL_BLOCK)
		return;
	room = atomic_load_explicit(&shared->room, memory_order_relaxed);
	/* [CHANNEL-WANTS] pair: publisher_sleep() */
	if (__builtin_expect(atomic_load_explicit(&shared->wants, memory_order_relaxed) == room, 0))
		subscriber_tell(subscriber, shared, room);
}

void subscriber_move(struct nonet_subscriber *subscriber, struct subscriber_lane *lane, uint64_t position)
{
	subscriber_moves(subscriber, lane, position);
}

/* It was too slow: on from the floor. -EBADMSG: that can't be. */
static int subscriber_skip(struct nonet_subscriber *subscriber, struct subscriber_lane *lane)
{
	struct subscriber_start start;
	int error = subscriber_read_floor(subscriber, lane, &start);

	if (error < 0)
		return error;
	/* Numbers only go up, and the floor was above. */
	if (start.position <= atomic_load_explicit(&lane->head, memory_order_relaxed) ||
	    start.sequence < lane->sequence)
		return channel_poison(&subscriber->channel);
	atomic_store_explicit(&subscriber->seat->lost,
			      atomic_load_explicit(&subscriber->seat->lost, memory_order_relaxed) + start.sequence -
				      lane->sequence,
			      memory_order_relaxed);
	lane->lost += start.sequence - lane->sequence;
	lane->sequence = start.sequence;
	lane->life = start.life;
	atomic_store_explicit(&lane->head, start.position, memory_order_relaxed);
	return 0;
}

/* 1: a message; 0: none; 2: look again; -EBADMSG. */
static int subscriber_look(struct nonet_subscriber *subscriber, struct subscriber_lane *lane,
			   struct subscriber_found *ret_found)
{
	const bool drops = subscriber->channel.policy == CHANNEL_DROP;
	const uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
	uint8_t *base = atomic_load_explicit(&lane->base, memory_order_relaxed);
	uint64_t header;
	uint64_t length;
	int error;

	if (!base)
		return 0;
	/* [CHANNEL-RECORD] pair: publisher_finish(), publisher_show() */
	header = atomic_load_explicit(channel_header(base, subscriber->mask, head), memory_order_acquire);
	if (header == 0 && !drops)
		return guard_map_is_poisoned(&lane->ring.map) ? -EBADMSG : 0;
	if (drops && subscriber_is_over(lane, head)) {
		error = subscriber_skip(subscriber, lane);
		return error < 0 ? error : 2;
	}
	if (header == 0)
		return guard_map_is_poisoned(&lane->ring.map) ? -EBADMSG : 0;
	length = header & CHANNEL_LENGTH;
	if (!(header & CHANNEL_VALID) || length > subscriber->channel.ring / 2 ||
	    (header >> CHANNEL_SEQUENCE_SHIFT & CHANNEL_SEQUENCE) != (lane->sequence & CHANNEL_SEQUENCE))
		return channel_poison(&subscriber->channel);
	ret_found->position = head;
	ret_found->length = length;
	ret_found->data = base + (head & subscriber->mask) + CHANNEL_HEADER;
	if (__builtin_expect(header & CHANNEL_NOTE, 0)) {
		/* Nothing stands farther above the floor. A ring full of notes would have no end, and no number tells.
		 */
		if (head + channel_record(length) >
		    atomic_load_explicit(&lane->lane->floor, memory_order_relaxed) + subscriber->channel.ring)
			return channel_poison(&subscriber->channel);
		lane->life = atomic_load_explicit(channel_header(base, subscriber->mask, head + CHANNEL_HEADER),
						  memory_order_relaxed);
		/* Overwritten since, it may be anything. */
		if (!drops || !subscriber_is_over(lane, head))
			atomic_store_explicit(&lane->head, head + channel_record(length), memory_order_relaxed);
		return 2;
	}
	return 1;
}

int subscriber_find_in(struct nonet_subscriber *subscriber, struct subscriber_lane *lane,
		       struct subscriber_found *ret_found)
{
	int result = 2;

	for (uint32_t tries = 0; result == 2 && tries < SUBSCRIBER_PASSES; tries++)
		result = subscriber_look(subscriber, lane, ret_found);
	return result == 2 ? 0 : result;
}

int subscriber_find(struct nonet_subscriber *subscriber, struct subscriber_found *ret_found)
{
	struct subscriber_lane *lane = subscriber->turn;
	int result = 0;

	for (uint32_t i = 0; i < subscriber->channel.lanes && result == 0; i++, lane = lane->after) {
		result = subscriber_find_in(subscriber, lane, ret_found);
		ret_found->lane = lane;
	}
	return result;
}

/*
 * Behind a message that was found. Most are as long as the one before. A processor guesses that, where we ask, and so
 * fetches the next message before it has this one's length; from the length it would have to wait for it.
 */
static inline uint64_t subscriber_behind(const struct subscriber_found *found)
{
	struct subscriber_lane *lane = found->lane;
	uint64_t record = lane->record;

	if (__builtin_expect(found->length != lane->length, 0)) {
		record = channel_record(found->length);
		lane->length = found->length;
		lane->record = record;
	}
	return found->position + record;
}

/* A message that is known to be there is taken: the head goes behind it. */
static inline void subscriber_pass(struct nonet_subscriber *subscriber, const struct subscriber_found *found,
				   uint64_t behind)
{
	struct subscriber_lane *lane = found->lane;

	atomic_store_explicit(&lane->head, behind, memory_order_relaxed);
	lane->sequence++;
	lane->lost = 0;
	subscriber->turn = lane->after;
}

/* @slot: where it is held */
static inline void subscriber_describe(const struct subscriber_found *found, uint32_t slot,
				       struct nonet_message *ret_message)
{
	*ret_message = (struct nonet_message){
		.data = found->data + found->lane->ring.shown,
		.size = (size_t)found->length,
		.sequence = found->lane->sequence,
		.lost = found->lane->lost,
		.publisher = found->lane->life,
		.lane = found->lane->number,
		.reserved = slot,
		.position = found->position,
	};
}

/* The next message, waited for: whatever isn't each message's. */
static int subscriber_await(struct nonet_subscriber *subscriber, nonet_time deadline,
			    struct subscriber_found *ret_found)
{
	int result = object_check(&subscriber->channel.object);

	if (result < 0)
		return result;
	result = subscriber_find(subscriber, ret_found);
	if (result == 0)
		result = subscriber_wait(subscriber, deadline, ret_found);
	return result < 0 ? result : 0;
}

/* Look for some microseconds at a header that isn't there. */
static __attribute__((noinline)) uint64_t subscriber_watch(struct nonet_subscriber *subscriber,
							   const struct subscriber_lane *lane,
							   const _Atomic uint64_t *place)
{
	uint64_t header = 0;

	if (subscriber_skips_looking(subscriber))
		return 0;
	subscriber_waits(subscriber, lane->sequence);
	for (uint32_t i = 0; header == 0 && i < SUBSCRIBER_LOOKS; i++) {
		pause_once();
		/* [CHANNEL-RECORD] pair: publisher_finish(), publisher_show() */
		header = atomic_load_explicit(place, memory_order_acquire);
	}
	subscriber->vain = header ? 0 : subscriber->vain + 1;
	return header;
}

/*
 * Whether a message, no note and nothing damaged, is the next one of the lane whose turn it is; where all come in one
 * lane it is waited for a while. Whatever is to be known of it is known before it comes.
 */
EACH_MESSAGE bool subscriber_comes(struct nonet_subscriber *subscriber, nonet_time deadline,
				   struct subscriber_found *ret_found)
{
	struct subscriber_lane *lane = subscriber->turn;
	const uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
	const uint64_t expected = (lane->sequence & CHANNEL_SEQUENCE) << CHANNEL_SEQUENCE_SHIFT | CHANNEL_VALID;
	uint8_t *base = atomic_load_explicit(&lane->base, memory_order_relaxed);
	const _Atomic uint64_t *place;
	uint64_t header;

	if (!object_is_surely_fine(&subscriber->channel.object) || __builtin_expect(!base, 0))
		return false;
	place = channel_header(base, subscriber->mask, head);
	*ret_found = (struct subscriber_found){
		.lane = lane,
		.position = head,
		.data = (const uint8_t *)place + CHANNEL_HEADER,
	};
	/* [CHANNEL-RECORD] pair: publisher_finish(), publisher_show() */
	header = atomic_load_explicit(place, memory_order_acquire);
	if (header == 0 && subscriber->watches && deadline != NONET_NOW)
		header = subscriber_watch(subscriber, lane, place);
	ret_found->length = header - expected;
	return __builtin_expect(ret_found->length < subscriber->most, 1);
}

/* A message that was found is held from now on, the only one of its lane. */
EACH_MESSAGE void subscriber_hold_first(struct nonet_subscriber *subscriber, const struct subscriber_found *found,
					struct nonet_message *ret_message)
{
	struct subscriber_lane *lane = found->lane;
	const uint64_t behind = subscriber_behind(found);

	subscriber_describe(found, 0, ret_message);
	lane->oldest = 0;
	lane->newest = 0;
	lane->begins[0] = found->position;
	lane->held = 1;
	subscriber_pass(subscriber, found, behind);
}

/* ... or one of several; its lane isn't full. */
static void subscriber_hold(struct nonet_subscriber *subscriber, const struct subscriber_found *found,
			    struct nonet_message *ret_message)
{
	struct subscriber_lane *lane = found->lane;
	const uint8_t slot = (uint8_t)__builtin_ctzll(~lane->held);

	if (lane->held == 0) {
		subscriber_hold_first(subscriber, found, ret_message);
		return;
	}
	subscriber_describe(found, slot, ret_message);
	lane->before[slot] = lane->newest;
	lane->behind[lane->newest] = slot;
	lane->newest = slot;
	lane->begins[slot] = found->position;
	lane->held |= UINT64_C(1) << slot;
	subscriber_pass(subscriber, found, subscriber_behind(found));
}

/* A message of a lane that isn't full: 0; -ENOBUFS: there is none. */
static int subscriber_find_beside(struct nonet_subscriber *subscriber, struct subscriber_found *ret_found)
{
	struct subscriber_lane *lane = subscriber->turn;

	for (uint32_t i = 0; i < subscriber->channel.lanes; i++, lane = lane->after) {
		int result;

		if (subscriber_is_full(lane))
			continue;
		result = subscriber_find_in(subscriber, lane, ret_found);
		if (result < 0)
			return result;
		if (result == 0)
			continue;
		ret_found->lane = lane;
		return 0;
	}
	return -ENOBUFS;
}

static __attribute__((noinline)) int subscriber_take_any(struct nonet_subscriber *subscriber, nonet_time deadline,
							 struct nonet_message *ret_message)
{
	struct subscriber_found found;
	int error = subscriber_await(subscriber, deadline, &found);

	if (error == 0 && subscriber_is_full(found.lane))
		error = subscriber_find_beside(subscriber, &found);
	if (error == 0)
		subscriber_hold(subscriber, &found, ret_message);
	return error;
}

int nonet_subscriber_take(struct nonet_subscriber *subscriber, nonet_time deadline, struct nonet_message *ret_message)
{
	struct subscriber_found found;

	if (!subscriber_comes(subscriber, deadline, &found) || __builtin_expect(found.lane->held != 0, 0))
		return subscriber_take_any(subscriber, deadline, ret_message);
	subscriber_hold_first(subscriber, &found, ret_message);
	return 0;
}

bool subscriber_holds(const struct nonet_subscriber *subscriber, const struct nonet_message *message)
{
	const uint32_t slot = message->reserved;
	const struct subscriber_lane *lane;

	if (message->lane >= subscriber->channel.lanes || slot >= NONET_CHANNEL_TAKEN)
		return false;
	lane = &subscriber->lanes[message->lane];
	return lane->held >> slot & 1 && lane->begins[slot] == message->position;
}

/* One of several that are held isn't any more: as far as none is held, all is read. */
static void subscriber_let_go(struct nonet_subscriber *subscriber, struct subscriber_lane *lane, uint32_t slot)
{
	lane->held &= ~(UINT64_C(1) << slot);
	if (lane->held == 0) {
		/* What was received since is copied, and a note was seen. */
		subscriber_move(subscriber, lane, atomic_load_explicit(&lane->head, memory_order_relaxed));
		return;
	}
	if (slot == lane->newest) {
		lane->newest = lane->before[slot];
		return;
	}
	if (slot != lane->oldest) {
		lane->behind[lane->before[slot]] = lane->behind[slot];
		lane->before[lane->behind[slot]] = lane->before[slot];
		return;
	}
	lane->oldest = lane->behind[slot];
	subscriber_move(subscriber, lane, lane->begins[lane->oldest]);
}

static __attribute__((noinline)) int subscriber_release_any(struct nonet_subscriber *subscriber,
							    const struct nonet_message *message)
{
	struct subscriber_lane *lane;
	int error = object_check(&subscriber->channel.object);

	if (error < 0)
		return error;
	if (!subscriber_holds(subscriber, message))
		return -EINVAL;
	lane = &subscriber->lanes[message->lane];
	subscriber_let_go(subscriber, lane, message->reserved);
	if (guard_map_is_poisoned(&lane->ring.map))
		return -EBADMSG;
	return subscriber->channel.policy == CHANNEL_DROP && subscriber_is_over(lane, message->position) ? -ESTALE : 0;
}

int nonet_subscriber_release(struct nonet_subscriber *subscriber, const struct nonet_message *message)
{
	struct subscriber_lane *lane;

	if (!object_is_surely_fine(&subscriber->channel.object) ||
	    __builtin_expect(message->lane >= subscriber->channel.lanes, 0))
		return subscriber_release_any(subscriber, message);
	lane = &subscriber->lanes[message->lane];
	/* The only one that is held: then it is in the first slot. */
	if (__builtin_expect(subscriber->most == 0, 0) || __builtin_expect(lane->held != 1, 0) ||
	    __builtin_expect(message->reserved != 0, 0) || __builtin_expect(lane->begins[0] != message->position, 0))
		return subscriber_release_any(subscriber, message);
	lane->held = 0;
	subscriber_moves(subscriber, lane, atomic_load_explicit(&lane->head, memory_order_relaxed));
	return __builtin_expect(guard_map_is_poisoned(&lane->ring.map), 0) ? -EBADMSG : 0;
}

/* Without waiting: copies of messages that are overwritten meanwhile. */
#define RECEIVE_TRIES 100u

/* The copy of a message is whole. */
static inline int subscriber_received(struct nonet_subscriber *subscriber, const struct subscriber_found *found,
				      const void *buffer, struct nonet_message *ret_message)
{
	const uint64_t behind = subscriber_behind(found);

	if (ret_message) {
		subscriber_describe(found, NONET_CHANNEL_TAKEN, ret_message);
		ret_message->data = buffer;
	}
	subscriber_pass(subscriber, found, behind);
	/* What is held from before stays. */
	if (found->lane->held == 0)
		subscriber_moves(subscriber, found->lane, behind);
	return (int)found->length;
}

static __attribute__((noinline)) int subscriber_receive_any(struct nonet_subscriber *subscriber, void *buffer,
							    size_t size, nonet_time deadline,
							    struct nonet_message *ret_message)
{
	const bool drops = subscriber->channel.policy == CHANNEL_DROP;
	struct subscriber_found found;
	int error;

	for (uint32_t tries = 0;; tries++) {
		error = subscriber_await(subscriber, deadline, &found);
		if (error < 0)
			return error;
		if (found.length > size || found.length > INT_MAX)
			return -EMSGSIZE;
		channel_copy(buffer, found.data, (size_t)found.length);
		if (guard_map_is_poisoned(&found.lane->ring.map))
			return -EBADMSG;
		if (!drops || !subscriber_is_over(found.lane, found.position))
			return subscriber_received(subscriber, &found, buffer, ret_message);
		/* Who copies slower than others write would be overtaken each time. */
		error = deadline == NONET_NOW && tries < RECEIVE_TRIES ? 0 : subscriber_is_late(deadline);
		if (error < 0)
			return error;
	}
}

/* The same for one that is more than a line or two. */
static __attribute__((noinline)) int subscriber_receive_large(struct nonet_subscriber *subscriber, void *buffer,
							      struct subscriber_lane *lane, uint64_t length,
							      struct nonet_message *ret_message)
{
	const uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
	const struct subscriber_found found = {
		.lane = lane,
		.position = head,
		.length = length,
		.data = lane->ring.base + (head & subscriber->mask) + CHANNEL_HEADER,
	};

	memcpy(buffer, found.data, (size_t)length);
	return guard_map_is_poisoned(&lane->ring.map) ? -EBADMSG
						      : subscriber_received(subscriber, &found, buffer, ret_message);
}

int nonet_subscriber_receive(struct nonet_subscriber *subscriber, void *buffer, size_t size, nonet_time deadline,
			     struct nonet_message *ret_message)
{
	struct subscriber_found found;

	if (!subscriber_comes(subscriber, deadline, &found) || __builtin_expect(found.length > size, 0) ||
	    __builtin_expect(found.length > INT_MAX, 0))
		return subscriber_receive_any(subscriber, buffer, size, deadline, ret_message);
	if (found.length > CHANNEL_SMALL)
		return subscriber_receive_large(subscriber, buffer, found.lane, found.length, ret_message);
	channel_copy_small(buffer, found.data, (size_t)found.length);
	if (__builtin_expect(guard_map_is_poisoned(&found.lane->ring.map), 0))
		return -EBADMSG;
	return subscriber_received(subscriber, &found, buffer, ret_message);
}

int nonet_subscriber_message_size(struct nonet_subscriber *subscriber, nonet_time deadline, size_t *ret_size)
{
	struct subscriber_found found;
	int error = subscriber_comes(subscriber, deadline, &found) ? 0 : subscriber_await(subscriber, deadline, &found);

	if (error < 0)
		return error;
	/* The next call begins with this lane. */
	subscriber->turn = found.lane;
	*ret_size = (size_t)found.length;
	return 0;
}
