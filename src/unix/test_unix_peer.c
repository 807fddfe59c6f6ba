/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fault.h"
#include "unix/test_unix.h"

/* Who is on the other side, and what is told when he is killed. */

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

static struct nonet_unix_listener *listen_at(enum nonet_unix_type type)
{
	const struct nonet_unix_options options = {.size = sizeof(options), .mode = 0777};
	struct nonet_unix_listener *listener;

	test_must(chmod(directory, 0755));
	test_check_equal(nonet_unix_listen(at("socket"), type, &options, NONET_NOW, &listener, NULL), 0);
	return listener;
}

struct client {
	enum nonet_unix_type type;
	unsigned messages; /* sent before it says that it is ready */
	bool other_user;
};

static int connect_and_hold(struct test_child_side *side, void *argument)
{
	const struct client *client = argument;
	struct nonet_unix *socket;

	if (client->other_user) {
		test_must(setresgid(65533, 65533, 65533));
		test_must(setresuid(65534, 65534, 65534));
	}
	test_check_equal(nonet_unix_connect(at("socket"), client->type, NULL, soon(), &socket, NULL), 0);
	for (unsigned i = 0; i < client->messages; i++)
		test_check_equal(send_filled(socket, 100, i, soon()), 0);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_unix_close(socket);
	return 0;
}

static int is_readable(int fd, nonet_time deadline)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	return test_poll(&item, 1, deadline);
}

static void the_peer_is_the_process_that_connected(void **state)
{
	struct client client = {.other_user = geteuid() == 0};
	struct nonet_unix_listener *listener;
	struct nonet_unix_peer peer;
	struct test_child *child;
	struct nonet_unix *server;
	int pidfd = -1;

	(void)state;
	for (client.type = NONET_UNIX_STREAM; client.type <= NONET_UNIX_SEQPACKET; client.type++) {
		listener = listen_at(client.type);
		child = test_child_until(connect_and_hold, &client);
		assert_int_equal(nonet_unix_accept(listener, soon(), &server), 0);
		memset(&peer, 0xff, sizeof(peer));
		assert_int_equal(nonet_unix_peer(server, &peer), 0);
		assert_int_equal(peer.pid, test_child_pid(child));
		assert_int_equal(peer.uid, client.other_user ? 65534 : getuid());
		assert_int_equal(peer.gid, client.other_user ? 65533 : getgid());
		assert_int_equal(peer.reserved, 0);
		assert_in_range(nonet_unix_peer_pidfd(server, &pidfd), 0, 1);
		assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(is_readable(pidfd, 0), 0);
		test_child_tell(child, "end");
		assert_int_equal(is_readable(pidfd, test_deadline()), 1);
		assert_int_equal(test_child_join(child), 0);
		test_must(close(pidfd));
		nonet_unix_close(server);
		nonet_unix_listener_close(listener);
	}
}

/* The process that is reaped has no number any more: either the kernel still names it, or we say -ESRCH. */
static void a_peer_that_was_reaped_is_never_taken_for_another(void **state)
{
	struct client client = {.type = NONET_UNIX_STREAM};
	struct nonet_unix_listener *listener = listen_at(NONET_UNIX_STREAM);
	struct nonet_unix *server;
	struct test_child *child = test_child_until(connect_and_hold, &client);
	int pidfd = -1;
	int result;

	(void)state;
	assert_int_equal(nonet_unix_accept(listener, soon(), &server), 0);
	test_kill(child);
	result = nonet_unix_peer_pidfd(server, &pidfd);
	test_note("a reaped peer: %d", result);
	if (result == 0) {
		assert_int_equal(is_readable(pidfd, 0), 1);
		test_must(close(pidfd));
	} else {
		assert_int_equal(result, -ESRCH);
		assert_int_equal(pidfd, -1);
	}
	/* What older kernels answer: the second option asked for is the pidfd. */
	sys_fault_arm(1, EINVAL);
	assert_int_equal(nonet_unix_peer_pidfd(server, &pidfd), -ESRCH);
	sys_fault_arm(1, ENODATA);
	assert_int_equal(nonet_unix_peer_pidfd(server, &pidfd), -ESRCH);
	sys_fault_arm(1, ENOPROTOOPT);
	assert_int_equal(nonet_unix_peer_pidfd(server, &pidfd), -ESRCH);
	sys_fault_arm(1, EMFILE);
	assert_int_equal(nonet_unix_peer_pidfd(server, &pidfd), -EMFILE);
	sys_fault_disarm();
	nonet_unix_close(server);
	nonet_unix_listener_close(listener);
}

static void without_peerpidfd_the_number_has_to_do(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	struct nonet_unix_peer peer;
	int pidfd = -1;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		assert_int_equal(nonet_unix_peer(a, &peer), 0);
		assert_int_equal(peer.pid, getpid());
		sys_fault_arm(1, ENOPROTOOPT);
		assert_int_equal(nonet_unix_peer_pidfd(a, &pidfd), 1);
		sys_fault_disarm();
		assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(is_readable(pidfd, 0), 0);
		test_must(close(pidfd));
		close_pair(a, b);
	}
}

static void a_socket_without_peer_has_none(void **state)
{
	struct nonet_unix *socket;
	struct nonet_unix_peer peer;
	int pidfd = -1;

	(void)state;
	assert_int_equal(nonet_unix_bind(at("socket"), NULL, NONET_NOW, &socket, NULL), 0);
	assert_int_equal(nonet_unix_peer(socket, &peer), -ENOTCONN);
	assert_int_equal(nonet_unix_peer_pidfd(socket, &pidfd), -ENOTCONN);
	assert_int_equal(pidfd, -1);
	nonet_unix_close(socket);
}

/* With something that he hadn't read, and without; in the middle of nothing, or while we wait for him. */
static void a_killed_peer_is_told_and_what_he_sent_is_not_lost(void **state)
{
	struct client client = {.messages = 3};
	struct nonet_unix_listener *listener;
	struct test_child *child;
	struct nonet_unix *server;
	char buffer[100];
	size_t size;
	int error;

	(void)state;
	for (int unread = 0; unread < 2; unread++) {
		for (client.type = NONET_UNIX_STREAM; client.type <= NONET_UNIX_SEQPACKET; client.type++) {
			unsigned taken = 0;

			listener = listen_at(client.type);
			child = test_child_until(connect_and_hold, &client);
			assert_int_equal(nonet_unix_accept(listener, soon(), &server), 0);
			if (unread)
				assert_int_equal(send_filled(server, 50, 0, NONET_NOW), 0);
			test_kill(child);
			for (;;) {
				error = nonet_unix_receive(server, buffer, 100, NONET_FOREVER, &size);
				if (error == -EPIPE)
					break;
				if (error == -ECONNRESET) {
					assert_true(unread);
					continue;
				}
				assert_int_equal(error, 0);
				assert_true(is_filled((uint8_t *)buffer, 100, taken));
				taken++;
			}
			assert_int_equal(taken, 3);
			assert_int_equal(nonet_unix_receive(server, buffer, 100, NONET_NOW, &size), -EPIPE);
			for (int i = 0; i < 3; i++)
				assert_int_equal(send_filled(server, 50, 0, NONET_FOREVER), -EPIPE);
			nonet_unix_close(server);
			nonet_unix_listener_close(listener);
		}
	}
}

static int send_a_large_one(struct test_child_side *side, void *argument)
{
	test_report(side, "ready");
	(void)!send_filled(argument, 4 << 20, 1, NONET_FOREVER);
	return 0;
}

static void a_peer_killed_in_the_middle_of_a_message_is_told_once(void **state)
{
	uint8_t *buffer = malloc(4 << 20);
	struct test_child *child;
	struct nonet_unix *a;
	struct nonet_unix *b;
	struct nonet_error error;
	size_t size;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	child = test_child_until(send_a_large_one, a);
	nonet_unix_close(a);
	test_child_wait_blocked(child);
	test_kill(child);
	assert_int_equal(nonet_unix_receive(b, buffer, 4 << 20, NONET_FOREVER, &size), -EBADMSG);
	nonet_unix_explain(b, -EBADMSG, &error);
	assert_non_null(strstr(error.text, "middle of a message"));
	assert_int_equal(nonet_unix_receive(b, buffer, 4 << 20, NONET_FOREVER, &size), -EPIPE);
	nonet_unix_close(b);
	free(buffer);
}

static int wait_for_a_message(struct test_child_side *side, void *argument)
{
	size_t size;

	test_report(side, "ready");
	test_check_equal(nonet_unix_receive(argument, NULL, 0, NONET_FOREVER, &size), -EPIPE);
	return 0;
}

static void who_waits_for_ever_is_woken_by_the_end(void **state)
{
	struct test_child *child;
	struct nonet_unix *a;
	struct nonet_unix *b;

	(void)state;
	for (enum nonet_unix_type type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		make_pair(type, &a, &b);
		child = test_child_until(wait_for_a_message, b);
		test_child_wait_blocked(child);
		assert_int_equal(nonet_unix_finish(a), 0);
		assert_int_equal(test_child_join(child), 0);
		close_pair(a, b);
	}
}

static int bind_and_hold(struct test_child_side *side, void *argument)
{
	struct nonet_unix *socket;

	(void)argument;
	test_check_equal(nonet_unix_bind(at("socket"), NULL, soon(), &socket, NULL), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static void a_killed_receiver_of_datagrams_is_told_every_time(void **state)
{
	struct test_child *child = test_child_until(bind_and_hold, NULL);
	struct nonet_unix *client;
	struct nonet_unix *loose;

	(void)state;
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_DATAGRAM, NULL, NONET_NOW, &client, NULL), 0);
	assert_int_equal(nonet_unix_bind(at("loose"), NULL, NONET_NOW, &loose, NULL), 0);
	assert_int_equal(send_filled(client, 5, 0, NONET_NOW), 0);
	test_kill(child);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_filled(client, 5, 0, NONET_FOREVER), -ECONNREFUSED);
		assert_int_equal(nonet_unix_send_to(loose, at("socket"), 0, "x", 1, NONET_FOREVER), -ECONNREFUSED);
	}
	close_pair(client, loose);
	test_must(unlink(at("socket")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(the_peer_is_the_process_that_connected, &in_directory),
		test_case_with(a_peer_that_was_reaped_is_never_taken_for_another, &in_directory),
		test_case(without_peerpidfd_the_number_has_to_do),
		test_case_with(a_socket_without_peer_has_none, &in_directory),
		test_case_with(a_killed_peer_is_told_and_what_he_sent_is_not_lost, &in_directory),
		test_case(a_peer_killed_in_the_middle_of_a_message_is_told_once),
		test_case(who_waits_for_ever_is_woken_by_the_end),
		test_case_with(a_killed_receiver_of_datagrams_is_told_every_time, &in_directory),
	};

	return test_main(tests);
}
