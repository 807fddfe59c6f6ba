/* SPDX-License-Identifier: Apache-2.0 */
/* How two sides find each other, the names they make, and what is said of a call that failed. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

#define LISTENER (NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN)
#define CALLER   (NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT)

static const char *const named[] = {"fifo", "unix", "unix-seqpacket", "unix-dgram"};
#define NAMED (sizeof(named) / sizeof(named[0]))

/* One side, opened in a child. */
struct side {
	char address[256];
	uint32_t flags;
	uint32_t mode;
};

static struct side side_of(const char *directory, const char *scheme, uint32_t flags)
{
	struct side side = {.flags = flags};

	snprintf(side.address, sizeof(side.address), "%s:%s/name", scheme, directory);
	return side;
}

static struct nonet_endpoint *side_open(const struct side *side)
{
	const struct nonet_endpoint_options options = {
		.size = sizeof(options), .flags = side->flags, .mode = side->mode};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	if (nonet_endpoint_open(side->address, &options, test_deadline(), &endpoint, &error) < 0)
		test_fail("%s: %s", side->address, error.text);
	return endpoint;
}

static int side_open_in_child(struct test_child_side *report, void *argument)
{
	struct nonet_endpoint *endpoint;

	test_report(report, "ready");
	endpoint = side_open(argument);
	test_report(report, "open");
	test_await(report, "end");
	nonet_endpoint_close(endpoint);
	return 0;
}

/* @first waits in a child until the other side comes, if it has to; then both are there. */
static void meet(const struct side *first, const struct side *second)
{
	struct test_child *child = test_child_until(side_open_in_child, (void *)first);
	struct nonet_endpoint *endpoint;

	/* Who binds a datagram address waits for nobody. */
	if (strncmp(first->address, "unix-dgram", 10) == 0 && first->flags & NONET_ENDPOINT_LISTEN) {
		test_child_wait_state(child, "open");
		endpoint = side_open(second);
	} else {
		test_child_wait_blocked(child);
		endpoint = side_open(second);
		test_child_wait_state(child, "open");
	}
	test_child_tell(child, "end");
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(endpoint);
}

static void either_side_may_come_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMED; i++) {
		const char *directory = test_directory_new();
		const struct side listener = side_of(directory, named[i], LISTENER);
		const struct side caller = side_of(directory, named[i], CALLER);

		meet(&listener, &caller);
		/* Of a FIFO, the first round's name is still there. */
		meet(&caller, &listener);
		if (i == 0)
			test_check_equal(nonet_pipe_unlink(test_path(directory, "name"), NULL), 0);
		meet(&caller, &listener);
		if (i == 0)
			test_check_equal(nonet_pipe_unlink(test_path(directory, "name"), NULL), 0);
		/* Sockets' names are gone with whoever made them. */
		test_directory_free(directory);
	}
}

static void check_gives_up(const struct side *side, nonet_time deadline, int code)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = side->flags};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	test_check_equal(nonet_endpoint_open(side->address, &options, deadline, &endpoint, &error), code);
	test_check(deadline == NONET_NOW || test_clock() >= deadline);
	test_check(test_clock() < (deadline ? deadline : test_clock()) + NONET_MS(200) * test_slowness());
	test_check(!endpoint);
	test_check_equal(error.code, code);
	test_check(strstr(error.text, "/name"));
}

static void who_is_alone_gives_up_at_the_deadline_and_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMED; i++) {
		const char *directory = test_directory_new();
		struct side side = side_of(directory, named[i], CALLER);

		check_gives_up(&side, NONET_NOW, -EAGAIN);
		check_gives_up(&side, test_clock() + NONET_MS(20), -ETIMEDOUT);
		side.flags = LISTENER;
		if (i < 3) {
			check_gives_up(&side, NONET_NOW, -EAGAIN);
			check_gives_up(&side, test_clock() + NONET_MS(20), -ETIMEDOUT);
		}
		if (i == 0)
			test_check_equal(nonet_pipe_unlink(test_path(directory, "name"), NULL), 0);
		test_directory_free(directory);
	}
}

static void a_name_has_the_exact_mode_whatever_the_umask(void **state)
{
	static const uint32_t modes[] = {0, 0600, 0666, 0770, 0777, 0400};
	static const mode_t masks[] = {0, 022, 0777};
	const mode_t old = umask(0);
	struct stat status;

	(void)state;
	for (size_t i = 0; i < NAMED * 6 * 3; i++) {
		const char *directory = test_directory_new();
		struct side side = side_of(directory, named[i % NAMED], LISTENER);
		struct test_child *child;

		side.mode = modes[i / NAMED % 6];
		umask(masks[i / NAMED / 6]);
		child = test_child_until(side_open_in_child, &side);
		if (strcmp(named[i % NAMED], "unix-dgram") == 0)
			test_child_wait_state(child, "open");
		else
			test_child_wait_blocked(child);
		test_must(lstat(test_path(directory, "name"), &status));
		test_check_equal(status.st_mode & 07777, side.mode ? side.mode : 0600);
		test_kill(child);
		unlink(test_path(directory, "name"));
		umask(old);
		test_directory_free(directory);
	}
}

static void check_sentence(struct nonet_endpoint *endpoint, int code, const char *words)
{
	struct nonet_error error = {0};

	nonet_endpoint_explain(endpoint, code, &error);
	test_check_equal(error.code, code);
	if (!strstr(error.text, words) || strlen(error.text) < 10 || strchr(error.text, '\n'))
		test_fail("%s of %s: \"%s\" doesn't say \"%s\"", nonet_error_name(code),
			  nonet_endpoint_address(endpoint), error.text, words);
}

static void each_documented_code_has_its_sentence(void **state)
{
	static const struct {
		int code;
		const char *of_reader; /* of a pipe */
		const char *of_writer;
		const char *of_socket;
	} rows[] = {
		{-EAGAIN, "nothing to receive", "no room", "nothing to receive"},
		{-ETIMEDOUT, "before the deadline", "before the deadline", "before the deadline"},
		{-EPIPE, "the last writer", "nobody reads", "has gone"},
		{-ECONNRESET, "the pipe", "the pipe", "without reading all"},
		{-ECONNREFUSED, "the pipe", "the pipe", "nobody receives"},
		{-EBADMSG, "in the middle of a message", "in the middle of a message", "which is lost"},
		{-EMSGSIZE, "larger than the buffer", "larger than the 16777216 bytes", "larger than the buffer"},
		{-EBADF, "opened only to receive", "opened only to send", "UNIX socket"},
		{-ENOMEM, "memory", "memory", "memory"},
		{-ENOBUFS, "the pipe", "the pipe", "UNIX socket"},
		{-ENOTCONN, "the pipe", "the pipe", "UNIX socket"},
		{-EOPNOTSUPP, "the pipe", "the pipe", ""},
	};
	struct nonet_endpoint *endpoints[4] = {NULL};
	char address[32];
	int fds[4];

	(void)state;
	test_must(pipe(fds));
	test_must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2));
	for (int i = 0; i < 4; i++) {
		snprintf(address, sizeof(address), "fd:%d", fds[i]);
		test_check_equal(nonet_endpoint_open(address, NULL, NONET_NOW, &endpoints[i], NULL), 0);
		close(fds[i]);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_sentence(endpoints[0], rows[i].code, rows[i].of_reader);
		check_sentence(endpoints[1], rows[i].code, rows[i].of_writer);
		check_sentence(endpoints[2], rows[i].code, rows[i].of_socket);
	}
	for (int i = 0; i < 4; i++)
		nonet_endpoint_close(endpoints[i]);
}

static void a_bound_datagram_address_only_receives(void **state)
{
	const char *directory = test_directory_new();
	const struct side side =
		side_of(directory, "unix-dgram", NONET_ENDPOINT_LISTEN | NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE);
	struct nonet_endpoint *endpoint = side_open(&side);

	(void)state;
	test_check_equal(nonet_endpoint_send(endpoint, "a", 1, NONET_NOW), -ENOTCONN);
	test_check_equal(nonet_endpoint_finish(endpoint), -EOPNOTSUPP);
	test_check_equal(access(test_path(directory, "name"), F_OK), 0);
	nonet_endpoint_close(endpoint);
	test_directory_free(directory);
}

static void bytes_go_through_unframed(void **state)
{
	struct nonet_endpoint *ends[2] = {NULL, NULL};
	size_t done = 6;
	size_t size = 0;
	char address[32];
	char bytes[8];
	int fds[2];

	(void)state;
	test_check(!nonet_endpoint_close(NULL));
	for (int type = 0; type < 2; type++) {
		test_must(socketpair(AF_UNIX, type ? SOCK_SEQPACKET : SOCK_STREAM, 0, fds));
		for (int i = 0; i < 2; i++) {
			snprintf(address, sizeof(address), "fd:%d", fds[i]);
			test_check_equal(nonet_endpoint_open(address, NULL, NONET_NOW, &ends[i], NULL), 0);
			close(fds[i]);
		}
		done = 6;
		test_check_equal(nonet_endpoint_write(ends[0], "hello", 5, NONET_NOW, &done), -EINVAL);
		done = 1;
		test_check_equal(nonet_endpoint_write(ends[0], "hello", 5, NONET_NOW, &done), 0);
		test_check_equal(done, 5);
		test_check_equal(nonet_endpoint_write(ends[0], " you", 4, NONET_NOW, NULL), 0);
		test_check_equal(nonet_endpoint_read(ends[1], bytes, 8, NONET_NOW, &size), 0);
		test_check_equal(size, type ? 4 : 8);
		test_check(memcmp(bytes, type ? "ello" : "ello you", size) == 0);
		nonet_endpoint_close(ends[0]);
		nonet_endpoint_close(ends[1]);
	}
}

/* Escaped, it is the first letter of a file's name in the working directory, not the sign of an abstract name. */
static void an_escaped_at_sign_begins_a_path(void **state)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = LISTENER};
	const char *directory = test_directory_new();
	char before[4096];
	struct nonet_endpoint *endpoint;

	(void)state;
	test_check(getcwd(before, sizeof(before)) != NULL);
	test_must(chdir(directory));
	test_check_equal(nonet_endpoint_open("unix-dgram:%40name", &options, NONET_NOW, &endpoint, NULL), 0);
	test_must(access("@name", F_OK));
	nonet_endpoint_close(endpoint);
	test_check(access("@name", F_OK) < 0);
	test_must(chdir(before));
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(either_side_may_come_first),
		test_case(who_is_alone_gives_up_at_the_deadline_and_leaves_nothing),
		test_case(a_name_has_the_exact_mode_whatever_the_umask),
		test_case(each_documented_code_has_its_sentence),
		test_case(a_bound_datagram_address_only_receives),
		test_case(bytes_go_through_unframed),
		test_case(an_escaped_at_sign_begins_a_path),
	};

	return test_main(tests);
}
