/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_RANK_H
#define SYNC_RANK_H

#include "domain/thread.h"

/*
 * The order in which a thread may take mutexes, and locks of readers and writers. Each thread has a list, in memory of
 * its own, of those with a rank that it holds; of each domain apart.
 */

/* Whether the calling thread may take one of that rank: 0; -EDEADLK; -ENOLCK: it holds DOMAIN_RANKED. */
int rank_check(struct domain *domain, uint32_t rank);

/* How many of at least that rank it holds; 0 if @rank is 0. */
unsigned rank_count(struct domain *domain, uint32_t rank);

/* It has taken one, or let it go. Rank 0: nothing happens. */
void rank_push(struct domain *domain, uint32_t rank, uint64_t object, const char *name);
void rank_pop(struct domain *domain, uint32_t rank, uint64_t object);

/* The one in its way: NULL, none is. */
const struct domain_ranked *rank_in_way(struct domain *domain, uint32_t rank);

#endif
