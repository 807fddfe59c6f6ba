/* SPDX-License-Identifier: Apache-2.0 */
#include "signal/signal_holds.h"

#include <pthread.h>
#include <stdbool.h>

#include "sys/fork.h"
#include "sys/signals.h"

/*
 * All holds of the process, under a lock, as a receiver may be closed by another thread than its own. A signal that we
 * blocked is in @ours of at least one hold of its thread for as long as one is there that has it in @mask.
 */
static pthread_mutex_t signal_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list signal_holds = {&signal_holds, &signal_holds};
static unsigned signal_generation; /* of the process that they are of */

/* Which thread this is; 0: it has held nothing yet. Not its number or address, which the next thread may have. */
static _Thread_local uint64_t signal_thread;
static uint64_t signal_threads;

static pthread_once_t signal_once = PTHREAD_ONCE_INIT;
static int signal_once_error;

/* Who held the lock isn't here. */
static void signal_forked(void)
{
	pthread_mutex_init(&signal_lock, NULL);
}

static void signal_watch_for_forks(void)
{
	signal_once_error = -pthread_atfork(NULL, NULL, signal_forked);
}

int signal_holds_prepare(void)
{
	pthread_once(&signal_once, signal_watch_for_forks);
	return signal_once_error;
}

/* A forked child begins anew: what its parent's thread held is simply blocked. */
static void signal_lock_holds(void)
{
	pthread_mutex_lock(&signal_lock);
	if (signal_generation != sys_generation()) {
		signal_generation = sys_generation();
		list_init(&signal_holds);
	}
}

int signal_hold(struct signal_hold *hold, uint64_t mask)
{
	uint64_t before = 0;
	int error;

	signal_lock_holds();
	/* Under the lock: what is blocked by a hold that is released meanwhile must be handed to this one. */
	error = sys_signal_block(mask, &before);
	if (error == 0) {
		if (signal_thread == 0)
			signal_thread = ++signal_threads;
		hold->mask = mask;
		hold->ours = mask & ~before;
		hold->thread = signal_thread;
		list_add_last(&signal_holds, &hold->link);
	}
	pthread_mutex_unlock(&signal_lock);
	return error;
}

uint64_t signal_release(struct signal_hold *hold)
{
	uint64_t left = hold->ours;
	struct list *node;
	bool here;

	signal_lock_holds();
	list_remove(&hold->link);
	list_for_each (node, &signal_holds) {
		struct signal_hold *other = container_of(node, struct signal_hold, link);

		if (other->thread != hold->thread)
			continue;
		other->ours |= hold->ours & other->mask;
		left &= ~other->mask;
	}
	here = hold->thread == signal_thread;
	pthread_mutex_unlock(&signal_lock);
	return here ? left : 0;
}
