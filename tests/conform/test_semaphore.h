/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_TEST_SEMAPHORE_H
#define CONFORM_TEST_SEMAPHORE_H

#include <nonet/semaphore.h>

#include "harness/test.h"

/* What has to hold on each carrier of semaphores. A new property is a line here, and a function. */
#define SEMAPHORE_PROPERTIES(X)                            \
	X(who_opens_it_finds_its_value_and_mode)           \
	X(one_that_is_there_is_not_made_again)             \
	X(one_that_is_not_there_is_not_opened)             \
	X(options_that_make_no_sense_are_refused)          \
	X(as_many_are_taken_as_are_there)                  \
	X(no_more_are_posted_than_it_can_hold)             \
	X(what_makes_no_sense_is_refused_and_explained)    \
	X(a_removed_one_is_gone)                           \
	X(it_outlives_who_made_it)                         \
	X(several_are_taken_at_once_or_refused)            \
	X(a_killed_holder_gives_back_or_undo_is_refused)   \
	X(a_wait_ends_at_its_deadline_and_not_before)      \
	X(a_post_ends_a_wait)                              \
	X(a_storm_of_signals_ends_no_wait)                 \
	X(readiness_is_told_and_never_lost)                \
	X(out_of_its_set_nobody_watches_it)                \
	X(waiting_takes_nothing_and_steals_no_wake)        \
	X(a_killed_one_that_was_waiting_takes_nothing)     \
	X(a_forked_child_takes_and_gives_but_does_not_arm) \
	X(plain_programs_take_and_give)                    \
	X(a_million_takes_and_gives_end_with_an_exact_count)

#define SEMAPHORE_PROPERTY(name) void name(void);
SEMAPHORE_PROPERTIES(SEMAPHORE_PROPERTY)

struct semaphore_kind {
	const char *name;
	bool is_sysv;
	bool by_path;
	bool is_shared;   /* nonet's own, that only counts: what owned ones do is in src/semaphore */
	uint32_t flags;   /* to make it with */
	const char *most; /* how a sentence says the maximum */
	uint32_t index;
	uint32_t maximum;
};

/* Of the running test: the kind, and an address that is free. */
extern const struct semaphore_kind *semaphore_kind;
extern char semaphore_address[200];
/* The same as one removes it, and for programs that aren't nonet. */
extern char semaphore_whole[200];
extern char semaphore_name[100];
extern int semaphore_key;

/* One with so many permits; closed and removed. */
struct nonet_semaphore *semaphore_make(uint32_t value);
/* In a child: the parent's handle, or of nonet's own one for itself. */
struct nonet_semaphore *semaphore_in_child(struct nonet_semaphore *inherited);
void semaphore_end(struct nonet_semaphore *semaphore);
uint32_t semaphore_value(struct nonet_semaphore *semaphore);

#endif
