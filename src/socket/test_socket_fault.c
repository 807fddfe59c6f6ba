/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/fault.h"
#include "socket/test_socket.h"

#include "sys/fault.h"

/* Every call of socket.h, with every one of its system calls failing in turn. */

enum {
	LARGE = 200000
};

static enum nonet_socket_type swept; /* the type of this round */

static const struct nonet_socket_options options = {
	.size = sizeof(options),
	.send_buffer = 100000,
	.receive_buffer = 300000,
	.keepalive_idle = NONET_S(10),
	.keepalive_interval = NONET_S(1),
	.keepalive_count = 3,
	.user_timeout = NONET_S(5),
};

struct world {
	struct nonet_socket_listener *listener;
	struct port port;
	struct nonet_socket *a;
	struct nonet_socket *b;
	int fds[2];
	size_t done;
	uint8_t buffer[LARGE];
};

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct nonet_socket_name name;

	test_check(world != NULL);
	*ret_state = world;
	world->fds[0] = -1;
	if (swept == NONET_SOCKET_TCP) {
		make_pair(&world->a, &world->b);
		world->fds[0] = dup(nonet_socket_fd(world->a));
	} else if (swept == NONET_SOCKET_UDP) {
		make_datagram_pair("127.0.0.1", NULL, &world->a, &world->b);
		world->fds[0] = dup(nonet_socket_fd(world->a));
		test_check_equal(nonet_socket_get_name(world->b, &name), 0);
		world->port = port_of(&name);
	} else {
		/* A ping is received where it was sent. */
		test_check_equal(
			nonet_socket_connect("127.0.0.1", NULL, NONET_SOCKET_ICMP, NULL, soon(), &world->a, NULL), 0);
		world->b = world->a;
	}
	return 0;
}

static int new_world_with_messages(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	for (unsigned i = 0; i < 2; i++)
		test_check_equal(send_filled(world->a, 1000, i, soon()), 0);
	return 0;
}

static int new_world_with_a_large_message(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	test_check_equal(send_filled(world->a, swept == NONET_SOCKET_TCP ? 100000 : 60000, 1, soon()), 0);
	return 0;
}

/* Two clients wait to be accepted. */
static int new_listener(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct nonet_socket *client;

	test_check(world != NULL);
	*ret_state = world;
	world->fds[0] = -1;
	world->listener = listen_at("127.0.0.1", &options, &world->port);
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_socket_connect("127.0.0.1", world->port.text, NONET_SOCKET_TCP, NULL, soon(),
						      &client, NULL),
				 0);
		nonet_socket_close(client);
	}
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	nonet_socket_listener_close(world->listener);
	nonet_socket_close(world->a);
	if (world->b != world->a)
		nonet_socket_close(world->b);
	if (world->fds[0] >= 0)
		test_must(close(world->fds[0]));
	free(world);
}

static void close_socket(void *state, void *outputs)
{
	(void)state;
	nonet_socket_close(*(struct nonet_socket **)outputs);
}

static void close_listener(void *state, void *outputs)
{
	(void)state;
	nonet_socket_listener_close(*(struct nonet_socket_listener **)outputs);
}

/* A name, so that it is looked up. */
static int run_listen(void *state, void *outputs)
{
	struct nonet_error error = {0};
	int code = nonet_socket_listen("localhost", "0", &options, soon(), outputs, &error);

	(void)state;
	test_check((code < 0) == (error.text[0] != 0));
	return code;
}

static int run_bind(void *state, void *outputs)
{
	(void)state;
	return nonet_socket_bind(NULL, "0", &options, soon(), outputs, NULL);
}

static int run_connect(void *state, void *outputs)
{
	struct world *world = state;
	struct nonet_error error = {0};
	int code = nonet_socket_connect("localhost", swept == NONET_SOCKET_ICMP ? NULL : world->port.text, swept,
					&options, nonet_after(NONET_S(1)), outputs, &error);

	test_check((code < 0) == (error.text[0] != 0));
	return code;
}

static int run_connect_waiting(void *state, void *outputs)
{
	const struct nonet_socket_options waiting = {.size = sizeof(waiting), .flags = NONET_SOCKET_WAIT_LISTENER};
	struct world *world = state;

	return nonet_socket_connect("127.0.0.1", world->port.text, NONET_SOCKET_TCP, &waiting,
				    nonet_after(NONET_MS(500)), outputs, NULL);
}

static int run_accept(void *state, void *outputs)
{
	return nonet_socket_accept(((struct world *)state)->listener, nonet_after(NONET_MS(50)), outputs);
}

static int run_listener_name(void *state, void *outputs)
{
	return nonet_socket_listener_get_name(((struct world *)state)->listener, outputs);
}

static int run_take(void *state, void *outputs)
{
	struct world *world = state;
	const int number = world->fds[0];
	int error = nonet_socket_take_fd(&world->fds[0], &options, outputs, NULL);

	test_check_equal(world->fds[0], error < 0 ? number : -1);
	return error;
}

static int run_send(void *state, void *outputs)
{
	(void)outputs;
	return nonet_socket_send(((struct world *)state)->a, "hello", 5, soon());
}

static int run_send_large(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_socket_send(world->a, world->buffer, swept == NONET_SOCKET_TCP ? 70000 : 65000, soon());
}

static int run_send_to(void *state, void *outputs)
{
	struct world *world = state;
	struct nonet_socket_name to = {.host = "127.0.0.1", .port = (uint16_t)atoi(world->port.text)};

	(void)outputs;
	return nonet_socket_send_to(world->b, &to, "hello", 5, soon());
}

static int run_receive(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_socket_receive(world->b, world->buffer, LARGE, soon(), outputs);
}

/* The first call of a handle whose buffer is small asks for memory. */
static int run_receive_small(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_socket_receive(world->b, world->buffer, 1000, soon(), outputs);
}

static int run_receive_from(void *state, void *outputs)
{
	struct world *world = state;
	size_t size;

	return nonet_socket_receive_from(world->b, world->buffer, 1000, soon(), outputs, &size);
}

static int run_message_size(void *state, void *outputs)
{
	return nonet_socket_message_size(((struct world *)state)->b, soon(), outputs);
}

static int run_read(void *state, void *outputs)
{
	struct world *world = state;

	return nonet_socket_read(world->b, world->buffer, LARGE, soon(), outputs);
}

static int run_read_exactly(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_socket_read_exactly(world->b, world->buffer, 100, soon(), &world->done);
}

static int run_write(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return nonet_socket_write(world->a, world->buffer, 70000, soon(), &world->done);
}

static int run_finish(void *state, void *outputs)
{
	(void)outputs;
	return nonet_socket_finish(((struct world *)state)->a);
}

static int run_name(void *state, void *outputs)
{
	return nonet_socket_get_name(((struct world *)state)->a, outputs);
}

static int run_peer(void *state, void *outputs)
{
	return nonet_socket_peer(((struct world *)state)->a, outputs);
}

/* Which types an operation is for. */
#define TCP  1u
#define UDP  2u
#define ICMP 4u
#define BOTH (TCP | UDP)
#define ALL  (BOTH | ICMP)

#define IN_WORLD  .setup = new_world, .teardown = free_world
#define MESSAGES  .setup = new_world_with_messages, .teardown = free_world
#define LISTENING .setup = new_listener, .teardown = free_world
#define A_SOCKET  .release = close_socket, .outputs_size = sizeof(void *), .allowed = opening
#define A_SIZE    .outputs_size = sizeof(size_t)
#define A_NAME    .outputs_size = sizeof(struct nonet_socket_name)

/* A host that can't be looked up, or connected to, is told by the last of its addresses. */
static const int opening[] = {-EAGAIN, -ETIMEDOUT, -ENOENT, -EADDRNOTAVAIL, -ECONNREFUSED, 0};
/* The kernel's word for an address that isn't numeric. */
static const int naming[] = {-EAGAIN, -ETIMEDOUT, -EINVAL, 0};

static const struct {
	unsigned types;
	struct test_operation operation;
} rows[] = {
	{TCP,
	 {.name = "socket listen",
	  .run = run_listen,
	  .release = close_listener,
	  .outputs_size = sizeof(void *),
	  .allowed = opening}},
	{UDP, {.name = "socket bind", .run = run_bind, A_SOCKET}},
	{ALL, {.name = "socket connect", LISTENING, .run = run_connect, A_SOCKET}},
	{TCP, {.name = "socket connect waiting", LISTENING, .run = run_connect_waiting, A_SOCKET}},
	{TCP, {.name = "socket accept", LISTENING, .run = run_accept, A_SOCKET}},
	{TCP, {.name = "socket listener name", LISTENING, .run = run_listener_name, A_NAME}},
	{BOTH, {.name = "socket take", IN_WORLD, .run = run_take, A_SOCKET}},
	{ALL, {.name = "socket send", IN_WORLD, .run = run_send}},
	{ALL, {.name = "socket send large", IN_WORLD, .run = run_send_large}},
	{UDP, {.name = "socket send to", IN_WORLD, .run = run_send_to, .allowed = naming}},
	{ALL, {.name = "socket receive", MESSAGES, .run = run_receive, A_SIZE}},
	{ALL, {.name = "socket receive into little", MESSAGES, .run = run_receive_small, A_SIZE}},
	{ALL,
	 {.name = "socket receive large",
	  .setup = new_world_with_a_large_message,
	  .run = run_receive,
	  .teardown = free_world,
	  A_SIZE}},
	{UDP, {.name = "socket receive from", MESSAGES, .run = run_receive_from, A_NAME}},
	{ALL, {.name = "socket message size", MESSAGES, .run = run_message_size, A_SIZE}},
	{TCP, {.name = "socket read", MESSAGES, .run = run_read, A_SIZE}},
	{TCP, {.name = "socket read exactly", MESSAGES, .run = run_read_exactly}},
	{TCP, {.name = "socket write", IN_WORLD, .run = run_write}},
	{TCP, {.name = "socket finish", IN_WORLD, .run = run_finish}},
	{ALL, {.name = "socket name", IN_WORLD, .run = run_name, A_NAME}},
	{BOTH, {.name = "socket peer", IN_WORLD, .run = run_peer, A_NAME}},
};

static void no_failure_of_the_kernel_breaks_a_socket(void **state)
{
	struct test_sweep total = {0};
	struct test_sweep sweep;

	(void)state;
	for (swept = NONET_SOCKET_TCP; swept <= NONET_SOCKET_ICMP; swept++) {
		if (swept == NONET_SOCKET_ICMP && geteuid() != 0) {
			test_note("ICMP is left out: a raw socket takes CAP_NET_RAW");
			break;
		}
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (!(rows[i].types & 1u << (swept - 1)))
				continue;
			test_fault_sweep_count(&rows[i].operation, &sweep);
			total.injections += sweep.injections;
			total.fired += sweep.fired;
			total.absorbed += sweep.absorbed;
		}
	}
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
}

static void a_client_waits_while_there_is_no_room(void **state)
{
	static const struct {
		enum sys_call call;
		int error;
	} faults[] = {{SYS_CALL_ALLOCATE, ENOMEM}, {SYS_CALL_ACCEPT, EMFILE}, {SYS_CALL_ACCEPT, ENFILE}};
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);
	struct nonet_socket *client;
	struct nonet_socket *server = NULL;

	(void)state;
	assert_int_equal(nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_TCP, NULL, soon(), &client, NULL),
			 0);
	for (int i = 0; i < 3; i++) {
		sys_fault_arm_kind(faults[i].call, faults[i].error);
		assert_int_equal(nonet_socket_accept(listener, NONET_FOREVER, &server), -faults[i].error);
		sys_fault_disarm();
	}
	assert_null(server);
	assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &server), 0);
	assert_int_equal(send_filled(client, 10, 1, NONET_NOW), 0);
	expect_filled(server, 10, 1);
	close_pair(client, server);
	nonet_socket_listener_close(listener);
}

/* What keepalive says when it gives up isn't what a deadline says. */
static void a_host_that_is_lost_is_no_deadline(void **state)
{
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct nonet_error error;
	size_t size;

	(void)state;
	make_pair(&a, &b);
	sys_fault_arm_kind(SYS_CALL_RECEIVE, ETIMEDOUT);
	assert_int_equal(nonet_socket_receive(a, &size, 1, soon(), &size), -EHOSTUNREACH);
	assert_int_equal(nonet_socket_read(a, &size, 1, NONET_FOREVER, &size), -EHOSTUNREACH);
	sys_fault_arm_kind(SYS_CALL_SEND, ETIMEDOUT);
	assert_int_equal(nonet_socket_send(a, "a", 1, soon()), -EHOSTUNREACH);
	sys_fault_disarm();
	nonet_socket_explain(a, -EHOSTUNREACH, &error);
	assert_non_null(strstr(error.text, "doesn't answer any more"));
	close_pair(a, b);
}

/* Each word of the kernel's that is none of ours: for TCP's peer, and for a connection that isn't one yet. */
static void what_befalls_the_peer_is_told_by_a_listed_error(void **state)
{
	static const struct {
		int kernels;
		int ours;
	} words[] = {
		{ECONNABORTED, -ECONNRESET}, /* an administrator ended it: ss -K */
		{EHOSTDOWN, -EHOSTUNREACH},   {ENONET, -EHOSTUNREACH},     {EPROTO, -EHOSTUNREACH},
		{ENOPROTOOPT, -EHOSTUNREACH}, {EOPNOTSUPP, -EHOSTUNREACH},
	};
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct nonet_socket *none = NULL;
	char byte;
	size_t size;

	(void)state;
	make_pair(&a, &b);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		sys_fault_arm_kind(SYS_CALL_RECEIVE, words[i].kernels);
		assert_int_equal(nonet_socket_receive(a, &byte, 1, soon(), &size), words[i].ours);
		assert_int_equal(nonet_socket_read(a, &byte, 1, NONET_FOREVER, &size), words[i].ours);
		sys_fault_arm_kind(SYS_CALL_SEND, words[i].kernels);
		assert_int_equal(nonet_socket_send(a, "a", 1, soon()), words[i].ours);
		sys_fault_arm_kind(SYS_CALL_CONNECT, words[i].kernels);
		assert_int_equal(nonet_socket_connect("127.0.0.1", "1", NONET_SOCKET_TCP, NULL, soon(), &none, NULL),
				 words[i].ours);
		sys_fault_disarm();
	}
	assert_null(none);
	close_pair(a, b);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_socket, &long_one),
		test_case(a_client_waits_while_there_is_no_room),
		test_case(a_host_that_is_lost_is_no_deadline),
		test_case(what_befalls_the_peer_is_told_by_a_listed_error),
	};

	return test_main(tests);
}
