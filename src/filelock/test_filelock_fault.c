/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of filelock.h, on each kind of lock, with every one of its system calls failing in turn. */
#include <stdlib.h>

#include <nonet/wait.h>

#include "filelock/test_filelock.h"
#include "harness/fault.h"

static const char *scheme;

/* Our handle, and another process that has the lock, if there is to be one. */
struct world {
	struct nonet_filelock *lock;
	struct test_child *holder;
};

static const struct nonet_filelock_options checks = {
	.size = sizeof(checks),
	.flags = NONET_FILELOCK_CREATE | NONET_FILELOCK_CHECK_PATH,
	.mode = 0666,
};

static nonet_time soon(void)
{
	return nonet_after(NONET_S(1) * test_slowness());
}

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	world->lock = open_lock(scheme, &checks);
	*ret_state = world;
	return 0;
}

static int hold_it(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock(scheme, NULL);

	(void)argument;
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, test_deadline()), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int new_held_world(void **ret_state)
{
	struct test_child *holder = test_child_until(hold_it, NULL);

	new_world(ret_state);
	((struct world *)*ret_state)->holder = holder;
	return 0;
}

static int new_locked_world(void **ret_state)
{
	new_world(ret_state);
	return nonet_filelock_lock(((struct world *)*ret_state)->lock, SHARED, NONET_NOW);
}

/* The path leads to another file than the handle. */
static int new_replaced_world(void **ret_state)
{
	new_world(ret_state);
	return unlink(path);
}

static void free_world(void *state)
{
	struct world *world = state;

	nonet_filelock_close(world->lock);
	if (world->holder)
		test_kill(world->holder);
	test_must(close((int)test_must(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600))));
	free(world);
}

static int run_open(void *state, void *outputs)
{
	struct nonet_error error;
	int result = try_open(scheme, path, &checks, outputs, &error);

	(void)state;
	test_check(result == 0 || error.code == result);
	return result;
}

/* With another umask than the mode needs. */
static int run_create(void *state, void *outputs)
{
	int result;

	(void)state;
	test_check(unlink(path) == 0 || access(path, F_OK) < 0);
	result = run_open(NULL, outputs);
	/* What couldn't be finished isn't there. */
	test_check(result == 0 || access(path, F_OK) < 0);
	return result;
}

static void close_it(void *state, void *outputs)
{
	(void)state;
	nonet_filelock_close(*(struct nonet_filelock **)outputs);
}

static int run_lock(void *state, void *outputs)
{
	struct world *world = state;
	int error = nonet_filelock_lock(world->lock, EXCLUSIVE, NONET_NOW);

	(void)outputs;
	/* What it says is what others find. */
	test_check_equal(nonet_filelock_get_mode(world->lock), error == 0 ? EXCLUSIVE : NONET_FILELOCK_NONE);
	return error;
}

static int run_lock_forever(void *state, void *outputs)
{
	struct world *world = state;
	int error = nonet_filelock_lock(world->lock, EXCLUSIVE, NONET_FOREVER);

	(void)outputs;
	test_check_equal(nonet_filelock_get_mode(world->lock), error == 0 ? EXCLUSIVE : NONET_FILELOCK_NONE);
	return error;
}

static int run_change(void *state, void *outputs)
{
	struct world *world = state;
	int error = nonet_filelock_lock(world->lock, EXCLUSIVE, soon());
	enum nonet_filelock_mode mode = nonet_filelock_get_mode(world->lock);

	(void)outputs;
	if (error == 0)
		test_check_equal(mode, EXCLUSIVE);
	else
		test_check_equal(mode, strcmp(scheme, "flock") == 0 ? NONET_FILELOCK_NONE : SHARED);
	return error;
}

/* It is held by another: by the helper, or by looking again where there can be none. */
static int run_lock_in_vain(void *state, void *outputs)
{
	struct world *world = state;
	int error = nonet_filelock_lock(world->lock, SHARED, nonet_after(NONET_MS(5)));

	(void)outputs;
	test_check_equal(nonet_filelock_get_mode(world->lock), NONET_FILELOCK_NONE);
	return error == -ETIMEDOUT ? 0 : error;
}

static int run_unlock(void *state, void *outputs)
{
	(void)outputs;
	return nonet_filelock_unlock(((struct world *)state)->lock);
}

static int run_arm(void *state, void *outputs)
{
	int ready = nonet_filelock_arm(((struct world *)state)->lock);

	(void)outputs;
	return ready < 0 ? ready : 0;
}

static int run_wait(void *state, void *outputs)
{
	struct nonet_wait_set *set;
	struct nonet_wait_event event;
	size_t count;
	int error = nonet_wait_set_new(&set, NULL);

	(void)outputs;
	if (error < 0)
		return error;
	error = nonet_wait_set_add(set, nonet_filelock_waitable(((struct world *)state)->lock), NONET_WAIT_RECEIVE,
				   NULL);
	if (error == 0)
		error = nonet_wait(set, &event, 1, soon(), &count);
	if (error == 0)
		error = nonet_filelock_lock(((struct world *)state)->lock, EXCLUSIVE, NONET_NOW);
	nonet_wait_set_free(set);
	return error;
}

static int run_explain(void *state, void *outputs)
{
	struct nonet_error error;

	(void)outputs;
	nonet_filelock_explain(((struct world *)state)->lock, -EAGAIN, &error);
	test_check_equal(error.code, -EAGAIN);
	return 0;
}

#define A_LOCK .outputs_size = sizeof(struct nonet_filelock *)
#define WORLD  .setup = new_world, .teardown = free_world

static const struct test_operation operations[] = {
	{.name = "filelock open", .run = run_open, .release = close_it, A_LOCK, .persistent = true},
	{.name = "filelock create", .run = run_create, .release = close_it, A_LOCK, .persistent = true},
	{.name = "filelock lock", WORLD, .run = run_lock, .persistent = true},
	{.name = "filelock lock for ever", WORLD, .run = run_lock_forever},
	{.name = "filelock lock a new file",
	 .setup = new_replaced_world,
	 .teardown = free_world,
	 .run = run_lock,
	 .persistent = true},
	{.name = "filelock change", .setup = new_locked_world, .teardown = free_world, .run = run_change},
	{.name = "filelock lock in vain", .setup = new_held_world, .teardown = free_world, .run = run_lock_in_vain},
	{.name = "filelock unlock", .setup = new_locked_world, .teardown = free_world, .run = run_unlock},
	{.name = "filelock arm", WORLD, .run = run_arm, .persistent = true},
	{.name = "filelock wait", WORLD, .run = run_wait},
};

/* Says what it can, whatever fails; of flock: it asks nobody. */
static const struct test_operation explaining = {
	.name = "filelock explain",
	.setup = new_held_world,
	.teardown = free_world,
	.run = run_explain,
};

static void sweep(void)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
}

static void no_failure_of_the_kernel_breaks_an_ofdlock(void **state)
{
	(void)state;
	scheme = "ofdlock";
	sweep();
	test_fault_sweep(&explaining);
}

static void no_failure_of_the_kernel_breaks_a_posixlock(void **state)
{
	(void)state;
	scheme = "posixlock";
	sweep();
	test_fault_sweep(&explaining);
}

static void no_failure_of_the_kernel_breaks_a_flock(void **state)
{
	(void)state;
	scheme = "flock";
	sweep();
}

int main(void)
{
	static const struct test_fixture long_one = {.setup = make_file, .teardown = remove_file, .time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_an_ofdlock, &long_one),
		test_case_with(no_failure_of_the_kernel_breaks_a_posixlock, &long_one),
		test_case_with(no_failure_of_the_kernel_breaks_a_flock, &long_one),
	};

	return test_main(tests);
}
