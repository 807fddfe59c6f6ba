/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unix/test_unix.h"

/* Linux 6.5; older headers don't have it. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

/* A peer that attaches descriptors as it likes, or a socket that was told to add things: nothing stays open. */

/* Bytes by sendmsg(2), with @count copies of a descriptor. */
static void send_raw(int fd, const void *bytes, size_t size, int descriptor, unsigned count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &descriptor, sizeof(int));
	}
	test_check(sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size);
}

/* A message of one chunk, "ab", that announces descriptors: header, payload, verdict. */
#define PLAIN    "n\3\0\1\2\0\0\0\2\0\0\0\0\0\0\0ab\1"
#define ONE      "n\3\1\1\2\0\0\0\2\0\0\0\0\0\0\0ab\1"
#define TWO      "n\3\2\1\2\0\0\0\2\0\0\0\0\0\0\0ab\1"
#define A_FRAME  19
#define CONTENTS 2

static int receive_any(struct nonet_unix *socket, uint32_t *ret_count)
{
	int descriptors[8];
	struct nonet_unix_ancillary ancillary = {
		.size = sizeof(ancillary),
		.descriptors_capacity = 8,
		.descriptors = descriptors,
	};
	char buffer[8];
	size_t size = 0;
	int error = nonet_unix_receive_with(socket, buffer, 8, &ancillary, NONET_NOW, &size);

	*ret_count = 0;
	if (error < 0)
		return error;
	test_check(size == CONTENTS && memcmp(buffer, "ab", 2) == 0);
	for (uint32_t i = 0; i < ancillary.descriptors_count; i++)
		test_must(close(descriptors[i]));
	*ret_count = ancillary.descriptors_count;
	return 0;
}

static void a_stream_that_attaches_what_it_does_not_announce_is_broken(void **state)
{
	static const struct {
		const char *frame;
		unsigned attached;
	} rows[] = {{PLAIN, 1}, {PLAIN, 3}, {ONE, 0}, {ONE, 2}, {TWO, 1}};
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint32_t count;
	size_t size;
	char buffer[8];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int plainly = 0; plainly < 2; plainly++) {
			make_pair(NONET_UNIX_STREAM, &a, &b);
			send_raw(nonet_unix_fd(a), ONE, A_FRAME, 1, 1);
			send_raw(nonet_unix_fd(a), rows[i].frame, A_FRAME, 1, rows[i].attached);
			send_raw(nonet_unix_fd(a), ONE, A_FRAME, 1, 1);
			assert_int_equal(receive_any(b, &count), 0);
			assert_int_equal(count, 1);
			/* One that announces and brings nothing gets the next one's, as far as we can see: then that
			 * lacks. */
			if (rows[i].attached == 0)
				assert_int_equal(receive_any(b, &count), 0);
			for (int again = 0; again < 3; again++) {
				if (plainly)
					assert_int_equal(nonet_unix_receive(b, buffer, 8, NONET_NOW, &size), -EBADMSG);
				else
					assert_int_equal(receive_any(b, &count), -EBADMSG);
			}
			/* What came is closed now, not when we get to closing the handle: the next number is free. */
			assert_int_equal(dup(0), nonet_unix_fd(b) + 1);
			test_must(close(nonet_unix_fd(b) + 1));
			close_pair(a, b);
		}
	}
}

/* In the middle of a message, and in bytes that belong to two: found out at the latest when no more is in hand. */
static void sets_in_odd_places_do_not_pile_up(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint32_t count;
	int error;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	send_raw(nonet_unix_fd(a), PLAIN, 5, 1, 1);
	send_raw(nonet_unix_fd(a), &PLAIN[5], 5, 1, 2);
	send_raw(nonet_unix_fd(a), &PLAIN[10], A_FRAME - 10, 1, 3);
	assert_int_equal(receive_any(b, &count), -EBADMSG);
	assert_int_equal(receive_any(b, &count), -EBADMSG);
	close_pair(a, b);

	make_pair(NONET_UNIX_STREAM, &a, &b);
	send_raw(nonet_unix_fd(a), PLAIN PLAIN PLAIN, 3 * A_FRAME, 1, 1);
	do
		error = receive_any(b, &count);
	while (error == 0);
	assert_int_equal(error, -EBADMSG);
	close_pair(a, b);

	/* To plain bytes nothing belongs. */
	make_pair(NONET_UNIX_STREAM, &a, &b);
	for (int i = 0; i < 5; i++) {
		char byte;
		size_t size;

		send_raw(nonet_unix_fd(a), "x", 1, 1, 4);
		assert_int_equal(nonet_unix_read(b, &byte, 1, NONET_NOW, &size), 0);
		send_raw(nonet_unix_fd(a), "x", 1, 1, 4);
		assert_int_equal(nonet_unix_read_exactly(b, &byte, 1, NONET_NOW, NULL), 0);
	}
	close_pair(a, b);
}

/* Credentials, a pidfd, a time: what an inherited socket was told to add to every message. */
static void what_an_inherited_socket_adds_is_no_descriptor_of_ours(void **state)
{
	static const int kinds[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	static const int options[] = {SO_PASSCRED, SO_PASSPIDFD, SO_TIMESTAMP, SO_TIMESTAMPNS};
	const int on = 1;
	struct nonet_unix *ends[2];
	int fds[2];

	(void)state;
	for (int i = 0; i < 3; i++) {
		test_must(socketpair(AF_UNIX, kinds[i] | SOCK_CLOEXEC, 0, fds));
		for (int j = 0; j < 4; j++)
			if (setsockopt(fds[1], SOL_SOCKET, options[j], &on, sizeof(on)) < 0)
				test_note("option %d isn't known here", options[j]);
		for (int end = 0; end < 2; end++)
			assert_int_equal(nonet_unix_take_fd(&fds[end], NULL, &ends[end], NULL), 0);
		for (unsigned round = 0; round < 20; round++) {
			int given = (int)test_must(memfd_create("test", MFD_CLOEXEC));
			int taken[2];
			struct nonet_unix_ancillary ancillary = {
				.size = sizeof(ancillary), .descriptors_capacity = 2, .descriptors = taken};
			char buffer[8];
			size_t size;

			for (int j = 0; j < 4; j++)
				assert_int_equal(
					nonet_unix_send_descriptors(ends[0], "abc", 3, &given, j % 2, NONET_NOW), 0);
			for (int j = 0; j < 4; j++) {
				assert_int_equal(
					nonet_unix_receive_with(ends[1], buffer, 8, &ancillary, NONET_NOW, &size), 0);
				assert_int_equal(ancillary.descriptors_count, j % 2);
				if (j % 2)
					test_must(close(taken[0]));
			}
			test_must(close(given));
		}
		close_pair(ends[0], ends[1]);
	}
}

/* Between a look at the next message and its end a peer can abandon it: then the one behind it has to fit as well. */
static void what_follows_an_abandoned_message_is_held_to_the_room_that_was_given(void **state)
{
	static const char one_abandoned[] = "n\3\1\1\2\0\0\0\2\0\0\0\0\0\0\0\0\0\0";
	static const char plain_abandoned[] = "n\3\0\1\2\0\0\0\2\0\0\0\0\0\0\0\0\0\0";

	(void)state;
	for (uint32_t room = 0; room < 2; room++) {
		int taken[2] = {-7, -7};
		struct nonet_unix_ancillary ancillary = {
			.size = sizeof(ancillary),
			.descriptors_capacity = room,
			.descriptors = room ? taken : NULL,
		};
		struct nonet_unix *a;
		struct nonet_unix *b;
		char buffer[8];
		uint32_t count;
		size_t size;

		make_pair(NONET_UNIX_STREAM, &a, &b);
		send_raw(nonet_unix_fd(a), room ? one_abandoned : plain_abandoned, A_FRAME, 1, room);
		send_raw(nonet_unix_fd(a), TWO, A_FRAME, 1, 2);
		assert_int_equal(nonet_unix_receive_with(b, buffer, 8, &ancillary, NONET_NOW, &size), -EMSGSIZE);
		assert_int_equal(taken[0], -7);
		assert_int_equal(taken[1], -7);
		assert_int_equal(nonet_unix_message_size(b, NONET_NOW, &size), 0);
		assert_int_equal(size, CONTENTS);
		assert_int_equal(receive_any(b, &count), 0);
		assert_int_equal(count, 2);
		close_pair(a, b);
	}
}

/* A peer that sends what is dropped, on and on, keeps nobody in a call; and what comes after that isn't lost. */
static void what_is_dropped_for_ever_ends_by_the_deadline(void **state)
{
	static const uint8_t given_up[17] = {0x6e, 3, 0, 1};
	static const uint8_t whole[18] = {0x6e, 3, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x', 1};
	struct nonet_unix *socket;
	uint8_t byte = 0;
	size_t size = 0;
	int error;
	int fds[2];

	(void)state;
	test_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	test_check_equal(nonet_unix_take_fd(&fds[0], NULL, &socket, NULL), 0);
	for (unsigned i = 0; i < 20; i++) {
		uint8_t bytes[100 * sizeof(given_up)];

		for (size_t j = 0; j < 100; j++)
			memcpy(bytes + j * sizeof(given_up), given_up, sizeof(given_up));
		test_must(write(fds[1], bytes, sizeof(bytes)));
	}
	test_must(write(fds[1], whole, sizeof(whole)));
	/* One call doesn't go through all of them, but each says that there is more, until it comes. */
	error = nonet_unix_receive(socket, &byte, 1, NONET_NOW, &size);
	assert_int_equal(error, -EAGAIN);
	for (unsigned i = 0; error == -EAGAIN && i < 2000; i++) {
		assert_int_equal(nonet_unix_arm(socket), 1);
		error = nonet_unix_receive(socket, &byte, 1, NONET_NOW, &size);
	}
	assert_int_equal(error, 0);
	assert_int_equal(size, 1);
	assert_int_equal(byte, 'x');
	nonet_unix_close(socket);
	test_must(close(fds[1]));
}

static void an_inherited_packet_socket_has_not_ended_before_what_is_behind_an_empty_packet(void **state)
{
	struct nonet_unix *socket;
	uint8_t bytes[4];
	size_t size = 99;
	int fds[2];

	(void)state;
	test_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	test_must(send(fds[1], "", 0, 0));
	test_must(send(fds[1], "data", 4, 0));
	test_must(close(fds[1]));
	test_check_equal(nonet_unix_take_fd(&fds[0], NULL, &socket, NULL), 0);
	assert_int_equal(nonet_unix_receive(socket, bytes, 4, NONET_NOW, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(nonet_unix_receive(socket, bytes, 4, NONET_NOW, &size), 0);
	assert_int_equal(size, 4);
	assert_int_equal(nonet_unix_receive(socket, bytes, 4, NONET_NOW, &size), -EPIPE);
	nonet_unix_close(socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_follows_an_abandoned_message_is_held_to_the_room_that_was_given),
		test_case(a_stream_that_attaches_what_it_does_not_announce_is_broken),
		test_case(sets_in_odd_places_do_not_pile_up),
		test_case(what_an_inherited_socket_adds_is_no_descriptor_of_ours),
		test_case(what_is_dropped_for_ever_ends_by_the_deadline),
		test_case(an_inherited_packet_socket_has_not_ended_before_what_is_behind_an_empty_packet),
	};

	return test_main(tests);
}
