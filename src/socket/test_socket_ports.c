/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include "socket/test_socket_net.h"

/* A machine with one local port: what happens rarely elsewhere, happens at once. Each test is a child with its own. */

#define THE_PORT "40000"

static const struct test_fixture networked = {.setup = need_namespaces, .time = NONET_S(60)};

static void be_a_machine_with_one_port(void)
{
	test_must(unshare(CLONE_NEWNET));
	IP("link", "set", "lo", "up");
	/* "sysctl" is another package; this file is of the namespace of whoever opens it. */
	ip((const char *const[]){"sh", "-c", "echo " THE_PORT " " THE_PORT " >/proc/sys/net/ipv4/ip_local_port_range",
				 NULL});
}

/* Connected with itself, it neither counts as a listener, nor keeps one away afterwards. */
static int connect_with_itself(struct test_child_side *side, void *argument)
{
	static const char *const hosts[] = {"127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::1", "::"};
	const struct nonet_socket_options waiting = {.size = sizeof(waiting), .flags = NONET_SOCKET_WAIT_LISTENER};
	struct nonet_socket_listener *listener;
	struct nonet_socket *socket = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	be_a_machine_with_one_port();
	for (size_t i = 0; i < (loopback_count() == 2 ? 5 : 2); i++) {
		test_check_equal(
			nonet_socket_connect(hosts[i], THE_PORT, NONET_SOCKET_TCP, NULL, soon(), &socket, &error),
			-ECONNREFUSED);
		test_check(strstr(error.text, "nobody listens"));
		test_check_equal(nonet_socket_connect(hosts[i], THE_PORT, NONET_SOCKET_TCP, &waiting,
						      nonet_after(NONET_MS(20)), &socket, NULL),
				 -ETIMEDOUT);
		test_check_equal(nonet_socket_listen(hosts[i], THE_PORT, NULL, NONET_NOW, &listener, NULL), 0);
		nonet_socket_listener_close(listener);
	}
	return 0;
}

static void who_connected_with_itself_keeps_no_listener_away(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(connect_with_itself, NULL)), 0);
}

/* The kernel says EAGAIN, which would be a deadline; and that sending is possible, again and again. */
static int want_a_second_port(struct test_child_side *side, void *argument)
{
	const struct nonet_socket_name to = {.host = "127.0.0.1", .port = 9};
	struct nonet_socket *taken;
	struct nonet_socket *unnamed = NULL;
	struct nonet_error error = {0};
	int fd;

	(void)side;
	(void)argument;
	be_a_machine_with_one_port();
	test_check_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &taken, NULL), 0);
	test_check_equal(
		nonet_socket_connect("127.0.0.1", "9", NONET_SOCKET_UDP, NULL, NONET_FOREVER, &unnamed, &error),
		-EADDRNOTAVAIL);
	test_check(strstr(error.text, "no free port"));
	test_check_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &unnamed, &error), -EADDRINUSE);
	test_check(strstr(error.text, "no port is free for 127.0.0.1:0"));
	fd = (int)test_must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	test_check_equal(nonet_socket_take_fd(&fd, NULL, &unnamed, NULL), 0);
	test_check_equal(nonet_socket_send_to(unnamed, &to, "a", 1, NONET_FOREVER), -EADDRNOTAVAIL);
	test_check_equal(nonet_socket_send_to(unnamed, &to, "a", 1, NONET_NOW), -EADDRNOTAVAIL);
	/* There is one again. */
	nonet_socket_close(taken);
	test_check_equal(nonet_socket_send_to(unnamed, &to, "a", 1, NONET_NOW), 0);
	nonet_socket_close(unnamed);
	return 0;
}

static void no_free_port_is_no_deadline(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(want_a_second_port, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(who_connected_with_itself_keeps_no_listener_away, &networked),
		test_case_with(no_free_port_is_no_deadline, &networked),
	};

	return test_main(tests);
}
