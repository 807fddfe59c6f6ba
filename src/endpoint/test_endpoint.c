/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

#define LISTENER (NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN)
#define CALLER   (NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT)

/* What has a name, as schemes. */
static const char *const named[] = {"fifo", "unix", "unix-seqpacket", "unix-dgram"};
#define NAMED (sizeof(named) / sizeof(named[0]))

static const char *address_in(const char *directory, const char *scheme)
{
	static char address[256];

	snprintf(address, sizeof(address), "%s:%s/name", scheme, directory);
	return address;
}

static int open_with(const char *address, uint32_t flags, nonet_time deadline, struct nonet_endpoint **ret_endpoint,
		     struct nonet_error *reterr)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};

	return nonet_endpoint_open(address, &options, deadline, ret_endpoint, reterr);
}

/* Opening has to fail with @code, a sentence that holds @words, and nothing else touched. */
#define check_refused(address, flags, code, words) check_refused_at(TEST_HERE, (address), (flags), (code), (words))
static void check_refused_at(const char *file, int line, const char *address, uint32_t flags, int code,
			     const char *words)
{
	struct nonet_endpoint *const untouched = (struct nonet_endpoint *)(uintptr_t)0x5a5a;
	struct nonet_endpoint *endpoint = untouched;
	struct nonet_error error = {0};
	const int result = open_with(address, flags, NONET_NOW, &endpoint, &error);

	if (result != code)
		test_fail_at(file, line, "%s: %s, not %s (%s)", address, nonet_error_name(result),
			     nonet_error_name(code), error.text);
	if (endpoint != untouched)
		test_fail_at(file, line, "%s failed, and changed its output", address);
	if (error.code != code || !strstr(error.text, words))
		test_fail_at(file, line, "%s: \"%s\" (%d) doesn't say \"%s\"", address, error.text, (int)error.code,
			     words);
	/* The sentence is optional. */
	test_check_equal(open_with(address, flags, NONET_NOW, &endpoint, NULL), code);
}

static void a_wrong_address_is_refused_at_its_first_wrong_byte(void **state)
{
	static const struct {
		const char *address;
		int position;
	} rows[] = {
		{"", 0},      {"fifo", 4},  {"carrier-pigeon:x", 0}, {"fifo:", 5},      {"unix:", 5},       {"fd:x", 3},
		{"fd:-1", 3}, {"fd:1x", 4}, {"unix:a%0", 8},         {"fifo:/a%zz", 8}, {"fifo:/a%00b", 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nonet_endpoint *endpoint = NULL;
		struct nonet_error error = {0};

		test_check_equal(nonet_endpoint_open(rows[i].address, NULL, NONET_NOW, &endpoint, &error), -EINVAL);
		test_check(!endpoint);
		test_check_equal(error.code, -EINVAL);
		if (error.position != rows[i].position || !error.text[0])
			test_fail("%s: at byte %d, not %d: %s", rows[i].address, (int)error.position, rows[i].position,
				  error.text);
	}
}

static void options_are_checked_before_anything_is_done(void **state)
{
	const char *directory = test_directory_new();
	const struct nonet_endpoint_options good = {.size = sizeof(good), .flags = LISTENER | 8u};
	struct nonet_endpoint_options bad[7];

	(void)state;
	for (size_t i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].size = sizeof(good) - 8;
	bad[1].flags |= 64u;
	bad[2].mode = 01000;
	bad[3].priority = 32768;
	bad[4].type = INT64_MIN;
	bad[5].reserved = 1;
	bad[6].message_size = ((uint64_t)1 << 30) + 1;
	for (size_t scheme = 0; scheme < NAMED; scheme++) {
		for (size_t i = 0; i < 7; i++) {
			struct nonet_endpoint *endpoint = NULL;
			struct nonet_error error = {0};

			if (nonet_endpoint_open(address_in(directory, named[scheme]), &bad[i], NONET_NOW, &endpoint,
						&error) != -EINVAL)
				test_fail("%s: wrong options %zu were taken", named[scheme], i);
			test_check_equal(error.code, -EINVAL);
			test_check(error.text[0]);
		}
	}
	test_directory_free(directory);
}

static void what_carries_no_messages_is_refused_with_what_does(void **state)
{
	static const char *const later[] = {"queue:q"};
	static const char *const never[] = {"pid:1",      "posixsem:/s",  "posixshm:/m", "sysvshm:1",   "sysvsem:1",
					    "ofdlock:/f", "posixlock:/f", "flock:/f",    "file:/f",     "mutex:m",
					    "rwlock:r",   "condition:c",  "event:e",     "semaphore:s", "log:l"};

	(void)state;
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		check_refused(later[i], 0, -EOPNOTSUPP, "yet; it can over fifo:");
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		check_refused(never[i], 0, -EOPNOTSUPP, "carries no messages");
}

static void each_wrong_way_to_open_is_told_apart(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "name");

	(void)state;
	for (uint32_t flags = 0; flags <= 15; flags++)
		if ((flags & 3) == 0 || (flags & 3) == 3)
			check_refused(address_in(directory, "fifo"), flags, -EINVAL, "goes one way");
	check_refused(address_in(directory, "unix-dgram"), NONET_ENDPOINT_RECEIVE, -EINVAL, "listen, or open it only");
	check_refused(address_in(directory, "unix-dgram"), 3, -EINVAL, "listen, or open it only");
	for (size_t i = 0; i < NAMED; i++) {
		check_refused(address_in(directory, named[i]), NONET_ENDPOINT_SEND, -ENOENT, "name");
		check_refused(address_in(directory, named[i]), CALLER, -EAGAIN, path);
		check_refused(address_in("/nonexistent", named[i]), LISTENER, -ENOENT, "/nonexistent");
	}

	/* A file of another kind is in the place. */
	close((int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	check_refused(address_in(directory, "fifo"), NONET_ENDPOINT_SEND, -ENOTSUP, "isn't a FIFO");
	check_refused(address_in(directory, "fifo"), LISTENER, -ENOTSUP, "isn't a FIFO");
	for (size_t i = 1; i < NAMED; i++) {
		check_refused(address_in(directory, named[i]), NONET_ENDPOINT_SEND, -ECONNREFUSED, "nobody listens");
		check_refused(address_in(directory, named[i]), LISTENER, -EADDRINUSE, "isn't a socket");
	}
	test_must(unlink(path));
	test_directory_free(directory);
}

static void a_socket_of_another_type_or_process_stays(void **state)
{
	const char *directory = test_directory_new();
	struct nonet_unix_listener *listener = NULL;
	struct nonet_endpoint *endpoint = NULL;

	(void)state;
	test_check_equal(
		nonet_unix_listen(test_path(directory, "name"), NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL),
		0);
	for (size_t i = 1; i < NAMED; i++)
		check_refused(address_in(directory, named[i]), LISTENER, -EADDRINUSE, "another process has a socket");
	check_refused(address_in(directory, "unix-seqpacket"), NONET_ENDPOINT_SEND, -EPROTOTYPE, "another type");
	check_refused(address_in(directory, "unix-dgram"), NONET_ENDPOINT_SEND, -EPROTOTYPE, "another type");
	test_check_equal(open_with(address_in(directory, "unix"), 0, NONET_NOW, &endpoint, NULL), 0);
	nonet_endpoint_close(endpoint);
	nonet_unix_listener_close(listener);
	test_directory_free(directory);
}

static void a_descriptor_that_carries_no_messages_is_refused(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "fifo");
	char address[32];
	int fds[2];
	int fd;

	(void)state;
	fd = (int)test_must(open("/dev/null", O_RDWR | O_CLOEXEC));
	snprintf(address, sizeof(address), "fd:%d", fd);
	check_refused(address, 0, -ENOTSUP, "neither one end of a pipe nor a connected socket of UNIX, TCP or UDP");
	check_refused(address, NONET_ENDPOINT_LISTEN, -EINVAL, "nothing to listen for");
	close(fd);
	check_refused(address, 0, -EBADF, address + 3);

	fd = (int)test_must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	test_must(bind(fd, (struct sockaddr *)&(struct sockaddr_un){.sun_family = AF_UNIX}, sizeof(sa_family_t)));
	test_must(listen(fd, 1));
	snprintf(address, sizeof(address), "fd:%d", fd);
	check_refused(address, 0, -ENOTSUP, "neither one end of a pipe nor a connected socket of UNIX, TCP or UDP");
	close(fd);

	fd = (int)test_must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	snprintf(address, sizeof(address), "fd:%d", fd);
	check_refused(address, 0, -ENOTSUP, "neither one end of a pipe nor a connected socket of UNIX, TCP or UDP");
	close(fd);

	test_must(mkfifo(path, 0600));
	fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	snprintf(address, sizeof(address), "fd:%d", fd);
	check_refused(address, 0, -ENOTSUP, "neither one end of a pipe nor a connected socket of UNIX, TCP or UDP");
	close(fd);
	unlink(path);

	test_must(pipe2(fds, O_CLOEXEC));
	snprintf(address, sizeof(address), "fd:%d", fds[0]);
	check_refused(address, NONET_ENDPOINT_SEND, -EBADF, "only reads");
	snprintf(address, sizeof(address), "fd:%d", fds[1]);
	check_refused(address, NONET_ENDPOINT_RECEIVE, -EBADF, "only writes");
	check_refused(address, 3, -EBADF, "only writes");
	close(fds[0]);
	close(fds[1]);
	test_directory_free(directory);
}

static void a_descriptor_stays_open_and_as_it_was(void **state)
{
	struct nonet_endpoint *ends[2] = {NULL, NULL};
	char addresses[2][32];
	size_t size = 0;
	char byte;
	int fds[2];

	(void)state;
	test_must(pipe2(fds, O_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "fd:%d", fds[i]);
		test_check_equal(nonet_endpoint_open(addresses[i], NULL, NONET_NOW, &ends[i], NULL), 0);
		assert_string_equal(nonet_endpoint_address(ends[i]), addresses[i]);
		test_check(nonet_endpoint_fd(ends[i]) != fds[i]);
		test_check(!(test_must(fcntl(fds[i], F_GETFL)) & O_NONBLOCK));
	}
	/* What they may do follows from the descriptor. */
	test_check_equal(nonet_endpoint_send(ends[0], "a", 1, NONET_NOW), -EBADF);
	test_check_equal(nonet_endpoint_receive(ends[1], &byte, 1, NONET_NOW, &size), -EBADF);
	test_check_equal(nonet_endpoint_send(ends[1], "a", 1, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_receive(ends[0], &byte, 1, NONET_NOW, &size), 0);
	for (int i = 0; i < 2; i++) {
		nonet_endpoint_close(ends[i]);
		test_must(fcntl(fds[i], F_GETFD));
		close(fds[i]);
	}
}

static void check_at_its_end(int fd)
{
	struct nonet_endpoint *endpoint = NULL;
	size_t size = 0;
	char address[32];
	char byte;

	snprintf(address, sizeof(address), "fd:%d", fd);
	test_check_equal(nonet_endpoint_open(address, NULL, NONET_NOW, &endpoint, NULL), 0);
	close(fd);
	test_check_equal(nonet_endpoint_receive(endpoint, &byte, 1, test_deadline(), &size), -EPIPE);
	nonet_endpoint_close(endpoint);
}

/* Whose other side left before it was opened. */
static void a_descriptor_without_another_side_is_at_its_end(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "fifo");
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	close(fds[1]);
	check_at_its_end(fds[0]);
	test_must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	close(fds[1]);
	check_at_its_end(fds[0]);
	test_must(mkfifo(path, 0600));
	fds[0] = (int)test_must(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	close((int)test_must(open(path, O_WRONLY | O_CLOEXEC)));
	check_at_its_end(fds[0]);
	unlink(path);
	test_directory_free(directory);
}

static void an_address_is_given_back_in_its_canonical_spelling(void **state)
{
	const char *directory = test_directory_new();
	struct nonet_endpoint *endpoint = NULL;
	char address[256];
	char canonical[256];

	(void)state;
	snprintf(address, sizeof(address), "unix-dgram:%s/%%6e%%61me", directory);
	test_check_equal(open_with(address, LISTENER, NONET_NOW, &endpoint, NULL), 0);
	assert_string_equal(nonet_endpoint_address(endpoint), address_in(directory, "unix-dgram"));
	nonet_endpoint_close(endpoint);
	snprintf(address, sizeof(address), "unix-dgram:@%s%%20%%00%%41", test_name("x"));
	test_check_equal(open_with(address, LISTENER, NONET_NOW, &endpoint, NULL), 0);
	snprintf(canonical, sizeof(canonical), "%.*sA", (int)(strlen(address) - 3), address);
	assert_string_equal(nonet_endpoint_address(endpoint), canonical);
	nonet_endpoint_close(endpoint);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_wrong_address_is_refused_at_its_first_wrong_byte),
		test_case(options_are_checked_before_anything_is_done),
		test_case(what_carries_no_messages_is_refused_with_what_does),
		test_case(each_wrong_way_to_open_is_told_apart),
		test_case(a_socket_of_another_type_or_process_stays),
		test_case(a_descriptor_that_carries_no_messages_is_refused),
		test_case(a_descriptor_stays_open_and_as_it_was),
		test_case(a_descriptor_without_another_side_is_at_its_end),
		test_case(an_address_is_given_back_in_its_canonical_spelling),
	};

	return test_main(tests);
}
