/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_CALL_H
#define CALL_CALL_H

#include <nonet/call.h>

#include "channel/channel.h"

/* What clients and servers have in common. */

/*
 * Open a channel that is for calls.
 * @options: NULL, or the caller's
 * @allowed: flags that may be set in them
 * @ret_flags: those that are
 */
int call_open(const char *address, const struct nonet_call_options *options, uint32_t allowed, uint32_t *ret_flags,
	      struct channel *ret_channel, struct nonet_error *reterr);

/* NONET_SUBSCRIBER_* for NONET_CALL_*. */
static inline unsigned call_subscriber_flags(uint32_t flags)
{
	return (flags & NONET_CALL_POLL ? NONET_SUBSCRIBER_POLL : 0) |
	       (flags & NONET_CALL_SLEEP ? NONET_SUBSCRIBER_SLEEP : 0);
}

/* The lane whose claim is the server's. */
static inline struct channel_lane *call_server(const struct channel *channel)
{
	return (struct channel_lane *)(channel_board(channel) + 1) + 2 * (size_t)channel->clients;
}

#endif
