/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "call/test_call.h"
#include "harness/domain.h"
#include "harness/fault.h"

/* Every call of clients and servers, with every one of its system calls failing in turn. */

struct world {
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_message request;
	uint64_t call;
};
static struct world world;

/* The process is a member, and has its helpers: those are made once, and swept elsewhere. */
static int join(void **ret_state)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .flags = NONET_CHANNEL_MAY_EXIST};
	struct nonet_subscriber *subscriber = NULL;

	(void)ret_state;
	test_check_equal(nonet_channel_create("channel:first", &options, NULL), 0);
	test_check_equal(nonet_subscriber_open("channel:first", NULL, &subscriber, NULL), 0);
	test_check_equal(nonet_subscriber_arm(subscriber), 0);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int new_channel(void **ret_state)
{
	join(ret_state);
	make(2);
	return 0;
}

static void free_channel(void *state)
{
	(void)state;
	test_check_equal(nonet_channel_unlink(CALL_CHANNEL, NULL), 0);
}

static int new_world(void **ret_state)
{
	new_channel(ret_state);
	world = (struct world){.client = client_new(0), .server = server_new(0)};
	return 0;
}

/* The server has a request, and its client hasn't had a reply yet. */
static int new_request(void **ret_state)
{
	new_world(ret_state);
	world.call = begin_number(world.client, 1);
	world.request = next_request(world.server, 1, NONET_NOW);
	return 0;
}

static void free_world(void *state)
{
	world.client = nonet_client_close(world.client);
	world.server = nonet_server_close(world.server);
	free_channel(state);
}

/* One whose client waits for what the server before it had. */
static int new_successor(void **ret_state)
{
	new_request(ret_state);
	world.server = nonet_server_close(world.server);
	return 0;
}

static int run_client(void *state, void *outputs)
{
	(void)state;
	return nonet_client_open(CALL_CHANNEL, NULL, outputs, NULL);
}

static void release_client(void *state, void *outputs)
{
	(void)state;
	nonet_client_close(*(struct nonet_client **)outputs);
}

static int run_server(void *state, void *outputs)
{
	(void)state;
	return nonet_server_open(CALL_CHANNEL, NULL, outputs, NULL);
}

static void release_server(void *state, void *outputs)
{
	(void)state;
	nonet_server_close(*(struct nonet_server **)outputs);
}

static int run_reply(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_server_reply(world.server, &world.request, 0, "yes", 3, NONET_NOW);
}

static int in_vain(int error)
{
	if (error == -ETIMEDOUT)
		return 0;
	return error == 0 ? -EBADMSG : error;
}

static int run_next(void *state, void *outputs)
{
	struct nonet_message request;

	(void)state;
	(void)outputs;
	return in_vain(nonet_server_next(world.server, nonet_after(NONET_MS(2)), &request));
}

static int run_call(void *state, void *outputs)
{
	struct nonet_reply reply;

	(void)state;
	(void)outputs;
	return in_vain(nonet_client_call(world.client, "", 0, nonet_after(NONET_MS(2)), &reply));
}

static int run_client_arm(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_client_arm(world.client);
}

static int run_server_arm(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_server_arm(world.server);
}

/* A page that isn't there (-EFAULT) is one that a peer cut off. */
static const int sleeping[] = {-EBADMSG, 0};

#define SLEEPS    .allowed = sleeping
#define A_POINTER .outputs_size = sizeof(void *)

static const struct test_operation operations[] = {
	{.name = "client open",
	 .setup = new_channel,
	 .run = run_client,
	 .release = release_client,
	 .teardown = free_channel,
	 A_POINTER},
	{.name = "server open",
	 .setup = new_channel,
	 .run = run_server,
	 .release = release_server,
	 .teardown = free_channel,
	 A_POINTER},
	{.name = "server open after another",
	 .setup = new_successor,
	 .run = run_server,
	 .release = release_server,
	 .teardown = free_world,
	 A_POINTER},
	{.name = "server reply, the first", .setup = new_request, .run = run_reply, .teardown = free_world},
	{.name = "server next in vain", .setup = new_world, .run = run_next, .teardown = free_world, SLEEPS},
	{.name = "client call in vain", .setup = new_world, .run = run_call, .teardown = free_world, SLEEPS},
	{.name = "client arm", .setup = new_world, .run = run_client_arm, .teardown = free_world},
	{.name = "server arm", .setup = new_world, .run = run_server_arm, .teardown = free_world},
};

DOMAIN_TEST(every_call_may_fail)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_call_may_fail),
	};
	return test_main(tests);
}
