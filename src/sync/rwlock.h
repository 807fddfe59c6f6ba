/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_RWLOCK_H
#define SYNC_RWLOCK_H

#include <nonet/rwlock.h>

#include "domain/object.h"
#include "domain/thread.h"
#include "sync/doorbell.h"
#include "sync/rwlock_layout.h"
#include "waitable/waitable.h"

/* A doorbell of a handle: who waits to read and who waits to write sleep for different things. */
struct rwlock_bell {
	struct nonet_rwlock *rwlock;
	bool writes;
	struct nonet_waitable waitable;
	struct doorbell bell;
};

struct nonet_rwlock {
	struct object object;
	struct rwlock_shared *shared;
	uint32_t number;  /* of places */
	unsigned strides; /* so many bits of a slot's number choose the line */
	uint32_t rank;
	bool plain; /* no rank, no trace: nothing to do but the claims */
	struct rwlock_bell to_read;
	struct rwlock_bell to_write;
};

/* The places of readers (rwlock_place.c). */

#define RWLOCK_NOWHERE UINT32_MAX

/*
 * Where the thread @owner reads, or RWLOCK_NOWHERE. Looked for in its own line alone, unless somebody has strayed;
 * @everywhere: in any case.
 */
uint32_t rwlock_place_find(const struct nonet_rwlock *rwlock, uint64_t owner, bool everywhere);

/* Take one: which, or RWLOCK_NOWHERE: all are others'. */
uint32_t rwlock_place_take(struct nonet_rwlock *rwlock, uint64_t owner);

/* Let go of it, and wake and ring who waits for that. False: it isn't the thread's any more, a peer wrote over it. */
bool rwlock_place_drop(struct nonet_rwlock *rwlock, uint32_t place, uint64_t owner);

/* Free that of a dead reader, if it is @dead still. */
void rwlock_place_clear(struct nonet_rwlock *rwlock, uint32_t place, uint64_t dead);

/* The doorbells of a handle, which make nothing until they are waited for (rwlock_bell.c). */
void rwlock_bells_init(struct nonet_rwlock *rwlock);
void rwlock_bells_done(struct nonet_rwlock *rwlock);

static inline bool rwlock_owns(uint64_t claim, uint64_t owner)
{
	return ((claim ^ owner) & CLAIM_OWNER) == 0;
}

/* Whether the calling thread, named @owner, writes, as far as it can tell without looking at others. */
static inline bool rwlock_writes(const struct nonet_rwlock *rwlock, uint64_t owner)
{
	return rwlock_owns(atomic_load_explicit(&rwlock->shared->claim, memory_order_relaxed), owner);
}

#endif
