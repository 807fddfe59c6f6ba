/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/fault.h"
#include "harness/test.h"

/* tcp: udp: icmp: beyond what tests/conform has: what is refused, what goes both ways, and faults. */

#define BOTH (NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE)

static int open_with(const char *address, uint32_t flags, struct nonet_endpoint **ret_endpoint,
		     struct nonet_error *reterr)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};

	return nonet_endpoint_open(address, &options, test_deadline(), ret_endpoint, reterr);
}

static void check_refused(const char *address, uint32_t flags, int code, const char *words)
{
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	test_check_equal(open_with(address, flags, &endpoint, &error), code);
	test_check(!endpoint);
	test_check_equal(error.code, code);
	if (!strstr(error.text, words))
		test_fail("%s: \"%s\" doesn't say \"%s\"", address, error.text, words);
}

static void what_no_socket_can_is_refused(void **state)
{
	(void)state;
	check_refused("tcp:127.0.0.1:0", NONET_ENDPOINT_LISTEN, -EINVAL, "nobody would know which port");
	check_refused("udp:127.0.0.1:0", NONET_ENDPOINT_LISTEN, -EINVAL, "nobody would know which port");
	check_refused("tcp:127.0.0.1:0", 0, -EINVAL, "the port 0");
	check_refused("udp:127.0.0.1:9", NONET_ENDPOINT_LISTEN | BOTH, -EINVAL, "has nobody to send to");
	check_refused("udp:127.0.0.1:9", NONET_ENDPOINT_LISTEN | NONET_ENDPOINT_SEND, -EINVAL, "has nobody to send to");
	check_refused("icmp:127.0.0.1", NONET_ENDPOINT_LISTEN, -EINVAL, "answered by the host's kernel");
	check_refused("tcp:192.0.2.1:9", NONET_ENDPOINT_LISTEN, -EADDRNOTAVAIL, "isn't an address of this machine");
}

/* Who asks for 0600 must not believe that it keeps others out. */
static void a_port_has_no_mode(void **state)
{
	static const char *const addresses[] = {"tcp:127.0.0.1:9", "udp:127.0.0.1:9"};
	const struct nonet_endpoint_options options = {
		.size = sizeof(options), .flags = NONET_ENDPOINT_LISTEN, .mode = 0600};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(nonet_endpoint_open(addresses[i], &options, NONET_NOW, &endpoint, &error), -EINVAL);
		assert_non_null(strstr(error.text, "a port has no mode: anybody who can reach it"));
	}
	assert_null(endpoint);
}

/* A port of this process's own address that nobody has now. */
static void free_address(const char *scheme, char *address, size_t size)
{
	struct nonet_socket_name name;
	struct nonet_socket *socket;
	char host[32];

	snprintf(host, sizeof(host), "127.%d.%d.%d", 72 + (getpid() >> 16), getpid() >> 8 & 255, getpid() & 255);
	test_check_equal(nonet_socket_bind(host, "0", NULL, NONET_NOW, &socket, NULL), 0);
	test_check_equal(nonet_socket_get_name(socket, &name), 0);
	nonet_socket_close(socket);
	snprintf(address, size, "%s:%s:%u", scheme, host, name.port);
}

static void a_udp_address_that_is_sent_to_answers(void **state)
{
	struct nonet_endpoint *endpoint;
	struct nonet_socket_name from;
	struct nonet_socket *server;
	struct nonet_socket_name name;
	char address[64];
	char bytes[16];
	size_t size;

	(void)state;
	assert_int_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &server, NULL), 0);
	assert_int_equal(nonet_socket_get_name(server, &name), 0);
	snprintf(address, sizeof(address), "udp:127.0.0.1:%u", name.port);
	assert_int_equal(nonet_endpoint_open(address, NULL, NONET_NOW, &endpoint, NULL), 0);
	assert_string_equal(nonet_endpoint_address(endpoint), address);
	assert_int_equal(nonet_endpoint_send(endpoint, "ask", 3, NONET_NOW), 0);
	assert_int_equal(nonet_socket_receive_from(server, bytes, sizeof(bytes), test_deadline(), &from, &size), 0);
	assert_int_equal(nonet_socket_send_to(server, &from, "answer", 6, NONET_NOW), 0);
	assert_int_equal(nonet_endpoint_read(endpoint, bytes, sizeof(bytes), test_deadline(), &size), 0);
	assert_int_equal(size, 6);
	nonet_endpoint_close(endpoint);
	nonet_socket_close(server);
}

static void a_ping_comes_back(void **state)
{
	struct nonet_endpoint *endpoint;
	char bytes[16];
	size_t size;

	(void)state;
	test_skip_unless_root("a raw socket takes CAP_NET_RAW");
	assert_int_equal(nonet_endpoint_open("icmp:127.0.0.1", NULL, NONET_NOW, &endpoint, NULL), 0);
	assert_int_equal(nonet_endpoint_send(endpoint, "ping", 4, NONET_NOW), 0);
	assert_int_equal(nonet_endpoint_message_size(endpoint, test_deadline(), &size), 0);
	assert_int_equal(size, 4);
	assert_int_equal(nonet_endpoint_receive(endpoint, bytes, sizeof(bytes), NONET_NOW, &size), 0);
	assert_memory_equal(bytes, "ping", 4);
	assert_int_equal(nonet_endpoint_finish(endpoint), -EOPNOTSUPP);
	nonet_endpoint_close(endpoint);
}

static int open_fd(int fd, struct nonet_endpoint **ret_endpoint)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .message_size = 1000};
	char address[32];

	snprintf(address, sizeof(address), "fd:%d", fd);
	return nonet_endpoint_open(address, &options, NONET_NOW, ret_endpoint, NULL);
}

static void an_inherited_socket_is_known_for_what_it_is(void **state)
{
	struct nonet_socket_listener *listener;
	struct nonet_endpoint *endpoint;
	struct nonet_socket_name name;
	struct nonet_socket *a;
	struct nonet_socket *b;
	char port[8];
	char bytes[2000] = {0};
	size_t size;

	(void)state;
	assert_int_equal(nonet_socket_listen("127.0.0.1", "0", NULL, NONET_NOW, &listener, NULL), 0);
	assert_int_equal(nonet_socket_listener_get_name(listener, &name), 0);
	snprintf(port, sizeof(port), "%u", name.port);
	for (int type = NONET_SOCKET_TCP; type <= NONET_SOCKET_UDP; type++) {
		if (type == NONET_SOCKET_UDP)
			assert_int_equal(nonet_socket_bind("127.0.0.1", port, NULL, NONET_NOW, &b, NULL), 0);
		assert_int_equal(nonet_socket_connect("127.0.0.1", port, type, NULL, NONET_NOW, &a, NULL), 0);
		if (type == NONET_SOCKET_TCP)
			assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &b), 0);
		assert_int_equal(open_fd(nonet_socket_fd(a), &endpoint), 0);
		assert_int_equal(nonet_endpoint_send(endpoint, bytes, 1001, NONET_NOW), -EMSGSIZE);
		assert_int_equal(nonet_endpoint_send(endpoint, bytes, 1000, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive(b, bytes, sizeof(bytes), test_deadline(), &size), 0);
		assert_int_equal(size, 1000);
		nonet_endpoint_close(endpoint);
		nonet_socket_close(a);
		nonet_socket_close(b);
	}
	assert_int_equal(open_fd(nonet_socket_listener_fd(listener), &endpoint), -ENOTSUP);
	nonet_socket_listener_close(listener);
}

/* What stands around an operation. */
struct scene {
	char address[64];
	uint32_t flags;
	struct nonet_socket_listener *listener;
};

static struct scene *scene_new(const char *scheme, uint32_t flags)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	test_check(scene);
	scene->flags = flags;
	free_address(scheme, scene->address, sizeof(scene->address));
	return scene;
}

static int setup_tcp_connect(void **ret_state)
{
	struct scene *scene = scene_new("tcp", NONET_ENDPOINT_WAIT);
	char host[32];
	char port[8];

	*ret_state = scene;
	test_check(sscanf(scene->address, "tcp:%31[^:]:%7s", host, port) == 2);
	test_check_equal(nonet_socket_listen(host, port, NULL, NONET_NOW, &scene->listener, NULL), 0);
	return 0;
}

static int setup_udp_connect(void **ret_state)
{
	*ret_state = scene_new("udp", 0);
	return 0;
}

static int setup_udp_bind(void **ret_state)
{
	*ret_state = scene_new("udp", NONET_ENDPOINT_LISTEN);
	return 0;
}

/* Nobody connects: the accept ends by its deadline, whatever fails before. */
static int setup_tcp_listen(void **ret_state)
{
	*ret_state = scene_new("tcp", NONET_ENDPOINT_LISTEN);
	return 0;
}

static void scene_free(void *state)
{
	struct scene *scene = state;

	nonet_socket_listener_close(scene->listener);
	free(scene);
}

static int run_open(void *state, void *outputs)
{
	const struct scene *scene = state;
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = scene->flags};
	struct nonet_error error = {0};
	int code = nonet_endpoint_open(scene->address, &options, test_after(NONET_MS(50)), outputs, &error);

	test_check((code < 0) == (error.text[0] != '\0'));
	test_check(code == 0 || error.code == code);
	return code;
}

/* That is what it comes to. */
static int run_open_in_vain(void *state, void *outputs)
{
	struct nonet_endpoint *endpoint;
	const int code = run_open(state, &endpoint);

	(void)outputs;
	return code == -ETIMEDOUT ? 0 : code;
}

static void release_open(void *state, void *outputs)
{
	(void)state;
	nonet_endpoint_close(*(struct nonet_endpoint **)outputs);
}

static void no_failure_of_the_kernel_breaks_an_open(void **state)
{
	static const int allowed[] = {-EAGAIN, -ETIMEDOUT, -EADDRINUSE, -EADDRNOTAVAIL, -ECONNREFUSED, -ENOENT, 0};

	(void)state;
	test_fault_sweep(&(struct test_operation){.name = "open tcp",
						  .setup = setup_tcp_connect,
						  .run = run_open,
						  .release = release_open,
						  .teardown = scene_free,
						  .outputs_size = sizeof(void *),
						  .allowed = allowed});
	test_fault_sweep(&(struct test_operation){.name = "open udp to send",
						  .setup = setup_udp_connect,
						  .run = run_open,
						  .release = release_open,
						  .teardown = scene_free,
						  .outputs_size = sizeof(void *),
						  .allowed = allowed});
	test_fault_sweep(&(struct test_operation){.name = "open udp to receive",
						  .setup = setup_udp_bind,
						  .run = run_open,
						  .release = release_open,
						  .teardown = scene_free,
						  .outputs_size = sizeof(void *),
						  .allowed = allowed});
	test_fault_sweep(&(struct test_operation){.name = "open tcp to listen",
						  .setup = setup_tcp_listen,
						  .run = run_open_in_vain,
						  .teardown = scene_free,
						  .allowed = allowed});
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(100)};
	const struct CMUnitTest tests[] = {
		test_case(what_no_socket_can_is_refused),
		test_case(a_port_has_no_mode),
		test_case(a_udp_address_that_is_sent_to_answers),
		test_case(a_ping_comes_back),
		test_case(an_inherited_socket_is_known_for_what_it_is),
		test_case_with(no_failure_of_the_kernel_breaks_an_open, &long_one),
	};

	return test_main(tests);
}
