/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEMAPHORE_SEMAPHORE_LAYOUT_H
#define SEMAPHORE_SEMAPHORE_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/mutex_layout.h"

/*
 * A semaphore in shared memory: one whose permits are owned, or, with SEMAPHORE_SIGNALS, one that only counts.
 *
 * offset  size  written by
 *      0     4  anybody            word
 *      4     4  anybody, relaxed   hint: the permit to try first, modulo @maximum
 *      8     4  the maker          maximum
 *     12     4  the maker          flags: SEMAPHORE_SIGNALS
 *     64    64  see there          turn: who waits, or takes several (sync/mutex_layout.h)
 *    128     8  each               permits: @maximum of them, if they are owned
 *
 * word:
 *
 *   bit  31     waits: who has the turn sleeps on the word, or is about to; nobody else may take a permit past him
 *   bit  30     bells: somebody may have armed a doorbell (sync/doorbell_layout.h)
 *   bits 0-29   it only counts: permits. They are owned: how often somebody gave one back and found one of those bits
 *
 * A permit is a claim (domain/claim.h) of the process that has it. Its state is 1 while that process gives back several
 * at once and hasn't let go of the first of them yet, else 0.
 *
 *   from                to                    by
 *   free                mine                  wait
 *   a dead one's        mine                  wait
 *   mine                free                  post of one; wait, for those that it had when it gave up
 *   mine                mine, state 1         post of several
 *   mine, state 1       free, or mine again   the same, once it has marked all of them, or found too few
 */
#define SEMAPHORE_KIND    5u /* in the object's header */
#define SEMAPHORE_WAITS   0x80000000u
#define SEMAPHORE_BELLS   0x40000000u
#define SEMAPHORE_COUNT   0x3fffffffu
#define SEMAPHORE_SIGNALS 1u
#define SEMAPHORE_PERMITS 32767u /* at most, if they are owned */

struct semaphore_shared {
	_Atomic uint32_t word;
	_Atomic uint32_t hint;
	uint32_t maximum;
	uint32_t flags;
	uint64_t reserved[6];
	struct mutex_shared turn;
	_Atomic uint64_t permits[];
};
static_assert(offsetof(struct semaphore_shared, word) == 0, "layout");
static_assert(offsetof(struct semaphore_shared, hint) == 4, "layout");
static_assert(offsetof(struct semaphore_shared, maximum) == 8, "layout");
static_assert(offsetof(struct semaphore_shared, flags) == 12, "layout");
static_assert(offsetof(struct semaphore_shared, turn) == 64, "layout");
static_assert(offsetof(struct semaphore_shared, permits) == 128, "layout");
static_assert(sizeof(struct semaphore_shared) == 128, "layout");

#define SEMAPHORE_LAYOUT ((uint32_t)(sizeof(struct semaphore_shared) ^ MUTEX_LAYOUT << 1 ^ SEMAPHORE_PERMITS << 12))

#endif
