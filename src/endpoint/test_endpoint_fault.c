/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/fault.h"
#include "harness/test.h"

#define SOON test_after(NONET_S(20))

/* What stands around an operation. Only what it needs is made. */
struct scene {
	const char *directory;
	char address[256];
	uint32_t flags;
	bool stale; /* the name was there before */
	int fd;     /* the other side of what is opened, or the descriptor that is opened */
	int fd2;    /* ... and its other side */
	struct nonet_unix_listener *listener;
	pthread_t caller;
	atomic_bool calling;
};

struct outputs {
	struct nonet_endpoint *endpoint;
};

static struct scene *scene_new(const char *scheme, uint32_t flags)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	test_check(scene);
	scene->fd = scene->fd2 = -1;
	scene->flags = flags;
	scene->directory = test_directory_new();
	snprintf(scene->address, sizeof(scene->address), "%s:%s/name", scheme, scene->directory);
	return scene;
}

static void scene_free(void *state)
{
	struct scene *scene = state;

	if (atomic_exchange(&scene->calling, false))
		pthread_join(scene->caller, NULL);
	nonet_unix_listener_close(scene->listener);
	if (scene->fd >= 0)
		close(scene->fd);
	if (scene->fd2 >= 0)
		close(scene->fd2);
	(void)unlink(test_path(scene->directory, "name"));
	test_directory_free(scene->directory);
	free(scene);
}

static int run_open(void *state, void *outputs)
{
	const struct scene *scene = state;
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = scene->flags, .mode = 0640};
	struct nonet_error error = {0};
	struct outputs *out = outputs;
	const int code = nonet_endpoint_open(scene->address, &options, SOON, &out->endpoint, &error);

	/* Each failure has its sentence. */
	if (code < 0)
		test_check_equal(error.code, code);
	test_check((code < 0) == (error.text[0] != '\0'));
	/* A socket's name doesn't outlive a failure. */
	if (code < 0 && scene->flags & NONET_ENDPOINT_LISTEN && !scene->stale)
		test_check(access(test_path(scene->directory, "name"), F_OK) < 0);
	return code;
}

static void release_open(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	nonet_endpoint_close(out->endpoint);
}

static void sweep_open(const char *name, int (*setup)(void **ret_state))
{
	static const int allowed[] = {-EAGAIN, -ETIMEDOUT, -EADDRINUSE, 0};
	const struct test_operation operation = {
		.name = name,
		.setup = setup,
		.run = run_open,
		.release = release_open,
		.teardown = scene_free,
		.outputs_size = sizeof(struct outputs),
		.allowed = allowed,
	};

	test_fault_sweep(&operation);
}

/* A FIFO with its other side open. */
static int setup_fifo(void **ret_state, uint32_t flags)
{
	struct scene *scene = scene_new("fifo", flags | NONET_ENDPOINT_WAIT);

	scene->stale = true;
	test_must(mkfifo(test_path(scene->directory, "name"), 0600));
	scene->fd = (int)test_must(open(test_path(scene->directory, "name"), O_RDWR | O_CLOEXEC));
	*ret_state = scene;
	return 0;
}

static int setup_fifo_sender(void **ret_state)
{
	return setup_fifo(ret_state, NONET_ENDPOINT_SEND);
}

static int setup_fifo_receiver(void **ret_state)
{
	return setup_fifo(ret_state, NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN);
}

/* A listener that a connection is made to. */
static int setup_connect(void **ret_state, const char *scheme, enum nonet_unix_type type)
{
	struct scene *scene = scene_new(scheme, NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE);

	test_check_equal(
		nonet_unix_listen(test_path(scene->directory, "name"), type, NULL, SOON, &scene->listener, NULL), 0);
	*ret_state = scene;
	return 0;
}

static int setup_connect_stream(void **ret_state)
{
	return setup_connect(ret_state, "unix", NONET_UNIX_STREAM);
}

static int setup_connect_packet(void **ret_state)
{
	return setup_connect(ret_state, "unix-seqpacket", NONET_UNIX_SEQPACKET);
}

/* Connects to whoever listens, again and again. Faults are a thread's own, so it has none. */
static void *call_always(void *argument)
{
	struct scene *scene = argument;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int kind = strstr(scene->address, "seqpacket:") ? SOCK_SEQPACKET : SOCK_STREAM;
	int fds[4] = {-1, -1, -1, -1};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", strchr(scene->address, ':') + 1);
	for (int i = 0; atomic_load(&scene->calling); i = (i + 1) % 4) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		while (atomic_load(&scene->calling) &&
		       connect(fds[i], (struct sockaddr *)&address, sizeof(address)) < 0)
			sched_yield();
	}
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return NULL;
}

static int setup_accept(void **ret_state, const char *scheme)
{
	struct scene *scene = scene_new(scheme, NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN);

	atomic_store(&scene->calling, true);
	test_check(pthread_create(&scene->caller, NULL, call_always, scene) == 0);
	*ret_state = scene;
	return 0;
}

static int setup_accept_stream(void **ret_state)
{
	return setup_accept(ret_state, "unix");
}

static int setup_accept_packet(void **ret_state)
{
	return setup_accept(ret_state, "unix-seqpacket");
}

static int setup_bind(void **ret_state)
{
	*ret_state = scene_new("unix-dgram", NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN);
	return 0;
}

/* The name that a dead process left behind. */
static int setup_bind_stale(void **ret_state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)test_must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	setup_bind(ret_state);
	((struct scene *)*ret_state)->stale = true;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 strchr(((struct scene *)*ret_state)->address, ':') + 1);
	test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return 0;
}

static int setup_fd_pipe(void **ret_state)
{
	struct scene *scene = scene_new("fd", NONET_ENDPOINT_RECEIVE);
	int fds[2];

	test_must(pipe2(fds, O_CLOEXEC));
	scene->fd = fds[0];
	scene->fd2 = fds[1];
	snprintf(scene->address, sizeof(scene->address), "fd:%d", fds[0]);
	*ret_state = scene;
	return 0;
}

static int setup_fd_stream(void **ret_state)
{
	struct scene *scene = scene_new("fd", 0);
	int fds[2];

	test_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	scene->fd = fds[0];
	scene->fd2 = fds[1];
	snprintf(scene->address, sizeof(scene->address), "fd:%d", fds[0]);
	*ret_state = scene;
	return 0;
}

static void opening_survives_every_failing_call(void **state)
{
	(void)state;
	sweep_open("open fifo to send", setup_fifo_sender);
	sweep_open("open fifo to receive", setup_fifo_receiver);
	sweep_open("open unix, connecting", setup_connect_stream);
	sweep_open("open unix-seqpacket, connecting", setup_connect_packet);
	sweep_open("open unix, listening", setup_accept_stream);
	sweep_open("open unix-seqpacket, listening", setup_accept_packet);
	sweep_open("open unix-dgram to receive", setup_bind);
	sweep_open("open unix-dgram over a stale name", setup_bind_stale);
	sweep_open("open fd of a pipe", setup_fd_pipe);
	sweep_open("open fd of a stream", setup_fd_stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(opening_survives_every_failing_call),
	};

	return test_main(tests);
}
