/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

/* Getting connected: whom there is to connect to, how long it takes, and what is left of it. */

static void nobody_who_listens_is_told(void **state)
{
	struct nonet_socket *socket = (struct nonet_socket *)1;
	struct nonet_error error = {0};
	char words[64];
	struct port port;

	(void)state;
	nonet_socket_listener_close(listen_at(own_host(), NULL, &port));
	snprintf(words, sizeof(words), "nobody listens at %s:%s", own_host(), port.text);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL,
						      i == 0   ? NONET_NOW
						      : i == 1 ? soon()
							       : NONET_FOREVER,
						      &socket, &error),
				 -ECONNREFUSED);
		assert_string_equal(error.text, words);
	}
	assert_ptr_equal(socket, (struct nonet_socket *)1);
}

static void a_port_is_one_listeners_and_free_again_at_once(void **state)
{
	struct nonet_socket_listener *listener;
	struct nonet_socket_listener *second = NULL;
	struct nonet_error error = {0};
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct port port;

	(void)state;
	listener = listen_at(own_host(), NULL, &port);
	assert_int_equal(nonet_socket_listen(own_host(), port.text, NULL, NONET_NOW, &second, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "another socket has 127."));
	assert_null(second);
	assert_int_equal(nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &a, NULL), 0);
	assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &b), 0);
	/* Who closes first is the one in TIME_WAIT. */
	nonet_socket_close(b);
	nonet_socket_close(a);
	nonet_socket_listener_close(listener);
	assert_int_equal(nonet_socket_listen(own_host(), port.text, NULL, NONET_NOW, &listener, NULL), 0);
	nonet_socket_listener_close(listener);
	/* Nobody else gets the datagrams of a port that is taken. */
	assert_int_equal(nonet_socket_bind(own_host(), port.text, NULL, NONET_NOW, &a, NULL), 0);
	assert_int_equal(nonet_socket_bind(own_host(), port.text, NULL, NONET_NOW, &b, &error), -EADDRINUSE);
	nonet_socket_close(a);
	assert_int_equal(nonet_socket_listen("192.0.2.1", "0", NULL, NONET_NOW, &listener, &error), -EADDRNOTAVAIL);
	assert_string_equal(error.text, "192.0.2.1:0 isn't an address of this machine");
}

/* A backlog that is full lets the kernel drop the question: no answer, as from a host that is off. */
static void no_answer_ends_at_the_deadline(void **state)
{
	const struct nonet_socket_options options = {.size = sizeof(options), .backlog = 1};
	struct port port;
	struct nonet_socket_listener *listener = listen_at(own_host(), &options, &port);
	struct nonet_socket *clients[8];
	struct nonet_error error = {0};
	size_t count = 0;
	nonet_time deadline;
	int result;

	(void)state;
	do
		result = nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &clients[count],
					      &error);
	while (result == 0 && ++count < 8);
	assert_int_equal(result, -EAGAIN);
	assert_non_null(strstr(error.text, "gave no answer at once"));
	deadline = test_clock() + NONET_MS(30);
	assert_int_equal(
		nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL, deadline, &clients[count], &error),
		-ETIMEDOUT);
	assert_true(test_clock() >= deadline);
	assert_non_null(strstr(error.text, "gave no answer before the deadline"));
	while (count > 0)
		nonet_socket_close(clients[--count]);
	nonet_socket_listener_close(listener);
}

static int wait_for_listener(struct test_child_side *side, void *port)
{
	const struct nonet_socket_options options = {.size = sizeof(options), .flags = NONET_SOCKET_WAIT_LISTENER};
	struct nonet_socket *socket;
	struct nonet_error error = {0};

	test_check_equal(nonet_socket_connect(own_host(), port, NONET_SOCKET_TCP, &options, nonet_after(NONET_MS(20)),
					      &socket, &error),
			 -ETIMEDOUT);
	test_check(strstr(error.text, "has nobody who listens before the deadline"));
	test_check_equal(nonet_socket_connect(own_host(), port, NONET_SOCKET_TCP, &options, NONET_NOW, &socket, &error),
			 -EAGAIN);
	test_report(side, "ready");
	test_check_equal(nonet_socket_connect(own_host(), port, NONET_SOCKET_TCP, &options, soon(), &socket, NULL), 0);
	test_check_equal(send_filled(socket, 100, 1, soon()), 0);
	nonet_socket_close(socket);
	return 0;
}

static void who_waits_for_a_listener_gets_it(void **state)
{
	struct nonet_socket_listener *listener;
	struct nonet_socket *socket;
	struct test_child *child;
	struct port port;

	(void)state;
	nonet_socket_listener_close(listen_at(own_host(), NULL, &port));
	child = test_child_until(wait_for_listener, port.text);
	assert_int_equal(nonet_socket_listen(own_host(), port.text, NULL, NONET_NOW, &listener, NULL), 0);
	assert_int_equal(nonet_socket_accept(listener, soon(), &socket), 0);
	expect_filled(socket, 100, 1);
	assert_int_equal(test_child_join(child), 0);
	nonet_socket_close(socket);
	nonet_socket_listener_close(listener);
}

/* The descriptors are counted after the test, as after every one. */
static void ten_thousand_connections_leave_nothing(void **state)
{
	const uint64_t count = test_scaled(10000);
	struct port port;
	struct nonet_socket_listener *listener = listen_at(own_host(), NULL, &port);
	struct nonet_socket *a;
	struct nonet_socket *b;
	size_t heap = 0;

	(void)state;
	test_watchdog_extend(NONET_S(20) + NONET_MS(2) * (nonet_time)count);
	for (uint64_t i = 0; i < count; i++) {
		test_check_equal(nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL, soon(), &a, NULL),
				 0);
		test_check_equal(nonet_socket_accept(listener, soon(), &b), 0);
		if (i % 100 == 0) {
			test_check_equal(send_filled(a, 100, (unsigned)i, soon()), 0);
			expect_filled(b, 100, (unsigned)i);
		}
		/* Now the one, now the other; at times with something unread, and then it is a reset. */
		if (i % 3 == 0)
			test_check_equal(send_filled(a, 100, 1, soon()), 0);
		nonet_socket_close(i % 2 ? a : b);
		nonet_socket_close(i % 2 ? b : a);
		/* The first ones make the heap what it stays. */
		if (i == count / 4)
			heap = heap_in_use();
	}
	/* Not a byte for each of the others. */
	assert_true(heap_in_use() < heap + count / 2);
	test_note("%llu connections", (unsigned long long)count);
	nonet_socket_listener_close(listener);
}

/* Who has gone before it was accepted is taken all the same, and the next one too. */
static void a_client_that_has_gone_is_taken_like_any_other(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at(own_host(), NULL, &port);
	struct nonet_socket *a;
	struct nonet_socket *b;
	size_t size;

	(void)state;
	assert_int_equal(nonet_socket_connect(own_host(), port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &a, NULL), 0);
	nonet_socket_close(a);
	assert_int_equal(nonet_socket_accept(listener, soon(), &b), 0);
	assert_int_equal(nonet_socket_receive(b, &size, 1, soon(), &size), -EPIPE);
	nonet_socket_close(b);
	nonet_socket_listener_close(listener);
}

/* With something unread the kernel resets, and says so once. */
static void a_reset_is_told_once(void **state)
{
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct nonet_socket_name name;
	size_t size;

	(void)state;
	make_pair(&a, &b);
	assert_int_equal(send_filled(a, 10, 1, NONET_NOW), 0);
	nonet_socket_close(b);
	assert_int_equal(nonet_socket_receive(a, &size, 1, soon(), &size), -ECONNRESET);
	assert_int_equal(nonet_socket_receive(a, &size, 1, soon(), &size), -EPIPE);
	assert_int_equal(send_filled(a, 10, 1, NONET_NOW), -EPIPE);
	assert_int_equal(nonet_socket_finish(a), -ENOTCONN);
	assert_int_equal(nonet_socket_peer(a, &name), -ENOTCONN);
	nonet_socket_close(a);
}

/* The kernel says "invalid argument"; and of a zone that isn't here nobody has to be asked. */
static void an_address_of_a_link_needs_the_link(void **state)
{
	struct nonet_socket_listener *listener;
	struct nonet_socket *socket;
	struct nonet_error error = {0};

	(void)state;
	if (loopback_count() < 2)
		return;
	assert_int_equal(nonet_socket_connect("fe80::1", "9", NONET_SOCKET_TCP, NULL, NONET_NOW, &socket, &error),
			 -EINVAL);
	assert_string_equal(error.text, "[fe80::1]:9 is an address of a link, and every link has its own: say which "
					"one, as in fe80::1%eth0");
	assert_int_equal(nonet_socket_listen("fe80::1", "0", NULL, NONET_NOW, &listener, &error), -EINVAL);
	assert_non_null(strstr(error.text, "say which one"));
	assert_int_equal(
		nonet_socket_connect("fe80::1%nonet-none", "9", NONET_SOCKET_TCP, NULL, NONET_NOW, &socket, &error),
		-ENOENT);
	assert_string_equal(error.text, "there is no host fe80::1%nonet-none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(nobody_who_listens_is_told),
		test_case(a_port_is_one_listeners_and_free_again_at_once),
		test_case(no_answer_ends_at_the_deadline),
		test_case(who_waits_for_a_listener_gets_it),
		test_case(ten_thousand_connections_leave_nothing),
		test_case(a_client_that_has_gone_is_taken_like_any_other),
		test_case(a_reset_is_told_once),
		test_case(an_address_of_a_link_needs_the_link),
	};

	return test_main(tests);
}
