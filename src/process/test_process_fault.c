/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call of process.h, with every one of its system calls failing in turn: those that the child makes before its
 * exec too, as it shares the fault plan with us as it does all memory.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/fault.h"
#include "process/test_process.h"

struct world {
	struct nonet_process *process;
	int pidfd;
};

static const char *const arguments[] = {"/bin/cat", NULL};

/* Looked up, in a directory that isn't in it too. */
static const char *const searched[] = {"true", NULL};

static nonet_time soon(void)
{
	return nonet_after(NONET_S(1) * test_slowness());
}

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	world->process = spawn_with(&piped, arguments);
	world->pidfd = (int)test_must(syscall(SYS_pidfd_open, nonet_process_pid(world->process), 0));
	*ret_state = world;
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	(void)!nonet_process_signal(world->process, SIGKILL, NULL);
	test_check_equal(nonet_process_wait(world->process, test_deadline(), NULL), 0);
	/* A handle that was told there is no such child doesn't reap it. */
	(void)waitpid(nonet_process_pid(world->process), NULL, WNOHANG);
	nonet_process_close(world->process);
	if (world->pidfd >= 0)
		test_must(close(world->pidfd));
	free(world);
}

/* One whose child has ended. */
static int new_ended_world(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	nonet_process_finish_input(world->process);
	test_check_equal(test_poll(&(struct pollfd){.fd = world->pidfd, .events = POLLIN}, 1, test_deadline()), 1);
	return 0;
}

static int run_spawn(void *state, void *outputs)
{
	const struct nonet_process_descriptor descriptors[] = {{.ours = 0, .theirs = 7}};
	struct nonet_process_options options = piped;
	struct nonet_error error;
	int result;

	(void)state;
	options.error.kind = NONET_PROCESS_NULL;
	options.directory = "/";
	options.descriptors = descriptors;
	options.descriptors_count = 1;
	options.death_signal = SIGKILL;
	options.flags = NONET_PROCESS_NEW_GROUP;
	result = nonet_process_spawn(arguments, &options, outputs, &error);
	test_check(result == 0 || error.code == result);
	return result;
}

static int run_spawn_searched(void *state, void *outputs)
{
	(void)state;
	return nonet_process_spawn(searched, NULL, outputs, NULL);
}

static void end_it(void *state, void *outputs)
{
	struct nonet_process *process = *(struct nonet_process **)outputs;

	(void)state;
	nonet_process_finish_input(process);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
}

static void close_it(void *state, void *outputs)
{
	(void)state;
	nonet_process_close(*(struct nonet_process **)outputs);
}

static int run_open(void *state, void *outputs)
{
	return nonet_process_open(nonet_process_pid(((struct world *)state)->process), outputs, NULL);
}

static int run_take(void *state, void *outputs)
{
	struct world *world = state;
	const int number = world->pidfd;
	int error = nonet_process_take_pidfd(&world->pidfd, outputs, NULL);

	test_check_equal(world->pidfd, error < 0 ? number : -1);
	return error;
}

static int run_wait(void *state, void *outputs)
{
	return nonet_process_wait(((struct world *)state)->process, soon(), outputs);
}

/* It still runs. */
static int run_wait_in_vain(void *state, void *outputs)
{
	int error = nonet_process_wait(((struct world *)state)->process, nonet_after(NONET_MS(5)), NULL);

	(void)outputs;
	return error == -ETIMEDOUT ? 0 : error;
}

static int run_stop(void *state, void *outputs)
{
	return nonet_process_stop(((struct world *)state)->process, soon(), nonet_after(NONET_S(5)), outputs);
}

static int run_kill(void *state, void *outputs)
{
	return nonet_process_stop(((struct world *)state)->process, NONET_NOW, nonet_after(NONET_S(5)), outputs);
}

static int run_signal(void *state, void *outputs)
{
	(void)outputs;
	return nonet_process_signal(((struct world *)state)->process, SIGCONT, NULL);
}

#define IN_WORLD  .setup = new_world, .teardown = free_world
#define A_PROCESS .outputs_size = sizeof(struct nonet_process *)
#define A_STATUS  .outputs_size = sizeof(struct nonet_process_status)

static const struct test_operation operations[] = {
	{.name = "process spawn", .run = run_spawn, .release = end_it, A_PROCESS, .persistent = true},
	{.name = "process spawn searched", .run = run_spawn_searched, .release = end_it, A_PROCESS, .persistent = true},
	{.name = "process open", IN_WORLD, .run = run_open, .release = close_it, A_PROCESS},
	{.name = "process take", IN_WORLD, .run = run_take, .release = close_it, A_PROCESS},
	{.name = "process wait", .setup = new_ended_world, .teardown = free_world, .run = run_wait, A_STATUS},
	{.name = "process wait in vain", IN_WORLD, .run = run_wait_in_vain},
	{.name = "process stop", IN_WORLD, .run = run_stop, A_STATUS},
	{.name = "process stop by force", IN_WORLD, .run = run_kill, A_STATUS},
	{.name = "process signal", IN_WORLD, .run = run_signal},
};

static void no_failure_of_the_kernel_breaks_a_process(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_process, &long_one),
	};

	return test_main(tests);
}
