/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "prove/call_scene.h"

/* Calling, and answering: what a client's and a server's functions add to the lanes (channel_operations.c). */

/* "wait", "told": the cast's companion calls, as soon as there is a server. It can't be put back. */
static void prepare_called(struct prove_run *run)
{
	call_make(run);
	prove_accompany(run, call_companion);
}

/* "alone": nobody is there but the victim, who may be a server too. */
static void prepare(struct prove_run *run)
{
	call_make(run);
}

/* The cast is the server. */
static struct nonet_server *server_of_cast;

static void prepare_served(struct prove_run *run)
{
	call_make(run);
	server_of_cast = call_server(run);
}

/* It answers whoever waits, and leaves. */
static void release(struct prove_run *run)
{
	struct nonet_message request;

	while (nonet_server_next(server_of_cast, NONET_NOW, &request) == 0)
		prove_require(run, call_answer(run, server_of_cast, &request) == 0, "the cast can't answer");
	server_of_cast = nonet_server_close(server_of_cast);
}

/* The handles that a fork of the victim inherits. */
static struct nonet_server *server;
static struct nonet_client *client;

static void require(struct prove_run *run, int result, const char *what)
{
	prove_require(run, result == 0, "%s() says %d", what, result);
}

/* The companion's request is there. */
static void be_called(struct prove_run *run)
{
	server = call_server(run);
	call_await(run, CALL_BEGAN);
}

#define A_LITTLE NONET_MS(80)

static void next(struct prove_run *run)
{
	struct nonet_message request;
	int result;

	be_called(run);
	prove_begin(run);
	result = nonet_server_next(server, nonet_after(A_LITTLE), &request);
	prove_end(run, result);
	/* What was called was the first, and is over. */
	if (result == -ETIMEDOUT && prove_role(run) == PROVE_SECOND)
		return;
	require(run, result, "nonet_server_next");
	require(run, call_answer(run, server, &request), "nonet_server_reply");
}

/* And have it. Where the first has answered, there is none for the second. */
static void be_asked(struct prove_run *run, struct nonet_message *ret_request)
{
	const bool second = prove_role(run) == PROVE_SECOND;
	int result;

	server = call_server(run);
	result = nonet_server_next(server, nonet_after(second ? NONET_MS(300) : NONET_S(3)), ret_request);
	if (second && result == -ETIMEDOUT)
		prove_leave(run);
	require(run, result, "nonet_server_next");
}

static void reply(struct prove_run *run)
{
	struct nonet_message request;
	int result;

	be_asked(run, &request);
	prove_begin(run);
	result = call_answer(run, server, &request);
	prove_end(run, result);
	require(run, result, "nonet_server_reply");
}

static void drop(struct prove_run *run)
{
	struct nonet_message request;
	int result;

	be_asked(run, &request);
	prove_begin(run);
	result = nonet_server_drop(server, &request);
	prove_end(run, result);
	require(run, result, "nonet_server_drop");
	server = nonet_server_close(server);
}

static void open_server(struct prove_run *run)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = NONET_CALL_SLEEP};
	struct nonet_message request;
	char text[128];
	int result;

	/* What is the domain's is behind it. */
	nonet_client_close(call_client(run, 0));
	snprintf(text, sizeof(text), "channel:%s/c", prove_directory(run));
	prove_begin(run);
	result = nonet_server_open(text, &options, &server, NULL);
	prove_end(run, result);
	if (result == -EBUSY)
		return;
	require(run, result, "nonet_server_open");
	prove_store(run, CALL_SERVES, 1);
	while (!prove_load(run, CALL_PASSED))
		if (nonet_server_next(server, nonet_after(NONET_MS(1)), &request) == 0)
			require(run, call_answer(run, server, &request), "nonet_server_reply");
}

static void close_server(struct prove_run *run)
{
	be_called(run);
	prove_begin(run);
	server = nonet_server_close(server);
	prove_end(run, server ? -1 : 0);
}

static void begin(struct prove_run *run)
{
	uint64_t call = 0;
	int result;

	client = call_client(run, prove_state_is(run, "again") ? NONET_CALL_WAIT : 0);
	(void)call_begin(run, client);
	prove_begin(run);
	result = nonet_client_begin(client, "a request that nobody reads", 27, prove_deadline(), &call);
	prove_end(run, result);
	require(run, result, "nonet_client_begin");
}

/* It calls, and answers itself. */
static uint64_t be_answered(struct prove_run *run)
{
	struct nonet_message request;
	uint64_t call;

	server = call_server(run);
	client = call_client(run, 0);
	call = call_begin(run, client);
	/* Of the dead nothing is there: they sent it before this one was the server. */
	require(run, nonet_server_next(server, NONET_NOW, &request), "nonet_server_next");
	require(run, call_answer(run, server, &request), "nonet_server_reply");
	return call;
}

static void end(struct prove_run *run)
{
	struct nonet_reply answer;
	const uint64_t call = be_answered(run);
	int result;

	prove_begin(run);
	result = nonet_client_end(client, call, prove_deadline(), &answer);
	prove_end(run, result);
	require(run, result, "nonet_client_end");
	(void)call_check(run, &answer);
	require(run, nonet_client_release(client, &answer), "nonet_client_release");
	server = nonet_server_close(server);
}

static void release_reply(struct prove_run *run)
{
	struct nonet_reply answer;
	const uint64_t call = be_answered(run);
	int result;

	require(run, nonet_client_end(client, call, prove_deadline(), &answer), "nonet_client_end");
	prove_begin(run);
	result = nonet_client_release(client, &answer);
	prove_end(run, result);
	require(run, result, "nonet_client_release");
	server = nonet_server_close(server);
}

/* To its end: the cast answers once it sleeps. */
static void call(struct prove_run *run)
{
	unsigned char request[CALL_REQUEST];
	struct nonet_reply answer;
	int result;

	/* The cast answers once, and then there is no server. */
	if (prove_role(run) == PROVE_SECOND && !prove_killed(run, PROVE_FIRST))
		prove_leave(run);
	client = call_client(run, NONET_CALL_WAIT);
	call_compose(run, request);
	prove_begin(run);
	result = nonet_client_call(client, request, sizeof(request), prove_deadline(), &answer);
	prove_end(run, result);
	require(run, result, "nonet_client_call");
	(void)call_check(run, &answer);
	require(run, nonet_client_release(client, &answer), "nonet_client_release");
}

static void forked(struct prove_run *run)
{
	struct nonet_message request = {.lane = 0};
	struct nonet_reply answer = {.call = 0};
	uint64_t number;

	if (client) {
		prove_require(run, nonet_client_begin(client, "1", 1, NONET_NOW, &number) == -ECHILD,
			      "the child may call");
		prove_require(run, nonet_client_end(client, 0, NONET_NOW, &answer) == -ECHILD,
			      "the child may end a call");
		prove_require(run, nonet_client_release(client, &answer) == -ECHILD, "the child may release a reply");
	}
	if (server) {
		prove_require(run, nonet_server_next(server, NONET_NOW, &request) == -ECHILD, "the child may serve");
		prove_require(run, nonet_server_drop(server, &request) == -ECHILD, "the child may drop a request");
	}
}

#define CALL(name_, symbol_, victim_)                                                             \
	.name = "call-" name_, .object = "call", .symbol = "nonet_" symbol_, .victim = (victim_), \
	.survivor = call_survivor

const struct prove_operation prove_call_next = {
	CALL("next", "server_next", next),
	.states = (const char *const[]){"told", NULL},
	.prepare = prepare_called,
	.patience = A_LITTLE,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_call_reply = {
	CALL("reply", "server_reply", reply),
	.states = (const char *const[]){"wait", "told", NULL},
	.prepare = prepare_called,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_call_drop = {
	CALL("drop", "server_drop", drop),
	.states = (const char *const[]){"wait", "told", NULL},
	.prepare = prepare_called,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_call_serve = {
	CALL("serve", "server_open", open_server),
	.states = (const char *const[]){"wait", "told", NULL},
	.prepare = prepare_called,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_call_serve_no_more = {
	CALL("serve-no-more", "server_close", close_server),
	.states = (const char *const[]){"told", NULL},
	.prepare = prepare_called,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_call_begin = {
	CALL("begin", "client_begin", begin),
	.states = (const char *const[]){"alone", "again", NULL},
	.prepare = prepare,
	.forked = forked,
};

const struct prove_operation prove_call_end = {
	CALL("end", "client_end", end),
	.states = (const char *const[]){"alone", NULL},
	.prepare = prepare,
	.forked = forked,
};

const struct prove_operation prove_call_release = {
	CALL("release", "client_release", release_reply),
	.states = (const char *const[]){"alone", NULL},
	.prepare = prepare,
	.forked = forked,
};

const struct prove_operation prove_call = {
	CALL("whole", "client_call", call),
	.states = (const char *const[]){"served", NULL},
	.prepare = prepare_served,
	.release = release,
	.fresh = true,
	.distinct_only = true,
};
