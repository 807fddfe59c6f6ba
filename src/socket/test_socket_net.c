/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket_net.h"

/*
 * Another host, in a network namespace of its own, that vanishes: its end of the cable is pulled. Both sides are
 * children, so that nothing of this process's network changes.
 */

#define US   "10.99.7.1"
#define THEM "10.99.7.2"
#define PORT "4000"

/* What the other host's process is told, and its own. */
struct hosts {
	pid_t them;
};

static const struct test_fixture networked = {.setup = need_namespaces, .time = NONET_S(60)};

static int other_host(struct test_child_side *side, void *argument)
{
	struct nonet_socket_listener *listener;
	struct nonet_socket *sockets[3];
	struct nonet_socket *udp;

	(void)argument;
	test_must(unshare(CLONE_NEWNET));
	test_report(side, "ready");
	test_await(side, "cable");
	IP("addr", "add", THEM "/24", "dev", "nonet1");
	IP("link", "set", "nonet1", "up");
	test_check_equal(nonet_socket_listen(THEM, PORT, NULL, soon(), &listener, NULL), 0);
	test_check_equal(nonet_socket_bind(THEM, PORT, NULL, soon(), &udp, NULL), 0);
	test_report(side, "listens");
	for (int i = 0; i < 3; i++)
		test_check_equal(nonet_socket_accept(listener, soon(), &sockets[i]), 0);
	test_report(side, "accepted");
	test_await(side, "vanish");
	IP("link", "set", "nonet1", "down");
	test_report(side, "vanished");
	test_await(side, "end");
	for (int i = 0; i < 3; i++)
		nonet_socket_close(sockets[i]);
	nonet_socket_close(udp);
	nonet_socket_listener_close(listener);
	return 0;
}

static void check_punctual(nonet_time deadline)
{
	const nonet_time now = test_clock();

	test_check(now >= deadline && now - deadline < NONET_MS(500) * test_slowness());
}

static void check_deadlines(struct nonet_socket *tcp, struct nonet_socket *udp, struct nonet_socket *icmp)
{
	static uint8_t bytes[100000];
	struct nonet_socket *socket;
	nonet_time deadline;
	size_t size;
	int code;

	for (int i = 0; i < 2; i++) {
		deadline = test_clock() + NONET_MS(30);
		test_check_equal(nonet_socket_receive(tcp, bytes, sizeof(bytes), deadline, &size), -ETIMEDOUT);
		check_punctual(deadline);
		/* Until the buffer is full; then each waits to its deadline. */
		do {
			deadline = test_clock() + NONET_MS(30);
			code = nonet_socket_send(tcp, bytes, sizeof(bytes), deadline);
		} while (code == 0);
		test_check_equal(code, -ETIMEDOUT);
		check_punctual(deadline);
		deadline = test_clock() + NONET_MS(30);
		test_check_equal(nonet_socket_receive(udp, bytes, sizeof(bytes), deadline, &size), -ETIMEDOUT);
		check_punctual(deadline);
		test_check_equal(nonet_socket_send(icmp, "a", 1, soon()), 0);
		deadline = test_clock() + NONET_MS(30);
		test_check_equal(nonet_socket_receive(icmp, bytes, sizeof(bytes), deadline, &size), -ETIMEDOUT);
		check_punctual(deadline);
		deadline = test_clock() + NONET_MS(30);
		test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_TCP, NULL, deadline, &socket, NULL),
				 -ETIMEDOUT);
		check_punctual(deadline);
		test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_TCP, NULL, NONET_NOW, &socket, NULL),
				 -EAGAIN);
	}
}

/* Nothing is under way, so that only probes find out; something is, so that its timeout does. */
static void check_the_end(struct nonet_socket *probing, struct nonet_socket *timed)
{
	const nonet_time begin = test_clock();
	struct nonet_error error;
	uint8_t byte;
	size_t size;

	test_check_equal(nonet_socket_send(timed, "a", 1, soon()), 0);
	test_check_equal(nonet_socket_receive(timed, &byte, 1, NONET_FOREVER, &size), -EHOSTUNREACH);
	test_check_equal(nonet_socket_receive(timed, &byte, 1, NONET_FOREVER, &size), -EPIPE);
	test_check_equal(nonet_socket_receive(probing, &byte, 1, test_clock() + NONET_S(30), &size), -EHOSTUNREACH);
	test_check_equal(nonet_socket_receive(probing, &byte, 1, NONET_FOREVER, &size), -EPIPE);
	test_check_equal(nonet_socket_send(probing, "a", 1, NONET_FOREVER), -EPIPE);
	nonet_socket_explain(probing, -EHOSTUNREACH, &error);
	test_check(strstr(error.text, "doesn't answer any more"));
	/* A second of silence, two probes; the kernel's timers are lazy. */
	test_note("keepalive and user timeout ended both within %lld ms",
		  (long long)((test_clock() - begin) / NONET_MS(1)));
	test_check(test_clock() - begin < NONET_S(15));
}

static int this_host(struct test_child_side *side, void *argument)
{
	const struct nonet_socket_options probing = {
		.size = sizeof(probing),
		.keepalive_idle = NONET_S(1),
		.keepalive_interval = NONET_S(1),
		.keepalive_count = 2,
	};
	const struct nonet_socket_options timed = {.size = sizeof(timed), .user_timeout = NONET_MS(1500)};
	const struct hosts *hosts = argument;
	struct nonet_socket *tcp[3];
	struct nonet_socket *udp;
	struct nonet_socket *icmp;
	char pid[16];
	uint8_t byte;
	size_t size;

	snprintf(pid, sizeof(pid), "%d", (int)hosts->them);
	test_must(unshare(CLONE_NEWNET));
	IP("link", "add", "nonet0", "type", "veth", "peer", "name", "nonet1", "netns", pid);
	IP("addr", "add", US "/24", "dev", "nonet0");
	IP("link", "set", "nonet0", "up");
	test_report(side, "ready");
	test_await(side, "connect");
	test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_TCP, NULL, soon(), &tcp[0], NULL), 0);
	test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_TCP, &probing, soon(), &tcp[1], NULL), 0);
	test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_TCP, &timed, soon(), &tcp[2], NULL), 0);
	test_check_equal(nonet_socket_connect(THEM, PORT, NONET_SOCKET_UDP, NULL, soon(), &udp, NULL), 0);
	test_check_equal(nonet_socket_connect(THEM, NULL, NONET_SOCKET_ICMP, NULL, soon(), &icmp, NULL), 0);
	test_check_equal(nonet_socket_send(icmp, "a", 1, soon()), 0);
	test_check_equal(nonet_socket_receive(icmp, &byte, 1, soon(), &size), 0);
	test_report(side, "connected");
	test_await(side, "vanished");
	check_deadlines(tcp[0], udp, icmp);
	check_the_end(tcp[1], tcp[2]);
	for (int i = 0; i < 3; i++)
		nonet_socket_close(tcp[i]);
	nonet_socket_close(udp);
	nonet_socket_close(icmp);
	return 0;
}

static void a_host_that_vanishes_keeps_nobody_past_a_deadline(void **state)
{
	struct test_child *them = test_child_until(other_host, NULL);
	struct hosts hosts = {.them = test_child_pid(them)};
	struct test_child *us = test_child_until(this_host, &hosts);

	(void)state;
	test_child_tell(them, "cable");
	test_child_wait_state(them, "listens");
	test_child_tell(us, "connect");
	test_child_wait_state(us, "connected");
	test_child_wait_state(them, "accepted");
	test_child_tell(them, "vanish");
	test_child_wait_state(them, "vanished");
	test_child_tell(us, "vanished");
	assert_int_equal(test_child_join(us), 0);
	test_child_tell(them, "end");
	assert_int_equal(test_child_join(them), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_host_that_vanishes_keeps_nobody_past_a_deadline, &networked),
	};

	return test_main(tests);
}
