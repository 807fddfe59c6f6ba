/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

static void datagrams_go_both_ways_with_names(void **state)
{
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_socket_name from;
	struct nonet_socket_name name;
	char bytes[16];
	size_t size = 9;

	(void)state;
	for_each_loopback(host)
	{
		make_datagram_pair(host, NULL, &sender, &receiver);
		assert_int_equal(nonet_socket_get_type(sender), NONET_SOCKET_UDP);
		assert_int_equal(nonet_socket_receive(receiver, bytes, sizeof(bytes), NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_socket_receive(receiver, bytes, sizeof(bytes), nonet_after(NONET_MS(1)), &size),
				 -ETIMEDOUT);
		assert_int_equal(nonet_socket_send(sender, "hello", 5, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive_from(receiver, bytes, sizeof(bytes), soon(), &from, &size), 0);
		assert_int_equal(size, 5);
		assert_memory_equal(bytes, "hello", 5);
		assert_int_equal(nonet_socket_get_name(sender, &name), 0);
		assert_memory_equal(&name, &from, sizeof(name));
		assert_string_equal(from.host, host);
		/* The answer goes where it came from; a bound socket has nobody else to send to. */
		assert_int_equal(nonet_socket_send(receiver, "yes", 3, NONET_NOW), -ENOTCONN);
		assert_int_equal(nonet_socket_send_to(receiver, &from, "yes", 3, NONET_FOREVER), 0);
		assert_int_equal(nonet_socket_receive(sender, bytes, sizeof(bytes), NONET_FOREVER, &size), 0);
		assert_memory_equal(bytes, "yes", 3);
		/* An empty one is a message, and no end. */
		assert_int_equal(nonet_socket_send(sender, NULL, 0, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive(receiver, NULL, 0, soon(), &size), 0);
		assert_int_equal(size, 0);
		assert_int_equal(nonet_socket_receive(receiver, NULL, 0, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_socket_finish(sender), -EOPNOTSUPP);
		assert_int_equal(nonet_socket_read(receiver, bytes, 1, NONET_NOW, &size), -EOPNOTSUPP);
		assert_int_equal(nonet_socket_write(sender, bytes, 1, NONET_NOW, NULL), -EOPNOTSUPP);
		assert_int_equal(nonet_socket_read_exactly(receiver, bytes, 1, NONET_NOW, NULL), -EOPNOTSUPP);
		close_pair(sender, receiver);
	}
}

/* One socket for both families: what came over IPv4 has IPv4's name, and is answered there. */
static void a_socket_without_a_host_takes_both_families(void **state)
{
	struct nonet_socket_name name;
	struct nonet_socket_name from;
	struct nonet_socket *receiver;
	struct nonet_socket *sender;
	uint8_t byte;
	size_t size;

	(void)state;
	assert_int_equal(nonet_socket_bind(NULL, "0", NULL, NONET_NOW, &receiver, NULL), 0);
	assert_int_equal(nonet_socket_get_name(receiver, &name), 0);
	for_each_loopback(host)
	{
		assert_int_equal(nonet_socket_connect(host, port_of(&name).text, NONET_SOCKET_UDP, NULL, NONET_NOW,
						      &sender, NULL),
				 0);
		assert_int_equal(nonet_socket_send(sender, "a", 1, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive_from(receiver, &byte, 1, soon(), &from, &size), 0);
		assert_string_equal(from.host, host);
		assert_int_equal(nonet_socket_send_to(receiver, &from, "b", 1, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive(sender, &byte, 1, soon(), &size), 0);
		assert_int_equal(byte, 'b');
		nonet_socket_close(sender);
	}
	nonet_socket_close(receiver);
}

static void what_is_no_address_is_refused(void **state)
{
	struct nonet_socket_name bad[5] = {{.host = "localhost", .port = 1},
					   {.host = "", .port = 1},
					   {.host = "127.0.0.1"},
					   {.host = "::1%", .port = 1}};
	const struct nonet_socket_name six = {.host = "::1", .port = 1};
	struct nonet_socket *socket;

	(void)state;
	memset(bad[4].host, '1', sizeof(bad[4].host));
	bad[4].port = 1;
	assert_int_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &socket, NULL), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(nonet_socket_send_to(socket, &bad[i], "a", 1, NONET_NOW), -EINVAL);
	assert_int_equal(nonet_socket_send_to(socket, &six, "a", 1, NONET_NOW), -EAFNOSUPPORT);
	nonet_socket_close(socket);
}

static void the_limit_of_a_datagram_is_named(void **state)
{
	static const size_t limits[] = {65507, 65527};
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_error error;

	(void)state;
	for_each_loopback(host)
	{
		const size_t limit = limits[strcmp(host, "::1") == 0];

		make_datagram_pair(host, NULL, &sender, &receiver);
		assert_int_equal(send_filled(sender, limit, 1, soon()), 0);
		expect_filled(receiver, limit, 1);
		assert_int_equal(send_filled(sender, limit + 1, 1, NONET_NOW), -EMSGSIZE);
		nonet_socket_explain(sender, -EMSGSIZE, &error);
		assert_non_null(strstr(error.text, limit == 65507 ? "65507" : "65527"));
		assert_non_null(strstr(error.text, "MTU"));
		close_pair(sender, receiver);
	}
}

static void a_datagram_larger_than_the_buffer_stays_with_its_sender(void **state)
{
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_socket_name from;
	struct nonet_socket_name name;
	uint8_t bytes[1000];
	uint8_t wanted[1000];
	size_t size = 5;

	(void)state;
	make_datagram_pair("127.0.0.1", NULL, &sender, &receiver);
	assert_int_equal(nonet_socket_get_name(sender, &name), 0);
	fill(wanted, sizeof(wanted), 3);
	for (int how = 0; how < 3; how++) {
		assert_int_equal(send_filled(sender, 1000, 3, NONET_NOW), 0);
		assert_int_equal(send_filled(sender, 10, 4, NONET_NOW), 0);
		if (how == 0)
			assert_int_equal(nonet_socket_receive(receiver, bytes, 999, soon(), &size), -EMSGSIZE);
		if (how == 1)
			assert_int_equal(nonet_socket_receive(receiver, NULL, 0, soon(), &size), -EMSGSIZE);
		assert_int_equal(nonet_socket_message_size(receiver, soon(), &size), 0);
		assert_int_equal(size, 1000);
		assert_int_equal(nonet_socket_arm(receiver), 1);
		assert_int_equal(nonet_socket_receive(receiver, bytes, 998, NONET_NOW, &size), -EMSGSIZE);
		assert_int_equal(nonet_socket_receive_from(receiver, bytes, 1000, NONET_NOW, &from, &size), 0);
		assert_memory_equal(bytes, wanted, 1000);
		assert_memory_equal(&from, &name, sizeof(name));
		assert_int_equal(nonet_socket_arm(receiver), 0);
		expect_filled(receiver, 10, 4);
	}
	close_pair(sender, receiver);
}

static void a_datagram_over_message_size_is_dropped(void **state)
{
	const struct nonet_socket_options options = {.size = sizeof(options), .message_size = 100};
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_socket *loose;
	struct nonet_socket_name name;
	size_t size = 5;
	uint8_t bytes[1000];

	(void)state;
	make_datagram_pair("127.0.0.1", &options, &sender, &receiver);
	assert_int_equal(nonet_socket_get_name(receiver, &name), 0);
	assert_int_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &loose, NULL), 0);
	assert_int_equal(send_filled(sender, 101, 1, NONET_NOW), -EMSGSIZE);
	assert_int_equal(nonet_socket_send_to(loose, &name, bytes, 101, NONET_NOW), 0);
	assert_int_equal(nonet_socket_send_to(loose, &name, bytes, 101, NONET_NOW), 0);
	assert_int_equal(send_filled(sender, 100, 1, NONET_NOW), 0);
	assert_int_equal(nonet_socket_receive(receiver, bytes, sizeof(bytes), soon(), &size), -EMSGSIZE);
	assert_int_equal(nonet_socket_message_size(receiver, soon(), &size), -EMSGSIZE);
	assert_int_equal(size, 5);
	expect_filled(receiver, 100, 1);
	nonet_socket_close(loose);
	close_pair(sender, receiver);
}

/* Nobody at the port: the answer comes after the datagram, and is told to the next call, sending or receiving. */
static void nobody_at_the_port_is_told_to_the_next_call(void **state)
{
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_error error;
	uint8_t byte;
	size_t size;

	(void)state;
	make_datagram_pair("127.0.0.1", NULL, &sender, &receiver);
	nonet_socket_close(receiver);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(nonet_socket_send(sender, "a", 1, NONET_NOW), 0);
		assert_int_equal(i ? nonet_socket_receive(sender, &byte, 1, soon(), &size)
				   : nonet_socket_send(sender, "a", 1, soon()),
				 -ECONNREFUSED);
		assert_int_equal(nonet_socket_receive(sender, &byte, 1, NONET_NOW, &size), -EAGAIN);
	}
	nonet_socket_explain(sender, -ECONNREFUSED, &error);
	assert_non_null(strstr(error.text, "nobody receives at the port"));
	nonet_socket_close(sender);
}

/* Only from whom it is connected to. */
static void a_connected_socket_hears_no_strangers(void **state)
{
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_socket *stranger;
	struct nonet_socket_name name;
	struct nonet_socket_name from;
	uint8_t byte;
	size_t size;

	(void)state;
	make_datagram_pair("127.0.0.1", NULL, &sender, &receiver);
	assert_int_equal(nonet_socket_get_name(sender, &name), 0);
	assert_int_equal(nonet_socket_bind("127.0.0.1", "0", NULL, NONET_NOW, &stranger, NULL), 0);
	assert_int_equal(nonet_socket_send_to(stranger, &name, "a", 1, NONET_NOW), 0);
	assert_int_equal(nonet_socket_receive(sender, &byte, 1, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_socket_send_to(receiver, &name, "b", 1, NONET_NOW), 0);
	/* That it was the peer is known, although nobody asked when it came. */
	assert_int_equal(nonet_socket_get_name(receiver, &name), 0);
	assert_int_equal(nonet_socket_receive(sender, NULL, 0, soon(), &size), -EMSGSIZE);
	assert_int_equal(nonet_socket_receive_from(sender, &byte, 1, soon(), &from, &size), 0);
	assert_memory_equal(&from, &name, sizeof(name));
	assert_int_equal(byte, 'b');
	nonet_socket_close(stranger);
	close_pair(sender, receiver);
}

static int receive_for_ever(struct test_child_side *side, void *argument)
{
	uint8_t byte;
	size_t size;

	test_report(side, "ready");
	test_check_equal(nonet_socket_receive(argument, &byte, 1, NONET_FOREVER, &size), -EPIPE);
	return 0;
}

/* The kernel then says that something is there, and that nothing is; or, to who sleeps in it, an empty datagram. */
static void who_shuts_receiving_down_ends_it(void **state)
{
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct nonet_error error;
	struct test_child *child;
	uint8_t byte;
	size_t size = 5;

	(void)state;
	make_datagram_pair(own_host(), NULL, &sender, &receiver);
	child = test_child_until(receive_for_ever, receiver);
	test_child_wait_blocked(child);
	/* Of a bound socket it does so, and says ENOTCONN. */
	assert_int_equal(shutdown(nonet_socket_fd(receiver), SHUT_RD), -1);
	assert_int_equal(test_child_join(child), 0);
	assert_int_equal(nonet_socket_receive(receiver, &byte, 1, soon(), &size), -EPIPE);
	assert_int_equal(nonet_socket_receive(receiver, &byte, 1, NONET_FOREVER, &size), -EPIPE);
	assert_int_equal(nonet_socket_message_size(receiver, soon(), &size), -EPIPE);
	assert_int_equal(nonet_socket_receive(receiver, &byte, 1, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(size, 5);
	nonet_socket_explain(receiver, -EPIPE, &error);
	assert_non_null(strstr(error.text, "was shut down"));
	/* What comes all the same is there. */
	assert_int_equal(send_filled(sender, 1, 3, NONET_NOW), 0);
	expect_filled(receiver, 1, 3);
	close_pair(sender, receiver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(datagrams_go_both_ways_with_names),
		test_case(a_socket_without_a_host_takes_both_families),
		test_case(what_is_no_address_is_refused),
		test_case(the_limit_of_a_datagram_is_named),
		test_case(a_datagram_larger_than_the_buffer_stays_with_its_sender),
		test_case(a_datagram_over_message_size_is_dropped),
		test_case(nobody_at_the_port_is_told_to_the_next_call),
		test_case(a_connected_socket_hears_no_strangers),
		test_case(who_shuts_receiving_down_ends_it),
	};

	return test_main(tests);
}
