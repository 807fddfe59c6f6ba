/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "channel/publisher.h"
#include "sync/pause.h"

/*
 * Room in a lane. What is below the floor may be overwritten, so the floor comes first, and then the bytes.
 *
 * The floor goes from mark to mark. Nobody who reads may be below it, but with CHANNEL_DROP. A mark is made behind so
 * many bytes, and at the tail when all have read everything.
 *
 * [CHANNEL-FLOOR]  We store the floor, then look whether somebody has joined; who joins stores his position, the floor
 *                  or above, and raises joins, then looks at the floor. A full fence between the two on both sides: so
 *                  we see that he joins, and wait for him, or he sees that the floor was raised above him, and begins
 *                  anew.
 *                  With CHANNEL_DROP a reader who has seen a byte that we overwrote sees the floor that we had
 *                  stored before.
 *
 * [CHANNEL-JOINS]  Who sees that somebody has joined sees his position. So as long as nobody has joined since all
 *                  positions were looked at, they are where they were, or farther; and to look at them again, which
 *                  takes each reader's line away while he writes it, needn't be before what they were has been used up.
 *                  Who dies between the two has read nothing yet, and nobody waits for him.
 *
 * [CHANNEL-MARK]   We store the number of the mark, then the floor: who finds the floor above him finds the mark that
 * it is at, or a later one, and goes on from there.
 *
 * [CHANNEL-ROOM]   Who moves his position on has done with what is before it.
 *
 * [CHANNEL-WANTS]  We store what room we sleep on, then look at positions; a subscriber stores his position, then looks
 *                  whether that is wanted, without a fence in between: that would cost each message, and this costs one
 *                  short sleep. So the first sleep on a room is CHANNEL_BLIND long: after it whatever a subscriber
 *                  stores, he sees that it is wanted. Each wake makes another room, and so another first sleep; and
 *                  so does one that cuts it short, by who was late to wake for the room before.
 */

/* Looks without sleeping: some microseconds. */
#define ROOM_LOOKS 500

/* What subscribers can read up to here. */
static uint64_t publisher_end(const struct nonet_publisher *publisher)
{
	return publisher->held ? publisher->held - 1 : publisher->tail;
}

static const struct publisher_mark *publisher_last_mark(const struct nonet_publisher *publisher)
{
	return publisher_mark(publisher, publisher->marked - 1);
}

/* A mark at the tail: whatever is held back isn't there yet. */
static void publisher_add_mark(struct nonet_publisher *publisher)
{
	const uint64_t number = publisher->marked;
	struct channel_mark *shared = &publisher->lane->marks[number % CHANNEL_MARKS];
	struct publisher_mark *mark = &publisher->marks[number % CHANNEL_MARKS];

	if (publisher->held || (number > 0 && publisher_last_mark(publisher)->position == publisher->tail))
		return;
	*mark = (struct publisher_mark){publisher->tail, publisher->sequence, publisher->life};
	atomic_store_explicit(&shared->position, mark->position, memory_order_relaxed);
	atomic_store_explicit(&shared->sequence, mark->sequence, memory_order_relaxed);
	atomic_store_explicit(&shared->life, mark->life, memory_order_relaxed);
	publisher->marked++;
	atomic_store_explicit(&publisher->lane->marked, publisher->marked, memory_order_release); /* [CHANNEL-MARK] */
}

/* Of those who read the lane the one who is farthest behind: where, and who it is; the end if nobody is. */
static uint64_t publisher_least(const struct nonet_publisher *publisher, uint64_t *ret_owner)
{
	const struct channel *channel = &publisher->channel;
	uint64_t least = publisher_end(publisher);
	uint64_t owner = 0;

	for (uint32_t number = 0; number < channel->seats; number++) {
		/* [CHANNEL-ROOM] pair: subscriber_move() */
		const uint64_t position = atomic_load_explicit(
			&channel_position(channel, publisher->number, number)->position, memory_order_acquire);
		uint64_t claim;

		if (!(position & CHANNEL_READS) || (position & ~(uint64_t)7) >= least)
			continue;
		claim = channel_owner(channel, &channel_seat(channel, number)->claim);
		if (claim == 0)
			continue;
		least = position & ~(uint64_t)7;
		owner = claim;
	}
	*ret_owner = owner;
	return least;
}

static void publisher_raise(struct nonet_publisher *publisher, uint64_t number)
{
	struct channel_lane *lane = publisher->lane;

	publisher->floor_mark = number;
	publisher->floor = publisher_mark(publisher, number)->position;
	atomic_store_explicit(&lane->floor_mark, number, memory_order_release); /* [CHANNEL-MARK] */
	/* [CHANNEL-MARK] pair: subscriber_is_over() */
	atomic_store_explicit(&lane->floor, publisher->floor, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-FLOOR] pair: subscriber_attach(), subscriber_is_over() */
}

/* Raise the floor to the first mark from @target on that isn't behind @least: whether there was one. */
static bool publisher_raise_to(struct nonet_publisher *publisher, uint64_t target, uint64_t least)
{
	uint64_t number = publisher->floor_mark;

	while (number < publisher->marked && publisher_mark(publisher, number)->position < target)
		number++;
	if (number == publisher->marked && publisher->tail == least)
		publisher_add_mark(publisher);
	if (number == publisher->marked || publisher_mark(publisher, number)->position > least)
		return false;
	publisher_raise(publisher, number);
	return true;
}

/* Look at all positions, and set .seen. */
static void publisher_look(struct nonet_publisher *publisher, uint64_t *ret_owner)
{
	/* [CHANNEL-JOINS] pair: subscriber_attach() */
	publisher->joins = atomic_load_explicit(&publisher->lane->joins, memory_order_acquire);
	publisher->seen = publisher_least(publisher, ret_owner);
}

/* Whether nobody can be below the floor, by what was seen. */
static bool publisher_knows_all(const struct nonet_publisher *publisher)
{
	return publisher->seen >= publisher->floor &&
	       atomic_load_explicit(&publisher->lane->joins, memory_order_relaxed) == publisher->joins;
}

/* The same where what is slow is overwritten. */
static bool publisher_has_room_by_dropping(struct nonet_publisher *publisher, uint64_t end)
{
	const uint64_t ring = publisher->channel.ring;

	if (end > publisher->floor + ring && !publisher_raise_to(publisher, end - ring, publisher_end(publisher)))
		return false;
	publisher->full = publisher->floor + ring;
	return true;
}

/* Whether there is room for @bytes; else who has to read on, 0: nobody. */
static bool publisher_has_room(struct nonet_publisher *publisher, uint64_t bytes, uint64_t *ret_owner)
{
	const uint64_t ring = publisher->channel.ring;
	const uint64_t end = publisher->tail + bytes;

	*ret_owner = 0;
	if (publisher->channel.policy == CHANNEL_DROP)
		return publisher_has_room_by_dropping(publisher, end);
	if (end > publisher->floor + ring && !publisher_raise_to(publisher, end - ring, publisher->seen)) {
		publisher_look(publisher, ret_owner);
		if (!publisher_raise_to(publisher, end - ring, publisher->seen))
			return false;
	}
	/* And who joined meanwhile, and is below the floor since he looked before it was raised. */
	if (!publisher_knows_all(publisher))
		publisher_look(publisher, ret_owner);
	publisher->full = (publisher->seen < publisher->floor ? publisher->seen : publisher->floor) + ring;
	return end <= publisher->full;
}

/* Up to the next mark, or where somebody is in the way. */
static void publisher_set_limit(struct nonet_publisher *publisher, uint64_t bytes)
{
	const uint64_t end = publisher->tail + bytes;
	const uint64_t step = publisher->channel.ring / CHANNEL_STEPS;
	const uint64_t next = publisher_last_mark(publisher)->position + step;

	publisher->limit = next < publisher->full ? next : publisher->full;
	if (publisher->limit < end)
		publisher->limit = end;
}

/* @wanted: the room on which a first sleep has lasted, if any */
static int publisher_sleep(struct nonet_publisher *publisher, uint64_t bytes, uint64_t *wanted, nonet_time deadline)
{
	struct channel_lane *lane = publisher->lane;
	const uint32_t room = atomic_load_explicit(&lane->room, memory_order_relaxed);
	struct sys_futex_word words[2] = {{&lane->room, room}};
	nonet_time soon;
	uint64_t owner;
	bool first;
	int result;

	if (publisher->channel.link && publisher->channel.link->polls)
		atomic_store_explicit(&lane->wants_polled, room, memory_order_relaxed);
	atomic_store_explicit(&lane->wants, room, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-WANTS] pair: subscriber_move(), subscriber_tell() */
	if (publisher_has_room(publisher, bytes, &owner))
		return 0;
	soon = nonet_after(CHANNEL_BLIND);
	first = *wanted != room && soon < deadline;
	result = channel_sleep(&publisher->channel, words, 1, &owner, owner ? 1 : 0, first ? soon : deadline);
	if (result != -ETIMEDOUT || !first)
		return result;
	*wanted = room;
	return 0;
}

static int publisher_wait(struct nonet_publisher *publisher, uint64_t bytes, nonet_time deadline)
{
	uint64_t owner = 0;
	int looks = pause_helps() ? ROOM_LOOKS : 0;
	uint64_t wanted = UINT64_MAX;
	int error = 0;

	if (publisher->channel.link)
		publisher->channel.link->polls = false;
	while (error == 0 && !publisher_has_room(publisher, bytes, &owner)) {
		/* No owner: nobody is in the way but what is kept back itself, and that won't end. */
		if (deadline == NONET_NOW || publisher->channel.policy != CHANNEL_BLOCK || owner == 0)
			return -EAGAIN;
		error = object_check(&publisher->channel.object);
		if (error == 0 && looks > 0) {
			looks--;
			pause_once();
		} else if (error == 0) {
			error = publisher_sleep(publisher, bytes, &wanted, deadline);
			/* A peer may change what we look at so that we never get to sleep. */
			if (error == 0 && deadline != NONET_FOREVER && nonet_clock() >= deadline)
				error = publisher_has_room(publisher, bytes, &owner) ? 0 : -ETIMEDOUT;
		}
	}
	return error;
}

/* To the end of a line. */
static uint64_t publisher_note_size(const struct nonet_publisher *publisher)
{
	return CHANNEL_NOTE_LEAST + (-(publisher->tail + CHANNEL_NOTE_LEAST) & (CHANNEL_LINE - 1));
}

/* The first record of each publisher: whose messages follow. */
static void publisher_note(struct nonet_publisher *publisher)
{
	const uint64_t position = publisher->tail;
	const uint64_t bytes = publisher_note_size(publisher);
	const uint64_t header = (bytes - CHANNEL_HEADER) | CHANNEL_VALID | CHANNEL_NOTE |
				(publisher->sequence & CHANNEL_SEQUENCE) << CHANNEL_SEQUENCE_SHIFT;

	publisher->tail = position + bytes;
	publisher->begun = true;
	atomic_store_explicit(channel_header(publisher->ring.base, publisher->mask, position + CHANNEL_HEADER),
			      publisher->life, memory_order_relaxed);
	atomic_store_explicit(channel_header(publisher->ring.base, publisher->mask, publisher->tail), 0,
			      memory_order_relaxed);
	publisher_show(publisher, position, header);
}

int publisher_room(struct nonet_publisher *publisher, uint64_t bytes, nonet_time deadline)
{
	const uint64_t all = bytes + (publisher->begun ? 0 : publisher_note_size(publisher));
	const struct channel *channel = &publisher->channel;
	int error;

	if (channel->link && channel_link_look(channel->link))
		return -EPIPE;
	if (publisher->tail - publisher_last_mark(publisher)->position >= publisher->channel.ring / CHANNEL_STEPS)
		publisher_add_mark(publisher);
	/* It was looked for already, and only a mark was due. */
	if (publisher->begun && !channel->link && publisher->tail + bytes <= publisher->full) {
		publisher_set_limit(publisher, bytes);
		return 0;
	}
	error = publisher_wait(publisher, all, deadline);
	/* There is room where nobody reads. */
	if (channel->link && channel_link_is_over(channel->link))
		return -EPIPE;
	if (error < 0)
		return error;
	if (!publisher->begun)
		publisher_note(publisher);
	publisher_set_limit(publisher, bytes);
	return 0;
}

/* The marks that count, as another has left them: 0, or -EBADMSG. */
static int publisher_read_marks(struct nonet_publisher *publisher)
{
	struct channel_lane *lane = publisher->lane;
	uint64_t last = 0;

	publisher->marked = atomic_load_explicit(&lane->marked, memory_order_relaxed);
	publisher->floor_mark = atomic_load_explicit(&lane->floor_mark, memory_order_relaxed);
	if (publisher->marked == 0) {
		publisher->floor_mark = 0;
		publisher_add_mark(publisher);
		return 0;
	}
	if (publisher->floor_mark >= publisher->marked || publisher->marked - publisher->floor_mark > CHANNEL_MARKS)
		return -EBADMSG;
	for (uint64_t number = publisher->floor_mark; number < publisher->marked; number++) {
		const struct channel_mark *shared = &lane->marks[number % CHANNEL_MARKS];
		struct publisher_mark mark;

		mark.position = atomic_load_explicit(&shared->position, memory_order_relaxed);
		mark.sequence = atomic_load_explicit(&shared->sequence, memory_order_relaxed);
		mark.life = atomic_load_explicit(&shared->life, memory_order_relaxed);
		if (mark.position % 8 != 0 || mark.position > CHANNEL_POSITION_MOST || mark.position < last)
			return -EBADMSG;
		last = mark.position;
		publisher->marks[number % CHANNEL_MARKS] = mark;
	}
	return last - publisher_mark(publisher, publisher->floor_mark)->position <= publisher->channel.ring ? 0
													    : -EBADMSG;
}

int publisher_resume(struct nonet_publisher *publisher)
{
	uint64_t most;
	int error = publisher_read_marks(publisher);

	if (error < 0)
		return channel_poison(&publisher->channel);
	publisher->floor = publisher_mark(publisher, publisher->floor_mark)->position;
	publisher->tail = publisher_last_mark(publisher)->position;
	publisher->sequence = publisher_last_mark(publisher)->sequence;
	most = publisher->floor + publisher->channel.ring;
	/* One was killed between the two words: this is as if he had gone on. */
	/* [CHANNEL-MARK] pair: subscriber_is_over() */
	atomic_store_explicit(&publisher->lane->floor, publisher->floor, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-FLOOR] as publisher_raise() */
	for (;;) {
		const uint64_t header = publisher->tail + CHANNEL_HEADER > most
						? CHANNEL_LENGTH
						: atomic_load_explicit(channel_header(publisher->ring.base,
										      publisher->mask, publisher->tail),
								       memory_order_relaxed);
		const uint64_t length = header & CHANNEL_LENGTH;

		if (header == 0)
			break;
		if (!(header & CHANNEL_VALID) || length > publisher->channel.ring / 2 ||
		    (header >> CHANNEL_SEQUENCE_SHIFT & CHANNEL_SEQUENCE) != (publisher->sequence & CHANNEL_SEQUENCE))
			return channel_poison(&publisher->channel);
		publisher->tail += channel_record(length);
		publisher->sequence += !(header & CHANNEL_NOTE);
	}
	/* Not yet a record: the first loan looks for room. */
	publisher->limit = 0;
	return guard_map_is_poisoned(&publisher->ring.map) ? -EBADMSG : 0;
}
