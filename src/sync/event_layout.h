/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_EVENT_LAYOUT_H
#define SYNC_EVENT_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An event in shared memory.
 *
 * offset  size  written by
 *      0     8  anybody       state
 *      8    56                nothing: the line is the state's alone
 *
 * The state is one word, so that no step of it can be half-done:
 *
 *   bit  0      it is set
 *   bit  1      waiters: somebody may sleep on the low half
 *   bit  2      bells: somebody may have armed a doorbell (sync/doorbell_layout.h)
 *   bits 3-63   count: how often it was set or pulsed; goes round
 *
 *   from                      to                                        by
 *   anything                  set, count + 1, no waiters, no bells      set; then it wakes and rings who was there
 *   anything                  not set, count + 1, no waiters, no bells  pulse; the same
 *   set                       not set, the rest as it is                clear
 *   not set                   the same, waiters                         wait, before it sleeps
 *   not set                   the same, bells                           arm, after its bell is in the table
 */
#define EVENT_KIND    4u /* in the object's header */
#define EVENT_SET     1u
#define EVENT_WAITERS 2u
#define EVENT_BELLS   4u
#define EVENT_ONCE    8u /* one more in the count */
#define EVENT_SHIFT   3

/* What the trace tells; its value is the count. */
enum event_step {
	EVENT_WAS_SET = 1,
	EVENT_WAS_CLEARED,
	EVENT_WAS_PULSED,
};

struct event_shared {
	_Atomic uint64_t state;
	uint64_t reserved[7];
};
static_assert(offsetof(struct event_shared, state) == 0, "layout");
static_assert(sizeof(struct event_shared) == 64, "layout");

#define EVENT_LAYOUT ((uint32_t)(sizeof(struct event_shared) ^ EVENT_ONCE << 8 ^ EVENT_BELLS << 12))

#endif
