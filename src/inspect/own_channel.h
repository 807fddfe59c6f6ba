/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_OWN_CHANNEL_H
#define INSPECT_OWN_CHANNEL_H

#include <stdbool.h>

#include "inspect/own.h"

/*
 * A channel, looked at from outside. Its board, lanes, seats and positions are in the payload, which was read at once;
 * its rings are read on from there, for who wants to know how much was published and who is behind. Publishers go on
 * meanwhile: what is told of a lane is one that it had, not one moment of all.
 */
struct own_channel {
	struct nonet_inspect_channel told;
	struct nonet_inspect_lane *lanes;             /* as many as there may be publishers */
	struct nonet_inspect_subscriber *subscribers; /* those whose seat is taken */
	size_t count;                                 /* of them */
	struct nonet_inspect_lag *lags;               /* for each lane as many as subscribers; NULL: not looked for */
	uint64_t *positions;                          /* the same: how far each has read, and CHANNEL_READS */
	bool is_cut_short;                            /* the deadline came before all records were seen */
};

/* The kind's looks: see struct own_kind. */
int own_channel_look(struct own_look *look);
int own_channel_look_on(struct own_look *look, int fd, nonet_time deadline);

/* Return: NULL, which it takes too. */
struct own_channel *own_channel_free(struct own_channel *channel);

static inline struct nonet_inspect_lag *own_channel_lag(const struct own_channel *channel, size_t lane,
							size_t subscriber)
{
	return &channel->lags[lane * channel->count + subscriber];
}

/* Whether it was looked on, and the subscriber reads the lane. */
bool own_channel_reads(const struct own_channel *channel, size_t lane, size_t subscriber);

#endif
