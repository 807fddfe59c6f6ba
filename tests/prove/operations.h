/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_OPERATIONS_H
#define PROVE_OPERATIONS_H

#include "prove/prove.h"

/* The library's operations that change what processes share: object_operations.c each. */

extern const struct prove_operation prove_call;
extern const struct prove_operation prove_call_begin;
extern const struct prove_operation prove_call_drop;
extern const struct prove_operation prove_call_end;
extern const struct prove_operation prove_call_next;
extern const struct prove_operation prove_call_release;
extern const struct prove_operation prove_call_reply;
extern const struct prove_operation prove_call_serve;
extern const struct prove_operation prove_call_serve_no_more;
extern const struct prove_operation prove_channel_send;
extern const struct prove_operation prove_channel_loan;
extern const struct prove_operation prove_channel_publish;
extern const struct prove_operation prove_channel_abort;
extern const struct prove_operation prove_channel_send_wait;
extern const struct prove_operation prove_channel_send_crowd;
extern const struct prove_operation prove_publisher_open;
extern const struct prove_operation prove_publisher_close;
extern const struct prove_operation prove_channel_create;
extern const struct prove_operation prove_channel_unlink;
extern const struct prove_operation prove_channel_meet;
extern const struct prove_operation prove_channel_meet_receive;
extern const struct prove_operation prove_channel_meet_release;
extern const struct prove_operation prove_channel_meet_close;
extern const struct prove_operation prove_channel_meet_open;
extern const struct prove_operation prove_channel_meet_send;
extern const struct prove_operation prove_channel_meet_next;
extern const struct prove_operation prove_channel_meet_join;
extern const struct prove_operation prove_channel_take_wait;
extern const struct prove_operation prove_channel_arm;
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
extern const struct prove_operation prove_event_wait;
extern const struct prove_operation prove_event_wait_count;
extern const struct prove_operation prove_event_set;
extern const struct prove_operation prove_event_pulse;
extern const struct prove_operation prove_event_clear;
extern const struct prove_operation prove_event_meet;
extern const struct prove_operation prove_event_meet_set;
extern const struct prove_operation prove_event_meet_count;
extern const struct prove_operation prove_event_meet_pulse;
extern const struct prove_operation prove_event_set_crowd;
extern const struct prove_operation prove_event_pulse_crowd;
extern const struct prove_operation prove_event_open;
extern const struct prove_operation prove_event_create;
extern const struct prove_operation prove_event_unlink;
extern const struct prove_operation prove_event_arm;
extern const struct prove_operation prove_event_first_arm;
extern const struct prove_operation prove_event_close;
extern const struct prove_operation prove_semaphore_wait;
extern const struct prove_operation prove_semaphore_wait_some;
extern const struct prove_operation prove_semaphore_try;
extern const struct prove_operation prove_semaphore_try_some;
extern const struct prove_operation prove_semaphore_wait_in_vain;
extern const struct prove_operation prove_semaphore_post;
extern const struct prove_operation prove_semaphore_post_bells;
extern const struct prove_operation prove_semaphore_post_some;
extern const struct prove_operation prove_semaphore_post_too_many;
extern const struct prove_operation prove_semaphore_meet;
extern const struct prove_operation prove_semaphore_meet_post;
extern const struct prove_operation prove_semaphore_wait_crowd;
extern const struct prove_operation prove_semaphore_arm;
extern const struct prove_operation prove_semaphore_open;
extern const struct prove_operation prove_semaphore_create;
extern const struct prove_operation prove_semaphore_unlink;
extern const struct prove_operation prove_signal_wait;
extern const struct prove_operation prove_signal_wait_some;
extern const struct prove_operation prove_signal_post;
extern const struct prove_operation prove_signal_meet;
extern const struct prove_operation prove_signal_meet_post;
extern const struct prove_operation prove_signal_post_crowd;

#endif
