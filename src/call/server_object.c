/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "call/server.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "sync/doorbell.h"
#include "sys/membarrier.h"
#include "sys/memory.h"

/* Becoming the server, and ceasing to be it. */

/* Take the server's place: 0, -EBUSY, or as domain_process_owner(). */
static int server_take_place(struct nonet_server *server)
{
	struct channel_lane *place = call_server(&server->channel);
	uint64_t owner;
	int result = domain_process_owner(server->channel.object.domain, &owner);

	if (result == 0)
		result = channel_take(&server->channel, &place->claim, &place->member, owner);
	if (result <= 0)
		return result < 0 ? result : -EBUSY;
	server->place = place;
	return 0;
}

/* Who has a lane where something was sent before may wait for a reply that won't come. */
static void server_count_owed(struct nonet_server *server)
{
	const struct channel *channel = &server->channel;

	for (uint32_t number = 0; number < server->count; number++) {
		struct server_client *client = &server->clients[number];
		const uint64_t claim =
			atomic_load_explicit(&channel_lane(channel, number)->claim, memory_order_relaxed);

		client->from = server->requests->lanes[number].sequence;
		client->owed =
			client->from > 0 && !claim_is_free(claim) && !life_has_ended(channel->object.domain, claim);
		server->owed += client->owed;
	}
}

/* The place comes before the seat, and goes after it: so who has the place finds a seat. */
static int server_join(struct nonet_server *server, unsigned flags)
{
	struct channel requests;
	int error;

	server->count = server->channel.clients;
	server->clients = sys_allocate(server->count * sizeof(*server->clients));
	if (!server->clients)
		return -ENOMEM;
	doorbell_ring_prepare();
	error = server_take_place(server);
	if (error == 0)
		error = channel_again(&server->channel, &requests);
	if (error < 0)
		return error;
	channel_view(&requests, 0, 1, server->count);
	error = subscriber_new(&requests, flags, &server->requests);
	channel_close(&requests);
	if (error < 0)
		return error;
	server_count_owed(server);
	server_announce(server);
	return 0;
}

int nonet_server_open(const char *address, const struct nonet_call_options *options, struct nonet_server **ret_server,
		      struct nonet_error *reterr)
{
	struct nonet_server *server = sys_allocate(sizeof(*server));
	uint32_t flags;
	int error;

	if (!server)
		return error_set(reterr, -ENOMEM, "no memory for a server's handle");
	/* For the lanes of replies, which come later: with more than one thread it takes long. */
	(void)sys_membarrier_register();
	error = call_open(address, options, NONET_CALL_POLL | NONET_CALL_SLEEP, &flags, &server->channel, reterr);
	if (error < 0) {
		sys_free(server);
		return error;
	}
	error = server_join(server, call_subscriber_flags(flags));
	if (error == -EBUSY)
		error_set(reterr, error, "%s has a server, and one at a time answers; end that one first", address);
	else if (error < 0)
		error_set(reterr, error, "can't be the server of %s: %s", address, error_reason(error));
	if (error < 0) {
		nonet_server_close(server);
		return error;
	}
	*ret_server = server;
	return 0;
}

struct nonet_server *nonet_server_close(struct nonet_server *server)
{
	if (!server)
		return NULL;
	for (uint32_t number = 0; server->clients && number < server->count; number++)
		nonet_publisher_close(server->clients[number].replies);
	nonet_subscriber_close(server->requests);
	/* In a child it is the parent's. */
	if (server->place && server->channel.object.generation == sys_generation()) {
		channel_leave(&server->place->claim, &server->place->member);
		channel_news(&server->channel);
	}
	doorbell_ring_forget(&server->channel.object);
	channel_close(&server->channel);
	sys_free(server->clients);
	return sys_free(server);
}

int nonet_server_fd(struct nonet_server *server)
{
	return nonet_subscriber_fd(server->requests);
}

int nonet_server_arm(struct nonet_server *server)
{
	return nonet_subscriber_arm(server->requests);
}

struct nonet_waitable *nonet_server_waitable(struct nonet_server *server)
{
	return nonet_subscriber_waitable(server->requests);
}

void nonet_server_explain(struct nonet_server *server, int code, struct nonet_error *ret_error)
{
	const char *text = server->channel.object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		error_set(
			ret_error, code,
			"nobody has called %s; or, for a reply, its client leaves so many unread that there is no room",
			text);
		break;
	case -EMSGSIZE:
		error_set(ret_error, code, "a reply of %s has at most %zu bytes, or as many as were loaned", text,
			  nonet_server_limit(server));
		break;
	case -ENOBUFS:
		error_set(ret_error, code, "%u requests of one client of %s are held; answer some, or drop them",
			  NONET_CHANNEL_TAKEN, text);
		break;
	case -EINVAL:
		error_set(ret_error, code, "that request of %s isn't held, or has no loan", text);
		break;
	case -EUSERS:
		error_set(ret_error, code, "another process publishes in the lane of %s for this reply; end it", text);
		break;
	default:
		channel_explain(&server->channel, code, ret_error);
		break;
	}
}
