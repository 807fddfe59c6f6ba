/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_RWLOCK_SCENE_H
#define PROVE_RWLOCK_SCENE_H

#include <nonet/rwlock.h>

#include "prove/operations.h"

/*
 * A lock of readers and writers in a domain of the run's own. What must be true, whoever is killed where: one writes,
 * or some read; the death of one who wrote is told to the next, that of a reader, or of one who waited to write, to
 * nobody; whoever comes gets it in time, and it works on.
 */

/*
 * Words of the run: who writes; how often a death was told; then, for each role, alone and as a companion, whether it
 * reads; and of the victims, whether what they do lets them write.
 */
#define RWLOCK_WRITING 0
#define RWLOCK_TOLD    1
#define RWLOCK_READING 2
#define RWLOCK_WRITES  (RWLOCK_READING + 2 * PROVE_ROLES)
_Static_assert(RWLOCK_WRITES + 2 <= PROVE_WORDS, "there is room for all of them");

/* Open, or make, the lock @name of the run. */
struct nonet_rwlock *rwlock_make(struct prove_run *run, const char *name);
/* The lock "r", by a member whose thread has its slot, and knows whether spinning helps: not what is stepped through.
 */
struct nonet_rwlock *rwlock_join(struct prove_run *run);

/* Of locking: whether it is had now. */
bool rwlock_is_had(int64_t result);

/* At which word this process says that it reads. */
size_t rwlock_own(const struct prove_run *run);

/* Before an operation that writes from its return on: a process that comes later can't be asked what it does. */
void rwlock_will_write(struct prove_run *run);

/* @result: of locking. It writes, may have to put it right, and lets go. */
void rwlock_write_here(struct prove_run *run, int result);
void rwlock_enter_to_write(struct prove_run *run, struct nonet_rwlock *rwlock, int result);
void rwlock_leave_writing(struct prove_run *run, struct nonet_rwlock *rwlock);
void rwlock_write_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result);

/* The same to read; one who is told of a death has it for writing. Return: whether it reads. */
bool rwlock_enter_to_read(struct prove_run *run, struct nonet_rwlock *rwlock, int result);
void rwlock_leave_reading(struct prove_run *run, struct nonet_rwlock *rwlock);
void rwlock_read_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result);

/* Until killed: read, and write. */
void rwlock_churn(struct prove_run *run);

#endif
