/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEMAPHORE_SEMAPHORE_SHARED_H
#define SEMAPHORE_SEMAPHORE_SHARED_H

#include "semaphore/semaphore.h"
#include "semaphore/semaphore_layout.h"

/* The carrier of nonet's own, semaphore:NAME, between its protocol (semaphore_permit.c) and the rest. */

/* How many permits nobody has who lives. */
uint32_t semaphore_count_free(const struct nonet_semaphore *semaphore);

/* Of whom to look out for, if permits are owned: how many @owners were found, -1: one of them is dead. */
int semaphore_find_owners(const struct nonet_semaphore *semaphore, uint64_t *owners, int room);

#endif
