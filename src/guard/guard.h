/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/guard.h>

/*
 * A region of memory in which a SIGBUS is mended. One of a table that handlers in any thread read without a lock; it
 * belongs to whoever added the region until it is removed, and is never freed. See guard.c.
 */
struct guard {
	_Atomic uint64_t word; /* {generation of the process 32, state 32} */
	_Atomic uintptr_t begin;
	_Atomic size_t size; /* whole pages */
	atomic_uint pieces;  /* that zeros were mapped in */
	atomic_bool writable;
	atomic_bool poisoned;
};

/* Guard a region that was mapped, installing the handler if it has to be: 0, -ENOMEM. */
int guard_add(void *base, size_t size, bool writable, struct guard **ret_guard);

/*
 * Between the two no fault in the region is mended, but tried again: the mapping may be moved or taken away. The second
 * says where it is now, size 0: nowhere, and the guard is free for others.
 */
void guard_stop(struct guard *guard);
void guard_resume(struct guard *guard, void *base, size_t size, bool writable);

static inline bool guard_is_poisoned(const struct guard *guard)
{
	/* Relaxed: the thread that faulted sees its own handler's store, and nobody reasons about others' memory. */
	return atomic_load_explicit(&guard->poisoned, memory_order_relaxed);
}

static inline void guard_poison(struct guard *guard)
{
	atomic_store_explicit(&guard->poisoned, true, memory_order_relaxed);
}

#endif
