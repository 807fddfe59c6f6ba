/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_MUTEX_LAYOUT_H
#define SYNC_MUTEX_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A mutex in shared memory.
 *
 * offset  size  written by
 *      0     8  anybody       claim: who has it (domain/claim.h)
 *      8     8  a waiter      since, CLOCK_REALTIME in ns: when he first saw that it was held; relaxed
 *     16     8  a waiter      since_owner: by whom; after @since, release
 *     24     4  the maker     rank
 *     28     4  the maker     flags: MUTEX_RECURSIVE
 *     32    16  the maker     domain: its id
 *     48     4  the maker     layout: MUTEX_LAYOUT
 *     56     8  the maker, last   magic
 *
 * The state in the claim: bits 0-13 how often its owner has locked it, less one; bit 14 (MUTEX_UNRECOVERED) its owner
 * was told -EOWNERDEAD, and hasn't recovered it yet. MUTEX_GIVEN_UP with no owner: not recoverable.
 *
 *   from                      to                        by
 *   free                      mine                      lock
 *   mine, depth n             mine, depth n + 1         lock, recursive
 *   another's                 the same, waiters         lock, before it sleeps
 *   a dead one's              mine, unrecovered         lock: -EOWNERDEAD
 *   mine, unrecovered         mine                      recover
 *   mine, depth n > 0         mine, depth n - 1         unlock
 *   mine                      free                      unlock
 *   mine, unrecovered         given up                  unlock
 * Waiters may be set in each of them, and is dropped only by unlock, which then wakes one.
 */
#define MUTEX_KIND        1u /* in the object's header */
#define MUTEX_MAGIC       0x7865747563a36e6du
#define MUTEX_RECURSIVE   1u
#define MUTEX_DEPTH       0x3fffu
#define MUTEX_UNRECOVERED 0x4000u
#define MUTEX_GIVEN_UP    0x8000u

/* What the trace tells. */
enum mutex_event {
	MUTEX_LOCKED = 1,
	MUTEX_UNLOCKED,
	MUTEX_TOOK_OVER,
	MUTEX_RECOVERED,
};

struct mutex_shared {
	_Atomic uint64_t claim;
	_Atomic int64_t since;
	_Atomic uint64_t since_owner;
	uint32_t rank;
	uint32_t flags;
	uint64_t domain[2];
	uint32_t layout;
	uint32_t reserved;
	_Atomic uint64_t magic;
};
static_assert(offsetof(struct mutex_shared, claim) == 0, "layout");
static_assert(offsetof(struct mutex_shared, since) == 8, "layout");
static_assert(offsetof(struct mutex_shared, since_owner) == 16, "layout");
static_assert(offsetof(struct mutex_shared, rank) == 24, "layout");
static_assert(offsetof(struct mutex_shared, flags) == 28, "layout");
static_assert(offsetof(struct mutex_shared, domain) == 32, "layout");
static_assert(offsetof(struct mutex_shared, layout) == 48, "layout");
static_assert(offsetof(struct mutex_shared, magic) == 56, "layout");
static_assert(sizeof(struct mutex_shared) == 64, "layout");

#define MUTEX_LAYOUT ((uint32_t)(sizeof(struct mutex_shared) ^ MUTEX_DEPTH << 8 ^ MUTEX_GIVEN_UP << 4))

#endif
