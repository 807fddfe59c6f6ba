/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_PUBLISHER_H
#define CHANNEL_PUBLISHER_H

#include <stdbool.h>

#include "channel/channel.h"

/* A place where a record begins; the last ones, as the lane's marks tell them. */
struct publisher_mark {
	uint64_t position;
	uint64_t sequence;
	uint64_t life;
};

/*
 * A publisher. All that it goes by is in here; of the shared words it only reads where subscribers are, and whether one
 * sleeps.
 */
struct nonet_publisher {
	/* What every message needs. */
	struct channel_ring ring;
	uint64_t mask;
	uint64_t most;  /* bytes of the largest message */
	uint64_t tail;  /* where the next record goes */
	uint64_t limit; /* the next record, and the header behind it, end here or before: else publisher_room() */
	uint64_t full;  /* from here on somebody would be overwritten, when that was looked at last */
	uint64_t sequence;
	uint64_t cleared; /* a position behind the tail whose header is cleared already; 0: none */
	struct channel_lane *lane;
	uint32_t bell;   /* as in the lane */
	uint32_t quiet;  /* messages since it rang; PUBLISHER_QUIET: it is unfenced */
	uint64_t loaned; /* bytes, and 1; 0: no loan */
	uint64_t held;   /* position of the first record that is kept back, and 1; 0: none */
	uint64_t held_header;
	struct channel channel;

	/* What is needed when a part of the ring is full. */
	uint32_t number; /* of the lane */
	uint64_t owner;
	uint64_t life;
	uint64_t floor;
	uint64_t floor_mark;
	uint64_t seen;   /* all who were looked at have read up to here, and whoever may be below has joined since */
	uint32_t joins;  /* as in the lane before that look */
	uint64_t marked; /* marks so far, as in the lane */
	struct publisher_mark marks[CHANNEL_MARKS];
	bool begun; /* its note is published */
	bool can_unfence;
};

/* So many messages without ringing, and it drops its fence. */
#define PUBLISHER_QUIET 1000u

/* Where the last mark is. */
static inline const struct publisher_mark *publisher_mark(const struct nonet_publisher *publisher, uint64_t number)
{
	return &publisher->marks[number % CHANNEL_MARKS];
}

/*
 * A publisher in one of the lanes that a channel's handle knows. The handle is the publisher's from then on, and
 * @channel zeroed; on failure it stays the caller's. Errors as nonet_publisher_open().
 */
int publisher_new(struct channel *channel, struct nonet_publisher **ret_publisher);

/* Of one that has its lane: map the ring, and go on behind what was left in it. As channel_map(), -EBADMSG. */
int publisher_start(struct nonet_publisher *publisher);

/* From the floor on, what the lane's last publisher left: where it ends. -EBADMSG. */
int publisher_resume(struct nonet_publisher *publisher);

/* Have room for @bytes more: the way that isn't taken for each message. As nonet_publisher_loan(). */
int publisher_room(struct nonet_publisher *publisher, uint64_t bytes, nonet_time deadline);

/* Store a record's header, so that it can be read, and wake who sleeps. */
void publisher_show(struct nonet_publisher *publisher, uint64_t position, uint64_t header);

/* Wake all who sleep for the lane. */
void publisher_ring(struct nonet_publisher *publisher);

#endif
