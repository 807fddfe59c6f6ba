/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAITABLE_WAITABLE_H
#define WAITABLE_WAITABLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <nonet/wait.h>

/*
 * What every object that can be waited for embeds, and its nonet_<object>_waitable() gives out.
 *
 * The descriptor is level-triggered. An object that reads ahead can be ready while its descriptor is not: it has an
 * @arm of its own, and calls waitable_touch() whenever a call leaves something read ahead, so that a set which waits
 * for it (and arms only members that it reported or that were touched) doesn't sleep over it.
 *
 * @arm is called by the thread that waits, maybe while another is inside a call on the object: what it reads must be
 * atomic. It may not call waitable_touch() or waitable_done(), nor take a lock that is held around them: the set's own
 * lock is held around @arm, and taken by those two.
 */
struct wait_member;
struct waitable_hooks;

struct nonet_waitable {
	int fd; /* or the -errno for which the object couldn't have one: nonet_wait_set_add() returns it */
	/* 1 = ready now, 0 = the descriptor will tell; NULL = always 0. */
	int (*arm)(struct nonet_waitable *waitable);
	/* It leaves its set: what costs something while it is armed may end. NULL = nothing does. Locks as for @arm. */
	void (*rest)(struct nonet_waitable *waitable);

	/* Of src/wait, guarded by its lock of links; the two atomics are looked at without it. NULL: in no set. */
	_Atomic(struct wait_member *) member;
	/* The set will arm it before it sleeps, or doesn't care: no need to tell it anything. */
	atomic_bool queued;
	/* Which process put it into its set, counted in forks; @member of another is nothing to us. */
	unsigned int generation;
	const struct waitable_hooks *hooks;
};

struct waitable_hooks {
	void (*touched)(struct nonet_waitable *waitable);
	void (*closing)(struct nonet_waitable *waitable);
};

/* @fd stays the object's. */
void waitable_init(struct nonet_waitable *waitable, int fd, int (*arm)(struct nonet_waitable *waitable));

/* Before the object closes its descriptor: leaves its set. */
void waitable_done(struct nonet_waitable *waitable);

/* Something may be ready that the descriptor doesn't show. Cheap when in no set, and when the set knows already. */
void waitable_touch(struct nonet_waitable *waitable);

/* As nonet_<object>_arm(). */
int waitable_arm(struct nonet_waitable *waitable);

#endif
