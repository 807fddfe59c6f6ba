/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_TEST_CALL_H
#define CALL_TEST_CALL_H

#include <string.h>

#include <nonet/call.h>

#include "harness/test.h"

/* A channel for calls in the domain of a test, with numbers as requests and replies. */

#define CALL_CHANNEL "channel:calls"

static inline void make(uint32_t clients)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options), .flags = NONET_CHANNEL_CALLS, .publishers = clients, .lane = 65536};

	test_check_equal(nonet_channel_create(CALL_CHANNEL, &options, NULL), 0);
}

static inline struct nonet_client *client_new(uint32_t flags)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_client *client = NULL;

	test_check_equal(nonet_client_open(CALL_CHANNEL, &options, &client, NULL), 0);
	return client;
}

static inline struct nonet_server *server_new(uint32_t flags)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_server *server = NULL;

	test_check_equal(nonet_server_open(CALL_CHANNEL, &options, &server, NULL), 0);
	return server;
}

static inline uint64_t begin_number(struct nonet_client *client, uint64_t number)
{
	uint64_t call = 0;

	test_check_equal(nonet_client_begin(client, &number, sizeof(number), NONET_NOW, &call), 0);
	test_check(call != 0);
	return call;
}

static inline uint64_t number_of(const void *data, size_t size)
{
	uint64_t number = 0;

	test_check_equal(size, sizeof(number));
	memcpy(&number, data, sizeof(number));
	return number;
}

static inline struct nonet_message next_request(struct nonet_server *server, uint64_t number, nonet_time deadline)
{
	struct nonet_message request;

	test_check_equal(nonet_server_next(server, deadline, &request), 0);
	test_check_equal(number_of(request.data, request.size), number);
	return request;
}

static inline void reply_number(struct nonet_server *server, const struct nonet_message *request, uint64_t number)
{
	test_check_equal(nonet_server_reply(server, request, 0, &number, sizeof(number), NONET_NOW), 0);
}

static inline void end_number(struct nonet_client *client, uint64_t call, uint64_t number, nonet_time deadline)
{
	struct nonet_reply reply;

	test_check_equal(nonet_client_end(client, call, deadline, &reply), 0);
	test_check_equal(reply.code, 0);
	test_check_equal(reply.call, call);
	test_check_equal(number_of(reply.data, reply.size), number);
	test_check_equal(nonet_client_release(client, &reply), 0);
}

#endif
