/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAITABLE_WAITABLE_H
#define WAITABLE_WAITABLE_H

#include <nonet/wait.h>

/*
 * What every object that can be waited for embeds, and its nonet_<object>_waitable() gives out.
 *
 * The descriptor is level-triggered. An object that reads ahead can be ready while its descriptor is not: it has an
 * @arm of its own, and calls waitable_touch() whenever a call leaves something read ahead, so that a set which waits
 * for it (and arms only members that it reported or that were touched) doesn't sleep over it.
 */
struct wait_member;

struct nonet_waitable {
	int fd;
	/* 1 = ready now, 0 = the descriptor will tell; NULL = always 0. */
	int (*arm)(struct nonet_waitable *waitable);
	/* Set by src/wait while in a set, NULL otherwise. */
	struct wait_member *member;
	void (*touched)(struct wait_member *member);
	void (*closing)(struct wait_member *member);
};

/* @fd stays the object's. */
void waitable_init(struct nonet_waitable *waitable, int fd, int (*arm)(struct nonet_waitable *waitable));

/* Before the object closes its descriptor: leaves its set. */
void waitable_done(struct nonet_waitable *waitable);

/* Something may be ready that the descriptor doesn't show. Cheap when in no set. */
void waitable_touch(struct nonet_waitable *waitable);

/* As nonet_<object>_arm(). */
int waitable_arm(struct nonet_waitable *waitable);

#endif
