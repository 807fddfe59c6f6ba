/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_DOORBELL_LAYOUT_H
#define SYNC_DOORBELL_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "domain/object_layout.h"

/*
 * Page 1 of an object: whose doorbells have to be rung. A bell is the FIFO .bell-SLOT-GENERATION-NUMBER in the
 * domain's directory, and an entry is its name in one word, laid out as a claim (domain/claim.h) of the slot that
 * stands for the process that armed it: the state is the number.
 *
 * offset  size  written by
 *      0     4  who arms, relaxed   used: all entries from here on are 0 still; more than there are: all are in use
 *     16     8  each                armed: 0, or a bell
 *
 *   from          to        by
 *   0             a bell    its process, who arms
 *   a dead one's  a bell    the same
 *   a bell        0         whoever rings it, before he does; its process, who doesn't wait any more
 *   a dead one's  0         whoever would have rung it; he removes the FIFO too
 *
 * Nobody needs the page to be right. What is missing from it is found by the waiter's own helper within
 * DOMAIN_INTERVAL, what is too much there costs a ring that nobody hears.
 */
#define DOORBELL_ENTRIES 510u

struct object_bells {
	_Atomic uint32_t used;
	uint32_t reserved_32;
	uint64_t reserved;
	_Atomic uint64_t armed[DOORBELL_ENTRIES];
};
static_assert(offsetof(struct object_bells, used) == 0, "layout");
static_assert(offsetof(struct object_bells, armed) == 16, "layout");
static_assert(sizeof(struct object_bells) == OBJECT_PAYLOAD - OBJECT_BELLS, "layout");

#endif
