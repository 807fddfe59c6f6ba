/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROWS_KIND_H
#define ROWS_KIND_H

#include <stdbool.h>

#include <nonet/error.h>
#include <nonet/time.h>

#include "harness/child.h"

/*
 * The calls that wait on objects in shared memory, each as a row of the bar sees it (docs/proof.md): a row is a test
 * program, which tries its fault on all of them. Another call joins with an entry in kind.c.
 *
 * Used in a DOMAIN_TEST(), by the test's process and its forks.
 */
struct row_object;

struct row_kind {
	const char *name;    /* of the operation, as in the table of proofs */
	const char *address; /* of its object; several kinds may use the same one in turn */
	bool placed;         /* it lies in the tests' own memory: the address is of nothing, and says only what it is */

	bool owned;   /* take() makes this thread one that is waited for, whose death lets wait() go on */
	bool crowded; /* any number of processes may take turns: wait(), done() */
	bool alone;   /* ... one at a time */
	bool in_line; /* nobody gets past him who waits in front, be he stopped */
	int told;     /* what wait() returns once who had it has died */

	/* Each returns 0 or -errno. */
	int (*take)(struct row_object *object); /* so that wait() has to wait */
	int (*give)(struct row_object *object); /* so that wait() goes on; owned: -EPERM to others */
	int (*wait)(struct row_object *object, nonet_time deadline); /* the call */
	int (*done)(struct row_object *object);                      /* after it: all is as before it */
};

extern const struct row_kind row_kinds[];
#define ROW_EACH_KIND(kind) (const struct row_kind *kind = row_kinds; kind->name; kind++)

/* Once, in the domain, before the first fork. */
void row_begin(void);

/* The object, made if there is none; the process ends with it if that isn't possible. close: takes NULL. */
struct row_object *row_reach(const struct row_kind *kind);
void row_close(struct row_object *object);

/* Make one anew, open one, remove one; not what is placed. Return: 0 or -errno. */
int row_create(const struct row_kind *kind, struct nonet_error *reterr);
int row_open(const struct row_kind *kind, struct nonet_error *reterr);
int row_unlink(const struct row_kind *kind, struct nonet_error *reterr);

/* A child's functions; the argument is the kind. Have it, until told to "let go" (what isn't owned: does so then). */
test_child_function row_hold;
/* Wait for ever, say "through" when it is, and put back what there is. Told to "end" it ends. */
test_child_function row_sleep;

/* Wait in vain: neither early, nor late by more than a scheduler may be. */
void row_wait_in_vain(const struct row_kind *kind, struct row_object *object, nonet_time duration);

#endif
