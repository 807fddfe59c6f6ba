/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/call_scene.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a request and a reply are: this, and bytes that follow from it. */
struct letter {
	uint32_t from; /* the role */
	uint32_t is_reply;
	unsigned char rest[40];
};

static_assert(sizeof(struct letter) == CALL_REQUEST, "so it is said");

static struct letter letter(enum prove_role from, bool is_reply)
{
	struct letter letter = {.from = (uint32_t)from, .is_reply = is_reply};

	for (size_t i = 0; i < sizeof(letter.rest); i++)
		letter.rest[i] = (unsigned char)(i * 7 + (size_t)from * 31 + (is_reply ? 100 : 0));
	return letter;
}

static enum prove_role check(struct prove_run *run, const void *data, size_t size, bool is_reply)
{
	struct letter found, wanted;

	prove_require(run, size == sizeof(found), "a letter of %zu bytes", size);
	memcpy(&found, data, sizeof(found));
	prove_require(run, found.from < PROVE_ROLES, "a letter from nobody");
	wanted = letter((enum prove_role)found.from, is_reply);
	prove_require(run, memcmp(&found, &wanted, sizeof(found)) == 0, "a letter isn't whole");
	return (enum prove_role)found.from;
}

static void name(const struct prove_run *run, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "channel:%s/c", prove_directory(run));
}

void call_make(struct prove_run *run)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.flags = NONET_CHANNEL_CALLS | NONET_CHANNEL_MAY_EXIST,
		.publishers = CALL_CLIENTS,
		.lane = 65536,
	};
	struct nonet_error error = {0};
	char text[128];

	name(run, text, sizeof(text));
	prove_require(run, nonet_channel_create(text, &options, &error) == 0, "%s", error.text);
}

struct nonet_client *call_client(struct prove_run *run, uint32_t flags)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = flags | NONET_CALL_SLEEP};
	const nonet_time deadline = prove_deadline();
	struct nonet_client *client = NULL;
	struct nonet_error error = {0};
	char text[128];
	uint32_t news;
	int result;

	name(run, text, sizeof(text));
	do {
		news = prove_news(run);
		result = nonet_client_open(text, &options, &client, &error);
		/* One who is being killed is gone soon. */
		if (result == -EUSERS)
			prove_await(run, news);
	} while (result == -EUSERS && nonet_clock() < deadline);
	prove_require(run, result == 0, "%s", error.text);
	return client;
}

struct nonet_server *call_server(struct prove_run *run)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = NONET_CALL_SLEEP};
	const nonet_time deadline = prove_deadline();
	struct nonet_server *server = NULL;
	struct nonet_error error = {0};
	char text[128];
	uint32_t news;
	int result;

	name(run, text, sizeof(text));
	do {
		news = prove_news(run);
		result = nonet_server_open(text, &options, &server, &error);
		if (result == -EBUSY && prove_role(run) != PROVE_SURVIVOR)
			prove_leave(run);
		if (result == -EBUSY)
			prove_await(run, news);
	} while (result == -EBUSY && nonet_clock() < deadline);
	prove_require(run, result == 0, "%s", error.text);
	prove_store(run, CALL_SERVES, 1);
	return server;
}

void call_await(struct prove_run *run, size_t index)
{
	const nonet_time deadline = prove_deadline();
	uint32_t news;

	for (;;) {
		news = prove_news(run);
		if (prove_load(run, index) || nonet_clock() >= deadline)
			return;
		prove_await(run, news);
	}
}

void call_compose(const struct prove_run *run, void *ret_request)
{
	const struct letter request = letter(prove_role(run), false);

	memcpy(ret_request, &request, sizeof(request));
}

uint64_t call_begin(struct prove_run *run, struct nonet_client *client)
{
	const struct letter request = letter(prove_role(run), false);
	uint64_t call = 0;
	int result = nonet_client_begin(client, &request, sizeof(request), prove_deadline(), &call);

	prove_require(run, result == 0, "nonet_client_begin() says %d", result);
	return call;
}

int call_answer(struct prove_run *run, struct nonet_server *server, const struct nonet_message *request)
{
	const struct letter reply = letter(prove_role(run), true);

	(void)check(run, request->data, request->size, false);
	return nonet_server_reply(server, request, 7, &reply, sizeof(reply), prove_deadline());
}

enum prove_role call_check(struct prove_run *run, const struct nonet_reply *reply)
{
	prove_require(run, reply->code == 7, "a reply has code %d", reply->code);
	return check(run, reply->data, reply->size, true);
}

void call_companion(struct prove_run *run)
{
	const bool waits = prove_state_is(run, "wait");
	struct nonet_client *client = call_client(run, waits ? NONET_CALL_WAIT : 0);
	struct nonet_reply reply;
	uint64_t call;
	int result;

	/* Without a server it would be told at once. */
	if (!waits)
		call_await(run, CALL_SERVES);
	call = call_begin(run, client);
	prove_store(run, CALL_BEGAN, 1);
	result = nonet_client_end(client, call, prove_deadline(), &reply);
	if (result == -EPIPE && !waits) {
		prove_store(run, CALL_TOLD, 1);
	} else {
		prove_require(run, result == 0, "nonet_client_end() says %d", result);
		prove_store(run, CALL_BY, call_check(run, &reply));
		prove_store(run, CALL_REPLIES, prove_load(run, CALL_REPLIES) + 1);
		prove_require(run, nonet_client_release(client, &reply) == 0, "can't release a reply");
		prove_require(run, nonet_client_end(client, call, NONET_NOW, &reply) == -EINVAL, "a second reply");
	}
	nonet_client_close(client);
	prove_store(run, CALL_PASSED, 1);
}

/* Whoever sends something has it answered. Return: whether somebody did. */
static bool serve_once(struct prove_run *run, struct nonet_server *server, nonet_time deadline)
{
	struct nonet_message request;
	int result = nonet_server_next(server, deadline, &request);

	if (result == 0) {
		result = call_answer(run, server, &request);
		prove_require(run, result == 0, "nonet_server_reply() says %d", result);
		return true;
	}
	prove_require(run, result == -ETIMEDOUT || result == -EAGAIN, "nonet_server_next() says %d", result);
	return false;
}

/* Of the companion's call, which is over. */
static void judge(struct prove_run *run)
{
	const int64_t replies = prove_load(run, CALL_REPLIES);
	const int64_t told = prove_load(run, CALL_TOLD);
	int64_t code;

	prove_require(run, replies + told == 1, "a call had %d replies, and was told %d times that there is none",
		      (int)replies, (int)told);
	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++)
		if (prove_plays(run, (enum prove_role)i, "call-reply") &&
		    prove_returned(run, (enum prove_role)i, &code) && code == 0)
			prove_require(run, replies == 1 && prove_load(run, CALL_BY) == i,
				      "a reply was acknowledged, and doesn't come");
}

/* All places for clients can be had, but those of victims that live, and their calls are answered. */
static void call_by_all(struct prove_run *run, struct nonet_server *server)
{
	struct nonet_client *clients[CALL_CLIENTS];
	struct nonet_reply reply;
	uint64_t calls[CALL_CLIENTS];
	int others = 0;

	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++)
		others += prove_began(run, (enum prove_role)i) && !prove_killed(run, (enum prove_role)i);
	for (int i = 0; i < CALL_CLIENTS - others; i++) {
		clients[i] = call_client(run, 0);
		calls[i] = call_begin(run, clients[i]);
	}
	while (serve_once(run, server, NONET_NOW))
		;
	for (int i = 0; i < CALL_CLIENTS - others; i++) {
		const int result = nonet_client_end(clients[i], calls[i], NONET_NOW, &reply);

		prove_require(run, result == 0, "nonet_client_end() says %d", result);
		prove_require(run, call_check(run, &reply) == PROVE_SURVIVOR, "another has answered");
		nonet_client_close(clients[i]);
	}
}

void call_survivor(struct prove_run *run)
{
	const bool accompanied = prove_state_is(run, "wait") || prove_state_is(run, "told");
	const nonet_time deadline = prove_deadline();
	struct nonet_server *server;

	prove_begin(run);
	/* Nobody need come for it to be told. */
	if (prove_state_is(run, "told") && prove_load(run, CALL_SERVES))
		call_await(run, CALL_PASSED);
	server = call_server(run);
	while (accompanied && !prove_load(run, CALL_PASSED) && nonet_clock() < deadline)
		(void)serve_once(run, server, nonet_after(NONET_MS(1)));
	prove_end(run, 0);
	if (accompanied)
		judge(run);
	call_by_all(run, server);
	nonet_server_close(server);
}
