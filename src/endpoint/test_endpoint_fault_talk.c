/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/fault.h"
#include "harness/test.h"

#define SOON test_after(NONET_S(20))

struct scene {
	const char *directory; /* NULL but where a name is bound */
	struct nonet_endpoint *sender;
	struct nonet_endpoint *receiver;
	size_t size; /* of each message */
};

struct outputs {
	size_t size;
};

static struct scene *scene_new(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	test_check(scene);
	return scene;
}

static void scene_free(void *state)
{
	struct scene *scene = state;

	nonet_endpoint_close(scene->sender);
	nonet_endpoint_close(scene->receiver);
	/* A fault may have kept it from being removed. */
	if (scene->directory)
		(void)unlink(test_path(scene->directory, "name"));
	test_directory_free(scene->directory);
	free(scene);
}

/* Both sides, in one process; @type 0 is a pipe. */
static void scene_talk(struct scene *scene, int type)
{
	struct nonet_endpoint **ends[2] = {&scene->receiver, &scene->sender};
	char address[32];
	int fds[2];

	test_must(type ? socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		snprintf(address, sizeof(address), "fd:%d", fds[i]);
		test_check_equal(nonet_endpoint_open(address, NULL, NONET_NOW, ends[i], NULL), 0);
		close(fds[i]);
	}
}

static int setup_talk(void **ret_state, int type, size_t size, bool sent)
{
	static const uint8_t bytes[100000];
	struct scene *scene = scene_new();

	scene->size = size;
	scene_talk(scene, type);
	for (int i = 0; sent && i < 2; i++)
		test_check_equal(nonet_endpoint_send(scene->sender, bytes, size, NONET_NOW), 0);
	*ret_state = scene;
	return 0;
}

static int setup_pipe_send(void **ret_state)
{
	return setup_talk(ret_state, 0, 20000, false);
}

static int setup_stream_send(void **ret_state)
{
	return setup_talk(ret_state, SOCK_STREAM, 20000, false);
}

static int setup_packet_send(void **ret_state)
{
	return setup_talk(ret_state, SOCK_SEQPACKET, 20000, false);
}

static int setup_datagram_send(void **ret_state)
{
	return setup_talk(ret_state, SOCK_DGRAM, 20000, false);
}

static int setup_pipe_receive(void **ret_state)
{
	return setup_talk(ret_state, 0, 20000, true);
}

static int setup_stream_receive(void **ret_state)
{
	return setup_talk(ret_state, SOCK_STREAM, 70000, true);
}

static int setup_packet_receive(void **ret_state)
{
	return setup_talk(ret_state, SOCK_SEQPACKET, 20000, true);
}

static int setup_datagram_receive(void **ret_state)
{
	return setup_talk(ret_state, SOCK_DGRAM, 20000, true);
}

static int run_send(void *state, void *outputs)
{
	static const uint8_t bytes[100000];
	const struct scene *scene = state;

	(void)outputs;
	return nonet_endpoint_send(scene->sender, bytes, scene->size, SOON);
}

/* Exactly one message arrived, after however many attempts. */
static void release_send(void *state, void *outputs)
{
	static uint8_t bytes[100000];
	const struct scene *scene = state;
	size_t size = 0;

	(void)outputs;
	test_check_equal(nonet_endpoint_receive(scene->receiver, bytes, sizeof(bytes), SOON, &size), 0);
	test_check_equal(size, scene->size);
	test_check_equal(nonet_endpoint_receive(scene->receiver, bytes, sizeof(bytes), NONET_NOW, &size), -EAGAIN);
}

/* A short buffer first, the size, then the message: all the ways in. */
static int run_receive(void *state, void *outputs)
{
	static uint8_t bytes[100000];
	const struct scene *scene = state;
	struct outputs *out = outputs;
	size_t size = 0;
	int code = nonet_endpoint_receive(scene->receiver, bytes, 1000, SOON, &size);

	if (code != -EMSGSIZE)
		return code == 0 ? -EIO : code;
	code = nonet_endpoint_message_size(scene->receiver, SOON, &size);
	if (code < 0)
		return code;
	test_check_equal(size, scene->size);
	return nonet_endpoint_receive(scene->receiver, bytes, scene->size, SOON, &out->size);
}

static void release_receive(void *state, void *outputs)
{
	const struct outputs *out = outputs;
	const struct scene *scene = state;

	test_check_equal(out->size, scene->size);
}

static void sweep_talk(const char *name, int (*setup)(void **ret_state), bool send)
{
	const struct test_operation operation = {
		.name = name,
		.setup = setup,
		.run = send ? run_send : run_receive,
		.release = send ? release_send : release_receive,
		.teardown = scene_free,
		.outputs_size = sizeof(struct outputs),
	};

	test_fault_sweep(&operation);
}

static void sending_survives_every_failing_call(void **state)
{
	(void)state;
	sweep_talk("send to a pipe", setup_pipe_send, true);
	sweep_talk("send to a stream", setup_stream_send, true);
	sweep_talk("send a packet", setup_packet_send, true);
	sweep_talk("send a datagram", setup_datagram_send, true);
}

static void receiving_survives_every_failing_call(void **state)
{
	(void)state;
	sweep_talk("receive from a pipe", setup_pipe_receive, false);
	sweep_talk("receive from a stream", setup_stream_receive, false);
	sweep_talk("receive a packet", setup_packet_receive, false);
	sweep_talk("receive a datagram", setup_datagram_receive, false);
}

/* With something to do: a name to remove; the rest of a message to pay. */
static int setup_close_bound(void **ret_state)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = NONET_ENDPOINT_LISTEN};
	struct scene *scene = scene_new();
	char address[256];

	scene->directory = test_directory_new();
	snprintf(address, sizeof(address), "unix-dgram:%s/name", scene->directory);
	test_check_equal(nonet_endpoint_open(address, &options, SOON, &scene->receiver, NULL), 0);
	*ret_state = scene;
	return 0;
}

static int setup_close_owing(void **ret_state)
{
	/* More than there is room for: some of it goes in. */
	static const uint8_t bytes[1000000];
	static uint8_t taken[1000000];
	struct scene *scene;
	size_t size;

	setup_talk(ret_state, SOCK_STREAM, 70000, false);
	scene = *ret_state;
	test_check_equal(nonet_endpoint_send(scene->sender, bytes, sizeof(bytes), NONET_NOW), -EAGAIN);
	test_check_equal(nonet_endpoint_read(scene->receiver, taken, sizeof(taken), NONET_NOW, &size), 0);
	return 0;
}

static int run_close(void *state, void *outputs)
{
	struct scene *scene = state;

	(void)outputs;
	if (scene->sender)
		scene->sender = nonet_endpoint_close(scene->sender);
	else
		scene->receiver = nonet_endpoint_close(scene->receiver);
	return 0;
}

static void sweep_close(const char *name, int (*setup)(void **ret_state))
{
	const struct test_operation operation = {
		.name = name,
		.setup = setup,
		.run = run_close,
		.teardown = scene_free,
	};

	test_fault_sweep(&operation);
}

static void closing_survives_every_failing_call(void **state)
{
	(void)state;
	sweep_close("close unix-dgram", setup_close_bound);
	sweep_close("close a stream that owes", setup_close_owing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(sending_survives_every_failing_call),
		test_case(receiving_survives_every_failing_call),
		test_case(closing_survives_every_failing_call),
	};

	return test_main(tests);
}
