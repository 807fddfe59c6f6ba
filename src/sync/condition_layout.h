/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_CONDITION_LAYOUT_H
#define SYNC_CONDITION_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A condition in shared memory.
 *
 * offset  size  written by
 *      0     4  a waker            bell: how often it was rung, running free; the futex word
 *      4     4  a waiter: 1; a waker: 0   armed: somebody may sleep
 *     48     4  the maker          layout: CONDITION_LAYOUT
 *     56     8  the maker, last    magic
 *
 * Neither word says who: nothing in it can be left by who dies. Any value of either is right.
 */
#define CONDITION_KIND  3u                  /* in the object's header */
#define CONDITION_MAGIC 0x69646e6f633a6e6eu /* "nn:condi" */

struct condition_shared {
	_Atomic uint32_t bell;
	_Atomic uint32_t armed;
	uint64_t reserved[5];
	uint32_t layout;
	uint32_t unused;
	_Atomic uint64_t magic;
};
static_assert(offsetof(struct condition_shared, bell) == 0, "layout");
static_assert(offsetof(struct condition_shared, armed) == 4, "layout");
static_assert(offsetof(struct condition_shared, layout) == 48, "layout");
static_assert(offsetof(struct condition_shared, magic) == 56, "layout");
static_assert(sizeof(struct condition_shared) == 64, "layout");

#define CONDITION_LAYOUT ((uint32_t)(sizeof(struct condition_shared) ^ 0x636f6e00u))

#endif
