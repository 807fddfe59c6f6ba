/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "sys/fault.h"
#include "unix/test_unix_fault.h"

/* Every call of unix.h that is about a name, with every one of its system calls failing in turn. */

/*
 * Somebody listens, and two clients wait to be accepted: one is lost if an option can't be set of the connection, which
 * the kernel has no reason to refuse. Where it has, a_client_waits_while_there_is_no_room has the promise.
 */
static int new_listener(void **ret_state)
{
	struct nonet_unix_listener **listener = calloc(1, sizeof(*listener));
	struct nonet_unix *client;

	test_check(listener != NULL);
	*ret_state = listener;
	test_check_equal(nonet_unix_listen(path, swept, &sized, soon(), listener, NULL), 0);
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_unix_connect(path, swept, NULL, soon(), &client, NULL), 0);
		nonet_unix_close(client);
	}
	return 0;
}

static void free_listener(void *state)
{
	struct nonet_unix_listener **listener = state;

	nonet_unix_listener_close(*listener);
	free(listener);
}

/* A path without a process. */
static int leave_stale(void **ret_state)
{
	const struct nonet_unix_options keep = {.size = sizeof(keep), .flags = NONET_UNIX_KEEP_PATH};
	struct nonet_unix *socket;

	(void)ret_state;
	test_check_equal(nonet_unix_bind(path, &keep, soon(), &socket, NULL), 0);
	nonet_unix_close(socket);
	return 0;
}

static void remove_stale(void *state)
{
	(void)state;
	(void)unlink(path);
}

static int run_listen(void *state, void *outputs)
{
	const mode_t before = umask(0177);
	const bool stale = access(path, F_OK) == 0;
	const struct nonet_unix_options options = {.size = sizeof(options), .mode = 0666};
	struct stat status;
	int error;

	(void)state;
	error = nonet_unix_listen(path, swept, &options, nonet_after(NONET_MS(50)), outputs, NULL);
	umask(before);
	/* On failure nothing of ours is left, and a path that is there let nobody in that shouldn't be. */
	test_check(error == 0 || stale || access(path, F_OK) < 0);
	if (error == 0)
		test_check(stat(path, &status) == 0 && (status.st_mode & 07777) == 0666);
	return error;
}

static void release_listener(void *state, void *outputs)
{
	(void)state;
	nonet_unix_listener_close(*(struct nonet_unix_listener **)outputs);
	test_check(access(path, F_OK) < 0);
}

static int run_bind(void *state, void *outputs)
{
	const bool stale = access(path, F_OK) == 0;
	int error = nonet_unix_bind(path, NULL, nonet_after(NONET_MS(50)), outputs, NULL);

	(void)state;
	test_check(error == 0 || stale || access(path, F_OK) < 0);
	return error;
}

static int run_connect(void *state, void *outputs)
{
	(void)state;
	return nonet_unix_connect(path, swept, &sized, nonet_after(NONET_MS(50)), outputs, NULL);
}

static int run_accept(void *state, void *outputs)
{
	return nonet_unix_accept(*(struct nonet_unix_listener **)state, nonet_after(NONET_MS(50)), outputs);
}

static int run_close_listener(void *state, void *outputs)
{
	struct nonet_unix_listener **listener = state;

	(void)outputs;
	*listener = nonet_unix_listener_close(*listener);
	(void)unlink(path);
	return 0;
}

static void a_client_waits_while_there_is_no_room(void **state)
{
	static const struct {
		enum sys_call call;
		int error;
	} faults[] = {{SYS_CALL_ALLOCATE, ENOMEM}, {SYS_CALL_ACCEPT, EMFILE}, {SYS_CALL_ACCEPT, ENFILE}};
	struct nonet_unix_listener *listener;
	struct nonet_unix *client;
	struct nonet_unix *server = NULL;
	const char *name = "@nonet-test-no-room";

	(void)state;
	assert_int_equal(nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, NULL), 0);
	assert_int_equal(nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &client, NULL), 0);
	for (int i = 0; i < 3; i++) {
		sys_fault_arm_kind(faults[i].call, faults[i].error);
		assert_int_equal(nonet_unix_accept(listener, NONET_FOREVER, &server), -faults[i].error);
		sys_fault_disarm();
	}
	assert_null(server);
	assert_int_equal(nonet_unix_accept(listener, NONET_NOW, &server), 0);
	assert_int_equal(send_filled(client, 10, 1, NONET_NOW), 0);
	expect_filled(server, 10, 1);
	close_pair(client, server);
	nonet_unix_listener_close(listener);
}

#define LISTENING  .run = run_listen, .release = release_listener, A_POINTER, .allowed = lock_codes
#define RECEIVING  .run = run_bind, .release = close_first, A_POINTER, .allowed = lock_codes
#define LEFT_STALE .setup = leave_stale, .teardown = remove_stale

/* A lock that can't be had leaves a stale path alone; a failed bind(2) may say that it is taken. */
static const int lock_codes[] = {-EAGAIN, -ETIMEDOUT, -EADDRINUSE, 0};

static const struct fault_row rows[] = {
	{CONNECTED, {.name = "unix listen", LISTENING}},
	{CONNECTED, {.name = "unix listen on a stale path", LEFT_STALE, LISTENING}},
	{DATAGRAM, {.name = "unix bind", RECEIVING}},
	{DATAGRAM, {.name = "unix bind to a stale path", LEFT_STALE, RECEIVING}},
	{CONNECTED,
	 {.name = "unix connect",
	  .setup = new_listener,
	  .run = run_connect,
	  .release = close_first,
	  .teardown = free_listener,
	  A_POINTER}},
	{CONNECTED,
	 {.name = "unix accept",
	  .setup = new_listener,
	  .run = run_accept,
	  .release = close_first,
	  .teardown = free_listener,
	  A_POINTER}},
	{CONNECTED,
	 {.name = "unix close listener", .setup = new_listener, .run = run_close_listener, .teardown = free_listener}},
};

static void no_failure_of_the_kernel_breaks_a_name(void **state)
{
	(void)state;
	sweep_all(rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_name, &long_one),
		test_case(a_client_waits_while_there_is_no_room),
	};

	return test_main(tests);
}
