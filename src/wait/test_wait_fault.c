/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "harness/fault.h"
#include "harness/test.h"
#include "sys/event.h"
#include "waitable/waitable.h"

#define SOON test_after(NONET_S(20))

/* A set with one member that is ready by its descriptor, and an object that has read ahead and isn't in it. */
struct scene {
	struct nonet_wait_set *set;
	struct nonet_wake *ready;
	struct nonet_wake *other;
	struct nonet_waitable ahead;
};

struct outputs {
	struct nonet_wait_set *set;
	struct nonet_wait_event events[2];
	size_t count;
};

static int always_ahead(struct nonet_waitable *waitable)
{
	(void)waitable;
	return 1;
}

static void teardown(void *state)
{
	struct scene *scene = state;

	waitable_done(&scene->ahead);
	nonet_wake_free(scene->ready);
	nonet_wake_free(scene->other);
	nonet_wait_set_free(scene->set);
	free(scene);
}

static int setup(void **ret_state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	test_check(scene);
	test_check(nonet_wait_set_new(&scene->set, NULL) == 0);
	test_check(nonet_wake_new(&scene->ready, NULL) == 0);
	test_check(nonet_wake_new(&scene->other, NULL) == 0);
	waitable_init(&scene->ahead, nonet_wake_fd(scene->other), always_ahead);
	test_check(nonet_wait_set_add(scene->set, nonet_wake_waitable(scene->ready), NONET_WAIT_RECEIVE, scene) == 0);
	nonet_wake_signal(scene->ready);
	*ret_state = scene;
	return 0;
}

static int run_new(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	return nonet_wait_set_new(&out->set, NULL);
}

static void release_new(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	nonet_wait_set_free(out->set);
}

static int run_add(void *state, void *outputs)
{
	struct scene *scene = state;

	(void)outputs;
	return nonet_wait_set_add(scene->set, &scene->ahead, NONET_WAIT_RECEIVE, NULL);
}

static int run_change(void *state, void *outputs)
{
	struct scene *scene = state;

	(void)outputs;
	return nonet_wait_set_change(scene->set, nonet_wake_waitable(scene->ready), NONET_WAIT_SEND);
}

/* Succeeds whatever epoll says: it is the descriptor's closing that ends the watch. */
static int run_remove(void *state, void *outputs)
{
	struct scene *scene = state;
	int error = nonet_wait_set_remove(scene->set, nonet_wake_waitable(scene->ready));

	(void)outputs;
	scene->ready = nonet_wake_free(scene->ready);
	return error;
}

static int run_add_fd(void *state, void *outputs)
{
	struct scene *scene = state;

	(void)outputs;
	return nonet_wait_set_add_fd(scene->set, nonet_wake_fd(scene->other), NONET_WAIT_RECEIVE, NULL);
}

static int run_wait(void *state, void *outputs)
{
	struct scene *scene = state;
	struct outputs *out = outputs;

	return nonet_wait(scene->set, out->events, 2, SOON, &out->count);
}

static int setup_ahead(void **ret_state)
{
	int error = setup(ret_state);

	return error < 0 ? error : run_add(*ret_state, NULL);
}

static void every_call_may_fail(void **state)
{
	const struct test_operation operations[] = {
		{.name = "set new", .run = run_new, .release = release_new},
		{.name = "set add", .setup = setup, .run = run_add, .teardown = teardown},
		{.name = "set change", .setup = setup, .run = run_change, .teardown = teardown},
		{.name = "set remove", .setup = setup, .run = run_remove, .teardown = teardown},
		{.name = "set add fd", .setup = setup, .run = run_add_fd, .teardown = teardown},
		{.name = "wait", .setup = setup, .run = run_wait, .teardown = teardown},
		{.name = "wait with one read ahead", .setup = setup_ahead, .run = run_wait, .teardown = teardown},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct test_operation operation = operations[i];

		operation.outputs_size = sizeof(struct outputs);
		test_fault_sweep(&operation);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_call_may_fail),
	};

	return test_main(tests);
}
