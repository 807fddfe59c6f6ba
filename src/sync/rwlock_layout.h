/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_RWLOCK_LAYOUT_H
#define SYNC_RWLOCK_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A lock of readers and writers in shared memory.
 *
 * offset  size  written by
 *      0     8  anybody       claim: who writes, or is about to (domain/claim.h)
 *      8     8  a waiter      since, CLOCK_REALTIME in ns: when he first saw that it was held; relaxed
 *     16     8  a waiter      since_owner: by whom; after @since, release
 *     24     4  the maker     rank
 *     28     4  the maker     number of places, a power of two
 *     32     4  anybody       strayed: 1, once somebody took a place outside his own line; relaxed
 *     36     4  the maker     layout: RWLOCK_LAYOUT
 *     56     8  the maker, last   magic
 *     64     8 each           places: claims, one for each reader
 *
 * The state in the claim: bit 14 (RWLOCK_UNRECOVERED) its owner was told -EOWNERDEAD, and hasn't recovered it yet;
 * bit 13 (RWLOCK_INTENT) its owner waits for the readers to go, and has written nothing. RWLOCK_GIVEN_UP with no owner:
 * not recoverable.
 *
 *   claim, from               to                        by
 *   free                      mine, intent              write lock, upgrade
 *   mine, intent              mine                      write lock, upgrade, once no other reads
 *   mine, intent              free                      write lock, upgrade, at its deadline
 *   another's                 the same, waiters         read lock, write lock, before they sleep
 *   a dead one's, intent      free                      whoever finds it: nothing was changed
 *   a dead one's              mine, unrecovered         read lock, write lock: -EOWNERDEAD
 *   mine, unrecovered         mine                      recover
 *   mine, unrecovered         given up                  unlock
 *   mine                      free                      unlock, downgrade
 * Waiters may be set in each of them but the free ones: whoever frees it wakes all.
 *
 *   place, from               to                        by
 *   free, or a dead one's     mine                      read lock, downgrade
 *   mine                      free                      unlock, upgrade; read lock, if it finds a writer
 *   another's                 the same, waiters         the owner of the claim, before he sleeps
 *   a dead one's              free                      the owner of the claim
 *
 * Places are eight to a line of the cache. A thread's own place follows from the number of its slot, the next slot's in
 * the next line; if another is there, it takes another in the line, else anywhere.
 */
#define RWLOCK_KIND        2u                  /* in the object's header */
#define RWLOCK_MAGIC       0x6b636f6c77723a6eu /* "n:rwlock" */
#define RWLOCK_INTENT      0x2000u
#define RWLOCK_UNRECOVERED 0x4000u
#define RWLOCK_GIVEN_UP    0x8000u

#define RWLOCK_LINE       8u /* places */
#define RWLOCK_PLACES_MIN 64u
#define RWLOCK_PLACES_MAX 1024u

/* What the trace tells. */
enum rwlock_event {
	RWLOCK_READ = 1,
	RWLOCK_WRITTEN,
	RWLOCK_UNLOCKED,
	RWLOCK_TOOK_OVER,
	RWLOCK_RECOVERED,
	RWLOCK_UPGRADED,
	RWLOCK_DOWNGRADED,
};

struct rwlock_shared {
	_Atomic uint64_t claim;
	_Atomic int64_t since;
	_Atomic uint64_t since_owner;
	uint32_t rank;
	uint32_t number;
	_Atomic uint32_t strayed;
	uint32_t layout;
	uint64_t reserved[2];
	_Atomic uint64_t magic;
	_Atomic uint64_t places[];
};
static_assert(offsetof(struct rwlock_shared, claim) == 0, "layout");
static_assert(offsetof(struct rwlock_shared, since) == 8, "layout");
static_assert(offsetof(struct rwlock_shared, since_owner) == 16, "layout");
static_assert(offsetof(struct rwlock_shared, rank) == 24, "layout");
static_assert(offsetof(struct rwlock_shared, number) == 28, "layout");
static_assert(offsetof(struct rwlock_shared, strayed) == 32, "layout");
static_assert(offsetof(struct rwlock_shared, layout) == 36, "layout");
static_assert(offsetof(struct rwlock_shared, magic) == 56, "layout");
static_assert(offsetof(struct rwlock_shared, places) == 64, "layout");
static_assert(sizeof(struct rwlock_shared) == 64, "layout");

#define RWLOCK_LAYOUT \
	((uint32_t)(sizeof(struct rwlock_shared) ^ RWLOCK_INTENT << 8 ^ RWLOCK_GIVEN_UP << 4 ^ RWLOCK_LINE))

#endif
