/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static void a_connection_carries_messages_both_ways(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 4096, 65535, 65536, 300000};
	struct nonet_socket *ends[2];
	size_t size;

	(void)state;
	for_each_loopback(host)
	{
		make_pair_with(host, NULL, &ends[0], &ends[1]);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(nonet_socket_get_type(ends[i]), NONET_SOCKET_TCP);
			assert_non_null(nonet_socket_waitable(ends[i]));
			assert_true(fcntl(nonet_socket_fd(ends[i]), F_GETFD) & FD_CLOEXEC);
			assert_false(fcntl(nonet_socket_fd(ends[i]), F_GETFL) & O_NONBLOCK);
			assert_int_equal(nonet_socket_receive(ends[i], NULL, 0, NONET_NOW, &size), -EAGAIN);
			assert_int_equal(nonet_socket_receive(ends[i], NULL, 0, nonet_after(NONET_MS(1)), &size),
					 -ETIMEDOUT);
			for (unsigned j = 0; j < 7; j++) {
				assert_int_equal(send_filled(ends[!i], sizes[j], j, soon()), 0);
				assert_int_equal(nonet_socket_message_size(ends[i], soon(), &size), 0);
				assert_int_equal(size, sizes[j]);
				expect_filled(ends[i], sizes[j], j);
			}
			assert_int_equal(nonet_socket_send_to(ends[i], NULL, "a", 1, NONET_NOW), -EOPNOTSUPP);
			assert_int_equal(nonet_socket_receive_from(ends[i], &size, 1, NONET_NOW, NULL, &size),
					 -EOPNOTSUPP);
		}
		close_pair(ends[0], ends[1]);
	}
	assert_null(nonet_socket_close(NULL));
	assert_null(nonet_socket_listener_close(NULL));
}

static void each_side_knows_the_others_name(void **state)
{
	struct nonet_socket *ends[2];
	struct nonet_socket_name ours;
	struct nonet_socket_name theirs;

	(void)state;
	for_each_loopback(host)
	{
		make_pair_with(host, NULL, &ends[0], &ends[1]);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(nonet_socket_get_name(ends[i], &ours), 0);
			assert_int_equal(nonet_socket_peer(ends[!i], &theirs), 0);
			assert_string_equal(ours.host, host);
			assert_int_not_equal(ours.port, 0);
			assert_memory_equal(&ours, &theirs, sizeof(ours));
		}
		close_pair(ends[0], ends[1]);
	}
}

/* Every address of this machine: one listener for both families, who both see IPv4's names as they are. */
static void a_listener_without_a_host_takes_both_families(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at(NULL, NULL, &port);
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct nonet_socket_name peer;

	(void)state;
	for_each_loopback(host)
	{
		assert_int_equal(nonet_socket_connect(host, port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &a, NULL), 0);
		assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &b), 0);
		assert_int_equal(nonet_socket_peer(b, &peer), 0);
		assert_string_equal(peer.host, host);
		close_pair(a, b);
	}
	nonet_socket_listener_close(listener);
}

static void a_family_can_be_asked_for(void **state)
{
	const struct nonet_socket_options four = {.size = sizeof(four), .flags = NONET_SOCKET_IPV4};
	const struct nonet_socket_options six = {.size = sizeof(six), .flags = NONET_SOCKET_IPV6};
	struct nonet_socket_listener *listener;
	struct nonet_error error = {0};
	struct nonet_socket *socket;
	struct port port;

	(void)state;
	listener = listen_at(NULL, &four, &port);
	if (loopback_count() == 2) {
		assert_int_equal(nonet_socket_connect("::1", port.text, NONET_SOCKET_TCP, NULL, soon(), &socket, NULL),
				 -ECONNREFUSED);
		nonet_socket_listener_close(listener);
		listener = listen_at("::", &six, &port);
		assert_int_equal(
			nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_TCP, NULL, soon(), &socket, NULL),
			-ECONNREFUSED);
	}
	nonet_socket_listener_close(listener);
	assert_int_equal(nonet_socket_connect("::1", port.text, NONET_SOCKET_TCP, &four, soon(), &socket, &error),
			 -EAFNOSUPPORT);
	assert_string_equal(error.text, "the host ::1 has no address of IPv4");
	assert_int_equal(nonet_socket_listen("127.0.0.1", "0", &six, soon(), &listener, &error), -EAFNOSUPPORT);
	assert_string_equal(error.text, "the host 127.0.0.1 has no address of IPv6");
}

static void plain_bytes_go_until_one_side_has_finished(void **state)
{
	struct nonet_socket *a;
	struct nonet_socket *b;
	char bytes[16];
	size_t size;
	size_t done = 0;

	(void)state;
	make_pair(&a, &b);
	assert_int_equal(nonet_socket_write(a, "hello", 5, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_socket_read_exactly(b, bytes, 8, nonet_after(NONET_MS(1)), &done), -ETIMEDOUT);
	assert_int_equal(done, 5);
	assert_int_equal(nonet_socket_write(a, "abcd", 4, NONET_FOREVER, NULL), 0);
	assert_int_equal(nonet_socket_read_exactly(b, bytes, 8, soon(), &done), 0);
	assert_memory_equal(bytes, "helloabc", 8);
	assert_int_equal(nonet_socket_finish(a), 0);
	assert_int_equal(nonet_socket_read(b, bytes, sizeof(bytes), NONET_FOREVER, &size), 0);
	assert_int_equal(size, 1);
	assert_int_equal(nonet_socket_read(b, bytes, sizeof(bytes), NONET_FOREVER, &size), -EPIPE);
	assert_int_equal(nonet_socket_write(a, "x", 1, NONET_NOW, NULL), -EPIPE);
	/* The other way it goes on. */
	assert_int_equal(nonet_socket_write(b, "yes", 3, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_socket_read(a, bytes, sizeof(bytes), soon(), &size), 0);
	assert_memory_equal(bytes, "yes", 3);
	close_pair(a, b);
}

static int option_of(struct nonet_socket *socket, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	test_must(getsockopt(nonet_socket_fd(socket), level, option, &value, &size));
	return value;
}

/* What is set of a listener, an accepted connection has too. */
static void options_are_set_of_both_sides(void **state)
{
	const struct nonet_socket_options options = {
		.size = sizeof(options),
		.send_buffer = 50000,
		.receive_buffer = 60000,
		.keepalive_idle = NONET_MS(1500),
		.keepalive_interval = NONET_S(3),
		.keepalive_count = 4,
		.user_timeout = NONET_US(2500),
	};
	const struct nonet_socket_options delay = {.size = sizeof(delay), .flags = NONET_SOCKET_DELAY};
	struct nonet_socket *ends[2];

	(void)state;
	make_pair_with("127.0.0.1", &options, &ends[0], &ends[1]);
	for (int i = 0; i < 2; i++) {
		/* The kernel doubles both, for its own use. */
		assert_int_equal(option_of(ends[i], SOL_SOCKET, SO_SNDBUF), 100000);
		assert_int_equal(option_of(ends[i], SOL_SOCKET, SO_RCVBUF), 120000);
		assert_int_equal(option_of(ends[i], SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_KEEPIDLE), 2);
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_KEEPINTVL), 3);
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_KEEPCNT), 4);
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_USER_TIMEOUT), 3);
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_NODELAY), 1);
	}
	close_pair(ends[0], ends[1]);
	make_pair_with("127.0.0.1", &delay, &ends[0], &ends[1]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(option_of(ends[i], IPPROTO_TCP, TCP_NODELAY), 0);
		assert_int_equal(option_of(ends[i], SOL_SOCKET, SO_KEEPALIVE), 0);
	}
	close_pair(ends[0], ends[1]);
}

static void check_refused(const struct nonet_socket_options *options, const char *port, const char *words)
{
	struct nonet_socket_listener *listener = (struct nonet_socket_listener *)1;
	struct nonet_socket *socket = (struct nonet_socket *)1;
	struct nonet_error error = {0};
	int fd = 1;

	assert_int_equal(nonet_socket_listen("127.0.0.1", port, options, soon(), &listener, &error), -EINVAL);
	assert_non_null(strstr(error.text, words));
	assert_int_equal(nonet_socket_bind("127.0.0.1", port, options, soon(), &socket, NULL), -EINVAL);
	for (int type = NONET_SOCKET_TCP; type <= NONET_SOCKET_ICMP; type++)
		assert_int_equal(nonet_socket_connect("127.0.0.1", port, type, options, soon(), &socket, NULL),
				 -EINVAL);
	if (options)
		assert_int_equal(nonet_socket_take_fd(&fd, options, &socket, NULL), -EINVAL);
	assert_int_equal(fd, 1);
	assert_ptr_equal(socket, (struct nonet_socket *)1);
	assert_ptr_equal(listener, (struct nonet_socket_listener *)1);
}

static void each_bad_argument_is_refused_with_a_sentence(void **state)
{
	static const char *const ports[] = {"", "x", "-1", "1x", " 1", "65536", "99999", "123456", "http"};
	static const struct nonet_socket_options bad[] = {
		{.size = sizeof(bad[0]) - 1},
		{.size = sizeof(bad[0]), .flags = 16},
		{.size = sizeof(bad[0]), .reserved = {0, 1}},
		{.size = sizeof(bad[0]), .message_size = (UINT64_C(1) << 30) + 1},
		{.size = sizeof(bad[0]), .backlog = UINT32_MAX},
		{.size = sizeof(bad[0]), .send_buffer = UINT32_MAX},
		{.size = sizeof(bad[0]), .receive_buffer = UINT32_MAX},
		{.size = sizeof(bad[0]), .keepalive_idle = -1},
		{.size = sizeof(bad[0]), .keepalive_interval = NONET_S(32767) + 1},
		{.size = sizeof(bad[0]), .keepalive_count = 128},
		{.size = sizeof(bad[0]), .user_timeout = -1},
		{.size = sizeof(bad[0]), .user_timeout = NONET_FOREVER},
	};
	static const char *const words[] = {"size",      "flags",     "flags",        "1 GiB",
					    "backlog",   "buffers",   "buffers",      "keepalive",
					    "keepalive", "keepalive", "user timeout", "user timeout"};
	struct nonet_socket *socket = (struct nonet_socket *)1;
	struct nonet_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		check_refused(NULL, ports[i], "port");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(&bad[i], "1", words[i]);
	assert_int_equal(nonet_socket_connect("127.0.0.1", "0", NONET_SOCKET_TCP, NULL, soon(), &socket, &error),
			 -EINVAL);
	assert_string_equal(error.text, "the port 0 isn't from 1 to 65535");
	assert_int_equal(nonet_socket_connect("127.0.0.1", "1", 4, NULL, soon(), &socket, &error), -EINVAL);
	assert_non_null(strstr(error.text, "no type"));
	assert_int_equal(nonet_socket_connect("", "1", NONET_SOCKET_TCP, NULL, soon(), &socket, &error), -EINVAL);
	assert_non_null(strstr(error.text, "empty"));
	assert_int_equal(nonet_socket_connect(NULL, "1", NONET_SOCKET_TCP, NULL, soon(), &socket, &error), -EINVAL);
	assert_non_null(strstr(error.text, "missing"));
	assert_ptr_equal(socket, (struct nonet_socket *)1);
}

static void check_not_taken(int fd, int code)
{
	struct nonet_socket *socket = (struct nonet_socket *)1;
	struct nonet_error error = {0};
	int number = fd;

	assert_int_equal(nonet_socket_take_fd(&number, NULL, &socket, &error), code);
	assert_int_equal(number, fd);
	assert_ptr_equal(socket, (struct nonet_socket *)1);
	assert_int_equal(error.code, code);
	assert_true(strlen(error.text) > 10);
}

static void a_connection_or_udp_socket_is_taken_and_nothing_else(void **state)
{
	const struct nonet_socket_options options = {.size = sizeof(options), .message_size = 1000};
	struct nonet_socket *a;
	struct nonet_socket *b;
	struct nonet_socket *c;
	const int local = (int)test_must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	const int fresh = (int)test_must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	const int file = (int)test_must(open("/dev/null", O_RDWR | O_CLOEXEC));
	int udp = (int)test_must(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	const int off = 0;
	int fd;

	(void)state;
	make_pair(&a, &b);
	fd = (int)test_must(fcntl(nonet_socket_fd(a), F_DUPFD, 0));
	test_must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)));
	assert_int_equal(nonet_socket_take_fd(&fd, &options, &c, NULL), 0);
	assert_int_equal(fd, -1);
	assert_true(fcntl(nonet_socket_fd(c), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(option_of(c, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(send_filled(c, 1001, 1, NONET_NOW), -EMSGSIZE);
	assert_int_equal(send_filled(c, 1000, 1, NONET_NOW), 0);
	expect_filled(b, 1000, 1);
	nonet_socket_close(c);
	close_pair(a, b);

	assert_int_equal(nonet_socket_take_fd(&udp, NULL, &c, NULL), 0);
	assert_int_equal(nonet_socket_get_type(c), NONET_SOCKET_UDP);
	nonet_socket_close(c);

	check_not_taken(local, -ENOTSUP);
	check_not_taken(file, -ENOTSUP);
	check_not_taken(fresh, -ENOTSUP);
	test_must(listen(fresh, 1));
	check_not_taken(fresh, -ENOTSUP);
	check_not_taken(-1, -EBADF);
	test_must(close(local));
	test_must(close(file));
	test_must(close(fresh));
}

static void a_wait_set_sees_a_listener_and_what_was_read_ahead(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_socket *a;
	struct nonet_socket *b;
	size_t count;

	(void)state;
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(
		nonet_wait_set_add(set, nonet_socket_listener_waitable(listener), NONET_WAIT_RECEIVE, listener), 0);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &b), -EAGAIN);
	assert_int_equal(nonet_socket_accept(listener, nonet_after(NONET_MS(1)), &b), -ETIMEDOUT);
	assert_int_equal(nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &a, NULL), 0);
	assert_int_equal(nonet_wait(set, &event, 1, soon(), &count), 0);
	assert_ptr_equal(event.data, listener);
	assert_int_equal(nonet_socket_listener_arm(listener), 0);
	assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &b), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_socket_waitable(b), NONET_WAIT_RECEIVE, b), 0);
	/* Both come with one read. */
	assert_int_equal(send_filled(a, 10, 1, NONET_NOW), 0);
	assert_int_equal(send_filled(a, 20, 2, NONET_NOW), 0);
	expect_filled(b, 10, 1);
	assert_int_equal(nonet_socket_arm(b), 1);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), 0);
	assert_ptr_equal(event.data, b);
	expect_filled(b, 20, 2);
	assert_int_equal(nonet_socket_arm(b), 0);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	/* Closing takes both out of the set. */
	nonet_socket_listener_close(listener);
	close_pair(a, b);
	nonet_wait_set_free(set);
}

/* Somebody else still has the descriptors, a forked child perhaps, so that the kernel goes on telling of them. */
static void what_is_closed_has_left_its_wait_set(void **state)
{
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_socket_listener *listener;
	struct nonet_socket *clients[2];
	struct nonet_socket *server;
	struct port port;
	size_t count;
	int fds[2];

	(void)state;
	listener = listen_at("127.0.0.1", NULL, &port);
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_TCP, NULL, NONET_NOW,
						      &clients[i], NULL),
				 0);
	assert_int_equal(nonet_socket_accept(listener, NONET_NOW, &server), 0);
	assert_int_equal(send_filled(clients[0], 10, 1, NONET_NOW), 0);
	assert_int_equal(
		nonet_wait_set_add(set, nonet_socket_listener_waitable(listener), NONET_WAIT_RECEIVE, listener), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_socket_waitable(server), NONET_WAIT_RECEIVE, server), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), 0);
	fds[0] = (int)test_must(dup(nonet_socket_listener_fd(listener)));
	fds[1] = (int)test_must(dup(nonet_socket_fd(server)));
	nonet_socket_listener_close(listener);
	nonet_socket_close(server);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	for (int i = 0; i < 2; i++) {
		test_must(close(fds[i]));
		nonet_socket_close(clients[i]);
	}
	nonet_wait_set_free(set);
}

static void explain_has_a_sentence_for_each_code(void **state)
{
	static const int codes[] = {-EAGAIN,  -ETIMEDOUT, -EPIPE,      -ECONNRESET, -ECONNREFUSED, -EHOSTUNREACH,
				    -EBADMSG, -EMSGSIZE,  -EOPNOTSUPP, -ENOTCONN,   -EPERM,        -ENOMEM};
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);
	struct nonet_socket *ends[3];
	struct nonet_error error;
	size_t count = 2;

	(void)state;
	assert_int_equal(
		nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_TCP, NULL, NONET_NOW, &ends[0], NULL), 0);
	assert_int_equal(
		nonet_socket_connect("127.0.0.1", port.text, NONET_SOCKET_UDP, NULL, NONET_NOW, &ends[1], NULL), 0);
	if (nonet_socket_connect("127.0.0.1", NULL, NONET_SOCKET_ICMP, NULL, NONET_NOW, &ends[2], NULL) == 0)
		count = 3;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		for (size_t j = 0; j <= count; j++) {
			memset(&error, 0, sizeof(error));
			if (j < count)
				nonet_socket_explain(ends[j], codes[i], &error);
			else
				nonet_socket_listener_explain(listener, codes[i], &error);
			assert_int_equal(error.code, codes[i]);
			assert_true(strlen(error.text) > 10);
		}
	}
	for (size_t i = 0; i < count; i++)
		nonet_socket_close(ends[i]);
	nonet_socket_listener_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_connection_carries_messages_both_ways),
		test_case(each_side_knows_the_others_name),
		test_case(a_listener_without_a_host_takes_both_families),
		test_case(a_family_can_be_asked_for),
		test_case(plain_bytes_go_until_one_side_has_finished),
		test_case(options_are_set_of_both_sides),
		test_case(each_bad_argument_is_refused_with_a_sentence),
		test_case(a_connection_or_udp_socket_is_taken_and_nothing_else),
		test_case(a_wait_set_sees_a_listener_and_what_was_read_ahead),
		test_case(what_is_closed_has_left_its_wait_set),
		test_case(explain_has_a_sentence_for_each_code),
	};

	return test_main(tests);
}
