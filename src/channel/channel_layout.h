/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_CHANNEL_LAYOUT_H
#define CHANNEL_CHANNEL_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of a channel, NAME.channel in its domain's directory:
 *
 *   object_layout.h     the header, and the bells
 *   the payload         struct channel_board
 *                       struct channel_lane, as many as publishers there may be at once
 *                       struct channel_seat, as many as subscribers
 *                       struct channel_position, for each lane as many as seats
 *   from a whole page   the rings of the lanes, one behind the other. A ring is a hole until somebody publishes in it
 *
 * A lane has one publisher at a time, and goes on with the next one where the last has ended, alive or dead. Its ring
 * is mapped twice in a row, so that no record is cut in two. A record begins at a multiple of 8:
 *
 *   bits  0-39  length of the message, in bytes
 *   bits 40-59  sequence: the message's number in the lane, its lowest bits
 *   bit  60     always
 *   bit  61     a note of the channel's own: see below. Its number is that of the message that comes next
 *
 * and then the message. Publishing is one store, of the record's header; before, the header of the next record was
 * cleared, so that whoever has read a record finds the next one, or zero. Behind the tail the publisher may have
 * cleared one more; it says so nowhere, and whoever goes on in its lane clears again.
 *
 *   a position              how many bytes were ever written before it; 64 bits of them don't run out
 *   floor <= position       of whatever can be read: what is below may be overwritten
 *   tail                    where the next record goes: only its publisher knows, and who reads up to the zero
 *
 * A note, of which the first 8 bytes are the number of the publisher whose messages follow, is each one's first record.
 * It ends where a cache line does: so messages of 56 bytes, and others that with their headers are whole lines, are
 * each in lines of their own, and one line goes from the publisher to a subscriber instead of two.
 *
 * A channel for calls has two lanes for each client, and one more: first those that the clients publish in, then as
 * many that the server publishes in, and last the one whose claim is the server's; no message is ever in that.
 */
#define CHANNEL_LENGTH         ((UINT64_C(1) << 40) - 1)
#define CHANNEL_SEQUENCE_SHIFT 40
#define CHANNEL_SEQUENCE       UINT64_C(0xfffff)
#define CHANNEL_VALID          (UINT64_C(1) << 60)
#define CHANNEL_NOTE           (UINT64_C(1) << 61)
#define CHANNEL_HEADER         8u
#define CHANNEL_NOTE_LEAST     16u
#define CHANNEL_LINE           64u

/* In the object's header. */
#define CHANNEL_KIND 6u

/* No member: there aren't so many. */
#define CHANNEL_NOBODY UINT64_MAX

#define CHANNEL_PUBLISHERS          63u
#define CHANNEL_SUBSCRIBERS         256u
#define CHANNEL_CLIENTS             63u
#define CHANNEL_LANE_LEAST          (UINT64_C(64) << 10)
#define CHANNEL_LANE_USUAL          (UINT64_C(1) << 20)
#define CHANNEL_LANE_MOST           (UINT64_C(1) << 40)
#define CHANNEL_CALL_LANES(clients) (2 * (clients) + 1)
#define CHANNEL_CALL_SEATS(clients) ((clients) + 1)
/* No sum of a position and a few lanes wraps. */
#define CHANNEL_POSITION_MOST (UINT64_MAX - 8 * CHANNEL_LANE_MOST)

/* The floor is raised from mark to mark, which are at least this part of the ring apart, but for the last one. */
#define CHANNEL_STEPS 16u
#define CHANNEL_MARKS 32u

/* What to do when a subscriber is slow. */
enum channel_policy {
	CHANNEL_BLOCK = 0,
	CHANNEL_REFUSE = 1,
	CHANNEL_DROP = 2,
};

/*
 * offset  size  written by
 *      0     4  the maker               lanes: 1 to CHANNEL_PUBLISHERS
 *      4     4  the maker               seats: 1 to CHANNEL_SUBSCRIBERS
 *      8     8  the maker               ring: bytes, a power of two
 *     16     4  the maker               policy: enum channel_policy
 *     20     4  the maker               clients: of a channel that is for calls (call/call_layout.h), else 0
 *     64     8  publishers, relaxed     lives: how many publishers there ever were
 *    128     4  publishers              news: raised when one begins or ends, release; subscribers sleep on it
 */
struct channel_board {
	uint32_t lanes;
	uint32_t seats;
	uint64_t ring;
	uint32_t policy;
	uint32_t clients;
	uint32_t unused_1[10];
	_Atomic uint64_t lives;
	uint64_t unused_2[7];
	_Atomic uint32_t news;
	uint32_t unused_3[15];
};
static_assert(offsetof(struct channel_board, ring) == 8, "layout");
static_assert(offsetof(struct channel_board, policy) == 16, "layout");
static_assert(offsetof(struct channel_board, clients) == 20, "layout");
static_assert(offsetof(struct channel_board, lives) == 64, "layout");
static_assert(offsetof(struct channel_board, news) == 128, "layout");
static_assert(sizeof(struct channel_board) == 192, "layout");

/* Whether it has as many places as it may; one for calls has what its clients need. */
static inline bool channel_has_places(const struct channel_board *board)
{
	if (board->clients)
		return board->clients <= CHANNEL_CLIENTS && board->policy == CHANNEL_BLOCK &&
		       board->lanes == CHANNEL_CALL_LANES(board->clients) &&
		       board->seats == CHANNEL_CALL_SEATS(board->clients);
	return board->lanes >= 1 && board->lanes <= CHANNEL_PUBLISHERS && board->seats >= 1 &&
	       board->seats <= CHANNEL_SUBSCRIBERS;
}

/*
 * A place in a lane where a record begins.
 * offset  size
 *      0     8  position
 *      8     8  sequence: of the next message from there on
 *     16     8  life: the publisher whose messages they are
 */
struct channel_mark {
	_Atomic uint64_t position;
	_Atomic uint64_t sequence;
	_Atomic uint64_t life;
	uint64_t unused;
};
static_assert(sizeof(struct channel_mark) == 32, "layout");

/*
 * What the publisher writes comes first, what subscribers write from CHANNEL_LANE_THEIRS on; so do a seat and its
 * positions. In a channel over a socket (link_layout.h) a page ends there.
 *
 * offset  size  written by
 *      0     8  who takes it            claim of the publisher, a process (claim_layout.h); 0: nobody's
 *      8     8  the publisher           member: his number in the domain and its generation, in the upper half;
 *                                       CHANNEL_NOBODY from the moment before he leaves
 *     64     8  the publisher, release  floor: a position; stored after floor_mark
 *     72     8  the publisher, release  marked: how many marks there ever were; the last CHANNEL_MARKS are kept
 *     80     8  the publisher, release  floor_mark: the number of the mark that the floor is at
 *     88     4  the publisher, release  made: 1, the ring has its memory
 *    128     4  the publisher           bell: sleepers sleep on it; raised when they are woken
 *    132     4  the publisher           unfenced: 1, he has no fence between publishing and looking whether one sleeps
 *    192     4  the publisher, release  wants: the room that he sleeps on
 *    196     4  the publisher           wants_polled: the room that he waits for by the socket, if there is one
 *    256  1024  the publisher           marks, number N at N modulo CHANNEL_MARKS
 *   1280     4  subscribers, upwards    armed: the bell that one waits for, by futex or descriptor
 *   1284     4  subscribers, upwards    asleep: the bell that one sleeps on
 *   1288     4  the subscriber, upwards polled: the bell that he waits for by the socket, if there is one
 *   1344     4  subscribers             room: the publisher sleeps on it, raised when he is woken
 *   1348     4  who begins to read      joins: raised each time that one has said from where on he reads
 */
struct channel_lane {
	_Atomic uint64_t claim;
	_Atomic uint64_t member;
	uint64_t unused_1[6];
	_Atomic uint64_t floor;
	_Atomic uint64_t marked;
	_Atomic uint64_t floor_mark;
	_Atomic uint32_t made;
	uint32_t unused_2[9];
	_Atomic uint32_t bell;
	_Atomic uint32_t unfenced;
	uint32_t unused_3[14];
	_Atomic uint32_t wants;
	_Atomic uint32_t wants_polled;
	uint32_t unused_4[14];
	struct channel_mark marks[CHANNEL_MARKS];
	_Atomic uint32_t armed;
	_Atomic uint32_t asleep;
	_Atomic uint32_t polled;
	uint32_t unused_5[13];
	_Atomic uint32_t room;
	_Atomic uint32_t joins;
	uint32_t unused_6[14];
};
#define CHANNEL_LANE_THEIRS (256 + 32 * CHANNEL_MARKS)
static_assert(offsetof(struct channel_lane, member) == 8, "layout");
static_assert(offsetof(struct channel_lane, floor) == 64, "layout");
static_assert(offsetof(struct channel_lane, marked) == 72, "layout");
static_assert(offsetof(struct channel_lane, floor_mark) == 80, "layout");
static_assert(offsetof(struct channel_lane, made) == 88, "layout");
static_assert(offsetof(struct channel_lane, bell) == 128, "layout");
static_assert(offsetof(struct channel_lane, unfenced) == 132, "layout");
static_assert(offsetof(struct channel_lane, wants) == 192, "layout");
static_assert(offsetof(struct channel_lane, wants_polled) == 196, "layout");
static_assert(offsetof(struct channel_lane, marks) == 256, "layout");
static_assert(offsetof(struct channel_lane, armed) == CHANNEL_LANE_THEIRS, "layout");
static_assert(offsetof(struct channel_lane, asleep) == CHANNEL_LANE_THEIRS + 4, "layout");
static_assert(offsetof(struct channel_lane, polled) == CHANNEL_LANE_THEIRS + 8, "layout");
static_assert(offsetof(struct channel_lane, room) == CHANNEL_LANE_THEIRS + 64, "layout");
static_assert(offsetof(struct channel_lane, joins) == CHANNEL_LANE_THEIRS + 68, "layout");
static_assert(sizeof(struct channel_lane) == CHANNEL_LANE_THEIRS + 128, "layout");

/*
 * A subscriber's.
 * offset  size  written by
 *      0     8  who takes it            claim of the subscriber, a process; 0: nobody's
 *      8     8  the subscriber          member: as a lane's
 *     16     8  the subscriber, relaxed lost: messages that he was too slow for
 *     24     8  the subscriber, release joined: his claim, once all that is published from then on is received
 */
struct channel_seat {
	_Atomic uint64_t claim;
	_Atomic uint64_t member;
	_Atomic uint64_t lost;
	_Atomic uint64_t joined;
	uint64_t unused[4];
};
static_assert(offsetof(struct channel_seat, joined) == 24, "layout");
static_assert(sizeof(struct channel_seat) == 64, "layout");

/*
 * How far one subscriber has read one lane: a position, and 1, or 0: he doesn't read it.
 * offset  size  written by
 *      0     8  the subscriber, release position
 */
struct channel_position {
	_Atomic uint64_t position;
	uint64_t unused[7];
};
static_assert(sizeof(struct channel_position) == 64, "layout");
#define CHANNEL_READS 1u

#define CHANNEL_LAYOUT                                                                                      \
	((uint32_t)(sizeof(struct channel_board) ^ sizeof(struct channel_lane) << 8 ^ CHANNEL_MARKS << 20 ^ \
		    CHANNEL_STEPS << 26 ^ offsetof(struct channel_board, clients) ^                         \
		    offsetof(struct channel_lane, joins) << 4))

#endif
