/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_INSPECT_LOCK_H
#define INSPECT_INSPECT_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/address.h>

#include "inspect/inspect_file.h"
#include "sys/filelocks.h"

/* A lock that somebody has or waits for: a line of /proc/locks, or of an fdinfo behind "lock:". */
struct inspect_lock {
	struct inspect_file file;
	enum nonet_scheme scheme;
	enum sys_lock_mode mode;
	struct sys_lock_range range;
	bool waits;
	int32_t taker; /* who took it, if not who has it; -1 of open file descriptions: the kernel doesn't say */
};

/* Return: whether @text is a line of a lock that we have a scheme for. */
bool inspect_lock_read(const char *text, struct inspect_lock *ret_lock);

bool inspect_lock_is_same(const struct inspect_lock *a, const struct inspect_lock *b);
/* An order for qsort(3) and bsearch(3), by files first. Return: as strcmp(3). */
int inspect_lock_compare(const struct inspect_lock *a, const struct inspect_lock *b);

/* Whether there is a byte that both have. */
bool inspect_ranges_overlap(const struct sys_lock_range *a, const struct sys_lock_range *b);

#endif
