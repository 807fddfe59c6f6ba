/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include <nonet/event.h>
#include <nonet/mutex.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "harness/domain.h"
#include "harness/fault.h"
#include "harness/test.h"

/*
 * Every call of events, of owned semaphores, and of the doorbells of these and of locks, with every one of its system
 * calls failing in turn.
 */

static const struct nonet_semaphore_options pool = {.size = sizeof(pool), .value = 2};

/* The process is a member, and has its helpers and this thread its slot: those are made once, and swept elsewhere. */
static int join(void **ret_state)
{
	const struct nonet_event_options events = {.size = sizeof(events), .flags = NONET_EVENT_MAY_EXIST};
	const struct nonet_mutex_options mutexes = {.size = sizeof(mutexes), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_event *event = NULL;
	struct nonet_mutex *mutex = NULL;

	(void)ret_state;
	test_check_equal(nonet_event_create("event:first", &events, &event, NULL), 0);
	test_check_equal(nonet_mutex_create("mutex:first", &mutexes, &mutex, NULL), 0);
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	nonet_event_close(event);
	return 0;
}

static int new_event(void **ret_state)
{
	struct nonet_event *event = NULL;
	int error;

	join(NULL);
	error = nonet_event_create("event:fault", NULL, &event, NULL);
	*ret_state = event;
	return error;
}

static void free_event(void *state)
{
	nonet_event_close(state);
	test_check_equal(nonet_event_unlink("event:fault", NULL), 0);
}

static void free_closed(void *state)
{
	nonet_event_close(state);
}

static int run_create(void *state, void *outputs)
{
	(void)state;
	return nonet_event_create("event:fault", NULL, outputs, NULL);
}

static void release_created(void *state, void *outputs)
{
	(void)state;
	free_event(*(struct nonet_event **)outputs);
}

static int run_open(void *state, void *outputs)
{
	(void)state;
	return nonet_event_open("event:fault", outputs, NULL);
}

static void release_opened(void *state, void *outputs)
{
	(void)state;
	nonet_event_close(*(struct nonet_event **)outputs);
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_event_unlink("event:fault", NULL);
}

static int run_wait(void *state, void *outputs)
{
	uint64_t count = 0;
	int error = nonet_event_wait_count(state, 0, nonet_after(NONET_MS(1)), &count);

	(void)outputs;
	test_check_equal(count, 0);
	return error == -ETIMEDOUT ? 0 : error;
}

static int run_arm(void *state, void *outputs)
{
	(void)outputs;
	return nonet_event_arm(state);
}

static int new_armed(void **ret_state)
{
	int error = new_event(ret_state);

	return error < 0 ? error : nonet_event_arm(*ret_state);
}

/* It never fails, whatever does; and our own helper tells what a waker couldn't. */
static int run_set(void *state, void *outputs)
{
	(void)outputs;
	return nonet_event_set(state);
}

static void release_set(void *state, void *outputs)
{
	struct pollfd item = {.fd = nonet_event_fd(state), .events = POLLIN};

	(void)outputs;
	test_check_equal(test_poll(&item, 1, test_deadline()), 1);
}

static int new_held(void **ret_state)
{
	struct nonet_mutex *mutex = NULL;
	int error;

	join(NULL);
	error = nonet_mutex_create("mutex:fault", NULL, &mutex, NULL);
	*ret_state = mutex;
	return error < 0 ? error : nonet_mutex_lock(mutex, NONET_NOW);
}

static void free_mutex(void *state)
{
	test_check_equal(nonet_mutex_unlock(state), 0);
	nonet_mutex_close(state);
	test_check_equal(nonet_mutex_unlink("mutex:fault", NULL), 0);
}

static int run_mutex_arm(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mutex_arm(state);
}

static int new_written(void **ret_state)
{
	struct nonet_rwlock *rwlock = NULL;
	int error;

	join(NULL);
	error = nonet_rwlock_create("rwlock:fault", NULL, &rwlock, NULL);
	*ret_state = rwlock;
	return error < 0 ? error : nonet_rwlock_write_lock(rwlock, NONET_NOW);
}

static int new_read(void **ret_state)
{
	int error = new_written(ret_state);

	return error < 0 ? error : nonet_rwlock_downgrade(*ret_state);
}

static void free_rwlock(void *state)
{
	test_check_equal(nonet_rwlock_unlock(state), 0);
	nonet_rwlock_close(state);
	test_check_equal(nonet_rwlock_unlink("rwlock:fault", NULL), 0);
}

static int run_arm_to_read(void *state, void *outputs)
{
	(void)outputs;
	return nonet_rwlock_arm(state, NONET_RWLOCK_READS);
}

static int run_arm_to_write(void *state, void *outputs)
{
	(void)outputs;
	return nonet_rwlock_arm(state, NONET_RWLOCK_WRITES);
}

static int new_armed_written(void **ret_state)
{
	int error = new_written(ret_state);

	return error < 0 ? error : nonet_rwlock_arm(*ret_state, NONET_RWLOCK_WRITES);
}

static int new_armed_read(void **ret_state)
{
	int error = new_read(ret_state);

	return error < 0 ? error : nonet_rwlock_arm(*ret_state, NONET_RWLOCK_WRITES);
}

/* As an event's set. */
static int run_unlock(void *state, void *outputs)
{
	(void)outputs;
	return nonet_rwlock_unlock(state);
}

static void release_unlocked(void *state, void *outputs)
{
	struct pollfd item = {.fd = nonet_rwlock_fd(state, NONET_RWLOCK_WRITES), .events = POLLIN};

	(void)outputs;
	test_check_equal(test_poll(&item, 1, test_deadline()), 1);
	test_check_equal(nonet_rwlock_write_lock(state, NONET_NOW), 0);
}

static int new_pool(void **ret_state)
{
	struct nonet_semaphore *semaphore = NULL;
	int error;

	join(NULL);
	error = nonet_semaphore_create("semaphore:fault", &pool, NONET_NOW, &semaphore, NULL);
	*ret_state = semaphore;
	return error;
}

static int new_empty_pool(void **ret_state)
{
	int error = new_pool(ret_state);

	return error < 0 ? error : nonet_semaphore_wait(*ret_state, 2, 0, NONET_NOW);
}

static void free_pool(void *state)
{
	nonet_semaphore_close(state);
	test_check_equal(nonet_semaphore_unlink("semaphore:fault", NULL), 0);
}

static int run_pool_create(void *state, void *outputs)
{
	(void)state;
	return nonet_semaphore_create("semaphore:fault", &pool, NONET_NOW, outputs, NULL);
}

static void release_pool(void *state, void *outputs)
{
	(void)state;
	free_pool(*(struct nonet_semaphore **)outputs);
}

static int run_pool_wait(void *state, void *outputs)
{
	(void)outputs;
	const int error = nonet_semaphore_wait(state, 1, 0, nonet_after(NONET_MS(1)));

	return error == -ETIMEDOUT ? 0 : error;
}

static int run_pool_arm(void *state, void *outputs)
{
	(void)outputs;
	return nonet_semaphore_arm(state);
}

/* A page that isn't there (-EFAULT) is one that a peer cut off. */
static const int sleeping[] = {-EBADMSG, 0};

#define SLEEPS .allowed = sleeping

static const struct test_operation operations[] = {
	{.name = "event create",
	 .setup = join,
	 .run = run_create,
	 .release = release_created,
	 .outputs_size = sizeof(void *)},
	{.name = "event open",
	 .setup = new_event,
	 .run = run_open,
	 .release = release_opened,
	 .teardown = free_event,
	 .outputs_size = sizeof(void *)},
	{.name = "event unlink", .setup = new_event, .run = run_unlink, .teardown = free_closed},
	{.name = "event wait in vain", .setup = new_event, .run = run_wait, SLEEPS, .teardown = free_event},
	{.name = "event arm", .setup = new_event, .run = run_arm, .teardown = free_event},
	{.name = "event set", .setup = new_armed, .run = run_set, .release = release_set, .teardown = free_event},
	{.name = "mutex arm", .setup = new_held, .run = run_mutex_arm, .teardown = free_mutex},
	{.name = "rwlock arm to read", .setup = new_written, .run = run_arm_to_read, .teardown = free_rwlock},
	{.name = "rwlock arm to write", .setup = new_read, .run = run_arm_to_write, .teardown = free_rwlock},
	{.name = "rwlock unlock by a writer",
	 .setup = new_armed_written,
	 .run = run_unlock,
	 .release = release_unlocked,
	 .teardown = free_rwlock},
	{.name = "rwlock unlock by a reader",
	 .setup = new_armed_read,
	 .run = run_unlock,
	 .release = release_unlocked,
	 .teardown = free_rwlock},
	{.name = "semaphore create",
	 .setup = join,
	 .run = run_pool_create,
	 .release = release_pool,
	 .outputs_size = sizeof(void *)},
	{.name = "semaphore wait in vain",
	 .setup = new_empty_pool,
	 .run = run_pool_wait,
	 SLEEPS,
	 .teardown = free_pool},
	{.name = "semaphore arm", .setup = new_empty_pool, .run = run_pool_arm, .teardown = free_pool},
};

DOMAIN_TEST(every_call_may_fail)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_call_may_fail),
	};
	return test_main(tests);
}
