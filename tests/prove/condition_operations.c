/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include <nonet/condition.h>

#include "prove/mutex_scene.h"

/*
 * A condition, with a mutex "m" that guards how many may pass. What must be true, whoever is killed where: a signal
 * that was acknowledged lets one pass who waited, a broadcast all; a waker who is killed before lets them pass as soon
 * as they look; a waiter who is killed takes nothing with it; the mutex is had by one at a time.
 */

/* Words of the run, behind the mutex's: how many may still pass; have; one may pass who waits for it; signalled. */
#define PASSES    4
#define PASSED    5
#define SIGNALLED 6 /* when a waker was back from its operation */
#define OPEN      7 /* all may */

#define WAITERS 2

static struct nonet_condition *make(struct prove_run *run)
{
	const struct nonet_condition_options options = {.size = sizeof(options), .flags = NONET_CONDITION_MAY_EXIST};
	struct nonet_condition *condition = NULL;
	struct nonet_error error = {0};
	char text[128];

	snprintf(text, sizeof(text), "condition:%s/c", prove_directory(run));
	prove_require(run, nonet_condition_create(text, &options, &condition, &error) == 0, "%s", error.text);
	return condition;
}

static bool may_pass(const struct prove_run *run)
{
	return prove_load(run, OPEN) || prove_load(run, PASSES) > 0;
}

/* With the mutex. */
static void pass(struct prove_run *run)
{
	prove_store(run, PASSES, prove_load(run, PASSES) - 1);
	prove_store(run, PASSED, prove_load(run, PASSED) + 1);
}

static struct nonet_mutex *enter(struct prove_run *run, nonet_time deadline)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result = nonet_mutex_lock(mutex, deadline);

	if (result == -EAGAIN && deadline == NONET_NOW)
		prove_leave(run);
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	return mutex;
}

/* Wait once, with the mutex. Return: 0 or -ETIMEDOUT */
static int wait_once(struct prove_run *run, struct nonet_condition *condition, struct nonet_mutex *mutex,
		     nonet_time deadline)
{
	int result;

	prove_store(run, MUTEX_INSIDE, 0);
	result = nonet_condition_wait(condition, mutex, deadline);
	prove_require(run, mutex_is_had(result) || result == -ETIMEDOUT, "nonet_condition_wait() says %d", result);
	mutex_enter(run, mutex, result == -EOWNERDEAD ? result : 0);
	return result == -ETIMEDOUT ? result : 0;
}

/* Until it may pass, and does. */
static void wait_here(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = enter(run, prove_deadline());

	while (!may_pass(run))
		prove_require(run, wait_once(run, condition, mutex, prove_deadline()) == 0, "nobody signals");
	pass(run);
	mutex_leave(run, mutex);
}

/* The cast's, for release(). */
static struct nonet_condition *condition_of_cast;

/* "quiet": nobody waits; "dead": the mutex is left by a dead owner. */
static void prepare(struct prove_run *run)
{
	condition_of_cast = make(run);
	nonet_mutex_close(mutex_join(run));
	if (prove_state_is(run, "dead"))
		mutex_die_with(run);
}

/* "waiters": two wait. They can't be put back. */
static void prepare_waiters(struct prove_run *run)
{
	prepare(run);
	for (int i = 0; i < WAITERS; i++)
		prove_accompany(run, wait_here);
}

/* For those that meet a waker. */
static void prepare_meeting(struct prove_run *run)
{
	prepare(run);
}

static void release(struct prove_run *run)
{
	struct nonet_mutex *mutex = enter(run, prove_deadline());

	prove_store(run, OPEN, 1);
	mutex_leave(run, mutex);
	prove_require(run, nonet_condition_broadcast(condition_of_cast) == 0, "can't broadcast");
}

/* Wait until the cast opens. */
static void wait_for_cast(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = enter(run, NONET_NOW);
	int result;

	/* The cast has opened, and signals only once. */
	if (may_pass(run))
		prove_leave(run);
	prove_store(run, MUTEX_INSIDE, 0);
	prove_begin(run);
	result = nonet_condition_wait(condition, mutex, prove_deadline());
	prove_end(run, result);
	prove_require(run, mutex_is_had(result), "nonet_condition_wait() says %d", result);
	mutex_enter(run, mutex, result);
	while (!may_pass(run))
		prove_require(run, wait_once(run, condition, mutex, prove_deadline()) == 0, "nobody signals");
	pass(run);
	mutex_leave(run, mutex);
}

/* Wait a little for a waker who may come meanwhile, or not. */
static void meet(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = enter(run, NONET_NOW);
	nonet_time deadline;
	int result;

	if (may_pass(run))
		prove_leave(run);
	prove_store(run, MUTEX_INSIDE, 0);
	deadline = nonet_after(NONET_MS(80));
	prove_begin(run);
	result = nonet_condition_wait(condition, mutex, deadline);
	prove_end(run, result);
	prove_require(run, mutex_is_had(result) || result == -ETIMEDOUT, "nonet_condition_wait() says %d", result);
	mutex_enter(run, mutex, result == -EOWNERDEAD ? result : 0);
	prove_require(run,
		      result != -ETIMEDOUT || !prove_load(run, SIGNALLED) || prove_load(run, SIGNALLED) >= deadline,
		      "a wake is lost: it slept until its deadline");
	if (may_pass(run))
		pass(run);
	mutex_leave(run, mutex);
}

static void signal_one(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = enter(run, NONET_NOW);
	int result;

	prove_store(run, PASSES, prove_load(run, PASSES) + 1);
	mutex_leave(run, mutex);
	prove_begin(run);
	result = nonet_condition_signal(condition);
	prove_end(run, result);
	prove_store(run, SIGNALLED, nonet_clock());
	prove_require(run, result == 0, "nonet_condition_signal() says %d", result);
}

static void broadcast(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = enter(run, NONET_NOW);
	int result;

	prove_store(run, OPEN, 1);
	mutex_leave(run, mutex);
	prove_begin(run);
	result = nonet_condition_broadcast(condition);
	prove_end(run, result);
	prove_store(run, SIGNALLED, nonet_clock());
	prove_require(run, result == 0, "nonet_condition_broadcast() says %d", result);
}

/* It waits as the victim does. */
static void survivor_waits(struct prove_run *run)
{
	struct nonet_condition *condition = make(run);
	struct nonet_mutex *mutex = mutex_join(run);
	int result;

	prove_begin(run);
	result = nonet_mutex_lock(mutex, prove_deadline());
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	while (!may_pass(run))
		prove_require(run, wait_once(run, condition, mutex, prove_deadline()) == 0, "nobody signals");
	prove_end(run, result);
	pass(run);
	mutex_leave(run, mutex);
}

/* Those who wait pass, as many as may: what is bounded is until then. */
static void survivor_counts(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	const int64_t waiters = prove_state_is(run, "waiters") ? WAITERS : 0;
	const nonet_time deadline = prove_deadline();
	int result;

	prove_begin(run);
	result = nonet_mutex_lock(mutex, prove_deadline());
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	mutex_leave(run, mutex);
	/* Without the mutex, which they need. */
	while (prove_load(run, PASSED) < waiters && may_pass(run) && nonet_clock() < deadline)
		sched_yield();
	prove_end(run, result);
	prove_require(run, prove_load(run, PASSED) >= waiters || !may_pass(run), "%d of those who wait have passed",
		      (int)prove_load(run, PASSED));
}

#define CONDITION(name_, symbol_, victim_)                                                                            \
	.name = "condition-" name_, .object = "condition", .symbol = "nonet_condition_" symbol_, .victim = (victim_), \
	.bound = PROVE_BOUND_WATCHER

const struct prove_operation prove_condition_wait = {
	CONDITION("wait", "wait", wait_for_cast),
	.states = (const char *const[]){"quiet", "dead", NULL},
	.prepare = prepare,
	.release = release,
	.survivor = survivor_waits,
};

const struct prove_operation prove_condition_meet = {
	CONDITION("meet", "wait", meet),
	.states = (const char *const[]){"quiet", NULL},
	.prepare = prepare_meeting,
	.survivor = survivor_counts,
};

const struct prove_operation prove_condition_meet_signal = {
	CONDITION("meet-signal", "signal", signal_one),
	.states = (const char *const[]){"quiet", NULL},
	.prepare = prepare_meeting,
	.survivor = survivor_counts,
};

const struct prove_operation prove_condition_signal = {
	CONDITION("signal", "signal", signal_one),
	.states = (const char *const[]){"waiters", NULL},
	.prepare = prepare_waiters,
	.survivor = survivor_counts,
	.fresh = true,
};

const struct prove_operation prove_condition_broadcast = {
	CONDITION("broadcast", "broadcast", broadcast),
	.states = (const char *const[]){"waiters", NULL},
	.prepare = prepare_waiters,
	.survivor = survivor_counts,
	.fresh = true,
};
