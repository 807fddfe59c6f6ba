/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_OPERATIONS_H
#define PROVE_OPERATIONS_H

#include "prove/prove.h"

/* The library's operations that change what processes share: object_operations.c each. */

extern const struct prove_operation prove_mapfile_create;
extern const struct prove_operation prove_mutex_lock;
extern const struct prove_operation prove_mutex_try;
extern const struct prove_operation prove_mutex_first_lock;
extern const struct prove_operation prove_mutex_unlock;
extern const struct prove_operation prove_mutex_recover;
extern const struct prove_operation prove_mutex_give_up;
extern const struct prove_operation prove_mutex_lock_again;
extern const struct prove_operation prove_mutex_unlock_once;
extern const struct prove_operation prove_mutex_lock_crowd;
extern const struct prove_operation prove_mutex_unlink;
extern const struct prove_operation prove_mutex_open;
extern const struct prove_operation prove_mutex_create;
extern const struct prove_operation prove_rwlock_read;
extern const struct prove_operation prove_rwlock_write;
extern const struct prove_operation prove_rwlock_read_unlock;
extern const struct prove_operation prove_rwlock_write_unlock;
extern const struct prove_operation prove_rwlock_upgrade;
extern const struct prove_operation prove_rwlock_downgrade;
extern const struct prove_operation prove_rwlock_recover;
extern const struct prove_operation prove_rwlock_read_crowd;
extern const struct prove_operation prove_rwlock_write_crowd;
extern const struct prove_operation prove_condition_wait;
extern const struct prove_operation prove_condition_meet;
extern const struct prove_operation prove_condition_meet_signal;
extern const struct prove_operation prove_condition_signal;
extern const struct prove_operation prove_condition_broadcast;

#endif
