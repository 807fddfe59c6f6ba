/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAIT_WAIT_SET_H
#define WAIT_WAIT_SET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/wait.h>

#include "base/list.h"

/*
 * A set is one level-triggered epoll, which knows what descriptors tell, and a list of the members that may be ready
 * though their descriptors say nothing (waitable/waitable.h). Invariants:
 *
 * 1. A member that can be ready unseen is on @to_arm, or was asked after it was touched last and said no.
 * 2. Whoever puts a member on @to_arm while somebody sleeps in epoll rings the bell. Both happen under @mutex, and a
 *    sleeper looks at @to_arm under it before it sleeps: no wake is lost.
 * 3. epoll's events point to members. One that is removed while a thread is between epoll and the handling of what
 *    epoll said stays in memory as a grave until that thread is done.
 * 4. A forked child shares the epoll and the bell with its parent: it changes nothing in either, and walks no list.
 *
 * Lock order: the lock of links (wait_link.c), then @mutex.
 */
struct nonet_wait_set {
	int epoll;
	int bell;                /* an eventfd in @epoll, with NULL for a member */
	unsigned int generation; /* of the process that made it */
	pthread_mutex_t mutex;   /* for all below */

	struct list members;
	struct list to_arm;
	struct list graves;
	struct list ghosts; /* graves that epoll may still point to: their descriptors were closed too early */
	struct wait_member **by_fd;
	size_t by_fd_count;

	uint64_t round;        /* counts calls of nonet_wait() */
	unsigned int waiting;  /* threads in nonet_wait(): 1 at most, if the caller keeps to the rules */
	unsigned int sleeping; /* of these in epoll_wait(), not just looking */
	bool rung;             /* the bell is readable, or about to be */
	bool kernel_kept_out;  /* read-ahead members took all the room of the last call */
};

struct wait_member {
	struct list in_set;    /* in members, graves or ghosts */
	struct list in_to_arm; /* in to_arm, or alone */
	struct nonet_wait_set *set;
	struct nonet_waitable *waitable; /* NULL: a plain descriptor */
	void *data;
	uint64_t round; /* of the call that reported it last, as its event number @slot */
	size_t slot;
	int fd;
	uint32_t events; /* NONET_WAIT_*; 0 once removed */
};

/*
 * The lock of links guards which waitable is which set's member, for all sets. The two atomics in struct nonet_waitable
 * are read without it.
 */
void wait_links_lock(void);
void wait_links_unlock(void);

/* Under the lock of links: the waitable's member, NULL if it has none (or had one in a parent). */
struct wait_member *wait_link_find(struct nonet_waitable *waitable);
void wait_link_set(struct nonet_waitable *waitable, struct wait_member *member);
/* Must be the last that is done with the waitable: its object may be freed at once. */
void wait_link_clear(struct nonet_waitable *waitable);

/* Before the lock is taken for the first time: 0, or -ENOMEM if a forked child couldn't be given a lock of its own. */
int wait_links_prepare(void);

/* Whether a parent made it. */
bool wait_set_is_foreign(const struct nonet_wait_set *set);

/*
 * Put a member on to_arm, if it has anything to arm. Called under the mutex. Returns whether the caller has to
 * wait_set_ring() after the mutex: not under it, so that who wakes doesn't at once run into it. The set may not be
 * freed in between: hold the lock of links.
 */
bool wait_set_queue(struct wait_member *member);
void wait_set_ring(struct nonet_wait_set *set);

/* Under the mutex: take a member out, and free it as soon as nobody can see it. */
void wait_set_remove_member(struct wait_member *member);

/* Under the mutex, or where nobody else has the set any more. */
void wait_set_free_list(struct list *members);

#endif
