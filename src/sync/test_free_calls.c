/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nobody else wants costs neither a system call nor memory, whatever the object in shared memory. Each is used a
 * thousand times under a filter that lets no call through (seccomp(2)), with the C library's malloc(3) and its kin
 * counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/condition.h>
#include <nonet/event.h>
#include <nonet/mutex.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "harness/allocations.h"
#include "harness/domain.h"
#include "harness/restrict.h"
#include "harness/sanitizer.h"
#include "harness/test.h"

/* Each returns 0, or which of its calls said something else than it should. */

static int use_mutex(void *object)
{
	if (nonet_mutex_lock(object, NONET_FOREVER) != 0)
		return 1;
	if (nonet_mutex_lock(object, NONET_FOREVER) != -EDEADLK)
		return 2;
	return nonet_mutex_unlock(object) == 0 ? 0 : 3;
}

static int use_rwlock(void *object)
{
	if (nonet_rwlock_read_lock(object, NONET_FOREVER) != 0 || nonet_rwlock_unlock(object) != 0)
		return 1;
	if (nonet_rwlock_write_lock(object, NONET_FOREVER) != 0 || nonet_rwlock_unlock(object) != 0)
		return 2;
	return 0;
}

static int use_event(void *object)
{
	if (nonet_event_set(object) != 0 || nonet_event_wait(object, NONET_FOREVER) != 0)
		return 1;
	if (nonet_event_clear(object) < 0 || nonet_event_wait(object, NONET_NOW) != -EAGAIN)
		return 2;
	return nonet_event_pulse(object) == 0 ? 0 : 3;
}

/* It has two permits. */
static int use_permits(void *object)
{
	if (nonet_semaphore_wait(object, 1, 0, NONET_FOREVER) != 0 || nonet_semaphore_post(object, 1, 0) != 0)
		return 1;
	if (nonet_semaphore_wait(object, 2, 0, NONET_FOREVER) != 0)
		return 2;
	if (nonet_semaphore_wait(object, 1, 0, NONET_NOW) != -EAGAIN)
		return 3;
	return nonet_semaphore_post(object, 2, 0) == 0 ? 0 : 4;
}

static int use_signals(void *object)
{
	if (nonet_semaphore_wait(object, 2, 0, NONET_FOREVER) != 0)
		return 1;
	if (nonet_semaphore_wait(object, 1, 0, NONET_NOW) != -EAGAIN)
		return 2;
	return nonet_semaphore_post(object, 1, 0) == 0 && nonet_semaphore_post(object, 1, 0) == 0 ? 0 : 3;
}

/* Nobody waits. */
static int use_condition(void *object)
{
	return nonet_condition_signal(object) == 0 && nonet_condition_broadcast(object) == 0 ? 0 : 1;
}

static unsigned made_with; /* allocations */

/*
 * In a child that has made @object, if @error is 0. The first use may cost something: a thread's slot, or a helper
 * thread.
 */
static _Noreturn void use_freely(int error, void *object, int (*use)(void *object))
{
	unsigned before;

	if (error < 0)
		_exit(20);
	/* What is counted is where the library takes its memory from. */
	if (allocations == made_with && !TEST_SANITIZED && !test_under_valgrind())
		_exit(21);
	if (use(object) != 0)
		_exit(22);
	test_restrict_to((const int *const[]){NULL});
	before = allocations;
	for (int i = 0; i < 1000; i++) {
		const int wrong = use(object);

		if (wrong)
			_exit(wrong);
	}
	_exit(allocations == before ? 0 : 23);
}

static _Noreturn void free_mutex(void)
{
	struct nonet_mutex *mutex = NULL;
	int error;

	made_with = allocations;
	error = nonet_mutex_create("mutex:m", NULL, &mutex, NULL);
	use_freely(error, mutex, use_mutex);
}

static _Noreturn void free_rwlock(void)
{
	struct nonet_rwlock *rwlock = NULL;
	int error;

	made_with = allocations;
	error = nonet_rwlock_create("rwlock:r", NULL, &rwlock, NULL);
	use_freely(error, rwlock, use_rwlock);
}

static _Noreturn void free_event(void)
{
	struct nonet_event *event = NULL;
	int error;

	made_with = allocations;
	error = nonet_event_create("event:e", NULL, &event, NULL);
	use_freely(error, event, use_event);
}

static _Noreturn void free_permits(void)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 2};
	struct nonet_semaphore *semaphore = NULL;
	int error;

	made_with = allocations;
	error = nonet_semaphore_create("semaphore:s", &options, NONET_NOW, &semaphore, NULL);
	use_freely(error, semaphore, use_permits);
}

static _Noreturn void free_signals(void)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options), .flags = NONET_SEMAPHORE_SIGNAL, .value = 2};
	struct nonet_semaphore *semaphore = NULL;
	int error;

	made_with = allocations;
	error = nonet_semaphore_create("semaphore:c", &options, NONET_NOW, &semaphore, NULL);
	use_freely(error, semaphore, use_signals);
}

static _Noreturn void free_condition(void)
{
	struct nonet_condition *condition = NULL;
	int error;

	made_with = allocations;
	error = nonet_condition_create("condition:c", NULL, &condition, NULL);
	use_freely(error, condition, use_condition);
}

static void in_a_child(void (*function)(void))
{
	const pid_t child = (pid_t)test_must(fork());
	int status;

	if (child == 0)
		function();
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
}

DOMAIN_TEST(a_free_mutex_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_mutex);
	return 0;
}

DOMAIN_TEST(a_free_rwlock_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_rwlock);
	return 0;
}

DOMAIN_TEST(an_event_that_nobody_waits_for_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_event);
	return 0;
}

DOMAIN_TEST(a_free_permit_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_permits);
	return 0;
}

DOMAIN_TEST(a_count_that_suffices_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_signals);
	return 0;
}

DOMAIN_TEST(a_signal_that_nobody_waits_for_costs_nothing)
{
	(void)side;
	(void)argument;
	in_a_child(free_condition);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_free_mutex_costs_nothing),
		test_case(a_free_rwlock_costs_nothing),
		test_case(an_event_that_nobody_waits_for_costs_nothing),
		test_case(a_free_permit_costs_nothing),
		test_case(a_count_that_suffices_costs_nothing),
		test_case(a_signal_that_nobody_waits_for_costs_nothing),
	};

	return test_main(tests);
}
