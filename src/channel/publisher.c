/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/publisher.h"

#include <errno.h>
#include <string.h>

#include "sync/doorbell.h"
#include "sys/futex.h"

/*
 * Publishing. channel_layout.h has the ring; who may overwrite what is publisher_room.c's.
 *
 * [CHANNEL-RECORD]  Whoever reads a record's header sees the message, and that the next header was cleared.
 *
 * [CHANNEL-SLEEP]   We store a header, then load armed; a subscriber raises armed, then loads the header. If both loads
 *                   could run early, both would see the old value, and the subscriber would sleep on a lane that has a
 *                   message. So there is a full fence between the two on his side, and on ours too as long as the lane
 *                   is fenced; in one that isn't, he makes us have it, by membarrier(2), and only the compiler has to
 *                   keep our order. A lane is unfenced only after a fence between saying so and looking at armed: so he
 *                   who read "fenced" is seen there.
 *
 * [CHANNEL-BELL]    Who sees the new bell sees why it rang. Who has read the old one to arm a descriptor is in the
 * table of bells by then.
 */

static void publisher_clear(struct nonet_publisher *publisher, uint64_t position)
{
	atomic_store_explicit(channel_header(publisher->ring.base, publisher->mask, position), 0, memory_order_relaxed);
}

void publisher_ring(struct nonet_publisher *publisher)
{
	struct channel_lane *lane = publisher->lane;
	uint32_t asleep;
	bool polled;

	/* [CHANNEL-ARMED] Who armed had entered his doorbell, and said whether he sleeps. pair: wait_raise() */
	atomic_thread_fence(memory_order_acquire);
	asleep = atomic_load_explicit(&lane->asleep, memory_order_relaxed);
	polled = atomic_load_explicit(&lane->polled, memory_order_relaxed) == publisher->bell;
	publisher->quiet = 0;
	/* [CHANNEL-UNFENCED] pair: wait_arm() */
	atomic_store_explicit(&lane->unfenced, 0, memory_order_release);
	/* The new bell: whoever has armed for the old one, and sleeps only now, doesn't. */
	atomic_store_explicit(&lane->bell, publisher->bell + 1, memory_order_release); /* [CHANNEL-BELL] */
	if (asleep == publisher->bell)
		(void)sys_futex_wake(&lane->bell, SYS_FUTEX_ALL);
	publisher->bell++;
	if (publisher->channel.link) {
		/* He has gone, or couldn't be rung: the next loan looks again. */
		if (polled && channel_link_ring(publisher->channel.link) < 0)
			publisher->limit = 0;
		return;
	}
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-BELL] pair: wait_arm() */
	doorbell_ring(&publisher->channel.object);
}

static bool publisher_is_armed(const struct nonet_publisher *publisher)
{
	return atomic_load_explicit(&publisher->lane->armed, memory_order_relaxed) == publisher->bell;
}

/* It hasn't rung for long. */
static void publisher_unfence(struct nonet_publisher *publisher)
{
	if (!publisher->can_unfence) {
		publisher->quiet = 0;
		return;
	}
	atomic_store_explicit(&publisher->lane->unfenced, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-SLEEP] pair: wait_arm() */
	if (publisher_is_armed(publisher))
		publisher_ring(publisher);
}

/* A header was stored while the lane is fenced. */
static __attribute__((noinline)) void publisher_shown_fenced(struct nonet_publisher *publisher)
{
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-SLEEP] pair: wait_arm() */
	if (publisher_is_armed(publisher))
		publisher_ring(publisher);
	else if (++publisher->quiet == PUBLISHER_QUIET)
		publisher_unfence(publisher);
}

/* Of a header that was stored: whoever may sleep on it. */
static __attribute__((noinline)) void publisher_tell(struct nonet_publisher *publisher)
{
	if (publisher->quiet < PUBLISHER_QUIET)
		publisher_shown_fenced(publisher);
	else if (publisher_is_armed(publisher))
		publisher_ring(publisher);
}

/* Whether a header that was just stored has to be told of. */
static inline bool publisher_has_to_tell(const struct nonet_publisher *publisher)
{
	atomic_signal_fence(memory_order_seq_cst); /* [CHANNEL-SLEEP] the subscriber's membarrier(2) does it */
	return __builtin_expect(publisher->quiet < PUBLISHER_QUIET, 0) ||
	       __builtin_expect(publisher_is_armed(publisher), 0);
}

void publisher_show(struct nonet_publisher *publisher, uint64_t position, uint64_t header)
{
	/* [CHANNEL-RECORD] pair: subscriber_look() */
	atomic_store_explicit(channel_header(publisher->ring.base, publisher->mask, position), header,
			      memory_order_release);
	if (publisher_has_to_tell(publisher))
		publisher_tell(publisher);
}

/* 0, or the error of a handle that can't be used. */
static int publisher_check(const struct nonet_publisher *publisher)
{
	int error = object_check(&publisher->channel.object);

	return error == 0 && guard_map_is_poisoned(&publisher->ring.map) ? -EBADMSG : error;
}

static inline bool publisher_fits(const struct nonet_publisher *publisher, size_t size)
{
	return __builtin_expect(size <= publisher->most, 1) &&
	       __builtin_expect(publisher->tail + channel_record(size) + CHANNEL_HEADER <= publisher->limit, 1);
}

/* Whether there is nothing to do but what every message needs. */
static inline bool publisher_is_ready(const struct nonet_publisher *publisher, size_t size)
{
	return object_is_surely_fine(&publisher->channel.object) && publisher_fits(publisher, size);
}

static inline uint8_t *publisher_place(const struct nonet_publisher *publisher)
{
	return publisher->ring.base + (publisher->tail & publisher->mask) + CHANNEL_HEADER;
}

/* Whatever isn't each message's: a new part of the ring, an error. */
static int publisher_prepare(struct nonet_publisher *publisher, size_t size, nonet_time deadline)
{
	int error = publisher_check(publisher);

	if (error < 0)
		return error;
	publisher->loaned = 0;
	if (size > publisher->most)
		return -EMSGSIZE;
	return publisher_fits(publisher, size)
		       ? 0
		       : publisher_room(publisher, channel_record(size) + CHANNEL_HEADER, deadline);
}

static inline int publisher_lend(struct nonet_publisher *publisher, size_t size, void **ret_buffer)
{
	publisher->loaned = size + 1;
	/* What may be written over. */
	if (publisher->tail + channel_record(size) > publisher->cleared)
		publisher->cleared = 0;
	*ret_buffer = publisher_place(publisher);
	return 0;
}

static __attribute__((noinline)) int publisher_loan_any(struct nonet_publisher *publisher, size_t size,
							nonet_time deadline, void **ret_buffer)
{
	int error = publisher_prepare(publisher, size, deadline);

	return error < 0 ? error : publisher_lend(publisher, size, ret_buffer);
}

int nonet_publisher_loan(struct nonet_publisher *publisher, size_t size, nonet_time deadline, void **ret_buffer)
{
	if (!publisher_is_ready(publisher, size))
		return publisher_loan_any(publisher, size, deadline, ret_buffer);
	return publisher_lend(publisher, size, ret_buffer);
}

static inline uint64_t publisher_header(uint64_t sequence, size_t size)
{
	return (sequence & CHANNEL_SEQUENCE) << CHANNEL_SEQUENCE_SHIFT | size | CHANNEL_VALID;
}

/* A message that is written goes among those that are kept back: the record behind it isn't there yet. */
static void publisher_hold(struct nonet_publisher *publisher, size_t size)
{
	const uint64_t position = publisher->tail;
	const uint64_t header = publisher_header(publisher->sequence, size);

	publisher->loaned = 0;
	publisher->tail = position + channel_record(size);
	publisher->sequence++;
	publisher_clear(publisher, publisher->tail);
	if (publisher->held) {
		atomic_store_explicit(channel_header(publisher->ring.base, publisher->mask, position), header,
				      memory_order_relaxed);
	} else {
		publisher->held = position + 1;
		publisher->held_header = header;
	}
}

static __attribute__((noinline)) int publisher_finish_told(struct nonet_publisher *publisher)
{
	publisher_tell(publisher);
	return publisher_check(publisher);
}

/*
 * A record that is written can be read: the record behind it isn't there yet, so its own header may be stored. Then the
 * header behind the next one, should that be as long, is cleared, while nobody waits for us (docs/adr/0014).
 *
 * What is known of the publisher is read before anything is written: for all that the compiler knows the ring might be
 * where it stands. Return: 0; -EBADMSG: what was written to wasn't there.
 */
static inline int publisher_finish(struct nonet_publisher *publisher, size_t size)
{
	uint8_t *const base = publisher->ring.base;
	const uint64_t mask = publisher->mask;
	const uint64_t position = publisher->tail;
	const uint64_t end = position + channel_record(size);
	const uint64_t next = end + channel_record(size);
	const uint64_t header = publisher_header(publisher->sequence, size);
	const bool is_cleared = end == publisher->cleared;
	const bool clears = next + CHANNEL_HEADER <= publisher->full;

	publisher->loaned = 0;
	publisher->tail = end;
	publisher->sequence++;
	publisher->cleared = clears ? next : 0;
	if (__builtin_expect(!is_cleared, 0))
		atomic_store_explicit(channel_header(base, mask, end), 0, memory_order_relaxed);
	/* [CHANNEL-RECORD] pair: subscriber_look(), subscriber_comes() */
	atomic_store_explicit(channel_header(base, mask, position), header, memory_order_release);
	if (__builtin_expect(clears, 1))
		atomic_store_explicit(channel_header(base, mask, next), 0, memory_order_relaxed);
	if (publisher_has_to_tell(publisher))
		return publisher_finish_told(publisher);
	return __builtin_expect(guard_map_is_poisoned(&publisher->ring.map), 0) ? -EBADMSG : 0;
}

static __attribute__((noinline)) int publisher_publish_any(struct nonet_publisher *publisher, size_t size,
							   unsigned flags)
{
	int error = publisher_check(publisher);

	if (error < 0)
		return error;
	if (publisher->loaned == 0 || flags & ~NONET_CHANNEL_MORE)
		return -EINVAL;
	if (size >= publisher->loaned)
		return -EMSGSIZE;
	if (!publisher->held && !flags)
		return publisher_finish(publisher, size);
	publisher_hold(publisher, size);
	return flags & NONET_CHANNEL_MORE ? publisher_check(publisher) : nonet_publisher_abort(publisher);
}

int nonet_publisher_publish(struct nonet_publisher *publisher, size_t size, unsigned flags)
{
	if (!object_is_surely_fine(&publisher->channel.object) || __builtin_expect(size >= publisher->loaned, 0) ||
	    __builtin_expect(publisher->held || flags, 0))
		return publisher_publish_any(publisher, size, flags);
	return publisher_finish(publisher, size);
}

int nonet_publisher_abort(struct nonet_publisher *publisher)
{
	const uint64_t held = publisher->held;
	int error = publisher_check(publisher);

	if (error < 0)
		return error;
	publisher->loaned = 0;
	publisher->held = 0;
	if (held)
		publisher_show(publisher, held - 1, publisher->held_header);
	return publisher_check(publisher);
}

static __attribute__((noinline)) int publisher_send_any(struct nonet_publisher *publisher, const void *message,
							size_t size, nonet_time deadline)
{
	int error = publisher_prepare(publisher, size, deadline);

	if (error < 0)
		return error;
	channel_copy(publisher_place(publisher), message, size);
	if (!publisher->held)
		return publisher_finish(publisher, size);
	publisher_hold(publisher, size);
	return nonet_publisher_abort(publisher);
}

/* The same for one that is more than a line or two, where nothing else is to be done. */
static __attribute__((noinline)) int publisher_send_large(struct nonet_publisher *publisher, const void *message,
							  size_t size)
{
	memcpy(publisher_place(publisher), message, size);
	return publisher_finish(publisher, size);
}

int nonet_publisher_send(struct nonet_publisher *publisher, const void *message, size_t size, nonet_time deadline)
{
	if (!publisher_is_ready(publisher, size) || __builtin_expect(publisher->held != 0, 0))
		return publisher_send_any(publisher, message, size, deadline);
	if (size > CHANNEL_SMALL)
		return publisher_send_large(publisher, message, size);
	channel_copy_small(publisher_place(publisher), message, size);
	return publisher_finish(publisher, size);
}

size_t nonet_publisher_limit(const struct nonet_publisher *publisher)
{
	return (size_t)publisher->most;
}

int nonet_publisher_subscribers(struct nonet_publisher *publisher)
{
	const struct channel *channel = &publisher->channel;
	int count = publisher_check(publisher);

	for (uint32_t number = 0; number < channel->seats && count >= 0; number++) {
		const uint64_t claim =
			atomic_load_explicit(&channel_seat(channel, number)->claim, memory_order_relaxed);

		/* Who is just joining may not yet receive what comes; also who has taken the seat between two looks. */
		/* [CHANNEL-JOINED] pair: subscriber_join() */
		if (atomic_load_explicit(&channel_seat(channel, number)->joined, memory_order_acquire) != claim)
			continue;
		count += channel_owner_by(channel, claim) != 0;
	}
	return count;
}
