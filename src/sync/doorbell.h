/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_DOORBELL_H
#define SYNC_DOORBELL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "domain/object.h"

/*
 * A doorbell: the descriptor by which who waits for an object of a domain is woken by whatever process makes it ready,
 * though no descriptor was ever passed between the two. It is a FIFO in the domain's directory; the object's page of
 * bells says who wants to be rung.
 *
 * Arming, in this order:
 *
 *   1. doorbell_arm(): what has rung is drained, the bell is in the table.
 *   2. The object's own word says that there are bells, by a compare-and-swap that is made even if it says so already,
 *      and fails if the object has become ready.
 *   3. Ready: doorbell_disarm(). Else doorbell_watch(), and sleep.
 *
 * Ringing: a compare-and-swap of that same word makes the object ready, and had read that there are bells: then
 * doorbell_ring().
 *
 * [BELL-ARMED] Entry and word are two places, and no fence orders them: both sides change the one word, so one of the
 * two came first. If it was the waker, the waiter's step 2 finds the object ready; if the waiter, the waker's
 * compare-and-swap has read what his released, and doorbell_ring() sees the entry. With a mere load in step 2 both
 * could find the old.
 */

struct doorbell_job {
	/*
	 * By the helper, which may not wait: whether the object may be ready; else whose deaths would make it so.
	 *
	 * Return: DOORBELL_READY; DOORBELL_SOON: not yet, and nobody will ring; or how many @owners were filled in.
	 */
	int (*look)(void *argument, uint64_t *owners, int room);
};
#define DOORBELL_READY (-1)
#define DOORBELL_SOON  (-2)

/* One of a handle: zeroed memory with the lock initialised is one that wasn't made yet. */
struct doorbell {
	const struct doorbell_job *job;
	void *argument;
	const struct object *object;

	pthread_mutex_t starting; /* of all that is in this part */
	bool made;
	int fd;        /* both ends of the FIFO */
	uint64_t name; /* as in the table */

	/* Under the helper's lock. */
	struct list all;
	bool armed;
	uint32_t place;   /* in the table, where it was entered last */
	uint64_t watched; /* the first of those whose death the helper looks out for */
	bool closely;     /* who makes the object ready may not see that it is armed */
};

void doorbell_init(struct doorbell *bell, const struct object *object, const struct doorbell_job *job, void *argument);

/*
 * That there are a FIFO and a helper: the descriptor, or
 *   -EEXIST      somebody has made FIFOs of all the names that were tried
 *   -EACCES, -EPERM, -ENOENT, -ENOSPC, -EDQUOT, -EROFS, -EIO, -ENOMEM, -EMFILE, -ENFILE, -ENXIO, -ELOOP
 *   and as domain_process_owner(). -ECHILD: the handle is the parent's.
 */
int doorbell_start(struct doorbell *bell);

/* Of one that was started. Never waits. */
void doorbell_arm(struct doorbell *bell);
void doorbell_disarm(struct doorbell *bell);
/* Nobody waits any more. Should somebody nevertheless, the descriptor tells him to look. */
void doorbell_rest(struct doorbell *bell);
/* It is armed, and the object is held by @owner (0: by nobody), whose death would make it ready. */
void doorbell_watch(struct doorbell *bell, uint64_t owner);
/* Whether the helper is to look each millisecond while it is armed, since nobody may ring. */
void doorbell_watch_closely(struct doorbell *bell, bool closely);

/* Close and remove it. In a child the parent's stays. */
void doorbell_done(struct doorbell *bell);

/* Ring all bells in the table of an object. Never waits, and fails silently: who isn't rung looks soon himself. */
void doorbell_ring(const struct object *object);

/* For a handle that rings and has no bell itself. Before the first ring: so that a child can ring too. */
void doorbell_ring_prepare(void);
/* The bells that were rung by a handle are closed with it. */
void doorbell_ring_forget(const struct object *object);

#endif
