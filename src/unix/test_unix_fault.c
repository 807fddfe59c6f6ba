/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <sys/socket.h>

#include "unix/test_unix_fault.h"

/* Every call of unix.h on a connection, with every one of its system calls failing in turn. */

enum {
	LARGE = 200000
};

struct world {
	enum nonet_unix_type type;
	struct nonet_unix *a;
	struct nonet_unix *b;
	int fds[2];
	int given;
	size_t done;
	uint8_t buffer[LARGE];
};

static int new_world(void **ret_state)
{
	static const int kinds[] = {0, SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	world->type = swept;
	make_pair(swept, &world->a, &world->b);
	test_must(socketpair(AF_UNIX, kinds[swept] | SOCK_CLOEXEC, 0, world->fds));
	world->given = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	*ret_state = world;
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	close_pair(world->a, world->b);
	for (int i = 0; i < 2; i++)
		if (world->fds[i] >= 0)
			test_must(close(world->fds[i]));
	test_must(close(world->given));
	free(world);
}

/* Messages with descriptors wait to be received. */
static int new_world_with_messages(void **ret_state)
{
	struct world *world;
	const int given[2] = {1, 2};
	uint8_t bytes[100];

	new_world(ret_state);
	world = *ret_state;
	for (unsigned i = 0; i < 2; i++) {
		fill(bytes, 100, i);
		test_check_equal(nonet_unix_send_descriptors(world->a, bytes, 100, given, 2, NONET_NOW), 0);
	}
	return 0;
}

static int new_world_with_a_large_message(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	test_check_equal(send_filled(world->a, 100000, 1, NONET_NOW), 0);
	return 0;
}

static int run_pair(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	return nonet_unix_pair(swept, &sized, &ends->first, &ends->second, NULL);
}

static int run_take(void *state, void *outputs)
{
	struct world *world = state;
	const int number = world->fds[0];
	int error = nonet_unix_take_fd(&world->fds[0], &sized, outputs, NULL);

	test_check_equal(world->fds[0], error < 0 ? number : -1);
	return error;
}

static int run_send(void *state, void *outputs)
{
	(void)outputs;
	return nonet_unix_send(((struct world *)state)->a, "hello", 5, soon());
}

static int run_send_large(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_unix_send(world->a, world->buffer, 70000, soon());
}

static int run_send_descriptors(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_unix_send_descriptors(world->a, "hello", 5, &world->given, 1, soon());
}

static int run_send_to(void *state, void *outputs)
{
	(void)outputs;
	return nonet_unix_send_to(((struct world *)state)->a, path, 0, "hello", 5, soon());
}

static int run_receive(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_unix_receive(world->b, world->buffer, LARGE, soon(), outputs);
}

/* The first call of a handle whose buffer is small asks for memory. */
static int run_receive_small(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_unix_receive(world->b, world->buffer, 100, soon(), outputs);
}

static int run_receive_with(void *state, void *outputs)
{
	struct world *world = state;
	int taken[2] = {-1, -1};
	struct nonet_unix_ancillary ancillary = {
		.size = sizeof(ancillary), .descriptors_capacity = 2, .descriptors = taken};
	int error = nonet_unix_receive_with(world->b, world->buffer, 100, &ancillary, soon(), outputs);

	test_check_equal(error == 0, taken[0] >= 0);
	for (int i = 0; i < 2 && error == 0; i++)
		test_must(close(taken[i]));
	return error;
}

static int run_message_size(void *state, void *outputs)
{
	return nonet_unix_message_size(((struct world *)state)->b, soon(), outputs);
}

static int run_read(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_unix_read(world->b, world->buffer, LARGE, soon(), outputs);
}

static int run_read_exactly(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_unix_read_exactly(world->b, world->buffer, 100, soon(), &world->done);
}

static int run_write(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_unix_write(world->a, world->buffer, 70000, soon(), &world->done);
}

static int run_finish(void *state, void *outputs)
{
	(void)outputs;
	return nonet_unix_finish(((struct world *)state)->a);
}

static int run_peer(void *state, void *outputs)
{
	return nonet_unix_peer(((struct world *)state)->a, outputs);
}

static int run_peer_pidfd(void *state, void *outputs)
{
	return nonet_unix_peer_pidfd(((struct world *)state)->a, outputs);
}

static void close_fd(void *state, void *outputs)
{
	(void)state;
	test_must(close(*(int *)outputs));
}

static int new_receiver(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	nonet_unix_close(world->b);
	return nonet_unix_bind(path, NULL, soon(), &world->b, NULL);
}

#define IN_WORLD .setup = new_world, .teardown = free_world
#define MESSAGES .setup = new_world_with_messages, .teardown = free_world

static const struct fault_row rows[] = {
	{ALL, {.name = "unix pair", .run = run_pair, .release = close_ends, .outputs_size = sizeof(struct ends)}},
	{ALL, {.name = "unix take", IN_WORLD, .run = run_take, .release = close_first, A_POINTER}},
	{ALL, {.name = "unix send", IN_WORLD, .run = run_send}},
	{ALL, {.name = "unix send large", IN_WORLD, .run = run_send_large}},
	{ALL, {.name = "unix send descriptors", IN_WORLD, .run = run_send_descriptors}},
	{DATAGRAM, {.name = "unix send to", .setup = new_receiver, .run = run_send_to, .teardown = free_world}},
	{ALL, {.name = "unix receive", MESSAGES, .run = run_receive, A_SIZE}},
	{ALL, {.name = "unix receive into little", MESSAGES, .run = run_receive_small, A_SIZE}},
	{ALL,
	 {.name = "unix receive large",
	  .setup = new_world_with_a_large_message,
	  .run = run_receive,
	  .teardown = free_world,
	  A_SIZE}},
	{ALL, {.name = "unix receive with", MESSAGES, .run = run_receive_with, A_SIZE}},
	{ALL, {.name = "unix message size", MESSAGES, .run = run_message_size, A_SIZE}},
	{STREAM, {.name = "unix read", MESSAGES, .run = run_read, A_SIZE}},
	{STREAM, {.name = "unix read exactly", MESSAGES, .run = run_read_exactly}},
	{STREAM, {.name = "unix write", IN_WORLD, .run = run_write}},
	{CONNECTED, {.name = "unix finish", IN_WORLD, .run = run_finish}},
	{ALL, {.name = "unix peer", IN_WORLD, .run = run_peer, .outputs_size = sizeof(struct nonet_unix_peer)}},
	{ALL,
	 {.name = "unix peer pidfd",
	  IN_WORLD,
	  .run = run_peer_pidfd,
	  .release = close_fd,
	  .outputs_size = sizeof(int)}},
};

static void no_failure_of_the_kernel_breaks_a_connection(void **state)
{
	(void)state;
	sweep_all(rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_connection, &long_one),
	};

	return test_main(tests);
}
