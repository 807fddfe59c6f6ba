/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_MUTEX_SCENE_H
#define PROVE_MUTEX_SCENE_H

#include <nonet/mutex.h>

#include "prove/operations.h"

/*
 * A mutex in a domain of the run's own. What must be true, whoever is killed where: one at a time is inside; the death
 * of one who had it is told to the next; whoever comes gets it in time, and it works on.
 */

/* Words of the run: who is inside, how often a death was told, and whether somebody began to give it up. */
#define MUTEX_INSIDE   0
#define MUTEX_TOLD     1
#define MUTEX_GIVEN_UP 2

/* Open, or make, the mutex @name of the run; "m" is as the state says. */
struct nonet_mutex *mutex_make(struct prove_run *run, const char *name);
/* The mutex "m", by a member whose thread has its slot: neither is what is stepped through. */
struct nonet_mutex *mutex_join(struct prove_run *run);

/* Of locking: whether the mutex is had now. */
bool mutex_is_had(int64_t result);
/* @result: of locking; what belongs to it, up to where the mutex is whole again. */
void mutex_enter(struct prove_run *run, struct nonet_mutex *mutex, int result);
void mutex_leave(struct prove_run *run, struct nonet_mutex *mutex);

/* Until killed: lock, stay a little, unlock; whoever is told of a death puts it right. */
void mutex_churn(struct prove_run *run);

/* In a process that ends with it: it is left by a dead owner. */
void mutex_die_with(struct prove_run *run);

#endif
