/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/list.h"
#include "domain/life.h"
#include "sync/rwlock.h"

/*
 * Waiting for a lock of readers and writers by its doorbells, of which a handle has two: to read one waits for the
 * claim to be free, to write for the places too. Nothing is taken, and no intent is stated: who waits so keeps nobody
 * out.
 *
 * Who arms finds one who is in the way, and sets the waiters' bit where he stands, in the claim or in his place; who
 * frees a word with that bit rings all bells. As long as that one stays the lock can't be had; when he goes, whoever is
 * rung finds the next one. So a writer is rung once for each reader that he waits for, as one who sleeps is woken.
 *
 * What takes the bit away without ringing is a death: a dead one's place is freed by the next writer. Our helper sleeps
 * on the life of whom it found in the way; and it looks as who arms does, so that the bit is set at the next one's.
 */

/* So often others may come and go under our eyes before we say that it may be free. */
#define BELL_TURNS 16

static bool bell_is_in_way(const struct nonet_rwlock *rwlock, uint64_t claim)
{
	return !claim_is_free(claim) && !life_has_ended(rwlock->object.domain, claim);
}

/* What one did is seen by who gets the lock, not by who only looks. */
static uint64_t bell_glance(const _Atomic uint64_t *claim)
{
	return atomic_load_explicit(claim, memory_order_relaxed);
}

/*
 * Where somebody stands who lives and is in the way, and what it says there. NULL: nobody is. Readers are looked for
 * before one who waits for them himself: a writer's try, which is over at once, needn't ring other writers then.
 */
static _Atomic uint64_t *bell_find_in_way(const struct rwlock_bell *bell, uint64_t *ret_seen)
{
	const struct nonet_rwlock *rwlock = bell->rwlock;
	struct rwlock_shared *shared = rwlock->shared;
	const uint64_t claim = bell_glance(&shared->claim);
	const bool taken = bell_is_in_way(rwlock, claim);
	const bool writes = taken && !(claim_state(claim) & RWLOCK_INTENT);

	for (uint32_t place = 0; bell->writes && !writes && place < rwlock->number; place++) {
		*ret_seen = bell_glance(&shared->places[place]);
		if (bell_is_in_way(rwlock, *ret_seen))
			return &shared->places[place];
	}
	*ret_seen = claim;
	return taken ? &shared->claim : NULL;
}

static bool bell_is_broken(const struct rwlock_bell *bell)
{
	return object_check(&bell->rwlock->object) < 0 || object_check_shared(&bell->rwlock->object) < 0;
}

/* Have who is in the way ring when he goes. False: nobody is, or it changes all the time. */
static bool rwlock_bell_mark(struct rwlock_bell *bell, uint64_t *ret_owner)
{
	_Atomic uint64_t *way;
	uint64_t seen;

	for (unsigned turn = 0; turn < BELL_TURNS && !bell_is_broken(bell); turn++) {
		way = bell_find_in_way(bell, &seen);
		if (!way)
			return false;
		/* [BELL-ARMED] pair: rwlock_swap(), rwlock_place_drop() */
		if (atomic_compare_exchange_strong_explicit(way, &seen, seen | CLAIM_WAITERS, memory_order_acq_rel,
							    memory_order_relaxed)) {
			*ret_owner = seen & CLAIM_OWNER;
			return true;
		}
	}
	return false;
}

static int bell_look(void *argument, uint64_t *owners, int room)
{
	uint64_t owner;

	if (!rwlock_bell_mark(argument, &owner))
		return DOORBELL_READY;
	if (room == 0)
		return 0;
	owners[0] = owner;
	return 1;
}

static const struct doorbell_job bell_job = {.look = bell_look};

static int bell_arm(struct nonet_waitable *waitable)
{
	struct rwlock_bell *bell = container_of(waitable, struct rwlock_bell, waitable);
	uint64_t owner;

	if (bell_is_broken(bell) || !bell_find_in_way(bell, &owner))
		return 1;
	doorbell_arm(&bell->bell);
	if (!rwlock_bell_mark(bell, &owner)) {
		doorbell_disarm(&bell->bell);
		return 1;
	}
	doorbell_watch(&bell->bell, owner);
	return 0;
}

static void bell_rest(struct nonet_waitable *waitable)
{
	struct rwlock_bell *bell = container_of(waitable, struct rwlock_bell, waitable);

	if (bell->rwlock->object.generation == sys_generation())
		doorbell_rest(&bell->bell);
}

static void bell_init(struct rwlock_bell *bell, struct nonet_rwlock *rwlock, bool writes)
{
	bell->rwlock = rwlock;
	bell->writes = writes;
	doorbell_init(&bell->bell, &rwlock->object, &bell_job, bell);
	/* Until it has a bell; in a child it won't. */
	waitable_init(&bell->waitable, -ECHILD, bell_arm);
	bell->waitable.rest = bell_rest;
}

static void bell_done(struct rwlock_bell *bell)
{
	waitable_done(&bell->waitable);
	doorbell_done(&bell->bell);
}

void rwlock_bells_init(struct nonet_rwlock *rwlock)
{
	bell_init(&rwlock->to_read, rwlock, false);
	bell_init(&rwlock->to_write, rwlock, true);
}

void rwlock_bells_done(struct nonet_rwlock *rwlock)
{
	bell_done(&rwlock->to_read);
	bell_done(&rwlock->to_write);
}

/* NULL: @how is neither. */
static struct rwlock_bell *bell_of(struct nonet_rwlock *rwlock, uint32_t how)
{
	switch (how) {
	case NONET_RWLOCK_READS:
		return &rwlock->to_read;
	case NONET_RWLOCK_WRITES:
		return &rwlock->to_write;
	default:
		return NULL;
	}
}

static int bell_start(struct rwlock_bell *bell)
{
	const int error = object_check(&bell->rwlock->object);

	bell->waitable.fd = error < 0 ? error : doorbell_start(&bell->bell);
	return bell->waitable.fd;
}

int nonet_rwlock_fd(struct nonet_rwlock *rwlock, uint32_t how)
{
	struct rwlock_bell *bell = bell_of(rwlock, how);

	return bell ? bell_start(bell) : -EINVAL;
}

int nonet_rwlock_arm(struct nonet_rwlock *rwlock, uint32_t how)
{
	struct rwlock_bell *bell = bell_of(rwlock, how);
	int error = bell ? bell_start(bell) : -EINVAL;

	if (error >= 0)
		error = object_check_domain(&rwlock->object);
	return error < 0 ? error : waitable_arm(&bell->waitable);
}

struct nonet_waitable *nonet_rwlock_waitable(struct nonet_rwlock *rwlock, uint32_t how)
{
	struct rwlock_bell *bell = bell_of(rwlock, how);

	if (!bell)
		return NULL;
	(void)bell_start(bell);
	return &bell->waitable;
}
