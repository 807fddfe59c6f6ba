/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unix/test_unix.h"

static const char *directory;

static int make_directory(void **state)
{
	(void)state;
	directory = test_directory_new();
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture in_directory = {.setup = make_directory, .teardown = remove_directory};

static const char *at(const char *name)
{
	return path_in(directory, name);
}

static struct nonet_unix *bind_at(const char *name, uint32_t name_size)
{
	const struct nonet_unix_options options = {.size = sizeof(options), .name_size = name_size};
	struct nonet_unix *socket = NULL;

	test_check_equal(nonet_unix_bind(name, &options, NONET_NOW, &socket, NULL), 0);
	return socket;
}

static void expect_from(struct nonet_unix *socket, size_t size, unsigned seed, const char *sender, uint32_t sender_size)
{
	struct nonet_unix_ancillary ancillary = {.size = sizeof(ancillary), .sender_size = 99};
	uint8_t buffer[64];
	size_t got = 0;

	test_check_equal(nonet_unix_receive_with(socket, buffer, 64, &ancillary, soon(), &got), 0);
	test_check(got == size && is_filled(buffer, got, seed));
	test_check_equal(ancillary.sender_size, sender_size);
	test_check(memcmp(ancillary.sender, sender, sender_size) == 0);
	test_check_equal(ancillary.sender[sender_size], 0);
	test_check_equal(ancillary.descriptors_count, 0);
}

static int send_to(struct nonet_unix *socket, const char *name, uint32_t name_size, size_t size, unsigned seed)
{
	uint8_t buffer[64];

	fill(buffer, size, seed);
	return nonet_unix_send_to(socket, name, name_size, buffer, size, NONET_NOW);
}

static void a_datagram_comes_with_its_senders_name(void **state)
{
	char abstract[64] = "@";
	char longest[109] = "@";
	struct nonet_unix *sockets[4];
	struct nonet_unix *client;
	uint32_t size;

	(void)state;
	strcpy(abstract + 1, test_name("x"));
	size = (uint32_t)strlen(abstract) + 4;
	memcpy(abstract + size - 3, "a\0b", 3);
	memset(longest + 1, 'x', 107);
	sockets[0] = bind_at(at("first"), 0);
	sockets[1] = bind_at(at("second"), 0);
	sockets[2] = bind_at(abstract, size);
	sockets[3] = bind_at(longest, 108);
	assert_int_equal(send_to(sockets[0], at("second"), 0, 10, 1), 0);
	assert_int_equal(send_to(sockets[2], at("second"), 0, 0, 2), 0);
	assert_int_equal(send_to(sockets[3], at("second"), (uint32_t)strlen(at("second")), 3, 3), 0);
	assert_int_equal(nonet_unix_connect(at("second"), NONET_UNIX_DATAGRAM, NULL, NONET_NOW, &client, NULL), 0);
	assert_int_equal(send_filled(client, 4, 4, NONET_NOW), 0);
	expect_from(sockets[1], 10, 1, at("first"), (uint32_t)strlen(at("first")));
	expect_from(sockets[1], 0, 2, abstract, size);
	expect_from(sockets[1], 3, 3, longest, 108);
	expect_from(sockets[1], 4, 4, "", 0);
	/* And back, by the name that came. */
	assert_int_equal(send_to(sockets[1], abstract, size, 5, 5), 0);
	expect_from(sockets[2], 5, 5, at("second"), (uint32_t)strlen(at("second")));
	for (int i = 0; i < 4; i++)
		nonet_unix_close(sockets[i]);
	nonet_unix_close(client);
}

static void what_can_not_be_sent_to_is_said(void **state)
{
	struct nonet_unix *socket = bind_at(at("socket"), 0);
	struct nonet_unix_listener *listener;
	struct nonet_unix *stream;
	struct nonet_unix *other;
	char name[110];

	(void)state;
	assert_int_equal(nonet_unix_listen(at("stream"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), 0);
	memset(name, 'x', sizeof(name));
	name[109] = 0;
	assert_int_equal(nonet_unix_send(socket, "x", 1, NONET_FOREVER), -ENOTCONN);
	assert_int_equal(nonet_unix_send_to(socket, at("none"), 0, "x", 1, NONET_FOREVER), -ENOENT);
	assert_int_equal(nonet_unix_send_to(socket, "@nonet-nobody", 0, "x", 1, NONET_FOREVER), -ECONNREFUSED);
	assert_int_equal(nonet_unix_send_to(socket, at("stream"), 0, "x", 1, NONET_FOREVER), -EPROTOTYPE);
	assert_int_equal(nonet_unix_send_to(socket, name, 0, "x", 1, NONET_FOREVER), -ENAMETOOLONG);
	assert_int_equal(nonet_unix_send_to(socket, "", 0, "x", 1, NONET_FOREVER), -EINVAL);
	assert_int_equal(nonet_unix_send_to(socket, "a\0b", 3, "x", 1, NONET_FOREVER), -EINVAL);
	/* None of that is remembered: the socket is as it was. */
	assert_int_equal(nonet_unix_send(socket, "x", 1, NONET_FOREVER), -ENOTCONN);
	assert_int_equal(send_to(socket, at("socket"), 0, 6, 6), 0);
	expect_filled(socket, 6, 6);
	for (enum nonet_unix_type type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		make_pair(type, &stream, &other);
		assert_int_equal(nonet_unix_send_to(stream, at("socket"), 0, "x", 1, NONET_NOW), -EOPNOTSUPP);
		close_pair(stream, other);
	}
	nonet_unix_listener_close(listener);
	nonet_unix_close(socket);
}

/* The receiver's queue is full: by a connection and by name. */
static void a_full_queue_is_waited_for_by_the_deadline(void **state)
{
	struct nonet_unix *receiver = bind_at(at("receiver"), 0);
	struct nonet_unix *sender = bind_at(at("sender"), 0);
	struct nonet_unix *client;
	unsigned sent = 0;
	nonet_time deadline;

	(void)state;
	assert_int_equal(nonet_unix_connect(at("receiver"), NONET_UNIX_DATAGRAM, NULL, NONET_NOW, &client, NULL), 0);
	while (sent < 100000 && send_filled(client, 20, sent, NONET_NOW) == 0)
		sent++;
	assert_in_range(sent, 1, 99999);
	deadline = nonet_after(NONET_MS(4));
	assert_int_equal(send_filled(client, 20, 0, deadline), -ETIMEDOUT);
	assert_true(nonet_clock() >= deadline);
	assert_int_equal(send_to(sender, at("receiver"), 0, 20, 0), -EAGAIN);
	deadline = nonet_after(NONET_MS(4));
	assert_int_equal(nonet_unix_send_to(sender, at("receiver"), 0, "x", 1, deadline), -ETIMEDOUT);
	assert_true(nonet_clock() >= deadline);
	for (unsigned i = 0; i < sent; i++)
		expect_filled(receiver, 20, i);
	assert_int_equal(send_to(sender, at("receiver"), 0, 20, 1), 0);
	assert_int_equal(send_filled(client, 20, 2, NONET_NOW), 0);
	expect_filled(receiver, 20, 1);
	expect_filled(receiver, 20, 2);
	nonet_unix_close(client);
	close_pair(sender, receiver);
}

static int receive_all_after_a_word(struct test_child_side *side, void *argument)
{
	unsigned *count = argument;
	struct nonet_unix *receiver = bind_at(at("receiver"), 0);

	test_report(side, "ready");
	test_await(side, "go");
	for (unsigned i = 0; i < *count; i++)
		expect_filled(receiver, 20, i);
	nonet_unix_close(receiver);
	return 0;
}

static void who_waits_for_ever_gets_room(void **state)
{
	unsigned count = 500;
	struct test_child *child;
	struct nonet_unix *sender = bind_at(at("sender"), 0);
	struct nonet_unix *client;
	uint8_t bytes[20];

	(void)state;
	for (int by_name = 0; by_name < 2; by_name++) {
		child = test_child_until(receive_all_after_a_word, &count);
		assert_int_equal(
			nonet_unix_connect(at("receiver"), NONET_UNIX_DATAGRAM, NULL, NONET_NOW, &client, NULL), 0);
		test_child_tell(child, "go");
		for (unsigned i = 0; i < count; i++) {
			fill(bytes, 20, i);
			if (by_name)
				assert_int_equal(
					nonet_unix_send_to(sender, at("receiver"), 0, bytes, 20, NONET_FOREVER), 0);
			else
				assert_int_equal(nonet_unix_send(client, bytes, 20, NONET_FOREVER), 0);
		}
		assert_int_equal(test_child_join(child), 0);
		nonet_unix_close(client);
	}
	nonet_unix_close(sender);
}

/* For programs that know nothing of nonet too: a datagram is what the kernel keeps, without any frame. */
static void a_plain_program_understands_them(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct nonet_unix *receiver = bind_at(at("receiver"), 0);
	int fd = (int)test_must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	char buffer[16];

	(void)state;
	strcpy(address.sun_path, at("plain"));
	test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(send_to(receiver, at("plain"), 0, 7, 7), 0);
	assert_int_equal(recv(fd, buffer, 16, 0), 7);
	assert_true(is_filled((uint8_t *)buffer, 7, 7));
	strcpy(address.sun_path, at("receiver"));
	fill((uint8_t *)buffer, 8, 8);
	assert_int_equal(sendto(fd, buffer, 8, 0, (struct sockaddr *)&address, sizeof(address)), 8);
	expect_from(receiver, 8, 8, at("plain"), (uint32_t)strlen(at("plain")));
	test_must(close(fd));
	test_must(unlink(at("plain")));
	nonet_unix_close(receiver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_datagram_comes_with_its_senders_name, &in_directory),
		test_case_with(what_can_not_be_sent_to_is_said, &in_directory),
		test_case_with(a_full_queue_is_waited_for_by_the_deadline, &in_directory),
		test_case_with(who_waits_for_ever_gets_room, &in_directory),
		test_case_with(a_plain_program_understands_them, &in_directory),
	};

	return test_main(tests);
}
