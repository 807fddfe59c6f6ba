/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "domain/claim.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "semaphore/semaphore_shared.h"
#include "sys/futex.h"

/*
 * Taking and giving. semaphore_layout.h has the states.
 *
 *   - A permit that is owned is a claim of its own, so that a process that dies leaves exactly those that it had.
 *   - Who finds none, or wants several, takes the turn, a mutex: then he is the only one who waits for permits, all
 *     others wait for the turn. So a large request isn't starved by small ones: he keeps what he gets until it is
 *     enough. Deaths while waiting are the mutex's affair, and permits that were half collected are a dead one's.
 *   - While he waits, the word says so, and nobody takes a permit past him. Should he be killed, the next one finds the
 *     turn's owner dead, and goes on in his place.
 *   - He sleeps on the word, and on the lives of those who have the permits.
 *
 * [SEM-OWN]   What was done with a permit, or before a post, the next one who takes sees: release, acquire.
 * [SEM-SLEEP] Permits and word are different places. Who gives back frees the permit, then reads the word; who waits
 *             marks the word, then looks at the permits. All four are sequentially consistent, so one of the two sees
 *             the other. Where the word is the count they are one place, and nothing is needed.
 */

/* Whose deaths a sleeper notices at once; those of others he finds when he looks again. */
#define SEMAPHORE_LIVES (SYS_FUTEX_MANY - 1)

static uint64_t permit_load(const struct nonet_semaphore *semaphore, uint32_t index)
{
	return atomic_load_explicit(&semaphore->shared->permits[index], memory_order_seq_cst); /* [SEM-SLEEP] */
}

static bool permit_swap(struct nonet_semaphore *semaphore, uint32_t index, uint64_t seen, uint64_t wanted)
{
	/* [SEM-OWN] [SEM-SLEEP] pair: the same, and semaphore_wake(), semaphore_sleep() */
	return atomic_compare_exchange_strong_explicit(&semaphore->shared->permits[index], &seen, wanted,
						       memory_order_seq_cst, memory_order_relaxed);
}

SEMAPHORE_APART static void semaphore_wake_those(struct nonet_semaphore *semaphore, uint32_t seen)
{
	if (seen & SEMAPHORE_WAITS)
		(void)sys_futex_wake(&semaphore->shared->word, 1);
	if (seen & SEMAPHORE_BELLS)
		doorbell_ring(&semaphore->object);
}

/* Whoever looks at the word sees what was given before. */
static uint32_t semaphore_word(const struct nonet_semaphore *semaphore)
{
	return atomic_load_explicit(&semaphore->shared->word, memory_order_seq_cst); /* [SEM-SLEEP] */
}

/* If somebody may wait. */
static void semaphore_wake(struct nonet_semaphore *semaphore)
{
	struct semaphore_shared *shared = semaphore->shared;
	uint32_t seen = semaphore_word(semaphore);
	uint32_t wanted;

	do {
		if (!(seen & (SEMAPHORE_WAITS | SEMAPHORE_BELLS)))
			return;
		wanted = (seen & SEMAPHORE_WAITS) | ((seen + 1) & SEMAPHORE_COUNT);
	} while (!atomic_compare_exchange_weak_explicit(&shared->word, &seen, wanted, memory_order_acq_rel,
							memory_order_relaxed)); /* [BELL-ARMED] */
	semaphore_wake_those(semaphore, seen);
}

static void permit_taken(struct nonet_semaphore *semaphore, uint32_t index)
{
	atomic_store_explicit(&semaphore->shared->hint, index + 1, memory_order_relaxed);
	atomic_store_explicit(&semaphore->mine, index, memory_order_relaxed);
}

/* It is the one to try first. Who found it that way leaves the line alone, which the others read. */
static void permit_given(struct nonet_semaphore *semaphore, uint32_t index)
{
	if (atomic_load_explicit(&semaphore->shared->hint, memory_order_relaxed) != index)
		atomic_store_explicit(&semaphore->shared->hint, index, memory_order_relaxed);
}

static bool permit_take_free(struct nonet_semaphore *semaphore, uint64_t owner)
{
	const uint32_t maximum = semaphore->maximum;
	uint32_t index = atomic_load_explicit(&semaphore->shared->hint, memory_order_relaxed);

	if (index >= maximum)
		index = 0;
	for (uint32_t i = 0; i < maximum; i++) {
		const uint64_t seen = permit_load(semaphore, index);

		if (claim_is_free(seen) && permit_swap(semaphore, index, seen, owner)) {
			permit_taken(semaphore, index);
			return true;
		}
		if (++index == maximum)
			index = 0;
	}
	return false;
}

SEMAPHORE_APART static bool permit_take_dead(struct nonet_semaphore *semaphore, uint64_t owner)
{
	for (uint32_t index = 0; index < semaphore->maximum; index++) {
		const uint64_t seen = permit_load(semaphore, index);

		if (!claim_is_free(seen) && !life_has_ended(semaphore->object.domain, seen))
			continue;
		if (!permit_swap(semaphore, index, seen, owner))
			continue;
		if (!claim_is_free(seen))
			life_tell(semaphore->object.domain, seen);
		permit_taken(semaphore, index);
		return true;
	}
	return false;
}

/* Up to @wanted permits: how many there were. */
static uint32_t semaphore_collect(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t wanted)
{
	uint32_t seen;
	uint32_t got = 0;

	if (semaphore->signals) {
		seen = atomic_load_explicit(&semaphore->shared->word, memory_order_relaxed);
		do {
			if ((seen & SEMAPHORE_COUNT) < wanted)
				return 0;
		} while (!atomic_compare_exchange_weak_explicit(&semaphore->shared->word, &seen, seen - wanted,
								memory_order_acq_rel,
								memory_order_relaxed)); /* [SEM-OWN] */
		return wanted;
	}
	while (got < wanted && (permit_take_free(semaphore, owner) || permit_take_dead(semaphore, owner)))
		got++;
	return got;
}

/* Change the state of up to @count of ours that have @from: how many. */
static uint32_t permit_change(struct nonet_semaphore *semaphore, uint64_t from, uint64_t wanted, uint32_t count)
{
	const uint32_t maximum = semaphore->maximum;
	uint32_t index = atomic_load_explicit(&semaphore->mine, memory_order_relaxed);
	uint32_t changed = 0;

	for (uint32_t i = 0; i < maximum && changed < count; i++) {
		if (permit_load(semaphore, index) == from && permit_swap(semaphore, index, from, wanted)) {
			changed++;
			if (wanted == 0)
				permit_given(semaphore, index);
		}
		index = index == 0 ? maximum - 1 : index - 1;
	}
	atomic_store_explicit(&semaphore->mine, index, memory_order_relaxed);
	return changed;
}

/* What a wait that gives up had collected. */
static void semaphore_give_up(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t got)
{
	if (got > 0 && permit_change(semaphore, owner, 0, got) > 0)
		semaphore_wake(semaphore);
}

/* Other processes that have permits, each once if they lie together: how many, or -1: one is dead. */
int semaphore_find_owners(const struct nonet_semaphore *semaphore, uint64_t *owners, int room)
{
	int count = 0;

	for (uint32_t index = 0; index < semaphore->maximum && count < room; index++) {
		const uint64_t seen = permit_load(semaphore, index) & CLAIM_OWNER;
		int i = count;

		if (claim_is_free(seen))
			continue;
		while (i > 0 && owners[i - 1] != seen)
			i--;
		if (i > 0)
			continue;
		if (life_has_ended(semaphore->object.domain, seen))
			return -1;
		owners[count++] = seen;
	}
	return count;
}

/* With the turn, after marking the word: @seen. Return: 0 to look again, or what ends the waiting. */
static int semaphore_sleep(struct nonet_semaphore *semaphore, uint32_t seen, nonet_time deadline)
{
	struct sys_futex_word words[SYS_FUTEX_MANY] = {{&semaphore->shared->word, seen}};
	uint64_t owners[SEMAPHORE_LIVES];
	int count = semaphore->signals ? 0 : semaphore_find_owners(semaphore, owners, SEMAPHORE_LIVES);
	int result;

	if (count < 0)
		return 0;
	result = life_sleep_many(semaphore->object.domain, words, 1, owners, count, deadline);
	if (result != 1)
		return object_slept(&semaphore->object, result);
	/* A whole interval: is all as it should be? */
	result = object_check_shared(&semaphore->object);
	return result < 0 ? result : life_look_many(semaphore->object.domain, owners, count);
}

/* With the turn. */
static int semaphore_wait_in_turn(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t permits,
				  nonet_time deadline)
{
	struct semaphore_shared *shared = semaphore->shared;
	uint32_t got = 0;
	uint32_t seen = 0;
	bool marked = false;
	int result = 0;

	for (;;) {
		got += semaphore_collect(semaphore, owner, permits - got);
		if (got == permits)
			return 0;
		if (deadline == NONET_NOW)
			result = object_not_now(&semaphore->object);
		else if (marked)
			result = semaphore_sleep(semaphore, seen, deadline);
		if (result == 0)
			result = object_check(&semaphore->object);
		if (result < 0)
			break;
		/* [SEM-SLEEP] And then we look once more. pair: semaphore_wake() */
		seen = atomic_fetch_or_explicit(&shared->word, SEMAPHORE_WAITS, memory_order_seq_cst);
		marked = true;
		seen |= SEMAPHORE_WAITS;
	}
	semaphore_give_up(semaphore, owner, got);
	return result;
}

/* Nobody has to be let past any more; who armed a doorbell may have found permits that he couldn't have. */
static void semaphore_leave_turn(struct nonet_semaphore *semaphore)
{
	const uint32_t seen = atomic_fetch_and_explicit(&semaphore->shared->word, ~(SEMAPHORE_WAITS | SEMAPHORE_BELLS),
							memory_order_acq_rel); /* [BELL-ARMED] */

	if (seen & SEMAPHORE_BELLS)
		doorbell_ring(&semaphore->object);
}

/* What the turn's mutex says only if a peer wrote over it: that we have it already, have it not, or nobody can. */
static int semaphore_turn(const struct nonet_semaphore *semaphore, int result)
{
	const bool damaged = result == -EDEADLK || result == -EPERM || result == -ENOTRECOVERABLE;

	return damaged ? object_poison(&semaphore->object) : result;
}

static int semaphore_take_turn(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	int result = nonet_mutex_lock(&semaphore->turn, deadline);

	if (result != -EOWNERDEAD)
		return semaphore_turn(semaphore, result);
	/* What the dead one had collected is his, and given out as such; there is nothing else to mend. */
	result = nonet_mutex_recover(&semaphore->turn);
	return result == -EINVAL ? object_poison(&semaphore->object) : semaphore_turn(semaphore, result);
}

SEMAPHORE_APART static int semaphore_wait_slowly(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t permits,
						 nonet_time deadline)
{
	int result = semaphore_take_turn(semaphore, deadline);
	int error;

	if (result < 0)
		return result;
	result = semaphore_wait_in_turn(semaphore, owner, permits, deadline);
	semaphore_leave_turn(semaphore);
	error = semaphore_turn(semaphore, nonet_mutex_unlock(&semaphore->turn));
	return error < 0 ? error : result;
}

/* Of one that only counts, without ever waiting: whether all were had. */
static inline bool semaphore_count_down(struct nonet_semaphore *semaphore, uint32_t permits)
{
	struct semaphore_shared *shared = semaphore->shared;
	uint32_t seen = atomic_load_explicit(&shared->word, memory_order_relaxed);

	do {
		if (seen & SEMAPHORE_WAITS || (seen & SEMAPHORE_COUNT) < permits)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&shared->word, &seen, seen - permits, memory_order_acq_rel,
							memory_order_relaxed)); /* [SEM-OWN] */
	return true;
}

/* The same of any. */
static bool semaphore_try(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t permits)
{
	const uint32_t seen = atomic_load_explicit(&semaphore->shared->word, memory_order_relaxed);

	if (semaphore->signals)
		return semaphore_count_down(semaphore, permits);
	return !(seen & SEMAPHORE_WAITS) && permits == 1 && semaphore_collect(semaphore, owner, 1) == 1;
}

/* The first time in a process, which has to make a thread for that. */
SEMAPHORE_APART static int semaphore_make_owner(struct nonet_semaphore *semaphore, uint64_t *ret_owner)
{
	return domain_process_owner(semaphore->object.domain, ret_owner);
}

/* That an operation may be done, and by whom. */
static int semaphore_begin(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, uint64_t *ret_owner)
{
	const int error = object_check(&semaphore->object);

	if (error < 0)
		return error;
	if (permits > semaphore->maximum)
		return -EINVAL;
	*ret_owner = 0;
	if (semaphore->signals)
		return flags ? -EOPNOTSUPP : 0;
	/* [HELPER-OWNER] pair: domain_process_owner() */
	*ret_owner = atomic_load_explicit(&semaphore->object.domain->helper, memory_order_acquire);
	return *ret_owner ? 0 : semaphore_make_owner(semaphore, ret_owner);
}

/* Done; unless a hole was found in the memory on the way, so that it was done to zeros of our own. */
static int semaphore_end(const struct nonet_semaphore *semaphore, int result)
{
	return guard_map_is_poisoned(&semaphore->object.map) ? -EBADMSG : result;
}

SEMAPHORE_APART int semaphore_shared_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags,
					  nonet_time deadline)
{
	uint64_t owner;
	int error = semaphore_begin(semaphore, permits, flags, &owner);

	if (error < 0)
		return error;
	if (!semaphore_try(semaphore, owner, permits))
		error = semaphore_wait_slowly(semaphore, owner, permits, deadline);
	return semaphore_end(semaphore, error);
}

/* The permit that is free most likely, if it is. */
static bool permit_take_likely(struct nonet_semaphore *semaphore)
{
	const struct semaphore_shared *shared = semaphore->shared;
	/* [HELPER-OWNER] pair: domain_process_owner() */
	const uint64_t owner = atomic_load_explicit(&semaphore->object.domain->helper, memory_order_acquire);
	const uint32_t index = atomic_load_explicit(&shared->hint, memory_order_relaxed);

	if (!owner || index >= semaphore->maximum ||
	    atomic_load_explicit(&shared->word, memory_order_relaxed) & SEMAPHORE_WAITS)
		return false;
	if (permit_load(semaphore, index) != 0 || !permit_swap(semaphore, index, 0, owner))
		return false;
	atomic_store_explicit(&semaphore->mine, index, memory_order_relaxed);
	return true;
}

SEMAPHORE_APART int semaphore_shared_take(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	if (object_is_surely_fine(&semaphore->object) &&
	    (semaphore->signals ? semaphore_count_down(semaphore, 1) : permit_take_likely(semaphore)))
		return semaphore_end(semaphore, 0);
	return semaphore_shared_wait(semaphore, 1, 0, deadline);
}

static int semaphore_signal(struct nonet_semaphore *semaphore, uint32_t permits)
{
	struct semaphore_shared *shared = semaphore->shared;
	uint32_t seen = atomic_load_explicit(&shared->word, memory_order_relaxed);

	do {
		if (permits > SEMAPHORE_COUNT - (seen & SEMAPHORE_COUNT))
			return -EOVERFLOW;
	} while (!atomic_compare_exchange_weak_explicit(&shared->word, &seen, (seen + permits) & ~SEMAPHORE_BELLS,
							memory_order_acq_rel,
							memory_order_relaxed)); /* [SEM-OWN] [BELL-ARMED] */
	if (seen & (SEMAPHORE_WAITS | SEMAPHORE_BELLS))
		semaphore_wake_those(semaphore, seen);
	return 0;
}

/* All of them, or none: first they are marked, as ours to give back and nobody else's. */
static int semaphore_give(struct nonet_semaphore *semaphore, uint64_t owner, uint32_t permits)
{
	uint32_t marked;

	if (permits == 1)
		return permit_change(semaphore, owner, 0, 1) == 1 ? 0 : -EPERM;
	marked = permit_change(semaphore, owner, owner | 1, permits);
	(void)permit_change(semaphore, owner | 1, marked == permits ? 0 : owner, marked);
	return marked == permits ? 0 : -EPERM;
}

SEMAPHORE_APART int semaphore_shared_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags)
{
	uint64_t owner;
	int error = semaphore_begin(semaphore, 1, flags, &owner);

	if (error < 0)
		return error;
	if (semaphore->signals) {
		error = semaphore_signal(semaphore, permits);
	} else {
		error = semaphore_give(semaphore, owner, permits);
		if (error == 0)
			semaphore_wake(semaphore);
	}
	return semaphore_end(semaphore, error);
}

/* The permit that we took last, if we have it still. */
static bool permit_give_likely(struct nonet_semaphore *semaphore)
{
	/* [HELPER-OWNER] pair: domain_process_owner() */
	const uint64_t owner = atomic_load_explicit(&semaphore->object.domain->helper, memory_order_acquire);
	const uint32_t index = atomic_load_explicit(&semaphore->mine, memory_order_relaxed);

	if (!owner || permit_load(semaphore, index) != owner || !permit_swap(semaphore, index, owner, 0))
		return false;
	permit_given(semaphore, index);
	atomic_store_explicit(&semaphore->mine, (index == 0 ? semaphore->maximum : index) - 1, memory_order_relaxed);
	return true;
}

SEMAPHORE_APART static int semaphore_wake_and_end(struct nonet_semaphore *semaphore)
{
	semaphore_wake(semaphore);
	return semaphore_end(semaphore, 0);
}

SEMAPHORE_APART int semaphore_shared_give(struct nonet_semaphore *semaphore)
{
	if (!object_is_surely_fine(&semaphore->object))
		return semaphore_shared_post(semaphore, 1, 0);
	if (semaphore->signals)
		return semaphore_end(semaphore, semaphore_signal(semaphore, 1));
	if (!permit_give_likely(semaphore))
		return semaphore_shared_post(semaphore, 1, 0);
	if (semaphore_word(semaphore) & (SEMAPHORE_WAITS | SEMAPHORE_BELLS))
		return semaphore_wake_and_end(semaphore);
	return semaphore_end(semaphore, 0);
}

uint32_t semaphore_count_free(const struct nonet_semaphore *semaphore)
{
	uint64_t last = 0;
	uint32_t count = 0;

	if (semaphore->signals)
		return atomic_load_explicit(&semaphore->shared->word, memory_order_relaxed) & SEMAPHORE_COUNT;
	for (uint32_t index = 0; index < semaphore->maximum; index++) {
		const uint64_t seen = permit_load(semaphore, index) & CLAIM_OWNER;

		/* Whoever has one often has the next: one look at his life. */
		if (!claim_is_free(seen) && (seen == last || !life_has_ended(semaphore->object.domain, seen)))
			last = seen;
		else
			count++;
	}
	return count;
}
