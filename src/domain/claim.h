/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_CLAIM_H
#define DOMAIN_CLAIM_H

#include <stdatomic.h>

#include "domain/claim_layout.h"

/* The low half of a claim is a futex word, in a little-endian machine the first four bytes. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the futex word of a claim is its low half, which has to come first"
#endif

/* The half that sleepers sleep on; only its address is given to the kernel, it is never read as such. */
static inline const _Atomic uint32_t *claim_futex(const _Atomic uint64_t *claim)
{
	return (const _Atomic uint32_t *)claim;
}

static inline uint32_t claim_futex_value(uint64_t claim)
{
	return (uint32_t)claim;
}

#endif
