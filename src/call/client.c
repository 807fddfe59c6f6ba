/* SPDX-License-Identifier: Apache-2.0 */
#include "call/client.h"

#include <errno.h>
#include <string.h>

/*
 * Calling. call_layout.h has what goes over the lanes.
 *
 *   begun -> WAITS -> REPLIED -> HELD -> free      the usual way: end() makes it HELD, release() frees it
 *              |
 *              +---> FAILED -> free                its server is gone; end() says so
 *              +---> AGAIN -> WAITS                its server is gone, and NONET_CALL_WAIT
 *
 * A reply whose number no call WAITS for is late, or made up, and is let go. So each call has one at most.
 *
 * That a server is gone is told in two ways: nobody holds the server's place nor publishes in the lane (-EPIPE of
 * NONET_SUBSCRIBER_END), or there is a new one, who says from which number on it has our requests. Both come behind
 * whatever the old one had replied.
 *
 * What has to be sent again is taken from our own lane, where nobody else writes: client_has_room() keeps it there.
 */

/* Room to send something again may come without a word to us. */
#define CLIENT_LOOKS_AGAIN NONET_MS(1)

/* Without waiting: messages that are looked at, which may all be late ones. */
#define CLIENT_LOOKS 1000u

static void client_set(struct nonet_client *client, struct client_call *call, enum client_state state)
{
	const uint32_t ready = client_ready(client) + client_state_is_ready(state) - client_state_is_ready(call->state);

	/* One thread at a time changes it, another may read it to arm. */
	atomic_store_explicit(&client->ready, ready, memory_order_relaxed);
	client->waits = client->waits + (state == CLIENT_WAITS) - (call->state == CLIENT_WAITS);
	/* Then nothing that comes is wanted: a descriptor that told of it would do so again and again. */
	atomic_store_explicit(&client->replies->idle, client->waits == 0, memory_order_relaxed);
	call->state = state;
	if (state == CLIENT_FREE)
		client->used &= ~(UINT64_C(1) << (call->id % NONET_CALLS));
}

/* A set that waits for it looks once more. */
static void client_touch(struct nonet_client *client)
{
	if (client_ready(client))
		waitable_touch(&client->waitable);
}

/* By its name: NULL, if it isn't going on. */
static struct client_call *client_find(struct nonet_client *client, uint64_t id)
{
	struct client_call *call = &client->calls[id % NONET_CALLS];

	return call->state != CLIENT_FREE && call->id == id ? call : NULL;
}

/* The one that waits for the reply to a request, or NULL. */
static struct client_call *client_waiting(struct nonet_client *client, uint64_t number)
{
	for (uint64_t left = client->used; left; left &= left - 1) {
		struct client_call *call = &client->calls[__builtin_ctzll(left)];

		if (call->state == CLIENT_WAITS && call->number == number)
			return call;
	}
	return NULL;
}

/* No server has, or will have, the requests before this number. */
static void client_lose(struct nonet_client *client, uint64_t number)
{
	for (uint64_t left = client->used; left; left &= left - 1) {
		struct client_call *call = &client->calls[__builtin_ctzll(left)];

		if (call->state == CLIENT_WAITS && call->number < number)
			client_set(client, call, client->flags & NONET_CALL_WAIT ? CLIENT_AGAIN : CLIENT_FAILED);
	}
}

/* A message of the server's; what it says is data. */
static int client_receive(struct nonet_client *client, const struct nonet_message *message)
{
	struct client_call *call = NULL;
	struct call_head head;

	if (message->size >= sizeof(head)) {
		memcpy(&head, message->data, sizeof(head));
		if (head.kind == CALL_BEGINS)
			client_lose(client, head.number);
		else if (head.kind == CALL_REPLY)
			call = client_waiting(client, head.number);
	}
	if (!call)
		return nonet_subscriber_release(client->replies, message);
	call->code = head.code;
	call->message = *message;
	client_set(client, call, CLIENT_REPLIED);
	return 0;
}

/* Of those in a state the one that was sent first, or NULL. */
static struct client_call *client_first(struct nonet_client *client, enum client_state state)
{
	struct client_call *first = NULL;

	for (uint64_t left = client->used; left; left &= left - 1) {
		struct client_call *call = &client->calls[__builtin_ctzll(left)];

		if (call->state == state && (!first || call->position < first->position))
			first = call;
	}
	return first;
}

/* The loaned request, which is written. */
static int client_send(struct nonet_client *client, struct client_call *call, size_t size)
{
	const uint64_t number = client->requests->sequence;
	const uint64_t position = client->requests->tail;
	int error = nonet_publisher_publish(client->requests, size, 0);

	if (error < 0)
		return error;
	call->number = number;
	call->position = position;
	call->size = size;
	client_set(client, call, CLIENT_WAITS);
	return 0;
}

/*
 * As many as there is room for, and in their order: a loan that the caller has goes first. Return: 1 if any, 0, or as
 * nonet_publisher_loan().
 */
static int client_send_again(struct nonet_client *client)
{
	bool any = false;
	struct nonet_publisher *requests = client->requests;
	struct client_call *call = client_first(client, CLIENT_AGAIN);
	void *buffer;
	int error = 0;

	while (call && error == 0 && !requests->loaned) {
		error = nonet_publisher_loan(requests, (size_t)call->size, NONET_NOW, &buffer);
		if (error == -EAGAIN)
			return any;
		if (error == 0) {
			memcpy(buffer, requests->ring.base + (call->position & requests->mask) + CHANNEL_HEADER,
			       (size_t)call->size);
			error = client_send(client, call, (size_t)call->size);
			any = true;
		}
		call = client_first(client, CLIENT_AGAIN);
	}
	return error < 0 ? error : any;
}

/* Take what the server says, one message. Return: 0 to look again, or what ends the waiting. */
static int client_turn(struct nonet_client *client, nonet_time deadline)
{
	struct nonet_message message;
	nonet_time until = deadline;
	int error;

	if (client_ready(client) && client_first(client, CLIENT_AGAIN)) {
		const nonet_time soon = nonet_after(CLIENT_LOOKS_AGAIN);

		error = client_send_again(client);
		/* There may be room where there was none. */
		if (error != 0)
			return error < 0 ? error : 0;
		if (client_first(client, CLIENT_AGAIN) && soon < deadline)
			until = soon;
	}
	error = nonet_subscriber_take(client->replies, until, &message);
	if (error == 0)
		return client_receive(client, &message);
	if (error == -EPIPE) {
		client_lose(client, UINT64_MAX);
		return 0;
	}
	return error == -ETIMEDOUT && until < deadline ? 0 : error;
}

/* Whether, once a request of @size is sent, all that may have to be sent again still can be. */
static bool client_has_room(const struct nonet_client *client, size_t size)
{
	const struct nonet_publisher *requests = client->requests;
	uint64_t largest = channel_record(size);
	uint64_t first = UINT64_MAX;

	for (uint64_t left = client->used; left; left &= left - 1) {
		const struct client_call *call = &client->calls[__builtin_ctzll(left)];

		if (call->state != CLIENT_WAITS && call->state != CLIENT_AGAIN)
			continue;
		first = call->position < first ? call->position : first;
		if (channel_record(call->size) > largest)
			largest = channel_record(call->size);
	}
	/* Behind the last record comes one more header. */
	return first == UINT64_MAX ||
	       requests->tail + channel_record(size) + largest + CHANNEL_HEADER <= first + requests->channel.ring;
}

/* For who looks on after a turn that wasn't what he waits for: 0, -EAGAIN, -ETIMEDOUT. */
static int client_is_late(nonet_time deadline, uint32_t turns)
{
	return deadline == NONET_NOW && turns < CLIENT_LOOKS ? 0 : subscriber_is_late(deadline);
}

int nonet_client_loan(struct nonet_client *client, size_t size, nonet_time deadline, void **ret_buffer)
{
	int error = object_check(&client->requests->channel.object);

	if (error < 0)
		return error;
	if (size > nonet_client_limit(client))
		return -EMSGSIZE;
	if (client->used == UINT64_MAX)
		return -ENOBUFS;
	/* The one before: what is sent again needs its place. */
	client->requests->loaned = 0;
	for (uint32_t turns = 0; client->flags & NONET_CALL_WAIT && !client_has_room(client, size); turns++) {
		error = client_turn(client, deadline);
		if (error == 0)
			error = client_is_late(deadline, turns);
		client_touch(client);
		if (error < 0)
			return error;
	}
	return nonet_publisher_loan(client->requests, size, deadline, ret_buffer);
}

int nonet_client_commit(struct nonet_client *client, size_t size, uint64_t *ret_call)
{
	struct client_call *call;
	uint32_t place;
	int error;

	if (client->used == UINT64_MAX)
		return -EINVAL;
	place = (uint32_t)__builtin_ctzll(~client->used);
	call = &client->calls[place];
	error = client_send(client, call, size);
	if (error < 0)
		return error;
	client->used |= UINT64_C(1) << place;
	client->begun++;
	call->id = client->begun * NONET_CALLS + place;
	*ret_call = call->id;
	/* What came while nothing was wanted, and wasn't told: that there is no server. */
	if (client->waits == 1)
		waitable_touch(&client->waitable);
	return 0;
}

int nonet_client_abort(struct nonet_client *client)
{
	int error = object_check(&client->requests->channel.object);

	if (error == 0)
		client->requests->loaned = 0;
	return error;
}

int nonet_client_begin(struct nonet_client *client, const void *message, size_t size, nonet_time deadline,
		       uint64_t *ret_call)
{
	void *buffer;
	int error = nonet_client_loan(client, size, deadline, &buffer);

	if (error < 0)
		return error;
	if (size > 0)
		memcpy(buffer, message, size);
	return nonet_client_commit(client, size, ret_call);
}

/* Its reply is here. */
static void client_hand_out(struct nonet_client *client, struct client_call *call, struct nonet_reply *ret_reply)
{
	client_set(client, call, CLIENT_HELD);
	*ret_reply = (struct nonet_reply){
		.data = (const uint8_t *)call->message.data + sizeof(struct call_head),
		.size = call->message.size - sizeof(struct call_head),
		.call = call->id,
		.code = call->code,
	};
}

int nonet_client_end(struct nonet_client *client, uint64_t id, nonet_time deadline, struct nonet_reply *ret_reply)
{
	struct client_call *call;
	int error = object_check(&client->requests->channel.object);

	if (error < 0)
		return error;
	call = client_find(client, id);
	if (!call || call->state == CLIENT_HELD)
		return -EINVAL;
	for (uint32_t turns = 0; error == 0 && !(call->state == CLIENT_REPLIED || call->state == CLIENT_FAILED);
	     turns++) {
		error = client_turn(client, deadline);
		/* A server may send without end what nobody waits for. */
		if (error == 0 && call->state != CLIENT_REPLIED)
			error = client_is_late(deadline, turns);
	}
	if (call->state == CLIENT_REPLIED) {
		client_hand_out(client, call, ret_reply);
		error = 0;
	} else if (call->state == CLIENT_FAILED) {
		client_set(client, call, CLIENT_FREE);
		error = -EPIPE;
	}
	client_touch(client);
	return error;
}

int nonet_client_call(struct nonet_client *client, const void *message, size_t size, nonet_time deadline,
		      struct nonet_reply *ret_reply)
{
	uint64_t id;
	int error = nonet_client_begin(client, message, size, deadline, &id);

	if (error < 0)
		return error;
	error = nonet_client_end(client, id, deadline, ret_reply);
	if (error < 0)
		(void)nonet_client_cancel(client, id);
	return error;
}

int nonet_client_cancel(struct nonet_client *client, uint64_t id)
{
	struct client_call *call;
	int error = object_check(&client->requests->channel.object);

	if (error < 0)
		return error;
	call = client_find(client, id);
	if (!call || call->state == CLIENT_HELD)
		return -EINVAL;
	if (call->state == CLIENT_REPLIED)
		error = nonet_subscriber_release(client->replies, &call->message);
	client_set(client, call, CLIENT_FREE);
	return error;
}

int nonet_client_release(struct nonet_client *client, const struct nonet_reply *reply)
{
	struct client_call *call;
	int error = object_check(&client->requests->channel.object);

	if (error < 0)
		return error;
	call = client_find(client, reply->call);
	if (!call || call->state != CLIENT_HELD)
		return -EINVAL;
	client_set(client, call, CLIENT_FREE);
	return nonet_subscriber_release(client->replies, &call->message);
}

size_t nonet_client_limit(const struct nonet_client *client)
{
	return nonet_publisher_limit(client->requests);
}
