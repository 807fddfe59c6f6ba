/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>

#include "harness/fault.h"
#include "queue/test_queue.h"

/* Every call of queue.h on both carriers, with every one of its system calls failing in turn. */

struct world {
	const char *address;
	struct nonet_queue *queue;
	struct nonet_queue *other; /* so that what the first one does is seen */
};

static bool posix;

#define SOON nonet_after(NONET_S(1))

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world);
	world->address = posix ? new_posix() : new_sysv();
	return world;
}

static int setup_nothing(void **ret_state)
{
	*ret_state = world_new();
	return 0;
}

static int setup_empty(void **ret_state)
{
	struct world *world = world_new();

	world->other = make(world->address);
	test_check_equal(nonet_queue_open(world->address, NULL, &world->queue, NULL), 0);
	*ret_state = world;
	return 0;
}

static void put(struct world *world, size_t size)
{
	static const uint8_t bytes[8192];

	test_check_equal(nonet_queue_send(world->other, bytes, size, NULL, NONET_NOW), 0);
}

static int setup_one(void **ret_state)
{
	setup_empty(ret_state);
	put(*ret_state, 100);
	return 0;
}

static int setup_full(void **ret_state)
{
	static const uint8_t bytes[1000];
	struct world *world;

	setup_empty(ret_state);
	world = *ret_state;
	while (nonet_queue_send(world->other, bytes, sizeof(bytes), NULL, NONET_NOW) == 0)
		;
	return 0;
}

static int setup_waiting(void **ret_state)
{
	struct world *world;

	setup_empty(ret_state);
	world = *ret_state;
	test_check_equal(nonet_queue_arm(world->queue), 0);
	return 0;
}

/* Of POSIX: in hand because of its size; of System V: an empty one that the helper has taken. */
static int setup_in_hand(void **ret_state)
{
	struct pollfd item = {.events = POLLIN};
	struct world *world;
	size_t size;

	setup_waiting(ret_state);
	world = *ret_state;
	put(world, 0);
	item.fd = nonet_queue_fd(world->queue);
	test_check_equal(test_poll(&item, 1, test_deadline()), 1);
	if (posix)
		test_check_equal(nonet_queue_message_size(world->queue, NULL, NONET_NOW, &size), 0);
	return 0;
}

static void teardown(void *state)
{
	struct world *world = state;

	nonet_queue_close(world->queue);
	nonet_queue_close(world->other);
	/* It may have been removed, or never made. */
	test_check(nonet_queue_unlink(world->address, NULL) == 0 || !world->other);
	free(world);
}

static int run_create(void *state, void *outputs)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .depth = 2, .message_size = 50};
	const struct world *world = state;

	return nonet_queue_create(world->address, &options, outputs, NULL);
}

static int run_reuse(void *state, void *outputs)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .flags = NONET_QUEUE_REUSE};
	const struct world *world = state;

	return nonet_queue_create(world->address, &options, outputs, NULL);
}

static int run_open(void *state, void *outputs)
{
	const struct world *world = state;

	return nonet_queue_open(world->address, NULL, outputs, NULL);
}

static void release_queue(void *state, void *outputs)
{
	(void)state;
	nonet_queue_close(*(struct nonet_queue **)outputs);
}

static int run_unlink(void *state, void *outputs)
{
	struct world *world = state;
	int code = nonet_queue_unlink(world->address, NULL);

	(void)outputs;
	if (code == 0)
		world->other = nonet_queue_close(world->other);
	return code;
}

static int run_send(void *state, void *outputs)
{
	const struct world *world = state;

	(void)outputs;
	return nonet_queue_send(world->queue, "hello", 5, NULL, SOON);
}

/* After however many attempts there is exactly one. */
static void release_send(void *state, void *outputs)
{
	const struct world *world = state;
	struct nonet_queue_message message;
	uint8_t bytes[8192];

	(void)outputs;
	test_check_equal(nonet_queue_receive(world->other, bytes, sizeof(bytes), NULL, NONET_NOW, &message), 0);
	test_check(message.size == 5 && memcmp(bytes, "hello", 5) == 0);
	test_check_equal(nonet_queue_receive(world->other, bytes, sizeof(bytes), NULL, NONET_NOW, &message), -EAGAIN);
}

/* There is no room, so it waits. */
static int run_send_in_vain(void *state, void *outputs)
{
	static const uint8_t bytes[1000];
	const struct world *world = state;
	int code = nonet_queue_send(world->queue, bytes, sizeof(bytes), NULL, nonet_after(NONET_MS(3)));

	(void)outputs;
	return code == -ETIMEDOUT ? 0 : code;
}

static int run_receive(void *state, void *outputs)
{
	const struct world *world = state;
	uint8_t bytes[8192];

	return nonet_queue_receive(world->queue, bytes, sizeof(bytes), NULL, SOON, outputs);
}

/* A buffer that is too small first. */
static int run_receive_small(void *state, void *outputs)
{
	const struct world *world = state;
	uint8_t bytes[100];
	int code = nonet_queue_receive(world->queue, bytes, 10, NULL, SOON, outputs);

	if (code != -EMSGSIZE)
		return code == 0 ? -EIO : code;
	return nonet_queue_receive(world->queue, bytes, sizeof(bytes), NULL, SOON, outputs);
}

static void release_receive(void *state, void *outputs)
{
	const struct nonet_queue_message *message = outputs;

	(void)state;
	test_check(message->size == 100 || message->size == 0);
}

static int run_receive_in_vain(void *state, void *outputs)
{
	const struct world *world = state;
	struct nonet_queue_message message;
	uint8_t bytes[8192];
	int code = nonet_queue_receive(world->queue, bytes, sizeof(bytes), NULL, nonet_after(NONET_MS(3)), &message);

	(void)outputs;
	return code == -ETIMEDOUT ? 0 : code;
}

static int run_message_size(void *state, void *outputs)
{
	const struct world *world = state;

	return nonet_queue_message_size(world->queue, NULL, SOON, outputs);
}

static int run_peek(void *state, void *outputs)
{
	const struct world *world = state;
	uint8_t bytes[8192];

	return nonet_queue_peek(world->queue, 0, bytes, sizeof(bytes), outputs);
}

static int run_drain(void *state, void *outputs)
{
	const struct world *world = state;

	return nonet_queue_drain(world->queue, outputs);
}

static int run_status(void *state, void *outputs)
{
	const struct world *world = state;

	return nonet_queue_status(world->queue, outputs);
}

static int run_notify(void *state, void *outputs)
{
	const struct world *world = state;
	int code = nonet_queue_notify(world->queue, SIGUSR1, 1);

	(void)outputs;
	return code < 0 ? code : nonet_queue_notify(world->queue, 0, 0);
}

static int run_arm(void *state, void *outputs)
{
	const struct world *world = state;
	int fd = nonet_queue_fd(world->queue);

	(void)outputs;
	return fd < 0 ? fd : nonet_queue_arm(world->queue);
}

static int run_close(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	world->queue = nonet_queue_close(world->queue);
	return 0;
}

#define IN(setup_name)        .setup = setup_name, .teardown = teardown
#define GIVES(type, released) .release = released, .outputs_size = sizeof(type)

/* A removed queue, and one that another made first, are what a failing call looks like from above. */
static const int allowed[] = {-EAGAIN, -ETIMEDOUT, -EIDRM, -ENOENT, -EEXIST, -EOPNOTSUPP, 0};

static const struct test_operation operations[] = {
	{.name = "create", IN(setup_nothing), .run = run_create, GIVES(struct nonet_queue *, release_queue)},
	{.name = "create or open", IN(setup_empty), .run = run_reuse, GIVES(struct nonet_queue *, release_queue)},
	{.name = "open", IN(setup_empty), .run = run_open, GIVES(struct nonet_queue *, release_queue)},
	{.name = "unlink", IN(setup_empty), .run = run_unlink},
	{.name = "send", IN(setup_empty), .run = run_send, .release = release_send},
	{.name = "send in vain", IN(setup_full), .run = run_send_in_vain},
	{.name = "receive", IN(setup_one), .run = run_receive, GIVES(struct nonet_queue_message, release_receive)},
	{.name = "receive with too small a buffer",
	 IN(setup_one),
	 .run = run_receive_small,
	 GIVES(struct nonet_queue_message, release_receive)},
	{.name = "receive in vain", IN(setup_empty), .run = run_receive_in_vain},
	{.name = "message size", IN(setup_one), .run = run_message_size, GIVES(size_t, NULL)},
	{.name = "drain", IN(setup_one), .run = run_drain, GIVES(uint64_t, NULL)},
	{.name = "status", IN(setup_one), .run = run_status, GIVES(struct nonet_queue_status, NULL)},
	{.name = "close while waiting", IN(setup_waiting), .run = run_close},
	{.name = "close with a message in hand", IN(setup_in_hand), .run = run_close},
};

static const struct test_operation operations_of_posix[] = {
	{.name = "notify", IN(setup_empty), .run = run_notify, .not_repeatable = true},
};

static const struct test_operation operations_of_sysv[] = {
	{.name = "peek", IN(setup_one), .run = run_peek, GIVES(struct nonet_queue_message, NULL)},
	{.name = "receive what is in hand",
	 IN(setup_in_hand),
	 .run = run_receive,
	 GIVES(struct nonet_queue_message, release_receive)},
	{.name = "arm", IN(setup_empty), .run = run_arm},
	{.name = "arm when ready", IN(setup_one), .run = run_arm},
};

static void sweep(const struct test_operation *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct test_operation operation = list[i];
		char name[64];

		snprintf(name, sizeof(name), "%s %s", posix ? "posixmq" : "sysvmsg", operation.name);
		operation.name = name;
		operation.allowed = allowed;
		test_fault_sweep(&operation);
	}
}

#define SWEEP(list) sweep((list), sizeof(list) / sizeof((list)[0]))

static void no_failure_of_the_kernel_breaks_a_posix_queue(void **state)
{
	(void)state;
	posix = true;
	SWEEP(operations);
	SWEEP(operations_of_posix);
}

static void no_failure_of_the_kernel_breaks_a_system_v_queue(void **state)
{
	(void)state;
	posix = false;
	SWEEP(operations);
	SWEEP(operations_of_sysv);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_posix_queue, &long_one),
		test_case_with(no_failure_of_the_kernel_breaks_a_system_v_queue, &long_one),
	};

	return test_main(tests);
}
