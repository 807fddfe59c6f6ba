/* SPDX-License-Identifier: Apache-2.0 */
/* Row 10: each system call of a call that waits fails in turn: in vain, for what one has who is dead, and of who wakes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/domain.h"
#include "harness/fault.h"
#include "harness/test.h"
#include "rows/kind.h"

/* The domain is joined, and this thread has its slot there: those are swept elsewhere. */
struct world {
	const struct row_kind *kind;
	struct row_object *object;
	struct test_child *other;
};

static const struct row_kind *current;

static int new_world(void **ret_state)
{
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	world->kind = current;
	world->object = row_reach(current);
	if (current->wait(world->object, NONET_NOW) == 0)
		test_check_equal(current->done(world->object), 0);
	*ret_state = world;
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	row_close(world->object);
	free(world);
}

static int new_held(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	world->other = test_child_until(row_hold, (void *)current);
	/* What a process needs for its first sleep. */
	row_wait_in_vain(current, world->object, NONET_MS(1));
	return 0;
}

static void free_held(void *state)
{
	struct world *world = state;

	test_child_tell(world->other, "let go");
	test_check_equal(test_child_join(world->other), 0);
	if (!world->kind->owned) {
		test_check_equal(world->kind->wait(world->object, NONET_NOW), 0);
		test_check_equal(world->kind->done(world->object), 0);
	}
	free_world(state);
}

static int new_dead(void **ret_state)
{
	new_held(ret_state);
	test_kill(((struct world *)*ret_state)->other);
	return 0;
}

/* Whatever happened, the next one gets it. */
static void free_dead(void *state)
{
	struct world *world = state;
	const int result = world->kind->wait(world->object, nonet_after(NONET_S(2)));

	test_check(result == 0 || result == world->kind->told);
	test_check_equal(world->kind->done(world->object), 0);
	free_world(state);
}

/* Long enough for a look around. */
static int run_in_vain(void *state, void *outputs)
{
	struct world *world = state;
	const nonet_time deadline = nonet_after(NONET_MS(120));
	const int result = world->kind->wait(world->object, deadline);

	(void)outputs;
	if (result != -ETIMEDOUT)
		return result == 0 ? -EBADMSG : result;
	/* Not early, whatever failed. */
	test_check(nonet_clock() >= deadline);
	return 0;
}

static int run_take_over(void *state, void *outputs)
{
	struct world *world = state;
	int result = world->kind->wait(world->object, nonet_after(NONET_S(1)));

	(void)outputs;
	if (result < 0 && result != world->kind->told)
		return result;
	result = world->kind->done(world->object);
	test_check(result == 0);
	return result;
}

/* This one has it, and another sleeps. */
static int new_wanted(void **ret_state)
{
	struct world *world;

	new_world(ret_state);
	world = *ret_state;
	test_check_equal(current->take(world->object), 0);
	world->other = test_child_until(row_sleep, (void *)current);
	test_child_wait_blocked(world->other);
	return 0;
}

/* It goes on, at the latest when it has looked itself. */
static void free_wanted(void *state)
{
	struct world *world = state;

	test_child_wait_state(world->other, "through");
	test_child_tell(world->other, "end");
	test_check_equal(test_child_join(world->other), 0);
	free_world(state);
}

static int run_give(void *state, void *outputs)
{
	struct world *world = state;

	(void)outputs;
	return world->kind->give(world->object);
}

/* A page that isn't there (-EFAULT) is one that a peer cut off. */
static const int codes[] = {-EBADMSG, -ETIMEDOUT, 0};

#define NO_SECOND .allowed = codes, .not_repeatable = true

static void sweep(const struct row_kind *kind)
{
	char in_vain[64], dead[64], give[64];
	const struct test_operation operations[] = {
		{.name = in_vain,
		 .setup = new_held,
		 .run = run_in_vain,
		 .teardown = free_held,
		 .allowed = codes,
		 .time = NONET_S(4)},
		{.name = give, .setup = new_wanted, .run = run_give, .teardown = free_wanted, NO_SECOND},
		{.name = dead,
		 .setup = new_dead,
		 .run = run_take_over,
		 .teardown = free_dead,
		 .time = NONET_S(4),
		 NO_SECOND},
	};

	snprintf(in_vain, sizeof(in_vain), "%s, in vain", kind->name);
	snprintf(give, sizeof(give), "%s, woken", kind->name);
	snprintf(dead, sizeof(dead), "%s, of a dead one", kind->name);
	current = kind;
	test_fault_sweep(&operations[0]);
	test_fault_sweep(&operations[1]);
	/* That a subscriber is dead is seen without a call. */
	if (kind->owned && strcmp(kind->name, "channel-send-wait") != 0)
		test_fault_sweep(&operations[2]);
}

DOMAIN_TEST(no_failure_of_the_kernel_breaks_a_call)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	sweep(kind);
	return 0;
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(280)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
	};

	return test_main(tests);
}
