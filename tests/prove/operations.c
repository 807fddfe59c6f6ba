/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/operations.h"

/* Of the library: one line each. */
const struct prove_operation *const prove_operations[] = {
	&prove_mapfile_create,        &prove_mutex_lock,         &prove_mutex_try,           &prove_mutex_first_lock,
	&prove_mutex_unlock,          &prove_mutex_recover,      &prove_mutex_give_up,       &prove_mutex_lock_again,
	&prove_mutex_unlock_once,     &prove_mutex_lock_crowd,   &prove_mutex_unlink,        &prove_mutex_open,
	&prove_mutex_create,          &prove_rwlock_read,        &prove_rwlock_write,        &prove_rwlock_read_unlock,
	&prove_rwlock_write_unlock,   &prove_rwlock_upgrade,     &prove_rwlock_downgrade,    &prove_rwlock_recover,
	&prove_rwlock_read_crowd,     &prove_rwlock_write_crowd, &prove_condition_wait,      &prove_condition_meet,
	&prove_condition_meet_signal, &prove_condition_signal,   &prove_condition_broadcast, NULL,
};
