/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_THREAD_H
#define DOMAIN_THREAD_H

#include "domain/domain.h"

/*
 * The threads of this process in a domain: each has a slot once it takes something for the first time, by which claims
 * name it. It keeps the slot until it ends, which the kernel marks in the slot's life word.
 */

/* Mutexes with a rank that one thread may hold at a time. */
#define DOMAIN_RANKED 32

struct domain_ranked {
	uint64_t object; /* the number of its file, or where it is in this process */
	uint32_t rank;
	char name[64]; /* its address, as much as fits */
};

struct domain_thread {
	struct domain_thread *next;       /* of the process in this domain */
	struct domain_thread *next_other; /* of the thread, in other domains */
	struct domain *domain;
	uint64_t owner; /* as a claim names it; 0: it has no slot */
	uint32_t slot;
	bool linked; /* its node is in the thread's list: else only the process's life lock tells of its death */
	pid_t id;
	void *region; /* the slot's page, and behind it the page with the node */

	/* Mutexes with ranks that it holds, in the order in which it took them; only its own thread looks at them. */
	struct domain_ranked ranked[DOMAIN_RANKED];
	unsigned ranks;
};

/* The thread's slot that was asked for last: nearly always the one that is wanted. */
struct domain_thread_last {
	const struct domain *domain;
	uint64_t owner;
	struct domain_thread *thread;
};
extern _Thread_local struct domain_thread_last domain_thread_last __attribute__((tls_model("initial-exec")));

/*
 * The calling thread's slot, which it takes if it has none.
 *
 * Return: 0, or
 *   -EUSERS      all slots are in use
 *   -ESTALE      the domain was removed
 *   -EBADMSG     its file was damaged
 *   -ENOSPC, -ENOMEM, -EMFILE, -ENFILE, -EACCES, -EIO, -EDQUOT
 */
int domain_thread_find(struct domain *domain, struct domain_thread **ret_thread);

/* The same for who needs only its name. The handle that it is for was checked to be this process's. */
static inline int domain_thread_owner(struct domain *domain, uint64_t *ret_owner)
{
	struct domain_thread *thread;
	int error;

	if (__builtin_expect(domain_thread_last.domain == domain, 1)) {
		*ret_owner = domain_thread_last.owner;
		return 0;
	}
	error = domain_thread_find(domain, &thread);
	if (error < 0)
		return error;
	*ret_owner = thread->owner;
	return 0;
}

/*
 * What stands for the whole process: a slot of a helper thread that sleeps as long as the process lives. For what any
 * of its threads may give back. Errors as above, and -ENOMEM: no thread.
 */
int domain_process_owner(struct domain *domain, uint64_t *ret_owner);

/*
 * The thread that is named @owner is about to sleep for an object, the number of its file, or 0: does so no more.
 * @since: CLOCK_REALTIME, or 0: not known. For display only, so that others see who waits for what.
 */
static inline void domain_thread_waits(const struct domain *domain, uint64_t owner, uint64_t object, int64_t since)
{
	struct domain_slot *slot = domain_slot(domain, claim_slot(owner));

	atomic_store_explicit(&slot->waits_since, since, memory_order_relaxed);
	atomic_store_explicit(&slot->waits_for, object, memory_order_relaxed);
}

#endif
