/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "harness/fault.h"
#include "harness/test.h"
#include "watcher/watcher.h"

/* What is waited for: a byte in a pipe, acquired by reading it, given back by writing it. */
struct thing {
	int fds[2];
	atomic_int in_block;
	atomic_int released;
	atomic_int refused; /* how often it can't be given back yet */
	atomic_int interrupted;
	int result; /* of block(), if not 0 */
};

static int thing_block(void *object)
{
	struct thing *thing = object;
	ssize_t size;
	char byte;

	if (thing->result != 0)
		return thing->result;
	atomic_fetch_add(&thing->in_block, 1);
	size = read(thing->fds[0], &byte, 1);
	if (size == 1)
		return 1;
	atomic_fetch_add(&thing->interrupted, 1);
	return -errno;
}

static bool thing_release(void *object)
{
	struct thing *thing = object;

	if (atomic_load(&thing->refused) > 0) {
		atomic_fetch_sub(&thing->refused, 1);
		return false;
	}
	assert_int_equal(write(thing->fds[1], "x", 1), 1);
	atomic_fetch_add(&thing->released, 1);
	return true;
}

/* Only looks: acquires nothing. */
static int thing_look(void *object)
{
	struct thing *thing = object;
	struct pollfd item = {.fd = thing->fds[0], .events = POLLIN};

	atomic_fetch_add(&thing->in_block, 1);
	return poll(&item, 1, -1) == 1 ? 1 : -errno;
}

static const struct watcher_job acquires = {
	.block = thing_block,
	.release = thing_release,
	.patience = NONET_S(20),
};
static const struct watcher_job acquires_impatiently = {
	.block = thing_block,
	.release = thing_release,
	.patience = NONET_MS(5),
};
static const struct watcher_job looks = {.block = thing_look};

static void thing_open(struct thing *thing)
{
	assert_int_equal(pipe2(thing->fds, O_CLOEXEC), 0);
}

static void thing_close(struct thing *thing)
{
	close(thing->fds[0]);
	close(thing->fds[1]);
}

static void thing_give(struct thing *thing)
{
	assert_int_equal(write(thing->fds[1], "x", 1), 1);
}

static int thing_has(struct thing *thing)
{
	struct pollfd item = {.fd = thing->fds[0], .events = POLLIN};

	return poll(&item, 1, 0);
}

static struct watcher *watch(const struct watcher_job *job, struct thing *thing)
{
	struct watcher *watcher;

	assert_int_equal(watcher_new(job, thing, &watcher), 0);
	return watcher;
}

static int rung(struct watcher *watcher)
{
	struct pollfd item = {.fd = watcher_fd(watcher), .events = POLLIN};

	return poll(&item, 1, 0);
}

static void until_rung(struct watcher *watcher)
{
	struct pollfd item = {.fd = watcher_fd(watcher), .events = POLLIN};

	assert_int_equal(test_poll(&item, 1, test_after(NONET_S(20))), 1);
}

static void until_counted(atomic_int *counter, int value)
{
	while (atomic_load(counter) < value)
		test_poll(NULL, 0, test_after(NONET_US(100)));
}

static void it_rings_when_the_call_returns_and_once(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&looks, &thing);
	assert_int_equal(rung(watcher), 0);
	assert_int_equal(watcher_arm(watcher), 0);
	until_counted(&thing.in_block, 1);
	assert_int_equal(rung(watcher), 0);
	thing_give(&thing);
	until_rung(watcher);
	/* It is still ready, and stays so for the next who arms. */
	assert_int_equal(watcher_arm(watcher), 0);
	until_rung(watcher);
	assert_int_equal(atomic_load(&thing.in_block), 2);
	watcher_free(watcher);
	thing_close(&thing);
}

static void what_it_acquired_is_collected(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires, &thing);
	assert_int_equal(watcher_collect(watcher), 0);
	assert_int_equal(watcher_arm(watcher), 0);
	assert_int_equal(watcher_collect(watcher), 0);
	thing_give(&thing);
	until_rung(watcher);
	/* Whoever arms again instead is told, and loses nothing. */
	assert_int_equal(watcher_arm(watcher), 1);
	assert_int_equal(watcher_collect(watcher), 1);
	assert_int_equal(rung(watcher), 0);
	assert_int_equal(watcher_collect(watcher), 0);
	assert_int_equal(watcher_disarm(watcher), 0);
	assert_int_equal(thing.released, 0);
	watcher_free(watcher);
	assert_int_equal(thing.released, 0);
	thing_close(&thing);
}

static void what_nobody_collects_is_given_back(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires_impatiently, &thing);
	assert_int_equal(watcher_arm(watcher), 0);
	thing_give(&thing);
	until_counted(&thing.released, 1);
	assert_int_equal(watcher_collect(watcher), 0);
	/* Who polls late is told nevertheless, and finds out. The helper leaves it alone until then. */
	assert_int_equal(rung(watcher), 1);
	assert_int_equal(atomic_load(&thing.in_block), 1);
	assert_int_equal(thing_has(&thing), 1);
	assert_int_equal(watcher_arm(watcher), 0);
	until_counted(&thing.released, 2);
	watcher_free(watcher);
	assert_int_equal(thing_has(&thing), 1);
	thing_close(&thing);
}

static void what_cannot_be_given_back_is_kept(void **state)
{
	struct thing thing = {.refused = INT_MAX};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires_impatiently, &thing);
	assert_int_equal(watcher_arm(watcher), 0);
	thing_give(&thing);
	while (atomic_load(&thing.refused) > INT_MAX - 3)
		test_poll(NULL, 0, test_after(NONET_US(100)));
	assert_int_equal(watcher_arm(watcher), 1);
	assert_int_equal(rung(watcher), 1);
	assert_int_equal(watcher_collect(watcher), 1);
	assert_int_equal(watcher_collect(watcher), 0);
	/* Or it is given back when that can be. */
	atomic_store(&thing.refused, 3);
	assert_int_equal(watcher_arm(watcher), 0);
	thing_give(&thing);
	until_counted(&thing.released, 1);
	assert_int_equal(thing_has(&thing), 1);
	watcher_free(watcher);
	thing_close(&thing);
}

static void freed_it_gives_back(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires, &thing);
	assert_int_equal(watcher_arm(watcher), 0);
	thing_give(&thing);
	until_rung(watcher);
	watcher_free(watcher);
	assert_int_equal(thing.released, 1);
	assert_int_equal(thing_has(&thing), 1);
	thing_close(&thing);
}

static void a_blocked_helper_is_called_out(void **state)
{
	const int rounds = (int)test_scaled(5000);
	struct thing thing = {0};
	struct watcher *watcher;
	int collected = 0;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires, &thing);
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(watcher_arm(watcher), 0);
		/* At the latest when it sleeps in its call; mostly somewhere on its way there. */
		if (i % 3 == 0)
			until_counted(&thing.in_block, i / 3 + 1);
		if (i % 2 == 0)
			thing_give(&thing);
		collected = watcher_disarm(watcher);
		assert_int_equal(rung(watcher), 0);
		/* The byte is in our hands or still in the pipe, never both, never neither. */
		assert_int_equal(collected + thing_has(&thing), i % 2 == 0);
		if (i % 2 == 0 && !collected) {
			char byte;

			assert_int_equal(read(thing.fds[0], &byte, 1), 1);
		}
	}
	assert_true(thing.interrupted > 0);
	watcher_free(watcher);
	thing_close(&thing);
}

/* Its helper stays where it is, and tells nobody that it came out. */
static void told_to_rest_it_rings_and_is_armed_again(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&looks, &thing);
	watcher_rest(watcher);
	assert_int_equal(rung(watcher), 0);
	for (int turn = 1; turn <= 3; turn++) {
		assert_int_equal(watcher_arm(watcher), 0);
		until_counted(&thing.in_block, 1);
		assert_int_equal(rung(watcher), 0);
		watcher_rest(watcher);
		assert_int_equal(rung(watcher), 1);
	}
	assert_int_equal(atomic_load(&thing.in_block), 1);
	assert_int_equal(watcher_arm(watcher), 0);
	assert_int_equal(rung(watcher), 0);
	thing_give(&thing);
	until_rung(watcher);
	watcher_free(watcher);
	thing_close(&thing);
}

/* Armed, it is out of its wait; and what it had is the caller's. Who polls is told, in vain. */
static void dismissed_it_waits_no_more_and_rings(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires, &thing);
	assert_int_equal(watcher_dismiss(watcher), 0);
	assert_int_equal(rung(watcher), 0);
	assert_int_equal(watcher_arm(watcher), 0);
	until_counted(&thing.in_block, 1);
	assert_int_equal(watcher_dismiss(watcher), 0);
	assert_int_equal(rung(watcher), 1);
	thing_give(&thing);
	assert_int_equal(watcher_collect(watcher), 0);
	assert_int_equal(thing_has(&thing), 1);
	assert_int_equal(watcher_arm(watcher), 0);
	until_rung(watcher);
	assert_int_equal(watcher_dismiss(watcher), 1);
	assert_int_equal(rung(watcher), 1);
	assert_int_equal(watcher_collect(watcher), 0);
	watcher_free(watcher);
	thing_close(&thing);
}

static void an_error_is_readiness(void **state)
{
	struct thing thing = {.result = -EIDRM};
	struct watcher *watcher = watch(&acquires, &thing);

	(void)state;
	assert_int_equal(watcher_arm(watcher), 0);
	until_rung(watcher);
	assert_int_equal(watcher_arm(watcher), 0);
	until_rung(watcher);
	assert_int_equal(watcher_collect(watcher), 0);
	watcher_free(watcher);
}

static atomic_int urgent;

static void count_urgent(int number)
{
	(void)number;
	atomic_fetch_add(&urgent, 1);
}

/* With SA_RESTART, which would keep a helper in its call if the disposition weren't ours for the moment. */
static void the_programs_own_handler_stays(void **state)
{
	struct sigaction own = {.sa_handler = count_urgent, .sa_flags = SA_RESTART};
	struct sigaction before;
	struct sigaction after;
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	atomic_store(&urgent, 0);
	sigaction(SIGURG, &own, &before);
	watcher = watch(&acquires, &thing);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(watcher_arm(watcher), 0);
		until_counted(&thing.in_block, i + 1);
		assert_int_equal(watcher_disarm(watcher), 0);
		raise(SIGURG);
	}
	assert_int_equal(atomic_load(&urgent), 100);
	sigaction(SIGURG, &before, &after);
	assert_ptr_equal(after.sa_handler, count_urgent);
	assert_int_equal(after.sa_flags & (SA_RESTART | SA_SIGINFO), SA_RESTART);
	watcher_free(watcher);
	thing_close(&thing);
}

struct racer {
	struct watcher *watcher;
	struct thing *thing;
	int rounds;
};

static void *arm_and_collect(void *data)
{
	struct racer *racer = data;

	for (int i = 0; i < racer->rounds; i++) {
		int armed = watcher_arm(racer->watcher);

		assert_true(armed == 0 || armed == 1);
		/* What one collects, it gives back: the byte goes round. */
		if ((i % 2 == 0 ? watcher_collect(racer->watcher) : watcher_disarm(racer->watcher)) == 1)
			thing_give(racer->thing);
	}
	return NULL;
}

static void threads_may_share_it(void **state)
{
	struct thing thing = {0};
	struct racer racer = {.thing = &thing, .rounds = (int)test_scaled(3000)};
	pthread_t threads[3];
	int collected;

	(void)state;
	thing_open(&thing);
	racer.watcher = watch(&acquires_impatiently, &thing);
	thing_give(&thing);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, arm_and_collect, &racer), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	collected = watcher_disarm(racer.watcher);
	assert_int_equal(collected + thing_has(&thing), 1);
	watcher_free(racer.watcher);
	thing_close(&thing);
}

static int child_uses_it(struct test_child_side *side, void *argument)
{
	struct watcher *watcher = argument;

	(void)side;
	test_check(watcher_arm(watcher) == -ECHILD);
	test_check(watcher_disarm(watcher) == -ECHILD);
	test_check(watcher_collect(watcher) == -ECHILD);
	test_check(watcher_free(watcher) == NULL);
	return 0;
}

static void a_child_has_no_helper(void **state)
{
	struct thing thing = {0};
	struct watcher *watcher;

	(void)state;
	thing_open(&thing);
	watcher = watch(&acquires, &thing);
	assert_int_equal(watcher_arm(watcher), 0);
	assert_int_equal(test_child_join(test_child_start(child_uses_it, watcher)), 0);
	thing_give(&thing);
	until_rung(watcher);
	assert_int_equal(watcher_collect(watcher), 1);
	watcher_free(watcher);
	thing_close(&thing);
}

static int run_new(void *state, void *outputs)
{
	static struct thing thing;

	(void)state;
	return watcher_new(&looks, &thing, outputs);
}

static void free_new(void *state, void *outputs)
{
	(void)state;
	watcher_free(*(struct watcher **)outputs);
}

static void one_that_can_not_be_made_leaves_nothing(void **state)
{
	static const struct test_operation operation = {
		.name = "watcher new",
		.run = run_new,
		.release = free_new,
		.outputs_size = sizeof(struct watcher *),
	};

	(void)state;
	test_fault_sweep(&operation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(it_rings_when_the_call_returns_and_once),
		test_case(what_it_acquired_is_collected),
		test_case(what_nobody_collects_is_given_back),
		test_case(what_cannot_be_given_back_is_kept),
		test_case(freed_it_gives_back),
		test_case(a_blocked_helper_is_called_out),
		test_case(told_to_rest_it_rings_and_is_armed_again),
		test_case(dismissed_it_waits_no_more_and_rings),
		test_case(an_error_is_readiness),
		test_case(the_programs_own_handler_stays),
		test_case(threads_may_share_it),
		test_case(a_child_has_no_helper),
		test_case(one_that_can_not_be_made_leaves_nothing),
	};
	return test_main(tests);
}
