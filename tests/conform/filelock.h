/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_FILELOCK_H
#define CONFORM_FILELOCK_H

#include <nonet/nonet.h>

#include "harness/test.h"

/*
 * What the properties of file locks share. The other side is always another process: classic locks know no other.
 */

#define SHARED    NONET_FILELOCK_SHARED
#define EXCLUSIVE NONET_FILELOCK_EXCLUSIVE
#define NONE      NONET_FILELOCK_NONE

struct kind {
	const char *scheme;
	bool of_process; /* classic */
	bool ranges;
	bool keeps_on_change; /* what is held until the new mode is there */
	bool finds_deadlocks;
};

/* Of the running test. */
extern const struct kind *kind;
extern const char *path;
extern char address[160];

/* Who has it is asked for the file at the path, who makes it, and one who looks whether it is still there. */
extern const struct nonet_filelock_options creates;
extern const struct nonet_filelock_options checks;

struct nonet_filelock *open_lock_with(const struct nonet_filelock_options *options);
struct nonet_filelock *open_lock(void);

/* Which modes another process could have: 2 any, 1 shared alone, 0 none. */
int left_for_others(void);

/* A process that holds it until it is told to unlock. */
struct test_child *holder(enum nonet_filelock_mode mode);
void holder_unlocks(struct test_child *child);
void holder_ends(struct test_child *child);

/* A child that reports "ready", waits for it, reports "got it", and holds it until holder_ends(). */
struct waiting {
	enum nonet_filelock_mode mode;
	bool forever;
};
int wait_for_it(struct test_child_side *side, void *argument);

/* Whether the handle's descriptor is readable, by @deadline. */
int readable(struct nonet_filelock *lock, nonet_time deadline);

#define PROPERTIES(PROPERTY)                                                        \
	PROPERTY(shared_is_shared_and_exclusive_excludes)                           \
	PROPERTY(a_deadline_is_kept_and_never_early)                                \
	PROPERTY(who_waits_gets_it_when_it_is_unlocked_closed_or_its_holder_killed) \
	PROPERTY(who_is_killed_while_he_waits_leaves_nothing)                       \
	PROPERTY(a_mode_is_changed_at_once_where_nobody_is_in_the_way)              \
	PROPERTY(a_change_in_vain_leaves_what_the_header_says)                      \
	PROPERTY(two_who_want_more_are_told_where_the_kernel_sees_it)               \
	PROPERTY(a_wait_acquires_and_who_asks_has_it)                               \
	PROPERTY(what_was_acquired_in_another_mode_is_not_kept)                     \
	PROPERTY(nobody_is_kept_out_by_what_is_not_collected)                       \
	PROPERTY(unlock_and_close_end_the_waiting)                                  \
	PROPERTY(a_wait_for_many_is_ended_by_it)                                    \
	PROPERTY(who_leaves_a_wait_for_many_waits_no_more)                          \
	PROPERTY(what_a_wait_for_many_acquired_goes_with_its_place)                 \
	PROPERTY(ranges_exclude_where_they_overlap)                                 \
	PROPERTY(a_storm_of_signals_ends_no_wait)                                   \
	PROPERTY(many_processes_count_exactly)                                      \
	PROPERTY(a_lock_on_a_file_that_lost_its_path_is_none)                       \
	PROPERTY(a_path_that_is_gone_is_estale_for_who_may_not_make_it)             \
	PROPERTY(a_child_is_told_what_is_its_parents)                               \
	PROPERTY(what_a_child_shares_it_keeps)

#define PROPERTY_DECLARE(name) void name(void);
PROPERTIES(PROPERTY_DECLARE)

#endif
