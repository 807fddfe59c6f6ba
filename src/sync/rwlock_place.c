/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/life.h"
#include "sync/rwlock.h"
#include "sys/futex.h"

/*
 * Where readers stand. rwlock.c has what [RWLOCK-ENTER] and [RWLOCK-OWN] are about.
 *
 * Only the thread itself has to find its place again, so what it has stored it sees, whatever the order: that it
 * strayed is stored before it takes the place.
 */

/* A place that changes so often under our eyes is left to others. */
#define PLACE_TURNS 4

/* Neighbours in numbers get lines of their own, as far as there are lines. */
static uint32_t place_home(const struct nonet_rwlock *rwlock, uint64_t owner)
{
	const uint32_t slot = claim_slot(owner);
	const uint32_t line = slot & ((1u << rwlock->strides) - 1);

	return line * RWLOCK_LINE + (slot >> rwlock->strides) % RWLOCK_LINE;
}

uint32_t rwlock_place_find(const struct nonet_rwlock *rwlock, uint64_t owner, bool everywhere)
{
	const struct rwlock_shared *shared = rwlock->shared;
	const uint32_t home = place_home(rwlock, owner);
	const bool strayed = everywhere || atomic_load_explicit(&shared->strayed, memory_order_relaxed);
	const uint32_t number = strayed ? rwlock->number : RWLOCK_LINE;

	/* Home, its line, and then all the others, each once: the numbers differ from home in other bits each time. */
	for (uint32_t i = 0; i < number; i++)
		if (rwlock_owns(atomic_load_explicit(&shared->places[home ^ i], memory_order_relaxed), owner))
			return home ^ i;
	return RWLOCK_NOWHERE;
}

static bool place_try(struct nonet_rwlock *rwlock, uint32_t place, uint64_t owner)
{
	_Atomic uint64_t *claim = &rwlock->shared->places[place];
	uint64_t seen = atomic_load_explicit(claim, memory_order_relaxed);

	for (unsigned turn = 0; turn < PLACE_TURNS; turn++) {
		const uint64_t before = seen;

		if (!claim_is_free(seen) && !life_has_ended(rwlock->object.domain, seen))
			return false;
		/* Who sleeps here for the dead one goes on sleeping for us. */
		if (atomic_compare_exchange_strong_explicit(claim, &seen, owner | (seen & CLAIM_WAITERS),
							    memory_order_seq_cst,
							    memory_order_relaxed)) { /* [RWLOCK-ENTER] */
			if (!claim_is_free(before))
				life_tell(rwlock->object.domain, before);
			return true;
		}
	}
	return false;
}

uint32_t rwlock_place_take(struct nonet_rwlock *rwlock, uint64_t owner)
{
	struct rwlock_shared *shared = rwlock->shared;
	const uint32_t home = place_home(rwlock, owner);

	for (uint32_t i = 0; i < rwlock->number; i++) {
		if (i == RWLOCK_LINE)
			atomic_store_explicit(&shared->strayed, 1, memory_order_relaxed);
		if (place_try(rwlock, home ^ i, owner))
			return home ^ i;
	}
	return RWLOCK_NOWHERE;
}

bool rwlock_place_drop(struct nonet_rwlock *rwlock, uint32_t place, uint64_t owner)
{
	_Atomic uint64_t *claim = &rwlock->shared->places[place];
	uint64_t seen = owner;

	/* The waiters' bit may come meanwhile, nothing else. */
	/* [RWLOCK-OWN] pair: rwlock_drain_place(); [BELL-ARMED] pair: rwlock_bell_mark() */
	while (!atomic_compare_exchange_strong_explicit(claim, &seen, 0, memory_order_acq_rel, memory_order_relaxed))
		if (!rwlock_owns(seen, owner))
			return false;
	if (seen & CLAIM_WAITERS) {
		(void)sys_futex_wake(claim_futex(claim), SYS_FUTEX_ALL);
		doorbell_ring(&rwlock->object);
	}
	return true;
}

void rwlock_place_clear(struct nonet_rwlock *rwlock, uint32_t place, uint64_t dead)
{
	uint64_t seen = dead;

	if (atomic_compare_exchange_strong_explicit(&rwlock->shared->places[place], &seen, 0, memory_order_acq_rel,
						    memory_order_relaxed)) /* [RWLOCK-OWN] */
		life_tell(rwlock->object.domain, dead);
}
