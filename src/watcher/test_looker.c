/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness/fault.h"
#include "harness/process.h"
#include "harness/test.h"
#include "watcher/looker.h"

#define MANY 500

struct thing {
	atomic_int looked;
	atomic_bool ready;
};

static bool thing_look(void *object)
{
	struct thing *thing = object;

	atomic_fetch_add(&thing->looked, 1);
	return atomic_load(&thing->ready);
}

static struct looker *look_at(struct thing *thing)
{
	struct looker *looker;

	assert_int_equal(looker_new(thing_look, thing, &looker), 0);
	return looker;
}

static int rung(struct looker *looker)
{
	struct pollfd item = {.fd = looker_fd(looker), .events = POLLIN};

	return poll(&item, 1, 0);
}

static void until_rung(struct looker *looker)
{
	struct pollfd item = {.fd = looker_fd(looker), .events = POLLIN};

	assert_int_equal(test_poll(&item, 1, test_after(NONET_S(20))), 1);
}

static void until_looked(struct thing *thing, int times)
{
	const int before = atomic_load(&thing->looked);

	while (atomic_load(&thing->looked) < before + times)
		test_poll(NULL, 0, test_after(NONET_MS(1)));
}

static void each_is_told_once_when_it_is_ready(void **state)
{
	struct thing things[3] = {0};
	struct looker *lookers[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		lookers[i] = look_at(&things[i]);
		assert_int_equal(looker_arm(lookers[i]), 0);
	}
	until_looked(&things[2], 2);
	for (int i = 0; i < 3; i++) {
		atomic_store(&things[i].ready, true);
		until_rung(lookers[i]);
		for (int other = i + 1; other < 3; other++)
			assert_int_equal(rung(lookers[other]), 0);
	}
	atomic_store(&things[1].ready, false);
	assert_int_equal(looker_arm(lookers[1]), 0);
	assert_int_equal(looker_arm(lookers[1]), 0);
	assert_int_equal(rung(lookers[1]), 0);
	atomic_store(&things[1].ready, true);
	until_rung(lookers[1]);
	for (int i = 0; i < 3; i++)
		looker_free(lookers[i]);
}

/* Also what was told, and not armed since. */
static void what_is_not_armed_is_not_looked_at(void **state)
{
	struct thing rests = {0};
	struct thing told = {.ready = true};
	struct thing other = {0};
	struct looker *lookers[] = {look_at(&rests), look_at(&told), look_at(&other)};
	int looked;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(looker_arm(lookers[i]), 0);
	until_rung(lookers[1]);
	until_looked(&rests, 1);
	looker_rest(lookers[0]);
	assert_int_equal(rung(lookers[0]), 1);
	looker_rest(lookers[0]);
	looked = atomic_load(&rests.looked);
	until_looked(&other, 3);
	assert_int_equal(atomic_load(&rests.looked), looked);
	assert_int_equal(atomic_load(&told.looked), 1);
	/* And again. */
	assert_int_equal(looker_arm(lookers[0]), 0);
	assert_int_equal(rung(lookers[0]), 0);
	until_looked(&rests, 1);
	/* Freed while it is armed. */
	looker_free(lookers[0]);
	looked = atomic_load(&rests.looked);
	until_looked(&other, 2);
	assert_int_equal(atomic_load(&rests.looked), looked);
	looker_free(lookers[1]);
	looker_free(lookers[2]);
}

static int threads_now(void)
{
	char status[4096];
	const char *line;

	test_read_file("/proc/self/status", status, sizeof(status));
	line = strstr(status, "\nThreads:");
	return line ? atoi(line + strlen("\nThreads:")) : -1;
}

/* All are looked at by one, and not more often for it. */
static void many_cost_one_thread_and_its_interval(void **state)
{
	static struct thing things[MANY];
	static struct looker *lookers[MANY];
	const int threads = threads_now();
	nonet_time begun;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		lookers[i] = look_at(&things[i]);
		assert_int_equal(looker_arm(lookers[i]), 0);
	}
	/* An earlier test's may be just ending. */
	assert_in_range(threads_now(), 2, threads + 1);
	begun = test_clock();
	until_looked(&things[MANY - 1], 10);
	/* Eight whole intervals lie between the first look and the last, at least. */
	assert_true(test_clock() - begun >= 8 * LOOKER_INTERVAL);
	for (int i = 0; i < MANY; i++)
		looker_free(lookers[i]);
}

static void *come_and_go(void *argument)
{
	struct thing thing = {0};
	struct looker *looker;

	for (size_t i = 0; i < *(size_t *)argument; i++) {
		looker = look_at(&thing);
		assert_int_equal(looker_arm(looker), 0);
		if (i % 3 == 0)
			looker_rest(looker);
		if (i % 100 == 0) {
			atomic_store(&thing.ready, true);
			until_rung(looker);
			atomic_store(&thing.ready, false);
		}
		looker_free(looker);
	}
	return NULL;
}

static void threads_come_and_go(void **state)
{
	size_t rounds = test_scaled(10000);
	pthread_t threads[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &rounds), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* The parent's aren't the child's; its own are. */
static int child_uses_it(struct test_child_side *side, void *argument)
{
	struct looker *looker = argument;
	struct thing thing = {.ready = true};
	size_t rounds = 100;

	(void)side;
	test_check(looker_arm(looker) == -ECHILD);
	looker_rest(looker);
	test_check(looker_free(looker) == NULL);
	looker = look_at(&thing);
	test_check(looker_arm(looker) == 0);
	until_rung(looker);
	looker_free(looker);
	come_and_go(&rounds);
	return 0;
}

static void a_child_has_its_own(void **state)
{
	struct thing thing = {0};
	struct looker *looker = look_at(&thing);

	(void)state;
	assert_int_equal(looker_arm(looker), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(test_child_join(test_child_start(child_uses_it, looker)), 0);
	atomic_store(&thing.ready, true);
	until_rung(looker);
	looker_free(looker);
}

static int run_new(void *state, void *outputs)
{
	static struct thing thing;

	(void)state;
	return looker_new(thing_look, &thing, outputs);
}

static void free_new(void *state, void *outputs)
{
	(void)state;
	looker_free(*(struct looker **)outputs);
}

static void one_that_can_not_be_made_leaves_nothing(void **state)
{
	static const struct test_operation operation = {
		.name = "looker new",
		.run = run_new,
		.release = free_new,
		.outputs_size = sizeof(struct looker *),
	};

	(void)state;
	test_fault_sweep(&operation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(each_is_told_once_when_it_is_ready),
		test_case(what_is_not_armed_is_not_looked_at),
		test_case(many_cost_one_thread_and_its_interval),
		test_case(threads_come_and_go),
		test_case(a_child_has_its_own),
		test_case(one_that_can_not_be_made_leaves_nothing),
	};
	return test_main(tests);
}
