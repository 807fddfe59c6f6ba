/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_CLIENT_H
#define CALL_CLIENT_H

#include "call/call.h"
#include "call/call_layout.h"
#include "channel/publisher.h"
#include "channel/subscriber.h"

/* How a call that was begun stands. Those that need a look are counted: see client_ready(). */
enum client_state {
	CLIENT_FREE = 0,
	CLIENT_WAITS,
	CLIENT_AGAIN,   /* its server is gone: it is to be sent again */
	CLIENT_REPLIED, /* the reply is here, and held */
	CLIENT_FAILED,  /* its server is gone */
	CLIENT_HELD,    /* it has ended, and its reply is in use */
};

struct client_call {
	uint64_t id; /* what the caller knows it by: its place, and a number that counts up */
	enum client_state state;
	int32_t code;
	uint64_t number;   /* of the request, in the lane */
	uint64_t position; /* where the request is in the lane, */
	uint64_t size;     /* and how large */
	struct nonet_message message;
};

struct nonet_client {
	struct nonet_publisher *requests;
	struct nonet_subscriber *replies;
	uint32_t flags;
	uint64_t begun; /* calls, ever */
	uint64_t used;  /* a bit for each place in @calls */
	_Atomic uint32_t ready;
	uint32_t waits; /* calls that wait for a reply */
	struct nonet_waitable waitable;
	struct client_call calls[NONET_CALLS];
};
static_assert(NONET_CALLS == 64, "a bit of 64 each");
static_assert(NONET_CALLS <= NONET_CHANNEL_TAKEN, "all of their replies can be held");

/* Calls that are over, or to be sent again: what the descriptor doesn't tell. */
static inline uint32_t client_ready(const struct nonet_client *client)
{
	return atomic_load_explicit(&client->ready, memory_order_relaxed);
}

static inline bool client_state_is_ready(enum client_state state)
{
	return state == CLIENT_AGAIN || state == CLIENT_REPLIED || state == CLIENT_FAILED;
}

#endif
