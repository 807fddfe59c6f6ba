/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_DOMAIN_LOOK_H
#define INSPECT_DOMAIN_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <nonet/time.h>

#include "domain/domain_layout.h"

/*
 * A domain as one sees it who isn't a member: its file is read, never mapped, so that nobody who cuts it off can do us
 * harm; and never written. What stands there may be anything: all is checked against what the layout allows, and all
 * loops are bounded by it.
 */

/* A field of what was read: a copy that is ours alone, so that any order will do. */
#define LOOK_FIELD(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* A member whose process lives. */
struct domain_look_member {
	uint32_t number;
	int32_t pid; /* as we number it; 0: of another PID namespace */
	struct domain_member page;
};

/* A thread that lives. */
struct domain_look_thread {
	uint32_t slot, generation;
	int32_t id; /* as @member's pid */
	const struct domain_look_member *member;
	uint64_t waits_for; /* the number of an object's file; 0: for none */
	int64_t waits_since;
};

struct domain_look {
	int directory;
	struct stat status; /* of the directory */
	bool is_damaged;    /* .domain is there and isn't one: nobody can join, and nothing more is known */
	bool is_cut_short;  /* the deadline came before all members and threads were seen */
	uint64_t id[2];
	int64_t made, bytes;
	struct domain_look_member *members; /* in the order of their numbers */
	size_t member_count;
	struct domain_look_thread *threads; /* in the order of their slots */
	size_t thread_count;
};

/*
 * @path: of the directory; a link at its end isn't followed
 *
 * Return: 0, or
 *   -ENOENT      there is no .domain
 *   others       as open(2); -ENOMEM
 */
int domain_look_open(const char *path, nonet_time deadline, struct domain_look *ret_look);
void domain_look_close(struct domain_look *look);

/* The thread that a claim names, or NULL: nobody who lives. */
const struct domain_look_thread *domain_look_owner(const struct domain_look *look, uint64_t claim);

/* Whether a member has an object open; one that has more than it can list may have any. */
bool domain_look_has_open(const struct domain_look_member *member, uint64_t object);

#endif
