/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/rwlock.h"

#include <errno.h>

#include "base/time.h"
#include "domain/life.h"
#include "sync/pause.h"
#include "sync/rank.h"
#include "sys/clock.h"
#include "sys/futex.h"

/*
 * Reading and writing. rwlock_layout.h has the states of the claim and of the places.
 *
 *   - A reader takes a place, then looks at the claim: if that isn't free he gives the place back, and waits for the
 *     claim. Readers write to no line that others read or write, unless there are more of them than lines.
 *   - A writer takes the claim, with an intent, then looks at all places and waits for each that a reader has. Only one
 *     at a time does. Once all were free, or his own, the intent is dropped, and he writes.
 *   - So what a reader leaves when he dies is a place, which the next writer frees, or another reader takes. What a
 *     writer leaves is an intent, which is nobody's business but the waiters'; or a claim, which is told.
 *   - Who sleeps has set the waiters' bit before, and sleeps on the claim, or the place, *and* on its owner's life.
 *     Whoever frees it wakes all: readers go on together, and who writes has to be among those who look.
 *   - An upgrader has a place and takes the claim. If he finds it taken, its owner waits for that very place: so he is
 *     refused at once, and nobody waits for him who waits.
 *   - Who was to wake, or to be woken, may be killed first: so nobody sleeps for longer than DOMAIN_INTERVAL.
 *
 * [RWLOCK-ENTER]  A reader stores his place, then loads the claim; a writer stores the claim, then loads the places.
 *                 All four are seq_cst, so they have one order, and at least one of the two sees the other. If both
 *                 loads could run early, both would go in.
 * [RWLOCK-OWN]    What an owner of the claim stored before he let go, the next one and the readers see; what a
 *                 reader loaded before he left his place, a writer doesn't change before that. Release, acquire. A
 *                 death is marked by the kernel, with a full barrier, and read with acquire (LIFE-MARK in
 *                 domain/life.h).
 */

/* How often to look before sleeping: a short section is over sooner than a sleeper gets to his bed. */
#define RWLOCK_LOOKS 100

/* So often the claim, or the places, may change under our eyes before we call it taken, or full. */
#define RWLOCK_TURNS 16

/* seq_cst, which takes in what [RWLOCK-OWN] and [BELL-ARMED] ask for. */
static bool rwlock_swap(struct nonet_rwlock *rwlock, uint64_t *seen, uint64_t wanted)
{
	return atomic_compare_exchange_strong_explicit(&rwlock->shared->claim, seen, wanted, memory_order_seq_cst,
						       memory_order_relaxed); /* [RWLOCK-ENTER] pair: rwlock_enter() */
}

/* All who sleep on the claim, and all bells. */
static void rwlock_wake(struct nonet_rwlock *rwlock)
{
	(void)sys_futex_wake(claim_futex(&rwlock->shared->claim), SYS_FUTEX_ALL);
	doorbell_ring(&rwlock->object);
}

/* By what the thread remembers it, whichever handle it uses. */
static uint64_t rwlock_key(const struct nonet_rwlock *rwlock)
{
	return rwlock->object.number;
}

/* What a call on the handle needs before all else. */
static int rwlock_begin(struct nonet_rwlock *rwlock, uint64_t *ret_owner)
{
	int error = object_check(&rwlock->object);

	return error < 0 ? error : domain_thread_owner(rwlock->object.domain, ret_owner);
}

/* Before it is locked: whether the thread may. */
static int rwlock_may(struct nonet_rwlock *rwlock, uint64_t owner)
{
	if (rwlock_place_find(rwlock, owner, false) != RWLOCK_NOWHERE)
		return -EDEADLK;
	return rwlock->plain ? 0 : rank_check(rwlock->object.domain, rwlock->rank);
}

/* The lock is had: what else belongs to it. @taken: 0 or -EOWNERDEAD */
static int rwlock_taken(struct nonet_rwlock *rwlock, uint64_t owner, int taken, enum rwlock_event event)
{
	if (guard_map_is_poisoned(&rwlock->object.map))
		return -EBADMSG;
	if (!rwlock->plain) {
		rank_push(rwlock->object.domain, rwlock->rank, rwlock_key(rwlock), rwlock->object.text);
		object_trace(&rwlock->object, owner, taken ? RWLOCK_TOOK_OVER : event, 0);
	}
	return taken;
}

/* The claim's owner is dead. Return: 0 nobody's now, -EOWNERDEAD ours, 1 it has changed. */
static int rwlock_bury(struct nonet_rwlock *rwlock, uint64_t owner, uint64_t dead)
{
	const bool intent = claim_state(dead) & RWLOCK_INTENT;
	uint64_t seen = dead;

	if (!rwlock_swap(rwlock, &seen, intent ? 0 : owner | CLAIM_WAITERS | RWLOCK_UNRECOVERED))
		return 1;
	life_tell(rwlock->object.domain, dead);
	rwlock_wake(rwlock);
	return intent ? 0 : -EOWNERDEAD;
}

/*
 * Look at the claim. Return: 0 it is nobody's; 1 it is @ret_seen, of somebody who lives; or -EOWNERDEAD: it is ours,
 * from one who is dead; -EDEADLK: it was ours; -ENOTRECOVERABLE, -EBADMSG.
 */
static int rwlock_look(struct nonet_rwlock *rwlock, uint64_t owner, uint64_t *ret_seen)
{
	int result = 1;

	for (unsigned turn = 0; turn < RWLOCK_TURNS && result == 1; turn++) {
		/* [RWLOCK-OWN] pair: rwlock_swap() */
		const uint64_t seen = atomic_load_explicit(&rwlock->shared->claim, memory_order_acquire);

		*ret_seen = seen;
		if (claim_is_free(seen) && claim_state(seen) == RWLOCK_GIVEN_UP)
			return -ENOTRECOVERABLE;
		if (claim_is_free(seen))
			return claim_state(seen) ? -EBADMSG : 0;
		if (rwlock_owns(seen, owner))
			return -EDEADLK;
		if (!life_has_ended(rwlock->object.domain, seen))
			return 1;
		if (guard_map_is_poisoned(&rwlock->object.domain->map))
			return -EBADMSG;
		result = rwlock_bury(rwlock, owner, seen);
	}
	return result;
}

/* Since when it is held, for who asks: noted by the first who has to wait. */
static void rwlock_note_since(struct nonet_rwlock *rwlock, uint64_t seen)
{
	struct rwlock_shared *shared = rwlock->shared;

	if (atomic_load_explicit(&shared->since_owner, memory_order_relaxed) == (seen & CLAIM_OWNER))
		return;
	atomic_store_explicit(&shared->since, sys_clock_real(), memory_order_relaxed);
	atomic_store_explicit(&shared->since_owner, seen & CLAIM_OWNER, memory_order_release); /* [RWLOCK-SINCE] */
}

/* Asleep for a whole interval: is all as it should be? Return: 0, -EBADMSG, -ESTALE. */
static int rwlock_look_around(struct nonet_rwlock *rwlock, uint64_t seen)
{
	int result = object_check_shared(&rwlock->object);

	if (result == 0)
		result = life_look(rwlock->object.domain, seen);
	return result < 0 ? result : 0;
}

/* Somebody who lives has it, the claim or a place. Return: 0 to look again, or what ends the waiting. */
static int rwlock_sleep(struct nonet_rwlock *rwlock, _Atomic uint64_t *claim, uint64_t seen, nonet_time deadline)
{
	struct domain *domain = rwlock->object.domain;
	uint64_t owner;
	int result;

	if (!(seen & CLAIM_WAITERS)) {
		if (!atomic_compare_exchange_strong_explicit(claim, &seen, seen | CLAIM_WAITERS, memory_order_relaxed,
							     memory_order_relaxed))
			return 0;
		seen |= CLAIM_WAITERS;
	}
	if (claim == &rwlock->shared->claim)
		rwlock_note_since(rwlock, seen);
	/* Since when isn't known here: it is one sleep of many. */
	result = domain_thread_owner(domain, &owner);
	if (result < 0)
		return result;
	domain_thread_waits(domain, owner, rwlock->object.number, 0);
	result = life_sleep(domain, claim, seen, deadline);
	domain_thread_waits(domain, owner, 0, 0);
	if (result == 1)
		result = rwlock_look_around(rwlock, seen);
	return object_slept(&rwlock->object, result);
}

/* Wait for a claim to change, without sleeping the first times. @looks: how many are left */
static int rwlock_await(struct nonet_rwlock *rwlock, _Atomic uint64_t *claim, uint64_t seen, nonet_time deadline,
			unsigned *looks)
{
	if (deadline == NONET_NOW)
		return object_not_now(&rwlock->object);
	if (*looks == 0)
		return rwlock_sleep(rwlock, claim, seen, deadline);
	--*looks;
	pause_once();
	return 0;
}

static unsigned rwlock_looks(void)
{
	return pause_helps() ? RWLOCK_LOOKS : 0;
}

/* Take a place, unless somebody writes. Return: 0, 1 somebody does, -EBUSY there is none. */
static int rwlock_enter(struct nonet_rwlock *rwlock, uint64_t owner)
{
	const uint32_t place = rwlock_place_take(rwlock, owner);
	uint64_t seen;

	if (place == RWLOCK_NOWHERE)
		return -EBUSY;
	seen = atomic_load_explicit(&rwlock->shared->claim,
				    memory_order_seq_cst); /* [RWLOCK-ENTER] pair: rwlock_swap() */
	if ((seen & ~(uint64_t)CLAIM_WAITERS) == 0)
		return 0;
	return rwlock_place_drop(rwlock, place, owner) ? 1 : object_poison(&rwlock->object);
}

static int rwlock_wait_to_read(struct nonet_rwlock *rwlock, uint64_t owner, nonet_time deadline)
{
	unsigned looks = rwlock_looks();
	unsigned full = 0;
	uint64_t seen;
	int result;

	for (;;) {
		result = rwlock_look(rwlock, owner, &seen);
		if (result == 1)
			result = rwlock_await(rwlock, &rwlock->shared->claim, seen, deadline, &looks);
		else if (result == 0) {
			result = rwlock_enter(rwlock, owner);
			if (result == 0)
				return 0;
			/* Some have a place only until they see that somebody writes. */
			if (result == -EBUSY && full++ < RWLOCK_TURNS)
				continue;
		}
		if (result < 0)
			return result;
	}
}

int nonet_rwlock_read_lock(struct nonet_rwlock *rwlock, nonet_time deadline)
{
	uint64_t owner;
	int result = rwlock_begin(rwlock, &owner);

	if (result == 0)
		result = rwlock_may(rwlock, owner);
	if (result < 0)
		return result;
	/* Who sees a writer right away needn't disturb him by taking a place. */
	result = atomic_load_explicit(&rwlock->shared->claim, memory_order_relaxed) == 0 ? rwlock_enter(rwlock, owner)
											 : 1;
	if (result != 0)
		result = rwlock_wait_to_read(rwlock, owner, deadline);
	if (result != 0 && result != -EOWNERDEAD)
		return result;
	return rwlock_taken(rwlock, owner, result, RWLOCK_READ);
}

/* The claim is let go; @state: what it says then. False: it wasn't the thread's. */
static bool rwlock_release(struct nonet_rwlock *rwlock, uint64_t owner)
{
	uint64_t seen = atomic_load_explicit(&rwlock->shared->claim, memory_order_relaxed);

	do {
		if (!rwlock_owns(seen, owner))
			return false;
	} while (!rwlock_swap(rwlock, &seen, claim_state(seen) & RWLOCK_UNRECOVERED ? RWLOCK_GIVEN_UP : 0));
	if (seen & CLAIM_WAITERS)
		rwlock_wake(rwlock);
	return true;
}

/* Take the claim, with an intent. Return: as rwlock_look(), but never 1. */
static int rwlock_intend(struct nonet_rwlock *rwlock, uint64_t owner, nonet_time deadline)
{
	unsigned looks = rwlock_looks();
	uint64_t seen = 0;
	int result;

	if (rwlock_swap(rwlock, &seen, owner | RWLOCK_INTENT))
		return 0;
	for (;;) {
		result = rwlock_look(rwlock, owner, &seen);
		if (result == 0 && rwlock_swap(rwlock, &seen, owner | RWLOCK_INTENT | (seen & CLAIM_WAITERS)))
			return 0;
		if (result == 1)
			result = rwlock_await(rwlock, &rwlock->shared->claim, seen, deadline, &looks);
		if (result < 0)
			return result;
	}
}

/* Wait until one reader has gone. */
static int rwlock_drain_place(struct nonet_rwlock *rwlock, uint32_t place, uint64_t owner, nonet_time deadline,
			      unsigned *looks)
{
	_Atomic uint64_t *claim = &rwlock->shared->places[place];
	int result = 0;

	while (result == 0) {
		/* [RWLOCK-ENTER] pair: place_try(); [RWLOCK-OWN] pair: rwlock_place_drop() */
		const uint64_t seen = atomic_load_explicit(claim, memory_order_seq_cst);

		if (claim_is_free(seen) || rwlock_owns(seen, owner))
			return 0;
		if (life_has_ended(rwlock->object.domain, seen))
			rwlock_place_clear(rwlock, place, seen);
		else
			result = rwlock_await(rwlock, claim, seen, deadline, looks);
	}
	return result;
}

/* With the claim and an intent: wait for the readers to go, and write; or let go of the claim. */
static int rwlock_drain(struct nonet_rwlock *rwlock, uint64_t owner, nonet_time deadline)
{
	unsigned looks = rwlock_looks();
	uint64_t seen = owner | RWLOCK_INTENT;
	int result = 0;

	for (uint32_t place = 0; place < rwlock->number && result == 0; place++)
		result = rwlock_drain_place(rwlock, place, owner, deadline, &looks);
	if (result == 0 && guard_map_is_poisoned(&rwlock->object.map))
		result = -EBADMSG;
	if (result < 0) {
		(void)rwlock_release(rwlock, owner);
		return result;
	}
	/* The waiters' bit may have come, nothing else. */
	while (!rwlock_swap(rwlock, &seen, seen & ~(uint64_t)RWLOCK_INTENT))
		if (!rwlock_owns(seen, owner))
			return object_poison(&rwlock->object);
	return 0;
}

int nonet_rwlock_write_lock(struct nonet_rwlock *rwlock, nonet_time deadline)
{
	uint64_t owner;
	int result = rwlock_begin(rwlock, &owner);

	if (result == 0)
		result = rwlock_may(rwlock, owner);
	if (result == 0)
		result = rwlock_intend(rwlock, owner, deadline);
	if (result == 0)
		result = rwlock_drain(rwlock, owner, deadline);
	if (result != 0 && result != -EOWNERDEAD)
		return result;
	return rwlock_taken(rwlock, owner, result, RWLOCK_WRITTEN);
}

/* It isn't held as the call needs it. */
static int rwlock_not_mine(const struct nonet_rwlock *rwlock)
{
	return guard_map_is_poisoned(&rwlock->object.map) ? -EBADMSG : -EPERM;
}

int nonet_rwlock_unlock(struct nonet_rwlock *rwlock)
{
	uint64_t owner;
	uint32_t place;
	int error = rwlock_begin(rwlock, &owner);

	if (error < 0)
		return error;
	/* Who writes has no place, and who reads not the claim. */
	if (!rwlock_writes(rwlock, owner)) {
		place = rwlock_place_find(rwlock, owner, true);
		if (place == RWLOCK_NOWHERE)
			return rwlock_not_mine(rwlock);
		object_trace(&rwlock->object, owner, RWLOCK_UNLOCKED, 0);
		if (!rwlock_place_drop(rwlock, place, owner))
			return object_poison(&rwlock->object);
	} else {
		object_trace(&rwlock->object, owner, RWLOCK_UNLOCKED, 0);
		if (!rwlock_release(rwlock, owner))
			return object_poison(&rwlock->object);
	}
	if (!rwlock->plain)
		rank_pop(rwlock->object.domain, rwlock->rank, rwlock_key(rwlock));
	return 0;
}

int nonet_rwlock_upgrade(struct nonet_rwlock *rwlock, nonet_time deadline)
{
	uint64_t owner;
	uint64_t seen;
	uint32_t place;
	int result = rwlock_begin(rwlock, &owner);

	if (result < 0)
		return result;
	place = rwlock_place_find(rwlock, owner, true);
	if (place == RWLOCK_NOWHERE)
		return rwlock_not_mine(rwlock);
	do {
		result = rwlock_look(rwlock, owner, &seen);
		if (result == 1)
			return -EDEADLK;
	} while (result == 0 && !rwlock_swap(rwlock, &seen, owner | RWLOCK_INTENT | (seen & CLAIM_WAITERS)));
	if (result == 0)
		result = rwlock_drain(rwlock, owner, deadline);
	/* Nobody dies as a writer while others read: a peer wrote over the claim. It was had before we looked. */
	if (result == -EOWNERDEAD || result == -EDEADLK)
		return object_poison(&rwlock->object);
	if (result < 0)
		return result;
	/* From here on it writes, so that killed now it is told. */
	if (!rwlock_place_drop(rwlock, place, owner))
		return object_poison(&rwlock->object);
	object_trace(&rwlock->object, owner, RWLOCK_UPGRADED, 0);
	return 0;
}

int nonet_rwlock_downgrade(struct nonet_rwlock *rwlock)
{
	uint32_t place = RWLOCK_NOWHERE;
	uint64_t owner;
	uint64_t seen;
	int error = rwlock_begin(rwlock, &owner);

	if (error < 0)
		return error;
	seen = atomic_load_explicit(&rwlock->shared->claim, memory_order_relaxed);
	if (!rwlock_owns(seen, owner))
		return rwlock_not_mine(rwlock);
	if (claim_state(seen) & RWLOCK_UNRECOVERED)
		return -EINVAL;
	/* The others who have one have just seen that we write, and give it back. */
	for (unsigned turn = 0; turn < RWLOCK_TURNS && place == RWLOCK_NOWHERE; turn++)
		place = rwlock_place_take(rwlock, owner);
	if (place == RWLOCK_NOWHERE)
		return -EBUSY;
	/* Traced while nobody else could have it for writing. */
	object_trace(&rwlock->object, owner, RWLOCK_DOWNGRADED, 0);
	return rwlock_release(rwlock, owner) ? 0 : object_poison(&rwlock->object);
}

int nonet_rwlock_recover(struct nonet_rwlock *rwlock)
{
	uint64_t owner;
	uint64_t seen;
	int error = rwlock_begin(rwlock, &owner);

	if (error < 0)
		return error;
	seen = atomic_load_explicit(&rwlock->shared->claim, memory_order_relaxed);
	do {
		if (!rwlock_owns(seen, owner))
			return rwlock_not_mine(rwlock);
		if (!(claim_state(seen) & RWLOCK_UNRECOVERED))
			return -EINVAL;
	} while (!rwlock_swap(rwlock, &seen, seen & ~(uint64_t)RWLOCK_UNRECOVERED));
	object_trace(&rwlock->object, owner, RWLOCK_RECOVERED, 0);
	return 0;
}
