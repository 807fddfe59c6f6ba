/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_SUBSCRIBER_H
#define CHANNEL_SUBSCRIBER_H

#include <stdbool.h>

#include "channel/channel.h"
#include "sync/doorbell.h"
#include "sync/pause.h"
#include "waitable/waitable.h"

/*
 * A subscriber, and each lane as it reads it. One thread uses it at a time; the helper of its doorbell looks at what is
 * _Atomic meanwhile.
 */
struct subscriber_lane {
	_Atomic(uint8_t *) base; /* of the ring; NULL: it has none yet */
	_Atomic uint64_t head;   /* the next record */
	uint64_t sequence;       /* of the next message */
	uint64_t length;         /* of the last message, */
	uint64_t record;         /* and what it took in the ring */
	uint64_t lost;           /* messages since the last that was taken */
	uint64_t life;           /* the publisher whose messages follow */
	struct channel_lane *lane;
	struct channel_position *position;
	struct channel_ring ring;
	struct subscriber_lane *after; /* whose turn is next; behind the last is the first */
	uint32_t number;

	/* Messages that are held, each in a slot of its own; in the order in which they were taken. */
	uint64_t held; /* a bit for each slot that is used */
	uint64_t begins[NONET_CHANNEL_TAKEN];
	uint8_t oldest, newest; /* if any is held */
	uint8_t before[NONET_CHANNEL_TAKEN];
	uint8_t behind[NONET_CHANNEL_TAKEN];
};

static_assert(NONET_CHANNEL_TAKEN == 64, "a bit of 64 each");

/* No more of its messages can be held. */
static inline bool subscriber_is_full(const struct subscriber_lane *lane)
{
	return lane->held == UINT64_MAX;
}

struct nonet_subscriber {
	struct channel channel;
	uint64_t mask;
	uint64_t most;   /* bytes of the largest message, and 1; 0: CHANNEL_DROP, where looking takes more */
	bool watches;    /* there is one lane, and who takes the next message looks at it for a while */
	uint32_t vain;   /* times in a row that nothing came while it looked */
	uint64_t waited; /* the sequence of all that was read, when one was waited for last */
	unsigned flags;
	struct subscriber_lane *turn; /* the lane to look at first */
	_Atomic uint32_t news;        /* as the board had them when the lanes were looked at */
	_Atomic bool idle;            /* who waits by descriptor wants nothing that may come */
	_Atomic nonet_time again;     /* who waits by descriptor is told to look then, whatever there is; 0: no */
	uint32_t number;
	uint64_t owner;
	struct channel_seat *seat;
	struct nonet_waitable waitable;
	struct doorbell bell;
	struct subscriber_lane *lanes;
	struct subscriber_tap *tap; /* of one that only looks on, else NULL */
};

/* What was found: it is taken by moving the lane's head behind it. */
struct subscriber_found {
	struct subscriber_lane *lane;
	uint64_t position;
	uint64_t length;
	const uint8_t *data;
};

/* Looks without sleeping, where one may come soon. */
#define SUBSCRIBER_LOOKS 2000u

/* After so many times in a row that nothing came while it looked it does only every so-many-th time. */
#define SUBSCRIBER_VAIN 16u

static inline bool subscriber_skips_looking(struct nonet_subscriber *subscriber)
{
	return __builtin_expect(subscriber->vain >= SUBSCRIBER_VAIN, 0) &&
	       !(subscriber->flags & NONET_SUBSCRIBER_POLL) && ++subscriber->vain % SUBSCRIBER_VAIN != 0;
}

/*
 * Who has read so many without waiting has caught up with a publisher who goes on. Each look would take the line from
 * him that he is writing, and he would get it back for each message: so for about a microsecond (x86) nobody looks, and
 * then there are many. @sequence: of all that was read
 */
#define SUBSCRIBER_RUN  8u
#define SUBSCRIBER_REST 64u

void subscriber_hang_back(void);

static inline void subscriber_waits(struct nonet_subscriber *subscriber, uint64_t sequence)
{
	if (__builtin_expect(sequence - subscriber->waited >= SUBSCRIBER_RUN, 0))
		subscriber_hang_back();
	subscriber->waited = sequence;
}

/* What others change while we look is looked at so often, and then it is damaged. */
#define SUBSCRIBER_TRIES 100000u

/*
 * Notes in a row, or times that we were overtaken, in one lane, before the others are looked at, and the deadline. What
 * was passed stays passed: so the rest is the next look's.
 */
#define SUBSCRIBER_PASSES 4096u

/* Where reading may begin: a mark. */
struct subscriber_start {
	uint64_t position;
	uint64_t sequence;
	uint64_t life;
};

/* A subscriber to the lanes that a channel's handle knows; @channel as with publisher_new(). @flags: NONET_SUBSCRIBER_*
 */
int subscriber_new(struct channel *channel, unsigned flags, struct nonet_subscriber **ret_subscriber);

/* The mark that the lane's floor is at: 0, -EBADMSG. */
int subscriber_read_floor(const struct nonet_subscriber *subscriber, const struct subscriber_lane *lane,
			  struct subscriber_start *ret_start);

/* Map the rings that have memory and aren't mapped; whenever there are news. */
int subscriber_map(struct nonet_subscriber *subscriber);

/* The next message of one lane, or of any: 1, 0: there is none; -EBADMSG. */
int subscriber_find_in(struct nonet_subscriber *subscriber, struct subscriber_lane *lane,
		       struct subscriber_found *ret_found);
int subscriber_find(struct nonet_subscriber *subscriber, struct subscriber_found *ret_found);

/* With CHANNEL_DROP: whether what is at a position may have been overwritten. */
bool subscriber_is_over(const struct subscriber_lane *lane, uint64_t position);

/* Whether a message, by what it says of itself, is one that is held. */
bool subscriber_holds(const struct nonet_subscriber *subscriber, const struct nonet_message *message);

/* How far the lane was read: whoever waits for room is told. */
void subscriber_move(struct nonet_subscriber *subscriber, struct subscriber_lane *lane, uint64_t position);

/* Wait for a message: 1; or as nonet_subscriber_take(). */
int subscriber_wait(struct nonet_subscriber *subscriber, nonet_time deadline, struct subscriber_found *ret_found);

/* For who looks in vain without sleeping: 0; -EAGAIN, -ETIMEDOUT: it is past the deadline. */
int subscriber_is_late(nonet_time deadline);

/* The publisher of a lane wants @room. */
void subscriber_tell(const struct nonet_subscriber *subscriber, struct channel_lane *lane, uint32_t room);

/* Whether all of its options can be: 0, -EINVAL. */
int subscriber_check_options(const struct nonet_subscriber_options *options, struct nonet_error *reterr);

/* Of one whose channel is open: take a seat, and read all lanes. As nonet_subscriber_open(). */
int subscriber_join(struct nonet_subscriber *subscriber, unsigned flags);

/* Close it and all that it has; what it is waited for by has ended. Return: NULL. */
struct nonet_subscriber *subscriber_free(struct nonet_subscriber *subscriber);

/* Whether publishers began or ended since the lanes were looked at, and whether there may be a record. Any thread. */
bool subscriber_has_news(const struct nonet_subscriber *subscriber);
bool subscriber_has_record(const struct nonet_subscriber *subscriber);

/* Of one that only looks on: what stands for its seat and positions, its descriptor, its waiting. */
int subscriber_tap_begin(struct nonet_subscriber *subscriber);
void subscriber_tap_end(struct nonet_subscriber *subscriber);
struct channel_position *subscriber_tap_position(const struct nonet_subscriber *subscriber, uint32_t lane);
int subscriber_tap_start(struct nonet_subscriber *subscriber);
int subscriber_tap_arm(struct nonet_subscriber *subscriber);
void subscriber_tap_rest(struct nonet_subscriber *subscriber);
int subscriber_tap_wait(struct nonet_subscriber *subscriber, nonet_time deadline, struct subscriber_found *ret_found);

/* Of its waitable: by doorbell, by socket. */
int subscriber_arm(struct nonet_waitable *waitable);
int subscriber_arm_link(struct nonet_waitable *waitable);
extern const struct doorbell_job subscriber_bell;

#endif
