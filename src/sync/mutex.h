/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_MUTEX_H
#define SYNC_MUTEX_H

#include <nonet/mutex.h>

#include "domain/object.h"
#include "domain/thread.h"
#include "sync/doorbell.h"
#include "sync/mutex_layout.h"
#include "waitable/waitable.h"

struct nonet_mutex {
	struct object object; /* of a placed one only the domain and the process; its map guards nothing */
	struct mutex_shared *shared;
	uint32_t rank;
	bool recursive;
	bool plain; /* no rank, no trace: nothing to do but the claim */
	bool rings; /* it is an object of its own, with a page of bells */
	struct nonet_waitable waitable;
	struct doorbell bell;
};

/* A mutex that is part of another object, at its place in that object's memory. Nothing to end. */
void mutex_fill(struct mutex_shared *shared, const struct domain *domain, uint32_t rank, uint32_t flags);
void mutex_inside(struct nonet_mutex *mutex, const struct object *object, struct mutex_shared *shared);

/* The doorbell of a handle, which makes nothing until it is waited for. */
void mutex_bell_init(struct nonet_mutex *mutex);
void mutex_bell_done(struct nonet_mutex *mutex);

/* Whether the calling thread, named @owner, holds it now. */
static inline bool mutex_is_mine(const struct nonet_mutex *mutex, uint64_t owner)
{
	return ((atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed) ^ owner) & CLAIM_OWNER) == 0;
}

#endif
