/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_SEMAPHORE_SCENE_H
#define PROVE_SEMAPHORE_SCENE_H

#include <nonet/semaphore.h>

#include "prove/operations.h"

/*
 * A semaphore in a domain of the run's own, of PERMITS that are owned. What must be true, whoever is killed where:
 * nobody has a permit more than there are, those of the dead come back, all of them and at once; whoever waits goes on.
 */
#define PERMITS 3

/* Words of the run: of each role, how many it has; behind them, of companions. */
#define SEMAPHORE_HAS    0
#define SEMAPHORE_PASSED 12 /* of each companion, behind this: it went on */

/* Open, or make, the semaphore @name of the run. @signals: it only counts, from 0. */
struct nonet_semaphore *semaphore_make(struct prove_run *run, const char *name, bool signals);
/* The semaphore "s", by a member which has been through its operations: that isn't what is stepped through. */
struct nonet_semaphore *semaphore_join(struct prove_run *run, bool signals);

/* Around what takes and gives: how many this process has is said when it has them, and while it still has them. */
void semaphore_has(struct prove_run *run, uint32_t permits);
/* Take without waiting, or leave. */
void semaphore_need(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits);
void semaphore_take(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits, nonet_time deadline);
/* Of @has permits, @permits. */
void semaphore_give(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t has, uint32_t permits);

uint32_t semaphore_value(struct prove_run *run, struct nonet_semaphore *semaphore);

/* Through its descriptor, until it has one permit; it is given back. */
void semaphore_be_rung(struct prove_run *run, struct nonet_semaphore *semaphore, nonet_time deadline);

#endif
