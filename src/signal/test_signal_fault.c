/* SPDX-License-Identifier: Apache-2.0 */
#include <nonet/signal.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/fault.h"
#include "harness/test.h"

/* Every call of signal.h, with every one of its system calls failing in turn. */

struct world {
	struct nonet_signal *signal;
	int pidfd;
};

#define REAL_TIME 40 /* SIGRTMIN is no constant */

static const int numbers[] = {SIGTERM, REAL_TIME};
static const int value = 5;

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	world->pidfd = (int)test_must(syscall(SYS_pidfd_open, getpid(), 0));
	test_check_equal(nonet_signal_open(numbers, 2, NULL, &world->signal, NULL), 0);
	test_check_equal(nonet_signal_send(getpid(), SIGTERM, NULL, NULL), 0);
	*ret_state = world;
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;
	struct nonet_signal_info info;

	while (nonet_signal_receive(world->signal, NONET_NOW, &info) == 0)
		;
	nonet_signal_close(world->signal);
	test_must(close(world->pidfd));
	free(world);
}

static uint64_t mask_now(void)
{
	uint64_t mask = 0;

	test_must(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask)));
	return mask;
}

static int run_open(void *state, void *outputs)
{
	const uint64_t before = mask_now();
	int error = nonet_signal_open(numbers, 2, NULL, outputs, NULL);

	(void)state;
	test_check(error == 0 || mask_now() == before);
	return error;
}

static void close_it(void *state, void *outputs)
{
	(void)state;
	nonet_signal_close(*(struct nonet_signal **)outputs);
}

static int run_receive(void *state, void *outputs)
{
	return nonet_signal_receive(((struct world *)state)->signal, nonet_after(NONET_MS(50)), outputs);
}

/* Nothing is there, so it waits. */
static int run_wait(void *state, void *outputs)
{
	struct world *world = state;
	struct nonet_signal_info info;
	int error = nonet_signal_receive(world->signal, NONET_NOW, &info);

	(void)outputs;
	if (error < 0 && error != -EAGAIN)
		return error;
	error = nonet_signal_receive(world->signal, nonet_after(NONET_MS(5)), &info);
	return error == -ETIMEDOUT ? 0 : error;
}

static int run_send(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_signal_send(getpid(), SIGTERM, NULL, NULL);
}

static int run_send_value(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_signal_send(getpid(), REAL_TIME, &value, NULL);
}

static int run_send_pidfd(void *state, void *outputs)
{
	(void)outputs;
	return nonet_signal_send_pidfd(((struct world *)state)->pidfd, REAL_TIME, &value, NULL);
}

static int run_send_thread(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_signal_send_thread(getpid(), (pid_t)syscall(SYS_gettid), REAL_TIME, &value, NULL);
}

/* What is stopped goes on, and nothing is: it does no harm to anybody in our group. */
static int run_send_group(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_signal_send_group(getpgrp(), SIGCONT, NULL, NULL);
}

static int run_block(void *state, void *outputs)
{
	uint64_t before;
	int error = nonet_signal_block(numbers, 2, &before);

	(void)state;
	(void)outputs;
	if (error == 0)
		nonet_signal_restore(before);
	return error;
}

#define IN_WORLD .setup = new_world, .teardown = free_world

static const struct test_operation operations[] = {
	{.name = "signal open", .run = run_open, .release = close_it, .outputs_size = sizeof(struct nonet_signal *)},
	{.name = "signal receive", IN_WORLD, .run = run_receive, .outputs_size = sizeof(struct nonet_signal_info)},
	{.name = "signal wait", IN_WORLD, .run = run_wait, .not_repeatable = true},
	{.name = "signal send", IN_WORLD, .run = run_send},
	{.name = "signal send value", IN_WORLD, .run = run_send_value},
	{.name = "signal send pidfd", IN_WORLD, .run = run_send_pidfd},
	{.name = "signal send thread", IN_WORLD, .run = run_send_thread},
	{.name = "signal send group", .run = run_send_group},
};

static void no_failure_of_the_kernel_breaks_a_receiver(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
	test_check_equal(run_block(NULL, NULL), 0);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_receiver, &long_one),
	};

	return test_main(tests);
}
