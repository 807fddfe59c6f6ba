/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_SERVER_H
#define CALL_SERVER_H

#include "call/call.h"
#include "call/call_layout.h"
#include "channel/publisher.h"
#include "channel/subscriber.h"

/* What a server has for each client. */
struct server_client {
	struct nonet_publisher *replies; /* NULL: it hasn't had one yet */
	uint64_t from;                   /* the first request that we get */
	uint64_t loan;                   /* position of the request that room is loaned for, and 1; 0: none */
	bool owed;                       /* it is to be told so */
};

struct nonet_server {
	struct nonet_subscriber *requests;
	struct channel channel;     /* all lanes */
	struct channel_lane *place; /* of them the one whose claim says that we are the server; NULL: not yet */
	uint32_t count;             /* clients that there may be */
	uint32_t owed;              /* how many are to be told something */
	struct server_client *clients;
};

/* The lane for the replies to a client: 0, or as nonet_server_reply(). */
int server_lane(struct nonet_server *server, uint32_t number, struct nonet_publisher **ret_replies);

/*
 * Tell those who are to be told. Who has no room is told later: by the next call, for which who waits by descriptor is
 * woken after a while.
 */
void server_announce(struct nonet_server *server);

#endif
