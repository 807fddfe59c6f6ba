/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNAL_SIGNAL_HOLDS_H
#define SIGNAL_SIGNAL_HOLDS_H

#include <stdint.h>

#include "base/list.h"

/*
 * What a receiver blocks in the thread that opened it. Two of one thread may have a signal in common: whichever is
 * closed last lets it through again, in whatever order and by whichever threads they are closed.
 */
struct signal_hold {
	struct list link;
	uint64_t mask;   /* what it is open for */
	uint64_t ours;   /* those of them that this thread's receivers blocked */
	uint64_t thread; /* that opened it */
};

/* Once before the first hold. Return: 0, or -ENOMEM. */
int signal_holds_prepare(void);

/* Blocks @mask in the calling thread. Return: 0, or -errno, and nothing is held. */
int signal_hold(struct signal_hold *hold, uint64_t mask);

/*
 * Forget a hold. Not for one of our parent's.
 *
 * Return: what the caller is to unblock, as the last that it does: the kernel hands out what is pending at once. 0 in
 * another thread than the hold's: nobody can unblock for it what no other receiver of its holds.
 */
uint64_t signal_release(struct signal_hold *hold);

#endif
