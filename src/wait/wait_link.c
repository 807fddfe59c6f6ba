/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "sys/fork.h"
#include "wait/wait_set.h"
#include "waitable/waitable.h"

/*
 * The lock of links: which waitable is which set's member. One for the process, since a waitable can be touched or
 * closed by one thread while another frees its set, and neither could rely on a lock inside what the other may free.
 * Taken only where a link changes, or is followed to a sleeping set (see @queued in waitable/waitable.h).
 */
static pthread_mutex_t wait_links = PTHREAD_MUTEX_INITIALIZER;

static pthread_once_t wait_once = PTHREAD_ONCE_INIT;
static int wait_once_error;

/* The thread that held the lock, if one did, isn't here. What it was changing is the parent's, and not looked at. */
static void wait_forked(void)
{
	pthread_mutex_init(&wait_links, NULL);
}

static void wait_watch_for_forks(void)
{
	wait_once_error = -pthread_atfork(NULL, NULL, wait_forked);
}

int wait_links_prepare(void)
{
	pthread_once(&wait_once, wait_watch_for_forks);
	return wait_once_error;
}

void wait_links_lock(void)
{
	pthread_mutex_lock(&wait_links);
}

void wait_links_unlock(void)
{
	pthread_mutex_unlock(&wait_links);
}

bool wait_set_is_foreign(const struct nonet_wait_set *set)
{
	return set->generation != sys_generation();
}

/* [WAIT-LINK] and [WAIT-QUEUED]: waitable/waitable.c. */
struct wait_member *wait_link_find(struct nonet_waitable *waitable)
{
	struct wait_member *member = atomic_load_explicit(&waitable->member, memory_order_relaxed);

	if (!member || waitable->generation == sys_generation())
		return member;
	/* The parent's: we inherited the pointer, not the membership. What it points to may be freed here. */
	atomic_store_explicit(&waitable->member, NULL, memory_order_relaxed);
	return NULL;
}

static void wait_touched(struct nonet_waitable *waitable)
{
	struct wait_member *member;

	pthread_mutex_lock(&wait_links);
	member = wait_link_find(waitable);
	if (member) {
		struct nonet_wait_set *set = member->set;
		bool ring;

		pthread_mutex_lock(&set->mutex);
		ring = wait_set_queue(member);
		pthread_mutex_unlock(&set->mutex);
		/* Still under the lock of links, so that the set isn't freed. */
		if (ring)
			wait_set_ring(set);
	}
	pthread_mutex_unlock(&wait_links);
}

static void wait_closing(struct nonet_waitable *waitable)
{
	struct wait_member *member;

	pthread_mutex_lock(&wait_links);
	member = wait_link_find(waitable);
	if (member) {
		struct nonet_wait_set *set = member->set;

		pthread_mutex_lock(&set->mutex);
		wait_set_remove_member(member);
		pthread_mutex_unlock(&set->mutex);
		wait_link_clear(waitable);
	}
	pthread_mutex_unlock(&wait_links);
}

static const struct waitable_hooks wait_hooks = {
	.touched = wait_touched,
	.closing = wait_closing,
};

void wait_link_set(struct nonet_waitable *waitable, struct wait_member *member)
{
	/* Written once: a thread that saw an earlier membership may be reading it. */
	if (!waitable->hooks)
		waitable->hooks = &wait_hooks;
	waitable->generation = sys_generation();
	atomic_exchange_explicit(&waitable->queued, true, memory_order_acq_rel); /* [WAIT-QUEUED] wait_set_queue() */
	atomic_store_explicit(&waitable->member, member, memory_order_release);  /* [WAIT-LINK] waitable_is_member() */
}

void wait_link_clear(struct nonet_waitable *waitable)
{
	if (waitable->rest)
		waitable->rest(waitable);
	atomic_store_explicit(&waitable->member, NULL, memory_order_release); /* [WAIT-LINK] waitable_is_member() */
}
