/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "base/list.h"
#include "call/client.h"
#include "sys/membarrier.h"
#include "sys/memory.h"

/* Becoming a client, waiting by descriptor, and saying what went wrong. */

/* @waitable's; the lane's own says whether something has come that we haven't read. */
static int client_arm(struct nonet_waitable *waitable)
{
	struct nonet_client *client = container_of(waitable, struct nonet_client, waitable);

	return client_ready(client) ? 1 : waitable_arm(&client->replies->waitable);
}

static void client_rest(struct nonet_waitable *waitable)
{
	struct nonet_client *client = container_of(waitable, struct nonet_client, waitable);

	client->replies->waitable.rest(&client->replies->waitable);
}

/* A lane for requests, and the one for their replies. @channel: all of it is the client's afterwards, or closed */
static int client_join(struct nonet_client *client, struct channel *channel)
{
	const uint32_t clients = channel->clients;
	const unsigned end = client->flags & NONET_CALL_WAIT ? 0 : NONET_SUBSCRIBER_END;
	struct channel replies = {0};
	uint32_t number;
	int error = channel_again(channel, &replies);

	if (error < 0)
		return error;
	channel_view(channel, 0, 1, clients);
	error = publisher_new(channel, &client->requests);
	if (error == 0) {
		number = client->requests->number;
		/* And the last lane: nobody publishes there, but who holds it is the server. */
		channel_view(&replies, clients + number, clients - number, 2);
		error = subscriber_new(&replies, end | call_subscriber_flags(client->flags), &client->replies);
	}
	if (error == 0)
		atomic_store_explicit(&client->replies->idle, true, memory_order_relaxed);
	channel_close(&replies);
	return error;
}

int nonet_client_open(const char *address, const struct nonet_call_options *options, struct nonet_client **ret_client,
		      struct nonet_error *reterr)
{
	const uint32_t flags = NONET_CALL_WAIT | NONET_CALL_POLL | NONET_CALL_SLEEP;
	struct nonet_client *client = sys_allocate(sizeof(*client));
	struct channel channel;
	uint32_t clients;
	int error;

	if (!client)
		return error_set(reterr, -ENOMEM, "no memory for a client's handle");
	/* Before the domain's helper thread is there, which makes it slow. */
	(void)sys_membarrier_register();
	error = call_open(address, options, flags, &client->flags, &channel, reterr);
	if (error < 0) {
		sys_free(client);
		return error;
	}
	clients = channel.clients;
	error = client_join(client, &channel);
	if (error == -EUSERS)
		error_set(reterr, error, "%s has %u clients, as many as it was made for", address, clients);
	else if (error < 0)
		error_set(reterr, error, "can't be a client of %s: %s", address, error_reason(error));
	channel_close(&channel);
	/* Until it has a descriptor; in a child it won't. */
	waitable_init(&client->waitable, -ECHILD, client_arm);
	client->waitable.rest = client_rest;
	if (error < 0) {
		nonet_client_close(client);
		return error;
	}
	*ret_client = client;
	return 0;
}

struct nonet_client *nonet_client_close(struct nonet_client *client)
{
	if (!client)
		return NULL;
	waitable_done(&client->waitable);
	/* In this order: who has the lane for requests has a seat, and there are as many of these. */
	nonet_subscriber_close(client->replies);
	nonet_publisher_close(client->requests);
	return sys_free(client);
}

int nonet_client_fd(struct nonet_client *client)
{
	client->waitable.fd = nonet_subscriber_fd(client->replies);
	return client->waitable.fd;
}

int nonet_client_arm(struct nonet_client *client)
{
	int error = nonet_client_fd(client);

	if (error < 0)
		return error;
	return client_ready(client) ? 1 : nonet_subscriber_arm(client->replies);
}

struct nonet_waitable *nonet_client_waitable(struct nonet_client *client)
{
	(void)nonet_client_fd(client);
	return &client->waitable;
}

void nonet_client_explain(struct nonet_client *client, int code, struct nonet_error *ret_error)
{
	const struct channel *channel = &client->requests->channel;
	const char *text = channel->object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		if (channel_owner(channel, &call_server(channel)->claim) == 0)
			error_set(ret_error, code, "%s has no server; start one (nonet reply)", text);
		else
			error_set(ret_error, code, "the server of %s has not replied; see whether it hangs", text);
		break;
	case -EPIPE:
		error_set(ret_error, code, "%s has no server, or it ended before it replied; start it, and call again",
			  text);
		break;
	case -ENOBUFS:
		error_set(ret_error, code, "%u calls of %s were begun; end some, and release their replies",
			  NONET_CALLS, text);
		break;
	case -EINVAL:
		error_set(ret_error, code, "that call of %s isn't going on, or nothing was loaned for it", text);
		break;
	default:
		nonet_publisher_explain(client->requests, code, ret_error);
		break;
	}
}
