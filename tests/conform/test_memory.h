/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_TEST_MEMORY_H
#define CONFORM_TEST_MEMORY_H

#include <nonet/memory.h>

#include "harness/test.h"

/* What has to hold on each carrier of shared memory. A new property is a line here, and a function. */
#define MEMORY_PROPERTIES(X)                      \
	X(it_is_zeros_of_the_length_asked_for)    \
	X(its_mode_is_exact_whatever_the_umask)   \
	X(there_is_one_of_a_name)                 \
	X(nothing_is_there_before_and_after)      \
	X(processes_share_it)                     \
	X(a_forked_child_shares_it)               \
	X(read_only_is_enforced)                  \
	X(it_grows_for_all_who_have_it)           \
	X(who_has_it_keeps_it_when_its_name_goes) \
	X(somebody_else_is_refused)               \
	X(what_is_wrong_is_said)                  \
	X(changes_end_a_wait)                     \
	X(its_name_going_ends_a_wait)             \
	X(many_who_create_it_get_one)             \
	X(plain_programs_open_ours)               \
	X(we_open_plain_programs)

#define MEMORY_PROPERTY(name) void name(void **state);
MEMORY_PROPERTIES(MEMORY_PROPERTY)
/* This one takes longer than the others may. */
MEMORY_PROPERTY(a_storm_of_signals_shows_nowhere)

#define PAGE   4096
#define LENGTH 10000

enum memory_carrier_kind {
	MEMORY_POSIX,
	MEMORY_SYSV,
	MEMORY_MEMFD,
};
extern enum memory_carrier_kind memory_carrier;

/* The object and its address. */
struct memory_object {
	char address[100];
	struct nonet_memory *memory;
};

/* One of that length; closed and removed. */
struct memory_object memory_make(uint64_t length);
void memory_drop(struct memory_object *object);

/* An address that is free, until the next call. */
const char *memory_new_address(void);
struct nonet_memory_options memory_options(uint64_t length);
/* @address is of no use to a memfd. */
int memory_create(const char *address, uint64_t length, struct nonet_memory **ret_memory);
/* The same object once more: by @address, or a memfd by a descriptor of @memory. */
int memory_open_again(const char *address, struct nonet_memory *memory, uint32_t flags,
		      struct nonet_memory **ret_memory);
/* Skips what a memfd, which has no name, can't have. */
void memory_named_only(void);

#endif
