/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_CLAIM_LAYOUT_H
#define DOMAIN_CLAIM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A claim: one 64-bit word in shared memory that takes something, and names its taker in the same store, so that there
 * is no instant at which something is held by nobody in particular.
 *
 *   bits  0-15  state        the object's own, e.g. how deep a mutex is held
 *   bits 16-30  slot         the thread slot of the taker, 0: nobody
 *   bit  31     waiters      somebody may sleep on the word
 *   bits 32-63  generation   of the slot
 */
#define CLAIM_STATE   0x000000000000ffffu
#define CLAIM_SLOT    0x000000007fff0000u
#define CLAIM_WAITERS 0x0000000080000000u
/* Who holds it: slot and generation. */
#define CLAIM_OWNER (~(uint64_t)(CLAIM_STATE | CLAIM_WAITERS))

static inline uint64_t claim_owner(uint32_t slot, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint64_t)slot << 16;
}

static inline uint32_t claim_slot(uint64_t claim)
{
	return (uint32_t)(claim & CLAIM_SLOT) >> 16;
}

static inline uint32_t claim_generation(uint64_t claim)
{
	return (uint32_t)(claim >> 32);
}

static inline uint32_t claim_state(uint64_t claim)
{
	return (uint32_t)(claim & CLAIM_STATE);
}

/* Nobody has it; it may have waiters, and a state. */
static inline bool claim_is_free(uint64_t claim)
{
	return !(claim & CLAIM_SLOT);
}

#endif
