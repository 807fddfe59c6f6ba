/* SPDX-License-Identifier: Apache-2.0 */
#include "unix/test_unix.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_pair_of_each_type_carries_messages_both_ways(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 4096, 65000, 100000};
	struct nonet_unix *ends[2];
	size_t size;

	(void)state;
	for_each_type (type) {
		make_pair(type, &ends[0], &ends[1]);
		assert_int_equal(nonet_unix_get_type(ends[0]), type);
		assert_non_null(nonet_unix_waitable(ends[0]));
		for (int i = 0; i < 2; i++) {
			assert_true(fcntl(nonet_unix_fd(ends[i]), F_GETFD) & FD_CLOEXEC);
			assert_int_equal(nonet_unix_receive(ends[i], NULL, 0, NONET_NOW, &size), -EAGAIN);
			assert_int_equal(nonet_unix_receive(ends[i], NULL, 0, nonet_after(NONET_MS(1)), &size),
					 -ETIMEDOUT);
			assert_int_equal(nonet_unix_message_size(ends[i], NONET_NOW, &size), -EAGAIN);
			assert_int_equal(nonet_unix_message_size(ends[i], nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
			for (unsigned j = 0; j < 6; j++) {
				assert_int_equal(send_filled(ends[!i], sizes[j], j, NONET_NOW), 0);
				assert_int_equal(nonet_unix_message_size(ends[i], NONET_NOW, &size), 0);
				assert_int_equal(size, sizes[j]);
				expect_filled(ends[i], sizes[j], j);
			}
		}
		close_pair(ends[0], ends[1]);
	}
	assert_null(nonet_unix_close(NULL));
}

static void check_refused(const struct nonet_unix_options *options)
{
	struct nonet_unix *const untouched = (struct nonet_unix *)1;
	struct nonet_unix_listener *listener = (struct nonet_unix_listener *)1;
	struct nonet_unix *a = untouched;
	struct nonet_unix *b = untouched;
	struct nonet_error error = {0};
	int fd = 0;

	assert_int_equal(nonet_unix_pair(NONET_UNIX_STREAM, options, &a, &b, &error), -EINVAL);
	assert_int_equal(error.code, -EINVAL);
	assert_true(strlen(error.text) > 10);
	assert_int_equal(nonet_unix_listen("@x", NONET_UNIX_STREAM, options, NONET_NOW, &listener, NULL), -EINVAL);
	assert_int_equal(nonet_unix_connect("@x", NONET_UNIX_STREAM, options, NONET_NOW, &a, NULL), -EINVAL);
	assert_int_equal(nonet_unix_bind("@x", options, NONET_NOW, &a, NULL), -EINVAL);
	assert_int_equal(nonet_unix_take_fd(&fd, options, &a, NULL), -EINVAL);
	assert_ptr_equal(a, untouched);
	assert_ptr_equal(b, untouched);
	assert_ptr_equal(listener, (struct nonet_unix_listener *)1);
}

static void each_bad_option_is_refused_with_a_sentence(void **state)
{
	const struct nonet_unix_options good = {.size = sizeof(good)};
	struct nonet_unix_options bad;
	struct nonet_unix *a;
	struct nonet_unix *b;

	(void)state;
	assert_int_equal(nonet_unix_pair(NONET_UNIX_STREAM, &good, &a, &b, NULL), 0);
	close_pair(a, b);
	bad = good, bad.size = 0, check_refused(&bad);
	bad = good, bad.size = sizeof(bad) - 1, check_refused(&bad);
	bad = good, bad.flags = 4, check_refused(&bad);
	bad = good, bad.reserved[0] = 1, check_refused(&bad);
	bad = good, bad.reserved[1] = 1, check_refused(&bad);
	bad = good, bad.mode = 01000, check_refused(&bad);
	bad = good, bad.message_size = (1u << 30) + 1, check_refused(&bad);
	bad = good, bad.backlog = 1u << 31, check_refused(&bad);
	bad = good, bad.buffer_size = 1u << 31, check_refused(&bad);
	assert_int_equal(nonet_unix_pair((enum nonet_unix_type)0, NULL, &a, &b, NULL), -EINVAL);
	assert_int_equal(nonet_unix_pair((enum nonet_unix_type)4, NULL, &a, &b, NULL), -EINVAL);
}

static void the_limits_of_size_hold(void **state)
{
	const struct nonet_unix_options options = {.size = sizeof(options), .message_size = 5000};
	const struct nonet_unix_options narrow = {.size = sizeof(narrow), .buffer_size = 8192};
	struct nonet_unix *a;
	struct nonet_unix *b;
	char buffer[8];
	size_t size;

	(void)state;
	for_each_type (type) {
		assert_int_equal(nonet_unix_pair(type, &options, &a, &b, NULL), 0);
		assert_int_equal(send_filled(a, 5001, 0, NONET_NOW), -EMSGSIZE);
		assert_int_equal(send_filled(a, 5000, 1, NONET_NOW), 0);
		expect_filled(b, 5000, 1);
		/* What a program without our limit sends: a stream is lost, one packet is. */
		if (type != NONET_UNIX_STREAM) {
			test_check(write(nonet_unix_fd(a), (char[5001]){0}, 5001) == 5001);
			assert_int_equal(send_filled(a, 4, 2, NONET_NOW), 0);
			assert_int_equal(nonet_unix_receive(b, buffer, 8, NONET_NOW, &size), -EMSGSIZE);
			expect_filled(b, 4, 2);
		} else {
			test_check(write(nonet_unix_fd(a), "n\3\0\1\211\23\0\0\211\23\0\0\0\0\0\0", 16) == 16);
			for (int i = 0; i < 3; i++)
				assert_int_equal(nonet_unix_receive(b, buffer, 8, NONET_NOW, &size), -EBADMSG);
		}
		close_pair(a, b);
		/* The kernel doubles the buffer; nothing larger than that is one packet. */
		assert_int_equal(nonet_unix_pair(type, &narrow, &a, &b, NULL), 0);
		if (type != NONET_UNIX_STREAM)
			assert_int_equal(send_filled(a, 20000, 0, NONET_FOREVER), -EMSGSIZE);
		assert_int_equal(send_filled(a, 2000, 3, NONET_FOREVER), 0);
		expect_filled(b, 2000, 3);
		close_pair(a, b);
	}
}

static void a_message_too_large_for_the_buffer_stays(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint8_t buffer[64];
	size_t size;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(send_filled(a, 30 + i, i, NONET_NOW), 0);
		for (unsigned i = 0; i < 3; i++) {
			for (size_t small = 0; small < 30; small += 7) {
				size = 99;
				assert_int_equal(nonet_unix_receive(b, buffer, small, NONET_NOW, &size), -EMSGSIZE);
				assert_int_equal(size, 99);
			}
			assert_int_equal(nonet_unix_arm(b), 1);
			assert_int_equal(nonet_unix_message_size(b, NONET_NOW, &size), 0);
			assert_int_equal(size, 30 + i);
			assert_int_equal(nonet_unix_receive(b, buffer, 1, NONET_NOW, &size), -EMSGSIZE);
			expect_filled(b, 30 + i, i);
		}
		assert_int_equal(nonet_unix_receive(b, buffer, 64, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_unix_arm(b), 0);
		close_pair(a, b);
	}
}

static void a_full_socket_waits_by_the_deadline(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	nonet_time deadline;
	unsigned sent;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		for (sent = 0; sent < 100000; sent++)
			if (send_filled(a, 3000, sent, NONET_NOW) < 0)
				break;
		assert_in_range(sent, 1, 99999);
		assert_int_equal(send_filled(a, 3000, 0, NONET_NOW), -EAGAIN);
		deadline = nonet_after(NONET_MS(5));
		assert_int_equal(send_filled(a, 3000, 0, deadline), -ETIMEDOUT);
		assert_true(nonet_clock() >= deadline);
		for (unsigned i = 0; i < sent; i++)
			expect_filled(b, 3000, i);
		assert_int_equal(send_filled(a, 3000, 77, NONET_NOW), 0);
		expect_filled(b, 3000, 77);
		close_pair(a, b);
	}
}

static void an_empty_packet_is_not_the_end(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	char buffer[4];
	size_t size = 9;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		for (int i = 0; i < 3; i++)
			assert_int_equal(nonet_unix_send(a, NULL, 0, NONET_NOW), 0);
		a = nonet_unix_close(a);
		for (int i = 0; i < 3; i++) {
			size = 9;
			assert_int_equal(nonet_unix_receive(b, buffer, i ? 4 : 0, NONET_NOW, &size), 0);
			assert_int_equal(size, 0);
		}
		for (int i = 0; i < 2 && type != NONET_UNIX_DATAGRAM; i++) {
			assert_int_equal(nonet_unix_receive(b, buffer, 4, NONET_FOREVER, &size), -EPIPE);
			assert_int_equal(nonet_unix_message_size(b, NONET_NOW, &size), -EPIPE);
		}
		nonet_unix_close(b);
	}
}

static void finish_ends_one_direction(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	char buffer[4];
	size_t size;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		assert_int_equal(nonet_unix_send(a, "abc", 3, NONET_NOW), 0);
		assert_int_equal(nonet_unix_finish(a), type == NONET_UNIX_DATAGRAM ? -EOPNOTSUPP : 0);
		if (type != NONET_UNIX_DATAGRAM) {
			assert_int_equal(nonet_unix_send(a, "abc", 3, NONET_NOW), -EPIPE);
			assert_int_equal(nonet_unix_receive(b, buffer, 4, NONET_NOW, &size), 0);
			assert_int_equal(nonet_unix_receive(b, buffer, 4, NONET_FOREVER, &size), -EPIPE);
			assert_int_equal(nonet_unix_send(b, "defg", 4, NONET_NOW), 0);
			assert_int_equal(nonet_unix_receive(a, buffer, 4, NONET_NOW, &size), 0);
			assert_memory_equal(buffer, "defg", 4);
		}
		close_pair(a, b);
	}
}

static void arm_and_the_descriptor_lose_nothing(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct nonet_unix *a;
	struct nonet_unix *b;
	struct nonet_unix_options options = {.size = sizeof(options)};
	size_t size;
	int epoll;

	(void)state;
	for_each_type (type) {
		assert_int_equal(nonet_unix_pair(type, &options, &a, &b, NULL), 0);
		epoll = (int)test_must(epoll_create1(0));
		test_must(epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_unix_fd(b), &event));
		assert_int_equal(nonet_unix_arm(b), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(send_filled(a, 10, i, NONET_NOW), 0);
		for (unsigned i = 0; i < 3; i++) {
			assert_true(nonet_unix_arm(b) == 1 || test_must(epoll_wait(epoll, &event, 1, 0)) == 1);
			if (i == 1)
				assert_int_equal(nonet_unix_message_size(b, NONET_NOW, &size), 0);
			if (i == 1)
				assert_true(nonet_unix_arm(b) == 1 || test_must(epoll_wait(epoll, &event, 1, 0)) == 1);
			expect_filled(b, 10, i);
		}
		assert_int_equal(nonet_unix_receive(b, NULL, 0, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_unix_arm(b), 0);
		assert_int_equal(test_must(epoll_wait(epoll, &event, 1, 0)), 0);
		test_must(close(epoll));
		close_pair(a, b);
	}
}

static void a_wait_set_sees_what_was_read_ahead(void **state)
{
	struct nonet_wait_set *set;
	struct nonet_wait_event event;
	struct nonet_unix *a;
	struct nonet_unix *b;
	size_t count;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
		assert_int_equal(nonet_wait_set_add(set, nonet_unix_waitable(b), NONET_WAIT_RECEIVE, b), 0);
		assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(send_filled(a, 9, i, NONET_NOW), 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(nonet_unix_message_size(b, NONET_NOW, &count), 0);
			assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), 0);
			assert_ptr_equal(event.data, b);
			expect_filled(b, 9, i);
		}
		assert_int_equal(nonet_unix_receive(b, NULL, 0, NONET_NOW, &count), -EAGAIN);
		assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
		close_pair(a, b);
		nonet_wait_set_free(set);
	}
}

static void check_not_taken(int fd, int code)
{
	struct nonet_unix *socket = NULL;
	struct nonet_error error = {0};
	int given = fd;

	assert_int_equal(nonet_unix_take_fd(&given, NULL, &socket, &error), code);
	assert_int_equal(given, fd);
	assert_null(socket);
	assert_int_equal(error.code, code);
}

static void a_connected_socket_is_taken_and_nothing_else(void **state)
{
	static const int kinds[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct nonet_unix *ends[2];
	size_t size;
	int listening = (int)test_must(socket(AF_UNIX, SOCK_STREAM, 0));
	int inet = (int)test_must(socket(AF_INET, SOCK_DGRAM, 0));
	int file = (int)test_must(open("/dev/null", O_RDWR));
	int fds[2];

	(void)state;
	for (int i = 0; i < 3; i++) {
		test_must(socketpair(AF_UNIX, kinds[i], 0, fds));
		for (int end = 0; end < 2; end++) {
			const int number = fds[end];

			assert_int_equal(nonet_unix_take_fd(&fds[end], NULL, &ends[end], NULL), 0);
			assert_int_equal(fds[end], -1);
			assert_int_equal(nonet_unix_fd(ends[end]), number);
			assert_int_equal(nonet_unix_get_type(ends[end]), NONET_UNIX_STREAM + i);
			assert_false(fcntl(number, F_GETFL) & O_NONBLOCK);
			assert_true(fcntl(number, F_GETFD) & FD_CLOEXEC);
		}
		assert_int_equal(nonet_unix_receive(ends[0], NULL, 0, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_unix_receive(ends[0], NULL, 0, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
		/* An empty packet, as long as the peer is there. */
		assert_int_equal(nonet_unix_send(ends[1], NULL, 0, NONET_NOW), 0);
		assert_int_equal(nonet_unix_receive(ends[0], NULL, 0, NONET_NOW, &size), 0);
		assert_int_equal(send_filled(ends[1], 50, 5, NONET_NOW), 0);
		ends[1] = nonet_unix_close(ends[1]);
		expect_filled(ends[0], 50, 5);
		if (kinds[i] != SOCK_DGRAM)
			assert_int_equal(nonet_unix_receive(ends[0], NULL, 0, NONET_FOREVER, &size), -EPIPE);
		nonet_unix_close(ends[0]);
	}
	check_not_taken(listening, -ENOTSUP);
	test_must(bind(listening, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)));
	test_must(listen(listening, 1));
	check_not_taken(listening, -ENOTSUP);
	check_not_taken(inet, -ENOTSUP);
	check_not_taken(file, -ENOTSUP);
	check_not_taken(-1, -EBADF);
	check_not_taken(1000, -EBADF);
	test_must(close(listening));
	test_must(close(inet));
	test_must(close(file));
}

static void explain_has_a_sentence_for_each_code(void **state)
{
	static const int codes[] = {-EAGAIN,  -ETIMEDOUT, -EPIPE,  -ECONNRESET, -ECONNREFUSED,
				    -EBADMSG, -EMSGSIZE,  -EMFILE, -EOPNOTSUPP, -ENOMEM};
	struct nonet_unix *a;
	struct nonet_unix *b;
	struct nonet_error error;

	(void)state;
	for_each_type (type) {
		make_pair(type, &a, &b);
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			memset(&error, 0, sizeof(error));
			nonet_unix_explain(a, codes[i], &error);
			assert_int_equal(error.code, codes[i]);
			assert_true(strlen(error.text) > 10);
		}
		close_pair(a, b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_pair_of_each_type_carries_messages_both_ways),
		test_case(each_bad_option_is_refused_with_a_sentence),
		test_case(the_limits_of_size_hold),
		test_case(a_message_too_large_for_the_buffer_stays),
		test_case(a_full_socket_waits_by_the_deadline),
		test_case(an_empty_packet_is_not_the_end),
		test_case(finish_ends_one_direction),
		test_case(arm_and_the_descriptor_lose_nothing),
		test_case(a_wait_set_sees_what_was_read_ahead),
		test_case(a_connected_socket_is_taken_and_nothing_else),
		test_case(explain_has_a_sentence_for_each_code),
	};

	return test_main(tests);
}
