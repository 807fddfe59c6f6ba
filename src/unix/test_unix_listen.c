/* SPDX-License-Identifier: Apache-2.0 */
#include "unix/test_unix.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/fault.h"

/* Names, modes, and who waits for whom; test_unix_stale.c has what was left behind. */

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

static struct nonet_unix_listener *listen_at(const char *name, enum nonet_unix_type type)
{
	struct nonet_unix_listener *listener = NULL;

	test_check_equal(nonet_unix_listen(name, type, NULL, NONET_NOW, &listener, NULL), 0);
	return listener;
}

static void check_conversation(const char *name, enum nonet_unix_type type, const struct nonet_unix_options *options)
{
	struct nonet_unix_listener *listener;
	struct nonet_unix *server;
	struct nonet_unix *client;

	assert_int_equal(nonet_unix_listen(name, type, options, NONET_NOW, &listener, NULL), 0);
	assert_true(fcntl(nonet_unix_listener_fd(listener), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(nonet_unix_listener_arm(listener), 0);
	assert_non_null(nonet_unix_listener_waitable(listener));
	assert_int_equal(nonet_unix_accept(listener, NONET_NOW, &server), -EAGAIN);
	assert_int_equal(nonet_unix_accept(listener, nonet_after(NONET_MS(1)), &server), -ETIMEDOUT);
	assert_int_equal(nonet_unix_connect(name, type, options, NONET_NOW, &client, NULL), 0);
	assert_int_equal(send_filled(client, 1000, 1, NONET_NOW), 0);
	assert_int_equal(nonet_unix_accept(listener, NONET_FOREVER, &server), 0);
	assert_true(fcntl(nonet_unix_fd(server), F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(nonet_unix_fd(client), F_GETFD) & FD_CLOEXEC);
	expect_filled(server, 1000, 1);
	/* Accepted connections outlive the listener. */
	nonet_unix_listener_close(listener);
	assert_int_equal(send_filled(server, 2000, 2, NONET_NOW), 0);
	expect_filled(client, 2000, 2);
	/* An empty packet sent before it was accepted isn't the end either. */
	assert_int_equal(nonet_unix_send(server, NULL, 0, NONET_NOW), 0);
	expect_filled(client, 0, 0);
	close_pair(server, client);
	assert_int_equal(nonet_unix_connect(name, type, options, NONET_NOW, &client, NULL),
			 name[0] == '@' ? -ECONNREFUSED : -ENOENT);
}

static void a_path_and_an_abstract_name_lead_to_the_listener(void **state)
{
	struct nonet_unix_options options = {.size = sizeof(options)};
	char name[64] = "@";
	char other[64];

	(void)state;
	strcpy(name + 1, test_name("nul"));
	for (enum nonet_unix_type type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		check_conversation(at("socket"), type, NULL);
		check_conversation(name, type, NULL);
	}
	/* NUL bytes count, and what is behind the size doesn't. */
	options.name_size = (uint32_t)strlen(name) + 3;
	memcpy(other, name, sizeof(name));
	memcpy(name + options.name_size - 2, "abrest", 6);
	memcpy(other + options.name_size - 2, "ac", 2);
	check_conversation(name, NONET_UNIX_STREAM, &options);
	{
		struct nonet_unix_listener *listener;
		struct nonet_unix *client;

		assert_int_equal(nonet_unix_listen(name, NONET_UNIX_STREAM, &options, NONET_NOW, &listener, NULL), 0);
		assert_int_equal(nonet_unix_connect(other, NONET_UNIX_STREAM, &options, NONET_NOW, &client, NULL),
				 -ECONNREFUSED);
		nonet_unix_listener_close(listener);
	}
	assert_null(nonet_unix_listener_close(NULL));
}

static void bad_names_are_refused(void **state)
{
	struct nonet_unix_options options = {.size = sizeof(options), .name_size = 5};
	struct nonet_unix_listener *listener = NULL;
	struct nonet_unix *socket = NULL;
	struct nonet_error error = {0};
	char name[110];
	char *exact = malloc(108);

	(void)state;
	memset(name, 'x', sizeof(name));
	name[108] = 0;
	assert_int_equal(nonet_unix_listen("", NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), -EINVAL);
	assert_int_equal(nonet_unix_listen("@", NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), -EINVAL);
	assert_int_equal(nonet_unix_connect("", NONET_UNIX_STREAM, NULL, NONET_NOW, &socket, NULL), -EINVAL);
	assert_int_equal(nonet_unix_bind("@", NULL, NONET_NOW, &socket, NULL), -EINVAL);
	assert_int_equal(nonet_unix_listen("a\0bcd", NONET_UNIX_STREAM, &options, NONET_NOW, &listener, NULL), -EINVAL);
	assert_int_equal(nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error), -ENAMETOOLONG);
	assert_non_null(strstr(error.text, "107"));
	assert_int_equal(nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &socket, NULL), -ENAMETOOLONG);
	assert_int_equal(nonet_unix_bind(name, NULL, NONET_NOW, &socket, NULL), -ENAMETOOLONG);
	assert_int_equal(nonet_unix_listen("@x", NONET_UNIX_DATAGRAM, NULL, NONET_NOW, &listener, NULL), -EINVAL);
	assert_int_equal(nonet_unix_listen("@x", (enum nonet_unix_type)9, NULL, NONET_NOW, &listener, NULL), -EINVAL);
	/* The longest; and a name of a given size needn't end with NUL, not for the sentence either. */
	name[0] = '@';
	nonet_unix_listener_close(listen_at(name, NONET_UNIX_STREAM));
	memset(exact, 'y', 108);
	exact[0] = '@';
	options.name_size = 108;
	assert_int_equal(nonet_unix_connect(exact, NONET_UNIX_STREAM, &options, NONET_NOW, &socket, &error),
			 -ECONNREFUSED);
	assert_non_null(strstr(error.text, "@yyyy"));
	exact[0] = 'y';
	assert_int_equal(nonet_unix_connect(exact, NONET_UNIX_STREAM, &options, NONET_NOW, &socket, &error),
			 -ENAMETOOLONG);
	assert_null(listener);
	assert_null(socket);
	free(exact);
}

static void a_path_has_the_mode_asked_for_under_any_umask(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0777, 0111};
	static const mode_t modes[] = {0, 0600, 0666, 0777, 0640, 0222};
	const mode_t before = umask(0);
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
			const struct nonet_unix_options options = {.size = sizeof(options), .mode = modes[j]};
			struct nonet_unix_listener *listener;
			struct nonet_unix *socket;

			umask(masks[i]);
			assert_int_equal(nonet_unix_listen(at("socket"), NONET_UNIX_STREAM, &options, NONET_NOW,
							   &listener, NULL),
					 0);
			test_must(stat(at("socket"), &status));
			assert_int_equal(status.st_mode, S_IFSOCK | (modes[j] ? modes[j] : 0600));
			nonet_unix_listener_close(listener);
			assert_int_equal(nonet_unix_bind(at("datagram"), &options, NONET_NOW, &socket, NULL), 0);
			test_must(stat(at("datagram"), &status));
			assert_int_equal(status.st_mode, S_IFSOCK | (modes[j] ? modes[j] : 0600));
			nonet_unix_close(socket);
		}
	}
	umask(before);
}

/* Not for an instant: with a umask that takes nothing away, the mode is there before the name is. */
static void a_path_never_lets_in_more_than_its_mode(void **state)
{
	const mode_t before = umask(0);
	struct nonet_unix_listener *listener;
	bool bound = false;
	int modes = 0;

	(void)state;
	sys_fault_record();
	assert_int_equal(nonet_unix_listen(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), 0);
	for (size_t i = 0; i < sys_fault_recorded(); i++) {
		bound |= sys_fault_recorded_call(i) == SYS_CALL_BIND;
		modes += sys_fault_recorded_call(i) == SYS_CALL_CHMOD;
		assert_false(bound && sys_fault_recorded_call(i) == SYS_CALL_CHMOD);
	}
	sys_fault_disarm();
	assert_int_equal(modes, 1);
	umask(before);
	nonet_unix_listener_close(listener);
}

static int be_refused(struct test_child_side *side, void *argument)
{
	struct nonet_unix *socket = NULL;
	struct nonet_error error;

	(void)side;
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_unix_connect(argument, NONET_UNIX_STREAM, NULL, NONET_FOREVER, &socket, &error),
			 -EACCES);
	test_check(strstr(error.text, "permission") != NULL);
	test_check_equal(nonet_unix_bind(path_in(directory, "new"), NULL, NONET_NOW, &socket, NULL), -EACCES);
	return 0;
}

static void another_user_is_not_let_in_by_default(void **state)
{
	struct nonet_unix_listener *listener = listen_at(at("socket"), NONET_UNIX_STREAM);

	(void)state;
	if (geteuid() == 0) {
		test_must(chmod(directory, 0711));
		assert_int_equal(test_child_join(test_child_start(be_refused, (void *)at("socket"))), 0);
	}
	nonet_unix_listener_close(listener);
	test_skip_unless_root("becomes another user to be refused");
}

static void connect_says_what_stands_in_the_way(void **state)
{
	struct nonet_unix_listener *listener = listen_at(at("socket"), NONET_UNIX_STREAM);
	struct nonet_unix *socket = NULL;
	struct nonet_error error = {0};

	(void)state;
	assert_int_equal(nonet_unix_connect(at("none"), NONET_UNIX_STREAM, NULL, NONET_FOREVER, &socket, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, at("none")));
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_SEQPACKET, NULL, NONET_FOREVER, &socket, NULL),
			 -EPROTOTYPE);
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_DATAGRAM, NULL, NONET_FOREVER, &socket, NULL),
			 -EPROTOTYPE);
	assert_int_equal(nonet_unix_connect(at("socket/x"), NONET_UNIX_STREAM, NULL, NONET_FOREVER, &socket, NULL),
			 -ENOTDIR);
	assert_int_equal(nonet_unix_connect("@nonet-nobody", NONET_UNIX_STREAM, NULL, NONET_FOREVER, &socket, &error),
			 -ECONNREFUSED);
	assert_non_null(strstr(error.text, "nobody listens"));
	assert_null(socket);
	nonet_unix_listener_close(listener);
}

static int listen_later(struct test_child_side *side, void *argument)
{
	struct nonet_unix_listener *listener;
	struct nonet_unix *server;

	test_report(side, "ready");
	test_await(side, "listen");
	listener = listen_at(argument, NONET_UNIX_STREAM);
	test_check_equal(nonet_unix_accept(listener, soon(), &server), 0);
	expect_filled(server, 10, 1);
	nonet_unix_close(server);
	nonet_unix_listener_close(listener);
	return 0;
}

static void connect_can_wait_for_the_listener(void **state)
{
	const struct nonet_unix_options options = {.size = sizeof(options), .flags = NONET_UNIX_WAIT_LISTENER};
	const char *names[] = {at("socket"), NULL};
	struct test_child *child;
	struct nonet_unix *client = NULL;
	char name[64] = "@";

	(void)state;
	strcpy(name + 1, test_name("wait"));
	names[1] = name;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(nonet_unix_connect(names[i], NONET_UNIX_STREAM, &options, NONET_NOW, &client, NULL),
				 -EAGAIN);
		assert_int_equal(nonet_unix_connect(names[i], NONET_UNIX_STREAM, &options, nonet_after(NONET_MS(3)),
						    &client, NULL),
				 -ETIMEDOUT);
		child = test_child_until(listen_later, (void *)names[i]);
		test_child_tell(child, "listen");
		assert_int_equal(
			nonet_unix_connect(names[i], NONET_UNIX_STREAM, &options, NONET_FOREVER, &client, NULL), 0);
		assert_int_equal(send_filled(client, 10, 1, NONET_NOW), 0);
		assert_int_equal(test_child_join(child), 0);
		client = nonet_unix_close(client);
	}
}

static int take_one(struct test_child_side *side, void *argument)
{
	struct nonet_unix *server;

	test_await(side, "accept");
	test_check_equal(nonet_unix_accept(argument, soon(), &server), 0);
	nonet_unix_close(server);
	return 0;
}

static void a_full_backlog_is_waited_for_by_the_deadline(void **state)
{
	const struct nonet_unix_options options = {.size = sizeof(options), .backlog = 1};
	struct nonet_unix_listener *listener;
	struct nonet_unix *clients[3] = {NULL};
	struct test_child *child;
	struct nonet_error error = {0};

	(void)state;
	assert_int_equal(nonet_unix_listen(at("socket"), NONET_UNIX_STREAM, &options, NONET_NOW, &listener, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &clients[i], NULL), 0);
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &clients[2], &error),
			 -EAGAIN);
	assert_non_null(strstr(error.text, "too many"));
	assert_int_equal(
		nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, nonet_after(NONET_MS(3)), &clients[2], NULL),
		-ETIMEDOUT);
	child = test_child_start(take_one, listener);
	test_child_tell(child, "accept");
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_FOREVER, &clients[2], NULL),
			 0);
	assert_int_equal(test_child_join(child), 0);
	for (int i = 0; i < 3; i++)
		nonet_unix_close(clients[i]);
	nonet_unix_listener_close(listener);
}

static void a_client_that_has_gone_is_accepted_like_any_other(void **state)
{
	struct nonet_unix_listener *listener = listen_at(at("socket"), NONET_UNIX_STREAM);
	struct nonet_unix *client;
	struct nonet_unix *server;
	struct nonet_error error;
	size_t size;

	(void)state;
	assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &client, NULL), 0);
	assert_int_equal(send_filled(client, 9, 9, NONET_NOW), 0);
	nonet_unix_close(client);
	assert_int_equal(nonet_unix_accept(listener, NONET_FOREVER, &server), 0);
	expect_filled(server, 9, 9);
	assert_int_equal(nonet_unix_receive(server, NULL, 0, NONET_FOREVER, &size), -EPIPE);
	nonet_unix_close(server);
	nonet_unix_listener_explain(listener, -EMFILE, &error);
	assert_non_null(strstr(error.text, at("socket")));
	nonet_unix_listener_explain(listener, -EAGAIN, &error);
	assert_int_equal(error.code, -EAGAIN);
	nonet_unix_listener_explain(listener, -ETIMEDOUT, &error);
	nonet_unix_listener_explain(listener, -ENOMEM, &error);
	assert_int_equal(error.code, -ENOMEM);
	nonet_unix_listener_close(listener);
}

/* Somebody else is taking a name in the directory, and takes his time. */
static void the_lock_of_the_directory_is_waited_for_by_the_deadline(void **state)
{
	int lock = (int)test_must(open(directory, O_RDONLY | O_DIRECTORY));
	struct nonet_unix_listener *listener = NULL;
	struct nonet_unix *socket = NULL;
	struct nonet_error error = {0};

	(void)state;
	test_must(flock(lock, LOCK_EX));
	assert_int_equal(nonet_unix_listen(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error),
			 -EAGAIN);
	assert_non_null(strstr(error.text, "another process"));
	assert_int_equal(nonet_unix_bind(at("socket"), NULL, nonet_after(NONET_MS(3)), &socket, NULL), -ETIMEDOUT);
	assert_int_equal(access(at("socket"), F_OK), -1);
	/* Abstract names have no directory. */
	nonet_unix_listener_close(listen_at("@nonet-test-no-directory", NONET_UNIX_STREAM));
	test_must(flock(lock, LOCK_UN));
	listener = listen_at(at("socket"), NONET_UNIX_STREAM);
	/* ... and nobody keeps it longer than it takes. */
	test_must(flock(lock, LOCK_EX | LOCK_NB));
	nonet_unix_listener_close(listener);
	test_must(close(lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_path_and_an_abstract_name_lead_to_the_listener, &in_directory),
		test_case_with(bad_names_are_refused, &in_directory),
		test_case_with(a_path_has_the_mode_asked_for_under_any_umask, &in_directory),
		test_case_with(a_path_never_lets_in_more_than_its_mode, &in_directory),
		test_case_with(another_user_is_not_let_in_by_default, &in_directory),
		test_case_with(connect_says_what_stands_in_the_way, &in_directory),
		test_case_with(connect_can_wait_for_the_listener, &in_directory),
		test_case_with(a_full_backlog_is_waited_for_by_the_deadline, &in_directory),
		test_case_with(a_client_that_has_gone_is_accepted_like_any_other, &in_directory),
		test_case_with(the_lock_of_the_directory_is_waited_for_by_the_deadline, &in_directory),
	};

	return test_main(tests);
}
