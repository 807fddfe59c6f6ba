/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "channel/channel_layout.h"
#include "inspect/own_channel.h"
#include "sys/look.h"
#include "sys/memory.h"

/*
 * The rings of a channel: how much was published in each, and how many messages a subscriber is behind. Nobody but a
 * lane's publisher knows where it ends; it is where the record headers do, from one of the lane's marks on.
 *
 * The publisher goes on while we read. What he overwrites he had put below the floor before, so a record that can't be
 * is damage only if the floor, read afterwards, isn't above it.
 */
#define WALK_BYTES ((size_t)64 << 10) /* that are read at once */
#define WALK_TRIES 3                  /* to read a lane that is overwritten meanwhile */

struct walk {
	int fd;
	nonet_time deadline;
	off_t shared; /* where in the file the lane is, and its ring */
	off_t place;
	uint64_t ring;
	struct channel_lane lane; /* a copy, anew for each try */
	uint64_t begin, end;      /* positions that are in the buffer */
	_Atomic uint64_t *buffer;

	/* Where we are: a record's begin. */
	uint64_t position, sequence, life;
};

/* How the walk went on. Negative ones are -ENOMEM and others of read(2). */
enum walk_result {
	WALK_ENDED,   /* all is read that is published */
	WALK_REACHED, /* the position that was asked for */
	WALK_PASSED,  /* there is no record at it */
	WALK_OVER,    /* it was overwritten under our eyes */
	WALK_LATE,
	WALK_BAD,
};

static int walk_floor(const struct walk *walk, uint64_t *ret_floor)
{
	_Atomic uint64_t floor;
	const int size = sys_read_at(walk->fd, &floor, sizeof(floor),
				     walk->shared + (off_t)offsetof(struct channel_lane, floor));

	if (size < 0)
		return size;
	if (size != sizeof(floor))
		return -EBADMSG;
	*ret_floor = LOOK_FIELD(floor);
	return 0;
}

static int walk_fill(struct walk *walk, size_t most)
{
	const uint64_t inside = walk->position & (walk->ring - 1);
	const uint64_t left = walk->ring - inside;
	const size_t bytes = left < most ? (size_t)left : most;
	const int size = sys_read_at(walk->fd, walk->buffer, bytes, walk->place + (off_t)inside);

	walk->begin = walk->position;
	walk->end = walk->begin;
	if (size < 0)
		return size;
	walk->end += (uint64_t)size / CHANNEL_HEADER * CHANNEL_HEADER;
	return walk->end == walk->begin ? -EBADMSG : 0;
}

/* The word at an offset from where we are, read in the same go or anew. */
static int walk_word(struct walk *walk, bool anew, uint64_t *ret_word)
{
	if (anew || walk->position < walk->begin || walk->position >= walk->end) {
		const int error = walk_fill(walk, anew ? CHANNEL_HEADER : WALK_BYTES);

		if (error < 0)
			return error;
	}
	*ret_word = LOOK_FIELD(walk->buffer[(walk->position - walk->begin) / CHANNEL_HEADER]);
	return 0;
}

static bool walk_is_record(const struct walk *walk, uint64_t header)
{
	const uint64_t length = header & CHANNEL_LENGTH;

	return header & CHANNEL_VALID && length <= walk->ring / 2 &&
	       (header >> CHANNEL_SEQUENCE_SHIFT & CHANNEL_SEQUENCE) == (walk->sequence & CHANNEL_SEQUENCE) &&
	       (!(header & CHANNEL_NOTE) || length >= CHANNEL_NOTE_LEAST - CHANNEL_HEADER);
}

static int walk_past(struct walk *walk, uint64_t header)
{
	const uint64_t behind = walk->position + CHANNEL_HEADER + (((header & CHANNEL_LENGTH) + 7) & ~UINT64_C(7));
	int error = 0;

	if (header & CHANNEL_NOTE) {
		walk->position += CHANNEL_HEADER;
		error = walk_word(walk, false, &walk->life);
	} else {
		walk->sequence++;
	}
	walk->position = behind;
	return error;
}

/* Something is wrong with the record here: is it that, or was it overwritten? */
static int walk_doubt(struct walk *walk, uint64_t *ret_header)
{
	uint64_t floor = 0;
	/* Part of a larger read it may be older than what was read before it. */
	int error = walk_word(walk, true, ret_header);

	if (error == 0)
		error = walk_floor(walk, &floor);
	if (error < 0)
		return error;
	if (floor > walk->position)
		return WALK_OVER;
	return *ret_header == 0 || walk_is_record(walk, *ret_header) ? WALK_REACHED : WALK_BAD;
}

/* Up to a position, or the end. */
static int walk_to(struct walk *walk, uint64_t target)
{
	const uint64_t most = walk->position + walk->ring;
	uint64_t looked = walk->position;

	while (walk->position < target) {
		uint64_t header;
		int result = walk_word(walk, false, &header);

		if (result < 0)
			return result;
		if (header != 0 && !walk_is_record(walk, header)) {
			result = walk_doubt(walk, &header);
			if (result != WALK_REACHED)
				return result;
		}
		if (header == 0)
			return WALK_ENDED;
		result = walk_past(walk, header);
		if (result < 0)
			return result;
		if (walk->position - looked >= WALK_BYTES) {
			looked = walk->position;
			if (nonet_clock() >= walk->deadline)
				return WALK_LATE;
		}
		/* Who publishes all the time isn't run after. */
		if (walk->position >= most)
			return target == UINT64_MAX ? WALK_OVER : WALK_PASSED;
	}
	return walk->position == target ? WALK_REACHED : WALK_PASSED;
}

/* To the last mark that isn't behind a position, if that is farther than we are: false, the marks are damaged. */
static bool walk_jump(struct walk *walk, uint64_t target, bool first)
{
	const uint64_t marked = LOOK_FIELD(walk->lane.marked);
	uint64_t number = LOOK_FIELD(walk->lane.floor_mark);

	if (number >= marked || marked - number > CHANNEL_MARKS)
		return false;
	for (; number < marked; number++) {
		const struct channel_mark *mark = &walk->lane.marks[number % CHANNEL_MARKS];
		const uint64_t position = LOOK_FIELD(mark->position);

		if (position % 8 != 0 || position > CHANNEL_POSITION_MOST)
			return false;
		if (!first && (position > target || position <= walk->position))
			continue;
		walk->position = position;
		walk->sequence = LOOK_FIELD(mark->sequence);
		walk->life = LOOK_FIELD(mark->life);
		first = false;
	}
	return true;
}

/* A subscriber's position in the lane, and whose. */
struct behind {
	uint64_t position;
	size_t subscriber;
};

static int behind_compare(const void *left, const void *right)
{
	const struct behind *a = left;
	const struct behind *b = right;

	return (a->position > b->position) - (a->position < b->position);
}

static size_t behind_sort(const struct own_channel *channel, size_t lane, struct behind *behind)
{
	size_t count = 0;

	for (size_t i = 0; i < channel->count; i++)
		if (own_channel_reads(channel, lane, i))
			behind[count++] = (struct behind){
				channel->positions[lane * channel->count + i] & ~(uint64_t)7,
				i,
			};
	qsort(behind, count, sizeof(*behind), behind_compare);
	return count;
}

/* One go from the floor to the end. For each subscriber the sequence at his position is kept in his lag for now. */
static int walk_lane(struct walk *walk, struct own_channel *channel, size_t lane, const struct behind *behind,
		     size_t count)
{
	int size = sys_read_at(walk->fd, &walk->lane, sizeof(walk->lane), walk->shared);
	int result = WALK_REACHED;

	if (size < 0)
		return size;
	walk->end = walk->begin;
	if (size != sizeof(walk->lane) || !walk_jump(walk, 0, true))
		return WALK_BAD;
	channel->lanes[lane].floor = walk->position;
	for (size_t i = 0; i < count && (result == WALK_REACHED || result == WALK_PASSED); i++) {
		struct nonet_inspect_lag *lag = own_channel_lag(channel, lane, behind[i].subscriber);

		lag->known = 0;
		if (behind[i].position < walk->position)
			continue;
		(void)walk_jump(walk, behind[i].position, false);
		result = walk_to(walk, behind[i].position);
		lag->messages = walk->sequence;
		lag->known = walk->position == behind[i].position;
	}
	if (result == WALK_REACHED || result == WALK_PASSED) {
		(void)walk_jump(walk, UINT64_MAX, false);
		result = walk_to(walk, UINT64_MAX);
	}
	return result;
}

static void walk_tell(const struct walk *walk, int result, struct own_channel *channel, size_t number,
		      const struct behind *behind, size_t count)
{
	struct nonet_inspect_lane *lane = &channel->lanes[number];

	lane->position = walk->position;
	lane->messages = walk->sequence;
	lane->publisher = walk->life;
	if (result == WALK_BAD)
		lane->flags |= NONET_INSPECT_UNREADABLE;
	else if (result != WALK_ENDED)
		lane->flags |= NONET_INSPECT_ABOUT;
	channel->is_cut_short = channel->is_cut_short || result == WALK_LATE;
	for (size_t i = 0; i < count; i++) {
		struct nonet_inspect_lag *lag = own_channel_lag(channel, number, behind[i].subscriber);

		/* He may have read on since we have seen the end. */
		lag->bytes = behind[i].position < walk->position ? walk->position - behind[i].position : 0;
		lag->messages = lag->known && lag->messages < walk->sequence ? walk->sequence - lag->messages : 0;
		lag->known = lag->known || lag->bytes == 0;
	}
}

static int channel_walk(struct walk *walk, struct own_look *look, size_t number, struct behind *behind)
{
	const struct channel_board *board = look->payload;
	const struct channel_lane *lanes = (const struct channel_lane *)(board + 1);
	const size_t count = behind_sort(look->channel, number, behind);
	int result = WALK_OVER;

	/* Nobody has published in it. */
	if (!LOOK_FIELD(lanes[number].made) || LOOK_FIELD(lanes[number].marked) == 0)
		return 0;
	walk->shared = (off_t)(OBJECT_PAYLOAD + sizeof(*board) + number * sizeof(walk->lane));
	walk->place = (off_t)(look->file - (board->lanes - number) * board->ring);
	/* What looks damaged may be half of the old and half of the new. */
	for (int i = 0; i < WALK_TRIES && (result == WALK_OVER || result == WALK_BAD); i++)
		result = walk_lane(walk, look->channel, number, behind, count);
	if (result < 0)
		return result;
	walk_tell(walk, result, look->channel, number, behind, count);
	return 0;
}

/* From seat by seat to lane by lane. */
static int channel_turn(struct own_channel *channel)
{
	const size_t lanes = channel->told.publishers;
	uint64_t *turned = sys_allocate(channel->count * lanes * sizeof(*turned));

	if (!turned)
		return -ENOMEM;
	for (size_t lane = 0; lane < lanes; lane++)
		for (size_t i = 0; i < channel->count; i++)
			turned[lane * channel->count + i] = channel->positions[i * lanes + lane];
	sys_free(channel->positions);
	channel->positions = turned;
	return 0;
}

int own_channel_look_on(struct own_look *look, int fd, nonet_time deadline)
{
	struct own_channel *channel = look->channel;
	struct walk *walk = sys_allocate(sizeof(*walk));
	struct behind *behind = sys_allocate(channel->count * sizeof(*behind) + 1);
	int error = walk && behind ? channel_turn(channel) : -ENOMEM;

	if (error == 0) {
		channel->lags = sys_allocate(channel->told.publishers * channel->count * sizeof(*channel->lags) + 1);
		walk->buffer = sys_allocate(WALK_BYTES);
		error = channel->lags && walk->buffer ? 0 : -ENOMEM;
	}
	for (size_t number = 0; number < channel->told.publishers && error == 0; number++) {
		walk->fd = fd;
		walk->deadline = deadline;
		walk->ring = channel->told.lane;
		error = channel_walk(walk, look, number, behind);
	}
	if (walk)
		sys_free(walk->buffer);
	sys_free(walk);
	sys_free(behind);
	return error;
}
