/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include <stddef.h>
#include <sys/types.h>

#include "bench.h"

/* A lock between processes, for what is measured of all kinds of them in the same way. */
struct lock_kind {
	int (*make)(void **ret_lock);
	int (*enter)(void *lock); /* in a forked child, before it uses it */
	int (*lock)(void *lock);  /* 0, or -EOWNERDEAD: it is had, too */
	int (*unlock)(void *lock);
	int (*recover)(void *lock); /* after -EOWNERDEAD */
	void (*remove)(void *lock); /* takes NULL; by who made it. In a child nothing that the others would see */
	const char *(*address)(void *lock); /* by which first.c opens it */
};

extern const struct lock_kind lock_nonet;
extern const struct lock_kind lock_robust; /* bare_mutex.c: glibc's */
extern const struct lock_kind lock_plain;  /* and the one that a death locks for ever */

/*
 * Many processes, which all want one lock as often as they can get it: what they do while they have it takes a few
 * hundred ns, and every 64th time they give the processor away meanwhile.
 */
int herd_open(const struct lock_kind *kind, size_t processes, void **ret_herd);
int herd_slice(void *herd, struct bench_slice *ret_slice);
void herd_close(void *herd);

/* From kill(2) of the process that has the lock, and @mib of memory, to the moment at which who slept for it has it. */
int takeover_open(const struct lock_kind *kind, size_t mib, void **ret_takeover);
int takeover_slice(void *takeover, struct bench_slice *ret_slice);
void takeover_close(void *takeover);

/* What a process that has just begun takes to open a lock that others have made, and to take it for the first time. */
enum first_what {
	FIRST_OPEN,
	FIRST_LOCK,
	FIRSTS,
};
int first_open(const struct lock_kind *kind, enum first_what what, void **ret_first);
int first_slice(void *first, struct bench_slice *ret_slice);
void first_close(void *first);

#endif
