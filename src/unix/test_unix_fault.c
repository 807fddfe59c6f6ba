/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/fault.h"
#include "sys/fault.h"
#include "unix/test_unix.h"

/* Every call of unix.h that asks the kernel for something, with every one of its system calls failing in turn. */

enum {
	LARGE = 200000
};

struct world {
	enum nonet_unix_type type;
	struct nonet_unix_listener *listener;
	struct nonet_unix *a;
	struct nonet_unix *b;
	int fds[2];
	int given;
	size_t done;
	uint8_t buffer[LARGE];
};

static char path[100];
static enum nonet_unix_type swept; /* the type of this round */

static const struct nonet_unix_options sized = {.size = sizeof(sized), .buffer_size = 100000};

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

static void free_world(void *state)
{
	struct world *world = state;

	nonet_unix_listener_close(world->listener);
	close_pair(world->a, world->b);
	for (int i = 0; i < 2; i++)
		if (world->fds[i] >= 0)
			test_must(close(world->fds[i]));
	test_must(close(world->given));
	free(world);
}

/*
 * Somebody listens, and two clients wait to be accepted: one is lost if an option can't be set of the connection, which
 * the kernel has no reason to refuse. Where it has, a_client_waits_while_there_is_no_room has the promise.
 */
static int new_listener(void **ret_state)
{
	struct world *world;
	struct nonet_unix *client;

	new_world(ret_state);
	world = *ret_state;
	test_check_equal(nonet_unix_listen(path, swept, &sized, soon(), &world->listener, NULL), 0);
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_unix_connect(path, swept, NULL, soon(), &client, NULL), 0);
		nonet_unix_close(client);
	}
	return 0;
}

/* A path without a process. */
static int leave_stale(void **ret_state)
{
	const struct nonet_unix_options keep = {.size = sizeof(keep), .flags = NONET_UNIX_KEEP_PATH};
	struct nonet_unix *socket;

	(void)ret_state;
	test_check_equal(nonet_unix_bind(path, &keep, soon(), &socket, NULL), 0);
	nonet_unix_close(socket);
	return 0;
}

static void remove_stale(void *state)
{
	(void)state;
	(void)unlink(path);
}

struct ends {
	struct nonet_unix *first;
	struct nonet_unix *second;
};

static void close_ends(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	close_pair(ends->first, ends->second);
}

static void close_first(void *state, void *outputs)
{
	(void)state;
	nonet_unix_close(((struct ends *)outputs)->first);
}

static int run_pair(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	return nonet_unix_pair(swept, &sized, &ends->first, &ends->second, NULL);
}

static int run_listen(void *state, void *outputs)
{
	const mode_t before = umask(0177);
	const bool stale = access(path, F_OK) == 0;
	const struct nonet_unix_options options = {.size = sizeof(options), .mode = 0666};
	struct stat status;
	int error;

	(void)state;
	error = nonet_unix_listen(path, swept, &options, nonet_after(NONET_MS(50)), outputs, NULL);
	umask(before);
	/* On failure nothing of ours is left, and a path that is there let nobody in that shouldn't be. */
	test_check(error == 0 || stale || access(path, F_OK) < 0);
	if (error == 0)
		test_check(stat(path, &status) == 0 && (status.st_mode & 07777) == 0666);
	return error;
}

static void release_listener(void *state, void *outputs)
{
	(void)state;
	nonet_unix_listener_close(*(struct nonet_unix_listener **)outputs);
	test_check(access(path, F_OK) < 0);
}

static int run_bind(void *state, void *outputs)
{
	const bool stale = access(path, F_OK) == 0;
	int error = nonet_unix_bind(path, NULL, nonet_after(NONET_MS(50)), outputs, NULL);

	(void)state;
	test_check(error == 0 || stale || access(path, F_OK) < 0);
	return error;
}

static int run_connect(void *state, void *outputs)
{
	(void)state;
	return nonet_unix_connect(path, swept, &sized, nonet_after(NONET_MS(50)), outputs, NULL);
}

static int run_accept(void *state, void *outputs)
{
	return nonet_unix_accept(((struct world *)state)->listener, nonet_after(NONET_MS(50)), outputs);
}

static void a_client_waits_while_there_is_no_room(void **state)
{
	static const struct {
		enum sys_call call;
		int error;
	} faults[] = {{SYS_CALL_ALLOCATE, ENOMEM}, {SYS_CALL_ACCEPT, EMFILE}, {SYS_CALL_ACCEPT, ENFILE}};
	struct nonet_unix_listener *listener;
	struct nonet_unix *client;
	struct nonet_unix *server = NULL;
	const char *name = "@nonet-test-no-room";

	(void)state;
	assert_int_equal(nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), 0);
	assert_int_equal(nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &client, NULL), 0);
	for (int i = 0; i < 3; i++) {
		sys_fault_arm_kind(faults[i].call, faults[i].error);
		assert_int_equal(nonet_unix_accept(listener, NONET_FOREVER, &server), -faults[i].error);
		sys_fault_disarm();
	}
	assert_null(server);
	assert_int_equal(nonet_unix_accept(listener, NONET_NOW, &server), 0);
	assert_int_equal(send_filled(client, 10, 1, NONET_NOW), 0);
	expect_filled(server, 10, 1);
	close_pair(client, server);
	nonet_unix_listener_close(listener);
}

static int run_close_listener(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	world->listener = nonet_unix_listener_close(world->listener);
	(void)unlink(path);
	return 0;
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

#define STREAM     1u
#define SEQPACKET  2u
#define DATAGRAM   4u
#define CONNECTED  (STREAM | SEQPACKET)
#define ALL        (CONNECTED | DATAGRAM)
#define IN_WORLD   .setup = new_world, .teardown = free_world
#define MESSAGES   .setup = new_world_with_messages, .teardown = free_world
#define A_POINTER  .outputs_size = sizeof(void *)
#define A_SIZE     .outputs_size = sizeof(size_t)
#define LISTENING  .run = run_listen, .release = release_listener, A_POINTER, .allowed = lock_codes
#define RECEIVING  .run = run_bind, .release = close_first, A_POINTER, .allowed = lock_codes
#define LEFT_STALE .setup = leave_stale, .teardown = remove_stale

/* A lock that can't be had leaves a stale path alone; a failed bind(2) may say that it is taken. */
static const int lock_codes[] = {-EAGAIN, -ETIMEDOUT, -EADDRINUSE, 0};

static const struct {
	unsigned types;
	struct test_operation operation;
} rows[] = {
	{ALL, {.name = "unix pair", .run = run_pair, .release = close_ends, .outputs_size = sizeof(struct ends)}},
	{CONNECTED, {.name = "unix listen", LISTENING}},
	{CONNECTED, {.name = "unix listen on a stale path", LEFT_STALE, LISTENING}},
	{DATAGRAM, {.name = "unix bind", RECEIVING}},
	{DATAGRAM, {.name = "unix bind to a stale path", LEFT_STALE, RECEIVING}},
	{CONNECTED,
	 {.name = "unix connect",
	  .setup = new_listener,
	  .run = run_connect,
	  .release = close_first,
	  .teardown = free_world,
	  A_POINTER}},
	{CONNECTED,
	 {.name = "unix accept",
	  .setup = new_listener,
	  .run = run_accept,
	  .release = close_first,
	  .teardown = free_world,
	  A_POINTER}},
	{CONNECTED,
	 {.name = "unix close listener", .setup = new_listener, .run = run_close_listener, .teardown = free_world}},
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

static void no_failure_of_the_kernel_breaks_a_call(void **state)
{
	struct test_sweep total = {0};
	struct test_sweep sweep;
	const char *directory = test_directory_new();

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", directory);
	for_each_type(type)
	{
		swept = type;
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (!(rows[i].types & 1u << (type - 1)))
				continue;
			test_fault_sweep_count(&rows[i].operation, &sweep);
			total.injections += sweep.injections;
			total.fired += sweep.fired;
			total.absorbed += sweep.absorbed;
		}
	}
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
	test_directory_free(directory);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
		test_case(a_client_waits_while_there_is_no_room),
	};

	return test_main(tests);
}
