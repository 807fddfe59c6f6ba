/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/rank.h"

#include <errno.h>
#include <string.h>

/* Which of several in the way doesn't matter: the one that was taken last is the likeliest mistake. */
const struct domain_ranked *rank_in_way(struct domain *domain, uint32_t rank)
{
	struct domain_thread *thread;

	if (rank == 0 || domain_thread_find(domain, &thread) < 0)
		return NULL;
	for (unsigned i = thread->ranks; i > 0; i--)
		if (thread->ranked[i - 1].rank >= rank)
			return &thread->ranked[i - 1];
	return NULL;
}

unsigned rank_count(struct domain *domain, uint32_t rank)
{
	struct domain_thread *thread;
	unsigned count = 0;

	if (rank == 0 || domain_thread_find(domain, &thread) < 0)
		return 0;
	for (unsigned i = 0; i < thread->ranks; i++)
		count += thread->ranked[i].rank >= rank;
	return count;
}

int rank_check(struct domain *domain, uint32_t rank)
{
	struct domain_thread *thread;
	int error;

	if (rank == 0)
		return 0;
	error = domain_thread_find(domain, &thread);
	if (error < 0)
		return error;
	if (rank_in_way(domain, rank))
		return -EDEADLK;
	return thread->ranks == DOMAIN_RANKED ? -ENOLCK : 0;
}

void rank_push(struct domain *domain, uint32_t rank, uint64_t object, const char *name)
{
	struct domain_thread *thread;
	struct domain_ranked *ranked;

	/* rank_check() came before: there is room. */
	if (rank == 0 || domain_thread_find(domain, &thread) < 0 || thread->ranks == DOMAIN_RANKED)
		return;
	ranked = &thread->ranked[thread->ranks++];
	ranked->object = object;
	ranked->rank = rank;
	memcpy(ranked->name, name, strnlen(name, sizeof(ranked->name) - 1) + 1);
	ranked->name[sizeof(ranked->name) - 1] = '\0';
}

void rank_pop(struct domain *domain, uint32_t rank, uint64_t object)
{
	struct domain_thread *thread;
	unsigned i;

	if (rank == 0 || domain_thread_find(domain, &thread) < 0)
		return;
	for (i = thread->ranks; i > 0 && thread->ranked[i - 1].object != object; i--)
		;
	if (i == 0)
		return;
	thread->ranks--;
	memmove(&thread->ranked[i - 1], &thread->ranked[i], (thread->ranks - (i - 1)) * sizeof(thread->ranked[0]));
}
