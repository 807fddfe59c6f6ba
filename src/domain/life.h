/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_LIFE_H
#define DOMAIN_LIFE_H

#include "domain/domain.h"
#include "sys/futex.h"
#include "sys/robust.h"

/*
 * Who is alive, and sleeping until he isn't.
 *
 *   life word    | life lock | verdict on the thread
 *   -------------+-----------+--------------------------------------------------------------------------------
 *   other gener. | any       | dead: the slot is another's by now
 *   DIED, or 0   | any       | dead: the kernel marked it as the thread's last step
 *   thread id    | held      | alive; unless the process is writing a core dump, and nothing else any more: dead, and
 *                |           | whoever finds out marks it
 *   thread id    | free      | dead, with its whole process; the mark was lost (the kernel gave up the thread's list,
 *                |           | or a peer wrote over the word): whoever finds out makes it
 *
 * The first two are looked at whenever a claim is in the way, the others once somebody has slept for DOMAIN_INTERVAL.
 */

static inline uint64_t life_word(uint32_t life, uint32_t generation)
{
	return (uint64_t)generation << 32 | life;
}

static inline uint32_t life_generation(uint64_t life)
{
	return (uint32_t)(life >> 32);
}

static inline bool life_is_dead(uint64_t life)
{
	return life & SYS_LIFE_DIED || !(life & SYS_LIFE_THREAD);
}

/* By the table's first two lines. @owner: slot and generation, the rest of a claim doesn't matter */
static inline bool life_has_ended(const struct domain *domain, uint64_t owner)
{
	/* [LIFE-MARK] What the dead one stored is seen by who sees the mark: the kernel's store is a full barrier. */
	const uint64_t life = atomic_load_explicit(&domain_slot(domain, claim_slot(owner))->life, memory_order_acquire);

	return life_generation(life) != claim_generation(owner) || life_is_dead(life);
}

/*
 * By the whole table. Makes system calls.
 *
 * Return: 1 dead, 0 alive, or
 *   -ESTALE      the domain was removed: others may have another by its name
 *   -EBADMSG     the domain's file was damaged
 */
int life_look(struct domain *domain, uint64_t owner);

/*
 * Sleep on a claim that is @seen, until it changes, or its owner dies (if it has one), or somebody wakes us, or for
 * no reason; at most until @deadline, and at most for DOMAIN_INTERVAL. Whoever else sleeps on the life of an owner who
 * died meanwhile is woken.
 *
 * Return: 0: @deadline hasn't passed; 1: nor has it, but DOMAIN_INTERVAL; or -ETIMEDOUT, -ENOMEM, and -EFAULT: a page
 * isn't there, which @domain's map knows by now if it is its own.
 */
int life_sleep(const struct domain *domain, const _Atomic uint64_t *claim, uint64_t seen, nonet_time deadline);

/*
 * The same on several words, and on the lives of several owners.
 * @words: those, with room for as many more as there are owners; where only one can be slept on (seccomp(2)), the first
 */
int life_sleep_many(const struct domain *domain, struct sys_futex_word *words, int count, const uint64_t *owners,
		    int owner_count, nonet_time deadline);

/* life_look() at each of them: 0, or its error. */
int life_look_many(struct domain *domain, const uint64_t *owners, int count);

/* The same on a word that has no owner. */
int life_sleep_on(const _Atomic uint32_t *word, uint32_t seen, nonet_time deadline);

/*
 * Somebody was found dead: whoever else sleeps on his life looks too. The kernel wakes just one, who may have slept for
 * another of his objects.
 */
void life_tell(const struct domain *domain, uint64_t owner);

/* What is known of an owner, for display: as far as he says it himself. */
struct life_owner {
	int32_t pid;    /* 0: not in our PID namespace, or dead and gone */
	int32_t thread; /* as @pid */
	uint32_t member;
	bool is_alive;
	char name[17];
};
void life_describe(const struct domain *domain, uint64_t owner, struct life_owner *ret_owner);

#endif
