/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <nonet/condition.h>
#include <nonet/rwlock.h>

#include "harness/domain.h"
#include "harness/fault.h"
#include "harness/test.h"

/* Every call of rwlock.h and condition.h that makes a system call, with each of them failing in turn. */

/* The domain is joined, and this thread has its slot there: those are swept elsewhere. */
struct world {
	struct nonet_mutex *mutex; /* held */
	struct nonet_rwlock *rwlock;
	struct nonet_condition *condition;

	/* Another thread that has the lock. */
	pthread_t other;
	pthread_barrier_t step;
	bool writes;
	bool is_dead;
};

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	test_check_equal(nonet_mutex_create("mutex:fault", NULL, &world->mutex, NULL), 0);
	test_check_equal(nonet_rwlock_create("rwlock:fault", NULL, &world->rwlock, NULL), 0);
	test_check_equal(nonet_condition_create("condition:fault", NULL, &world->condition, NULL), 0);
	test_check_equal(nonet_mutex_lock(world->mutex, NONET_NOW), 0);
	*ret_state = world;
	return 0;
}

static void close_world(struct world *world)
{
	test_check_equal(nonet_mutex_unlock(world->mutex), 0);
	nonet_mutex_close(world->mutex);
	nonet_rwlock_close(world->rwlock);
	nonet_condition_close(world->condition);
	free(world);
	test_check_equal(nonet_mutex_unlink("mutex:fault", NULL), 0);
}

static void free_world(void *state)
{
	close_world(state);
	test_check_equal(nonet_rwlock_unlink("rwlock:fault", NULL), 0);
	test_check_equal(nonet_condition_unlink("condition:fault", NULL), 0);
}

/* The names are free, but the handles are there. */
static int new_world_without_names(void **ret_state)
{
	new_world(ret_state);
	test_check_equal(nonet_rwlock_unlink("rwlock:fault", NULL), 0);
	return nonet_condition_unlink("condition:fault", NULL);
}

static void free_world_without_names(void *state)
{
	close_world(state);
}

static void *other_has_it(void *argument)
{
	struct world *world = argument;

	if (world->writes)
		test_check_equal(nonet_rwlock_write_lock(world->rwlock, NONET_NOW), 0);
	else
		test_check_equal(nonet_rwlock_read_lock(world->rwlock, NONET_NOW), 0);
	if (world->is_dead)
		return NULL;
	pthread_barrier_wait(&world->step);
	pthread_barrier_wait(&world->step);
	test_check_equal(nonet_rwlock_unlock(world->rwlock), 0);
	return NULL;
}

static void start_other(struct world *world)
{
	test_check_equal(pthread_barrier_init(&world->step, NULL, 2), 0);
	test_check_equal(pthread_create(&world->other, NULL, other_has_it, world), 0);
	if (world->is_dead)
		test_check_equal(pthread_join(world->other, NULL), 0);
	else
		pthread_barrier_wait(&world->step);
}

static int new_world_with_a_writer(void **ret_state)
{
	new_world(ret_state);
	((struct world *)*ret_state)->writes = true;
	start_other(*ret_state);
	return 0;
}

static int new_world_with_a_reader(void **ret_state)
{
	new_world(ret_state);
	start_other(*ret_state);
	return 0;
}

static int new_world_with_two_readers(void **ret_state)
{
	new_world_with_a_reader(ret_state);
	return nonet_rwlock_read_lock(((struct world *)*ret_state)->rwlock, NONET_NOW);
}

static int new_world_with_a_dead_writer(void **ret_state)
{
	new_world(ret_state);
	((struct world *)*ret_state)->writes = true;
	((struct world *)*ret_state)->is_dead = true;
	start_other(*ret_state);
	return 0;
}

static int new_world_with_a_dead_reader(void **ret_state)
{
	new_world(ret_state);
	((struct world *)*ret_state)->is_dead = true;
	start_other(*ret_state);
	return 0;
}

static void free_others_world(void *state)
{
	struct world *world = state;

	if (!world->is_dead) {
		pthread_barrier_wait(&world->step);
		test_check_equal(pthread_join(world->other, NULL), 0);
	}
	pthread_barrier_destroy(&world->step);
	free_world(world);
}

static void free_readers_world(void *state)
{
	test_check_equal(nonet_rwlock_unlock(((struct world *)state)->rwlock), 0);
	free_others_world(state);
}

static int run_create_rwlock(void *state, void *outputs)
{
	(void)state;
	return nonet_rwlock_create("rwlock:fault", NULL, outputs, NULL);
}

static int run_open_rwlock(void *state, void *outputs)
{
	(void)state;
	return nonet_rwlock_open("rwlock:fault", outputs, NULL);
}

static void unlink_rwlock(void *state, void *outputs)
{
	(void)state;
	nonet_rwlock_close(*(struct nonet_rwlock **)outputs);
	test_check_equal(nonet_rwlock_unlink("rwlock:fault", NULL), 0);
}

static void close_rwlock(void *state, void *outputs)
{
	(void)state;
	nonet_rwlock_close(*(struct nonet_rwlock **)outputs);
}

static int run_create_condition(void *state, void *outputs)
{
	(void)state;
	return nonet_condition_create("condition:fault", NULL, outputs, NULL);
}

static int run_open_condition(void *state, void *outputs)
{
	(void)state;
	return nonet_condition_open("condition:fault", outputs, NULL);
}

static void unlink_condition(void *state, void *outputs)
{
	(void)state;
	nonet_condition_close(*(struct nonet_condition **)outputs);
	test_check_equal(nonet_condition_unlink("condition:fault", NULL), 0);
}

static void close_condition(void *state, void *outputs)
{
	(void)state;
	nonet_condition_close(*(struct nonet_condition **)outputs);
}

static int run_place_condition(void *state, void *outputs)
{
	static _Alignas(64) char place[NONET_CONDITION_PLACE_SIZE];
	const struct nonet_condition_options options = {.size = sizeof(options), .flags = NONET_CONDITION_MAKE};

	(void)state;
	return nonet_condition_place(place, &options, outputs, NULL);
}

static nonet_time soon(void)
{
	return nonet_after(NONET_MS(1));
}

/* What was waited for in vain is what was meant. */
static int in_vain(int result)
{
	if (result == -ETIMEDOUT)
		return 0;
	return result == 0 ? -EBADMSG : result;
}

static int run_read_in_vain(void *state, void *outputs)
{
	(void)outputs;
	return in_vain(nonet_rwlock_read_lock(((struct world *)state)->rwlock, soon()));
}

/* Long enough for a look at the life lock of who has it. */
static int run_read_long_in_vain(void *state, void *outputs)
{
	(void)outputs;
	return in_vain(nonet_rwlock_read_lock(((struct world *)state)->rwlock, nonet_after(NONET_MS(120))));
}

static int run_write_in_vain(void *state, void *outputs)
{
	(void)outputs;
	return in_vain(nonet_rwlock_write_lock(((struct world *)state)->rwlock, soon()));
}

static int run_upgrade_in_vain(void *state, void *outputs)
{
	struct world *world = state;
	int result = in_vain(nonet_rwlock_upgrade(world->rwlock, soon()));

	(void)outputs;
	/* It reads still. */
	test_check_equal(nonet_rwlock_read_lock(world->rwlock, NONET_NOW), -EDEADLK);
	return result;
}

static int run_take_over(void *state, void *outputs)
{
	struct world *world = state;
	int result = nonet_rwlock_write_lock(world->rwlock, soon());

	(void)outputs;
	test_check_equal(result, -EOWNERDEAD);
	test_check_equal(nonet_rwlock_recover(world->rwlock), 0);
	return nonet_rwlock_unlock(world->rwlock);
}

static int run_write_after_a_dead_reader(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	test_check_equal(nonet_rwlock_write_lock(world->rwlock, soon()), 0);
	return nonet_rwlock_unlock(world->rwlock);
}

/* It has the mutex afterwards, whatever happened. */
static int run_wait_in_vain(void *state, void *outputs)
{
	struct world *world = state;
	int result = in_vain(nonet_condition_wait(world->condition, world->mutex, soon()));

	(void)outputs;
	test_check_equal(nonet_mutex_lock(world->mutex, NONET_NOW), -EDEADLK);
	return result;
}

static int run_wait_long_in_vain(void *state, void *outputs)
{
	const nonet_time deadline = nonet_after(NONET_MS(120));
	struct world *world = state;
	int result;

	(void)outputs;
	do
		result = nonet_condition_wait(world->condition, world->mutex, deadline);
	while (result == 0);
	return in_vain(result);
}

/* As far as it can tell somebody sleeps. */
static int new_armed_world(void **ret_state)
{
	new_world(ret_state);
	return run_wait_in_vain(*ret_state, NULL);
}

static int run_signal(void *state, void *outputs)
{
	(void)outputs;
	return nonet_condition_signal(((struct world *)state)->condition);
}

static int run_broadcast(void *state, void *outputs)
{
	(void)outputs;
	return nonet_condition_broadcast(((struct world *)state)->condition);
}

#define A_POINTER        .outputs_size = sizeof(void *)
#define IN_WORLD         .setup = new_world, .teardown = free_world
#define WITHOUT_NAMES    .setup = new_world_without_names, .teardown = free_world_without_names
#define IN_ARMED_WORLD   .setup = new_armed_world, .teardown = free_world
#define WITH_OTHER(what) .setup = new_world_with_##what, .teardown = free_others_world

/* A page that isn't there (-EFAULT) is one that a peer cut off. */
static const int sleeping[] = {-EBADMSG, 0};

#define SLEEPS .allowed = sleeping

static const struct test_operation operations[] = {
	{.name = "rwlock create", WITHOUT_NAMES, .run = run_create_rwlock, .release = unlink_rwlock, A_POINTER},
	{.name = "rwlock open", IN_WORLD, .run = run_open_rwlock, .release = close_rwlock, A_POINTER},
	{.name = "rwlock read in vain", WITH_OTHER(a_writer), .run = run_read_in_vain, SLEEPS},
	{.name = "rwlock read long in vain", WITH_OTHER(a_writer), .run = run_read_long_in_vain, SLEEPS},
	{.name = "rwlock write against a writer", WITH_OTHER(a_writer), .run = run_write_in_vain, SLEEPS},
	{.name = "rwlock write against a reader", WITH_OTHER(a_reader), .run = run_write_in_vain, SLEEPS},
	{.name = "rwlock write after a dead reader",
	 WITH_OTHER(a_dead_reader),
	 .run = run_write_after_a_dead_reader,
	 SLEEPS,
	 .not_repeatable = true},
	{.name = "rwlock take over", WITH_OTHER(a_dead_writer), .run = run_take_over, SLEEPS, .not_repeatable = true},
	{.name = "rwlock upgrade in vain",
	 .setup = new_world_with_two_readers,
	 .run = run_upgrade_in_vain,
	 SLEEPS,
	 .teardown = free_readers_world},
	{.name = "condition create",
	 WITHOUT_NAMES,
	 .run = run_create_condition,
	 .release = unlink_condition,
	 A_POINTER},
	{.name = "condition open", IN_WORLD, .run = run_open_condition, .release = close_condition, A_POINTER},
	{.name = "condition place", IN_WORLD, .run = run_place_condition, .release = close_condition, A_POINTER},
	{.name = "condition wait in vain", IN_WORLD, .run = run_wait_in_vain, SLEEPS},
	{.name = "condition wait long in vain", IN_WORLD, .run = run_wait_long_in_vain, SLEEPS},
	{.name = "condition signal", IN_ARMED_WORLD, .run = run_signal},
	{.name = "condition broadcast", IN_ARMED_WORLD, .run = run_broadcast},
};

static void no_failure_of_the_kernel_breaks_a_lock_or_a_condition(void **state)
{
	const char *directory = test_domain_new();

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
	test_domain_free(directory);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_lock_or_a_condition, &long_one),
	};

	return test_main(tests);
}
