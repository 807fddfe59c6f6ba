/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/condition.h"

#include <errno.h>

#include "domain/life.h"
#include "sync/mutex.h"
#include "sync/rank.h"
#include "sys/futex.h"

/*
 * Waiting until a condition that a mutex guards may have changed.
 *
 *   a waiter  reads the bell while he has the mutex; arms; lets go of the mutex; sleeps while the bell is what he read
 *   a waker   rings (bell + 1); if nobody has armed, that was all; else wakes one. If none slept, or all are to wake,
 *             he disarms: armed = 0, rings once more, wakes all
 *
 *   - A waiter is no state: one who dies leaves "armed", which costs a waker two system calls, once.
 *   - Disarming comes before the second ring: who armed before it is asleep by now, and is woken, or has still to
 *     compare the bell, which has changed. Who arms after it is armed. So while anybody sleeps who isn't about to be
 *     woken, armed is 1, and no waker passes him by while another is between two of his steps.
 *   - A waker may be killed before he rang, or before he woke anybody. So a wait ends after DOMAIN_INTERVAL whether the
 *     bell has changed or not: what was waited for is looked at again, by who knows what that is.
 *   - The bell would have to be rung 2^32 times within DOMAIN_INTERVAL to come round.
 *
 * [CONDITION-SLEEP]  A waker stores the bell, then loads armed; a waiter stores armed, then compares the bell (in the
 *                    kernel, which has a full barrier before). All are seq_cst. If both loads could run early, the
 *                    waker would see nobody, and the waiter a bell that wasn't rung.
 */

static void condition_ring(struct condition_shared *shared)
{
	(void)atomic_fetch_add_explicit(&shared->bell, 1,
					memory_order_seq_cst); /* [CONDITION-SLEEP] pair: condition_sleep() */
}

static bool condition_is_armed(const struct condition_shared *shared)
{
	return atomic_load_explicit(&shared->armed, memory_order_seq_cst) !=
	       0; /* [CONDITION-SLEEP] pair: condition_sleep() */
}

/* A waiter whom the kernel can't wake now looks at the bell soon. */
static int condition_wake(const struct condition_shared *shared, int32_t count)
{
	return sys_futex_wake(&shared->bell, count);
}

static void condition_disarm(struct condition_shared *shared)
{
	atomic_store_explicit(&shared->armed, 0, memory_order_seq_cst); /* [CONDITION-SLEEP] pair: condition_sleep() */
	condition_ring(shared);
	(void)condition_wake(shared, SYS_FUTEX_ALL);
}

int nonet_condition_signal(struct nonet_condition *condition)
{
	struct condition_shared *shared = condition->shared;
	int error = object_check(&condition->object);

	if (error < 0)
		return error;
	condition_ring(shared);
	if (condition_is_armed(shared) && condition_wake(shared, 1) != 1)
		condition_disarm(shared);
	return guard_map_is_poisoned(&condition->object.map) ? -EBADMSG : 0;
}

int nonet_condition_broadcast(struct nonet_condition *condition)
{
	struct condition_shared *shared = condition->shared;
	int error = object_check(&condition->object);

	if (error < 0)
		return error;
	condition_ring(shared);
	if (condition_is_armed(shared))
		condition_disarm(shared);
	return guard_map_is_poisoned(&condition->object.map) ? -EBADMSG : 0;
}

/* Sleep until the bell isn't @seen any more, or for no reason, or an interval long. Return: 0, or why it ended. */
static int condition_sleep(struct nonet_condition *condition, uint32_t seen, nonet_time deadline)
{
	int result;

	if (atomic_load_explicit(&condition->shared->bell, memory_order_relaxed) != seen)
		return 0;
	result = life_sleep_on(&condition->shared->bell, seen, deadline);
	if (guard_map_is_poisoned(&condition->object.map))
		return -EBADMSG;
	if (result != 1)
		return object_slept(&condition->object, result);
	/* One in the program's own memory has no file. */
	return condition->object.map.base ? object_look_around(&condition->object) : 0;
}

/* Whether the calling thread may wait with the mutex: it holds it once, and could take it again. */
static int condition_may(const struct nonet_mutex *mutex)
{
	uint64_t owner;
	uint64_t seen;
	int error = object_check(&mutex->object);

	if (error == 0)
		error = domain_thread_owner(mutex->object.domain, &owner);
	if (error < 0)
		return error;
	seen = atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
	if (!mutex_is_mine(mutex, owner))
		return -EPERM;
	if (claim_state(seen) != 0)
		return -EINVAL;
	/* Its own rank is one. */
	return rank_count(mutex->object.domain, mutex->rank) > 1 ? -EDEADLK : 0;
}

int nonet_condition_wait(struct nonet_condition *condition, struct nonet_mutex *mutex, nonet_time deadline)
{
	uint32_t seen;
	int slept;
	int error = object_check(&condition->object);

	if (error == 0)
		error = condition_may(mutex);
	if (error == 0 && deadline == NONET_NOW)
		error = -EAGAIN;
	if (error < 0)
		return error;
	/* What changes from here on rings a bell that we hear: who changes it takes the mutex, and then rings. */
	seen = atomic_load_explicit(&condition->shared->bell, memory_order_relaxed);
	/* [CONDITION-SLEEP] pair: condition_is_armed() */
	atomic_store_explicit(&condition->shared->armed, 1, memory_order_seq_cst);
	error = nonet_mutex_unlock(mutex);
	if (error < 0)
		return error;
	slept = condition_sleep(condition, seen, deadline);
	error = nonet_mutex_lock(mutex, NONET_FOREVER);
	return error < 0 ? error : slept;
}
