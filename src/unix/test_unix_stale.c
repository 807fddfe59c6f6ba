/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unix/test_unix.h"

/* Whose path it is: what a dead process left is taken over, and nothing else; who closes removes his own. */

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

static struct nonet_unix_listener *listen_at(const char *name)
{
	struct nonet_unix_listener *listener = NULL;

	test_check_equal(nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, soon(), &listener, NULL), 0);
	return listener;
}

static int bind_plainly(const char *path, int kind, bool listening)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)test_must(socket(AF_UNIX, kind | SOCK_CLOEXEC, 0));

	strcpy(address.sun_path, path);
	test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (listening)
		test_must(listen(fd, 1));
	return fd;
}

static void check_in_use(const char *path, const char *word)
{
	struct nonet_unix_listener *listener = NULL;
	struct nonet_unix *socket = NULL;
	struct nonet_error error = {0};
	struct stat before;
	struct stat after;

	test_must(lstat(path, &before));
	for (enum nonet_unix_type type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		assert_int_equal(nonet_unix_listen(path, type, NULL, NONET_FOREVER, &listener, &error), -EADDRINUSE);
		assert_int_equal(error.code, -EADDRINUSE);
		assert_non_null(strstr(error.text, path));
		assert_non_null(strstr(error.text, word));
	}
	assert_int_equal(nonet_unix_bind(path, NULL, NONET_FOREVER, &socket, NULL), -EADDRINUSE);
	test_must(lstat(path, &after));
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_null(listener);
	assert_null(socket);
}

static int listen_and_hold(struct test_child_side *side, void *argument)
{
	listen_at(argument);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int bind_and_hold(struct test_child_side *side, void *argument)
{
	struct nonet_unix *socket;

	test_check_equal(nonet_unix_bind(argument, NULL, soon(), &socket, NULL), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static void a_path_of_a_killed_process_is_taken_over(void **state)
{
	static test_child_function *const functions[] = {listen_and_hold, bind_and_hold};
	struct nonet_unix_listener *listener;
	struct nonet_unix *client;
	struct nonet_unix *socket;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct test_child *child = test_child_until(functions[i / 2], (void *)at("socket"));

		check_in_use(at("socket"), "another process");
		test_kill(child);
		assert_int_equal(access(at("socket"), F_OK), 0);
		if (i % 2) {
			listener = listen_at(at("socket"));
			assert_int_equal(
				nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &client, NULL), 0);
			nonet_unix_close(client);
			nonet_unix_listener_close(listener);
		} else {
			assert_int_equal(nonet_unix_bind(at("socket"), NULL, NONET_NOW, &socket, NULL), 0);
			nonet_unix_close(socket);
		}
		assert_int_equal(access(at("socket"), F_OK), -1);
	}
}

/* Listening or not, and of whatever type: somebody has it. The owner doesn't notice that we looked. */
static void a_path_that_any_socket_is_bound_to_is_in_use(void **state)
{
	static const int kinds[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	int fd;

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int listening = 0; listening < (kinds[i] == SOCK_DGRAM ? 1 : 2); listening++) {
			fd = bind_plainly(at("socket"), kinds[i], listening);
			check_in_use(at("socket"), "another process");
			test_must(fcntl(fd, F_SETFL, O_NONBLOCK));
			assert_int_equal(listening ? accept(fd, NULL, NULL) : recv(fd, &(char){0}, 1, 0), -1);
			test_must(close(fd));
			test_must(unlink(at("socket")));
		}
	}
	/* A datagram socket that talks to one peer only refuses others' connect(2) as one that is in use. */
	fd = bind_plainly(at("peer"), SOCK_DGRAM, false);
	{
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int other = bind_plainly(at("socket"), SOCK_DGRAM, false);

		strcpy(address.sun_path, at("peer"));
		test_must(connect(other, (struct sockaddr *)&address, sizeof(address)));
		check_in_use(at("socket"), "another process");
		test_must(close(other));
	}
	test_must(close(fd));
	test_must(unlink(at("peer")));
	test_must(unlink(at("socket")));
}

static void what_is_not_a_socket_is_never_removed(void **state)
{
	int fd = (int)test_must(open(at("file"), O_CREAT | O_WRONLY, 0640));
	int stale = bind_plainly(at("stale"), SOCK_STREAM, false);

	(void)state;
	test_must(close(fd));
	test_must(close(stale));
	test_must(mkdir(at("folder"), 0700));
	test_must(symlink("stale", at("link")));
	test_must(symlink("nowhere", at("dangling")));
	test_must(mkfifo(at("fifo"), 0600));
	check_in_use(at("file"), "isn't a socket");
	check_in_use(at("folder"), "isn't a socket");
	check_in_use(at("link"), "isn't a socket");
	check_in_use(at("dangling"), "isn't a socket");
	check_in_use(at("fifo"), "isn't a socket");
	test_must(unlink(at("file")));
	test_must(unlink(at("stale")));
	test_must(rmdir(at("folder")));
	test_must(unlink(at("link")));
	test_must(unlink(at("dangling")));
	test_must(unlink(at("fifo")));
}

/* Shared with the children: how many are at the line. */
static atomic_uint *line;

static int take_over(struct test_child_side *side, void *argument)
{
	unsigned round = 0;
	struct nonet_unix_listener *listener = NULL;
	struct nonet_unix *server;
	int error;

	for (;;) {
		test_report(side, "ready");
		test_await(side, "go");
		/* To the same instant, as near as it gets: a word of the parent's comes to one before the other. */
		atomic_fetch_add(line, 1);
		for (round++; atomic_load(line) < 2 * round;)
			;
		error = nonet_unix_listen(argument, NONET_UNIX_STREAM,
					  &(struct nonet_unix_options){.size = sizeof(struct nonet_unix_options),
								       .flags = NONET_UNIX_KEEP_PATH},
					  soon(), &listener, NULL);
		test_report_number(side, error);
		test_await(side, "told");
		if (error == 0) {
			test_check_equal(nonet_unix_accept(listener, soon(), &server), 0);
			nonet_unix_close(server);
			/* The path stays, as if we had been killed. */
			nonet_unix_listener_close(listener);
		}
	}
	return 0;
}

static void of_two_that_race_for_a_stale_path_exactly_one_wins(void **state)
{
	struct test_child *children[2];
	struct nonet_unix *client;
	int64_t results[2];

	(void)state;
	line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(line, MAP_FAILED);
	test_must(close(bind_plainly(at("socket"), SOCK_STREAM, true)));
	for (int i = 0; i < 2; i++)
		children[i] = test_child_start(take_over, (void *)at("socket"));
	for (uint64_t round = 0; round < test_scaled(40000); round++) {
		for (int i = 0; i < 2; i++)
			test_child_wait_state(children[i], "ready");
		for (int i = 0; i < 2; i++)
			test_child_tell(children[i], "go");
		for (int i = 0; i < 2; i++)
			results[i] = test_child_number(children[i]);
		assert_int_equal(results[0] == 0 ? results[1] : results[0], -EADDRINUSE);
		assert_int_equal(results[0] + results[1], -EADDRINUSE);
		assert_int_equal(nonet_unix_connect(at("socket"), NONET_UNIX_STREAM, NULL, NONET_NOW, &client, NULL),
				 0);
		for (int i = 0; i < 2; i++)
			test_child_tell(children[i], "told");
		nonet_unix_close(client);
	}
	for (int i = 0; i < 2; i++)
		test_kill(children[i]);
	test_must(munmap(line, sizeof(*line)));
	test_must(unlink(at("socket")));
}

static int close_it(struct test_child_side *side, void *argument)
{
	(void)side;
	nonet_unix_listener_close(argument);
	return 0;
}

static void closing_removes_ones_own_path_only(void **state)
{
	const struct nonet_unix_options keep = {.size = sizeof(keep), .flags = NONET_UNIX_KEEP_PATH};
	struct nonet_unix_listener *listener = listen_at(at("socket"));
	struct nonet_unix *socket;
	int other;

	(void)state;
	/* Not a child's close. */
	assert_int_equal(test_child_join(test_child_start(close_it, listener)), 0);
	assert_int_equal(access(at("socket"), F_OK), 0);
	/* Not another's, that stands there now. */
	test_must(unlink(at("socket")));
	other = bind_plainly(at("socket"), SOCK_STREAM, true);
	nonet_unix_listener_close(listener);
	assert_int_equal(access(at("socket"), F_OK), 0);
	test_must(close(other));
	test_must(unlink(at("socket")));
	/* Gone already. */
	listener = listen_at(at("socket"));
	test_must(unlink(at("socket")));
	nonet_unix_listener_close(listener);

	assert_int_equal(nonet_unix_listen(at("socket"), NONET_UNIX_STREAM, &keep, NONET_NOW, &listener, NULL), 0);
	nonet_unix_listener_close(listener);
	test_must(unlink(at("socket")));
	assert_int_equal(nonet_unix_bind(at("socket"), &keep, NONET_NOW, &socket, NULL), 0);
	nonet_unix_close(socket);
	test_must(unlink(at("socket")));
	assert_int_equal(nonet_unix_bind(at("socket"), NULL, NONET_NOW, &socket, NULL), 0);
	nonet_unix_close(socket);
	assert_int_equal(access(at("socket"), F_OK), -1);
}

static void a_relative_path_is_removed_from_where_it_was_made(void **state)
{
	int before = (int)test_must(open(".", O_RDONLY | O_DIRECTORY));
	struct nonet_unix_listener *listener;
	struct nonet_unix *socket;

	(void)state;
	test_must(chdir(directory));
	test_must(mkdir("below", 0700));
	listener = listen_at("socket");
	assert_int_equal(nonet_unix_bind("below/datagram", NULL, NONET_NOW, &socket, NULL), 0);
	assert_int_equal(access(at("socket"), F_OK), 0);
	test_must(fchdir(before));
	nonet_unix_listener_close(listener);
	nonet_unix_close(socket);
	assert_int_equal(access(at("socket"), F_OK), -1);
	test_must(rmdir(at("below")));
	test_must(close(before));
}

static int use_unreadable(struct test_child_side *side, void *argument)
{
	struct nonet_unix_listener *listener = NULL;
	struct nonet_error error;
	struct stat status;

	(void)side;
	if (geteuid() == 0)
		test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_unix_listen(argument, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), 0);
	test_must(stat(argument, &status));
	test_check_equal(status.st_mode & 0777, 0600);
	nonet_unix_listener_close(listener);
	test_check(access(argument, F_OK) < 0);
	test_must(close(bind_plainly(argument, SOCK_STREAM, true)));
	test_check_equal(nonet_unix_listen(argument, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error),
			 -EADDRINUSE);
	test_check(strstr(error.text, "left behind") && strstr(error.text, "remove it"));
	test_must(unlink(argument));
	return 0;
}

/* It can't be locked there, so a stale path can't be taken over, and the sentence says so; all else works. */
static void a_directory_that_can_not_be_read_will_do(void **state)
{
	(void)state;
	test_must(mkdir(at("drop"), 0700));
	test_must(chmod(at("drop"), 0333));
	test_must(chmod(directory, 0711));
	assert_int_equal(test_child_join(test_child_start(use_unreadable, (void *)at("drop/socket"))), 0);
	test_must(rmdir(at("drop")));
}

static void what_stands_in_the_way_is_said(void **state)
{
	struct nonet_unix_listener *listener = NULL;
	struct nonet_error error = {0};
	int file = (int)test_must(open(at("file"), O_CREAT | O_WRONLY, 0600));

	(void)state;
	test_must(close(file));
	assert_int_equal(nonet_unix_listen(at("none/x"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, at("none/x")));
	assert_int_equal(nonet_unix_listen(at("file/x"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL),
			 -ENOTDIR);
	assert_int_equal(nonet_unix_listen("/proc/nonet", NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error),
			 error.code);
	assert_true(error.code < 0);
	assert_null(listener);
	test_must(unlink(at("file")));
}

static int listen_on_the_way(struct test_child_side *side, void *argument)
{
	const struct nonet_unix_options open_to_all = {.size = sizeof(open_to_all), .mode = 0666};
	struct nonet_unix_listener *listener = NULL;
	int error = nonet_unix_listen(argument, NONET_UNIX_STREAM, &open_to_all, soon(), &listener, NULL);

	(void)side;
	nonet_unix_listener_close(listener);
	return -error;
}

/* Whoever may write to a directory on the way has another put in its place while the lock is waited for. */
static void nobodys_socket_is_changed_for_a_directory_that_is_swapped(void **state)
{
	struct nonet_unix_listener *victim;
	struct test_child *child;
	struct stat status;
	int fd;

	(void)state;
	test_must(mkdir(at("theirs"), 0755));
	test_must(mkdir(at("mine"), 0755));
	test_must(symlink(at("theirs"), at("way")));
	victim = listen_at(at("theirs/name"));
	fd = (int)test_must(open(at("theirs"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	test_must(flock(fd, LOCK_SH));
	child = test_child_start(listen_on_the_way, (void *)at("way/name"));
	test_child_wait_blocked(child);
	test_must(symlink(at("mine"), at("other")));
	test_must(rename(at("other"), at("way")));
	test_must(flock(fd, LOCK_UN));
	assert_int_equal(test_child_join(child), EADDRINUSE);
	test_must(close(fd));
	test_must(stat(at("theirs/name"), &status));
	assert_int_equal(status.st_mode & 0777, 0600);
	nonet_unix_listener_close(victim);
	test_must(unlink(at("mine/name")));
	test_must(unlink(at("way")));
	test_must(rmdir(at("mine")));
	test_must(rmdir(at("theirs")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_path_of_a_killed_process_is_taken_over, &in_directory),
		test_case_with(a_path_that_any_socket_is_bound_to_is_in_use, &in_directory),
		test_case_with(what_is_not_a_socket_is_never_removed, &in_directory),
		test_case_with(of_two_that_race_for_a_stale_path_exactly_one_wins, &in_directory),
		test_case_with(closing_removes_ones_own_path_only, &in_directory),
		test_case_with(a_relative_path_is_removed_from_where_it_was_made, &in_directory),
		test_case_with(a_directory_that_can_not_be_read_will_do, &in_directory),
		test_case_with(what_stands_in_the_way_is_said, &in_directory),
		test_case_with(nobodys_socket_is_changed_for_a_directory_that_is_swapped, &in_directory),
	};

	return test_main(tests);
}
