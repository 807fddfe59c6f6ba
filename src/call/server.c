/* SPDX-License-Identifier: Apache-2.0 */
#include "call/server.h"

#include <errno.h>
#include <string.h>

/*
 * Answering. call_layout.h has what goes over the lanes.
 *
 * What a server doesn't know of its clients it needn't know: a reply goes to the lane that its request came from, and
 * who reads there sees by its number whether it is his. Nobody reads there when the client is dead, so that there is
 * room.
 */

int server_lane(struct nonet_server *server, uint32_t number, struct nonet_publisher **ret_replies)
{
	struct server_client *client = &server->clients[number];
	struct channel channel;
	int error = object_check(&server->channel.object);

	if (error == 0 && !client->replies) {
		error = channel_again(&server->channel, &channel);
		if (error < 0)
			return error;
		channel_view(&channel, server->count + number, 1, 1);
		error = publisher_new(&channel, &client->replies);
		channel_close(&channel);
	}
	if (error == 0)
		*ret_replies = client->replies;
	return error;
}

static int server_tell(struct nonet_server *server, uint32_t number)
{
	const struct call_head head = {.number = server->clients[number].from, .kind = CALL_BEGINS};
	struct nonet_publisher *replies;
	int error = server_lane(server, number, &replies);

	/* The caller's own loan there goes first. */
	if (error == 0 && replies->loaned)
		return -EAGAIN;
	return error < 0 ? error : nonet_publisher_send(replies, &head, sizeof(head), NONET_NOW);
}

void server_announce(struct nonet_server *server)
{
	for (uint32_t number = 0; number < server->count && server->owed > 0; number++) {
		struct server_client *client = &server->clients[number];

		if (!client->owed || server_tell(server, number) < 0)
			continue;
		client->owed = false;
		server->owed--;
	}
	atomic_store_explicit(&server->requests->again, server->owed ? nonet_after(DOMAIN_INTERVAL) : 0,
			      memory_order_relaxed);
}

int nonet_server_next(struct nonet_server *server, nonet_time deadline, struct nonet_message *ret_request)
{
	nonet_time until = deadline;
	int error;

	do {
		if (server->owed > 0) {
			const nonet_time soon = nonet_after(DOMAIN_INTERVAL);

			server_announce(server);
			until = server->owed > 0 && soon < deadline ? soon : deadline;
		}
		error = nonet_subscriber_take(server->requests, until, ret_request);
	} while (error == -ETIMEDOUT && until < deadline);
	return error;
}

/* Whether a request is one that is held: 0, -EINVAL, -ECHILD, ... */
static int server_check(const struct nonet_server *server, const struct nonet_message *request)
{
	int error = object_check(&server->channel.object);

	return error == 0 && !subscriber_holds(server->requests, request) ? -EINVAL : error;
}

int nonet_server_loan(struct nonet_server *server, const struct nonet_message *request, size_t size,
		      nonet_time deadline, void **ret_buffer)
{
	struct nonet_publisher *replies;
	void *buffer;
	int error;

	error = server_check(server, request);
	if (error == 0)
		error = server_lane(server, request->lane, &replies);
	if (error < 0)
		return error;
	server->clients[request->lane].loan = 0;
	if (size > nonet_server_limit(server))
		return -EMSGSIZE;
	error = nonet_publisher_loan(replies, sizeof(struct call_head) + size, deadline, &buffer);
	if (error < 0)
		return error;
	server->clients[request->lane].loan = request->position + 1;
	*ret_buffer = (struct call_head *)buffer + 1;
	return 0;
}

int nonet_server_commit(struct nonet_server *server, const struct nonet_message *request, int32_t code, size_t size)
{
	const struct call_head head = {.number = request->sequence, .code = code, .kind = CALL_REPLY};
	struct nonet_publisher *replies;
	struct server_client *client;
	int error = server_check(server, request);

	if (error < 0)
		return error;
	client = &server->clients[request->lane];
	replies = client->replies;
	if (client->loan != request->position + 1 || !replies->loaned)
		return -EINVAL;
	/* What is loaned is the bytes, and 1. */
	if (size >= replies->loaned - sizeof(head))
		return -EMSGSIZE;
	client->loan = 0;
	error = nonet_subscriber_release(server->requests, request);
	if (error < 0)
		return error;
	memcpy(channel_header(replies->ring.base, replies->mask, replies->tail) + 1, &head, sizeof(head));
	return nonet_publisher_publish(replies, sizeof(head) + size, 0);
}

int nonet_server_reply(struct nonet_server *server, const struct nonet_message *request, int32_t code,
		       const void *message, size_t size, nonet_time deadline)
{
	void *buffer;
	int error = nonet_server_loan(server, request, size, deadline, &buffer);

	if (error < 0)
		return error;
	if (size > 0)
		memcpy(buffer, message, size);
	return nonet_server_commit(server, request, code, size);
}

int nonet_server_drop(struct nonet_server *server, const struct nonet_message *request)
{
	int error = server_check(server, request);
	struct server_client *client;

	if (error < 0)
		return error;
	client = &server->clients[request->lane];
	if (client->loan == request->position + 1) {
		client->loan = 0;
		client->replies->loaned = 0;
	}
	return nonet_subscriber_release(server->requests, request);
}

size_t nonet_server_limit(const struct nonet_server *server)
{
	return (size_t)(server->channel.ring / 2 - 64 - sizeof(struct call_head));
}
