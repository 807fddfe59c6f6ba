/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/mutex.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "domain/life.h"
#include "sync/pause.h"
#include "sync/rank.h"
#include "sys/clock.h"
#include "sys/futex.h"

/*
 * Locking and unlocking. mutex_layout.h has the states of the claim.
 *
 *   - Taking is one compare-and-swap that says who; so is letting go. Between the two nobody but the owner changes
 *     anything but the waiters' bit.
 *   - Who sleeps has set the waiters' bit before, and sleeps on the claim *and* on the life word of its owner. When the
 *     owner changes, the others still sleep on the old one's life: so an owner who has slept wakes ONE of them, who
 *     then watches over the new one. Waking all would do as well, and costs six times as much.
 *   - The kernel wakes only one sleeper on a dead thread's word, who may sleep there for another mutex of the same
 *     owner, or need the mutex no more: so whoever has slept on a dead owner's life wakes all others there
 *     (life_sleep()). Who takes over without having slept need not: if anybody slept, one of them was woken.
 *   - Who was to wake, or to be woken, may be killed first: so nobody sleeps for longer than DOMAIN_INTERVAL.
 *
 * [MUTEX-OWN]  What an owner stored before he let go, or before he died, the next one sees: release, acquire. A death
 *              is marked by the kernel, with a full barrier, and read with acquire (LIFE-MARK in domain/life.h).
 */

/* So often the claim may change under our eyes in one look: a peer that writes to it without end keeps nobody past his
 * deadline. */
#define MUTEX_TURNS 64

/* How often to look before sleeping: a short section is over sooner than a sleeper gets to his bed. */
#define MUTEX_LOOKS 100

static bool mutex_swap(struct nonet_mutex *mutex, uint64_t *seen, uint64_t wanted)
{
	return atomic_compare_exchange_strong_explicit(&mutex->shared->claim, seen, wanted, memory_order_acq_rel,
						       memory_order_relaxed); /* [MUTEX-OWN] [BELL-ARMED] the same */
}

static void mutex_wake(struct nonet_mutex *mutex, int32_t count)
{
	(void)sys_futex_wake(claim_futex(&mutex->shared->claim), count);
}

/* By what the thread remembers it, whichever handle it uses. */
static uint64_t mutex_key(const struct nonet_mutex *mutex)
{
	return mutex->object.number ? mutex->object.number : (uint64_t)(uintptr_t)mutex->shared;
}

/* The lock is had: what else belongs to it. @taken: 0 or -EOWNERDEAD */
static int mutex_taken(struct nonet_mutex *mutex, uint64_t owner, int taken)
{
	if (guard_map_is_poisoned(&mutex->object.map))
		return -EBADMSG;
	if (!mutex->plain) {
		rank_push(mutex->object.domain, mutex->rank, mutex_key(mutex), mutex->object.text);
		object_trace(&mutex->object, owner, taken ? MUTEX_TOOK_OVER : MUTEX_LOCKED, 0);
	}
	return taken;
}

static int mutex_lock_again(struct nonet_mutex *mutex, uint64_t seen)
{
	if (!mutex->recursive)
		return -EDEADLK;
	/* The waiters' bit may come meanwhile, nothing else. */
	do {
		if ((claim_state(seen) & MUTEX_DEPTH) == MUTEX_DEPTH)
			return -EAGAIN;
	} while (!mutex_swap(mutex, &seen, seen + 1));
	return 0;
}

static int mutex_take_over(struct nonet_mutex *mutex, uint64_t owner, uint64_t seen)
{
	if (!mutex_swap(mutex, &seen, owner | CLAIM_WAITERS | MUTEX_UNRECOVERED))
		return -EAGAIN;
	mutex_wake(mutex, 1);
	return mutex_taken(mutex, owner, -EOWNERDEAD);
}

/* Since when it is held, for who asks: noted by the first who has to wait. */
static void mutex_note_since(struct nonet_mutex *mutex, uint64_t seen)
{
	struct mutex_shared *shared = mutex->shared;

	if (atomic_load_explicit(&shared->since_owner, memory_order_relaxed) == (seen & CLAIM_OWNER))
		return;
	atomic_store_explicit(&shared->since, sys_clock_real(), memory_order_relaxed);
	atomic_store_explicit(&shared->since_owner, seen & CLAIM_OWNER, memory_order_release); /* [MUTEX-SINCE] */
}

/* Asleep for a whole interval: is all as it should be? Return: 0, -EBADMSG, -ESTALE. */
static int mutex_look_around(struct nonet_mutex *mutex, uint64_t seen)
{
	int result = mutex->object.map.base ? object_check_shared(&mutex->object) : 0;

	if (result < 0)
		return result;
	result = life_look(mutex->object.domain, seen);
	return result < 0 ? result : 0;
}

/* Somebody who lives has it. Return: 0 to look again, or what ends the waiting. */
static int mutex_sleep(struct nonet_mutex *mutex, uint64_t seen, nonet_time deadline)
{
	int result;

	/* It changed all the time: look again, unless it is late. */
	if (claim_is_free(seen))
		return nonet_clock() < deadline ? 0 : -ETIMEDOUT;
	if (!(seen & CLAIM_WAITERS)) {
		if (!mutex_swap(mutex, &seen, seen | CLAIM_WAITERS))
			return nonet_clock() < deadline ? 0 : -ETIMEDOUT;
		seen |= CLAIM_WAITERS;
	}
	mutex_note_since(mutex, seen);
	result = life_sleep(mutex->object.domain, &mutex->shared->claim, seen, deadline);
	if (result == 1)
		result = mutex_look_around(mutex, seen);
	return object_slept(&mutex->object, result);
}

/*
 * One look at the claim. Return: 1 somebody has it, and lives, or it changes all the time; else what nonet_mutex_lock()
 * returns.
 */
static int mutex_try(struct nonet_mutex *mutex, uint64_t owner, bool slept, uint64_t *ret_seen)
{
	uint64_t seen = atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
	int result;

	for (unsigned turn = 0; turn < MUTEX_TURNS; turn++) {
		*ret_seen = seen;
		if (claim_is_free(seen)) {
			const uint64_t waiters = slept ? CLAIM_WAITERS : seen & CLAIM_WAITERS;

			if (claim_state(seen) == MUTEX_GIVEN_UP)
				return -ENOTRECOVERABLE;
			if (claim_state(seen))
				return -EBADMSG;
			if (!mutex_swap(mutex, &seen, owner | waiters))
				continue;
			if (waiters)
				mutex_wake(mutex, 1);
			return mutex_taken(mutex, owner, 0);
		}
		if (((seen ^ owner) & CLAIM_OWNER) == 0)
			return mutex_lock_again(mutex, seen);
		if (!life_has_ended(mutex->object.domain, seen))
			return 1;
		if (guard_map_is_poisoned(&mutex->object.domain->map))
			return -EBADMSG;
		result = mutex_take_over(mutex, owner, seen);
		if (result != -EAGAIN)
			return result;
		seen = atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
	}
	return 1;
}

static int mutex_wait(struct nonet_mutex *mutex, uint64_t owner, nonet_time deadline)
{
	unsigned looks = pause_helps() ? MUTEX_LOOKS : 0;
	bool slept = false;
	uint64_t seen;
	int result;

	for (;;) {
		result = mutex_try(mutex, owner, slept, &seen);
		if (result != 1)
			break;
		if (deadline == NONET_NOW)
			return object_not_now(&mutex->object);
		if (looks > 0) {
			looks--;
			pause_once();
			continue;
		}
		if (!slept)
			domain_thread_waits(mutex->object.domain, owner, mutex->object.number, sys_clock_real());
		result = mutex_sleep(mutex, seen, deadline);
		slept = true;
		if (result < 0)
			break;
	}
	if (slept)
		domain_thread_waits(mutex->object.domain, owner, 0, 0);
	/* Who was woken and doesn't take it hands the wake on. */
	if (slept && result < 0 && result != -EOWNERDEAD)
		mutex_wake(mutex, 1);
	return result;
}

/* Whoever has nothing to do but the claim, and finds it free, is done here. */
int nonet_mutex_lock(struct nonet_mutex *mutex, nonet_time deadline)
{
	uint64_t owner;
	uint64_t seen = 0;
	int error = object_check(&mutex->object);

	if (error < 0)
		return error;
	error = domain_thread_owner(mutex->object.domain, &owner);
	if (error < 0)
		return error;
	if (!mutex->plain && !mutex_is_mine(mutex, owner)) {
		error = rank_check(mutex->object.domain, mutex->rank);
		if (error < 0)
			return error;
	}
	if (mutex_swap(mutex, &seen, owner))
		return mutex_taken(mutex, owner, 0);
	return mutex_wait(mutex, owner, deadline);
}

static int mutex_unlock_slow(struct nonet_mutex *mutex, uint64_t owner, uint64_t seen)
{
	uint64_t wanted;

	do {
		if ((seen ^ owner) & CLAIM_OWNER)
			return guard_map_is_poisoned(&mutex->object.map) ? -EBADMSG : -EPERM;
		if (claim_state(seen) & MUTEX_DEPTH)
			wanted = seen - 1;
		else
			wanted = claim_state(seen) & MUTEX_UNRECOVERED ? MUTEX_GIVEN_UP : 0;
	} while (!mutex_swap(mutex, &seen, wanted));
	if (wanted & CLAIM_SLOT)
		return 0;
	if (seen & CLAIM_WAITERS) {
		mutex_wake(mutex, wanted == MUTEX_GIVEN_UP ? SYS_FUTEX_ALL : 1);
		if (mutex->rings)
			doorbell_ring(&mutex->object);
	}
	return 1;
}

int nonet_mutex_unlock(struct nonet_mutex *mutex)
{
	uint64_t owner;
	uint64_t seen;
	int result = object_check(&mutex->object);

	if (result < 0)
		return result;
	result = domain_thread_owner(mutex->object.domain, &owner);
	if (result < 0)
		return result;
	/* Traced while nobody else can have it; and not for who never had it. */
	if (!mutex->plain && mutex_is_mine(mutex, owner))
		object_trace(&mutex->object, owner, MUTEX_UNLOCKED, 0);
	seen = owner;
	if (!mutex_swap(mutex, &seen, 0)) {
		result = mutex_unlock_slow(mutex, owner, seen);
		if (result <= 0)
			return result;
	}
	if (!mutex->plain)
		rank_pop(mutex->object.domain, mutex->rank, mutex_key(mutex));
	return 0;
}

int nonet_mutex_recover(struct nonet_mutex *mutex)
{
	uint64_t owner;
	uint64_t seen;
	int error = object_check(&mutex->object);

	if (error < 0)
		return error;
	error = domain_thread_owner(mutex->object.domain, &owner);
	if (error < 0)
		return error;
	seen = atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
	do {
		if ((seen ^ owner) & CLAIM_OWNER)
			return guard_map_is_poisoned(&mutex->object.map) ? -EBADMSG : -EPERM;
		if (!(claim_state(seen) & MUTEX_UNRECOVERED))
			return -EINVAL;
	} while (!mutex_swap(mutex, &seen, seen & ~(uint64_t)MUTEX_UNRECOVERED));
	object_trace(&mutex->object, owner, MUTEX_RECOVERED, 0);
	return 0;
}
