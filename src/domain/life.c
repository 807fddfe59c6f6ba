/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "domain/dump.h"
#include "domain/member.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/futex.h"
#include "sys/look.h"
#include "sys/process.h"

/* How long to sleep where only the claim can be slept on: then nobody wakes us when its owner dies. */
#define LIFE_BLIND NONET_MS(10)

static uint64_t life_load(const struct domain *domain, uint64_t owner)
{
	return atomic_load_explicit(&domain_slot(domain, claim_slot(owner))->life,
				    memory_order_acquire); /* [LIFE-MARK] */
}

/* The mark that the kernel couldn't make. */
static void life_mark(const struct domain *domain, uint64_t owner, uint64_t seen)
{
	struct domain_slot *slot = domain_slot(domain, claim_slot(owner));

	(void)atomic_compare_exchange_strong_explicit(
		&slot->life, &seen, life_word(SYS_LIFE_WAITERS | SYS_LIFE_DIED, claim_generation(owner)),
		memory_order_acq_rel, memory_order_relaxed); /* [LIFE-MARK] */
	life_tell(domain, owner);
}

/* Return: 1 dead, 0 alive. */
static int life_ask(const struct domain *domain, int fd, uint64_t owner)
{
	const struct domain_slot *slot = domain_slot(domain, claim_slot(owner));
	const uint64_t life = life_load(domain, owner);
	/* [SLOT-TAKE] pair: thread_claim(). Whose it is, a peer may have written over: then he is asked who it says. */
	const uint32_t number = atomic_load_explicit(&slot->member, memory_order_relaxed) % DOMAIN_MEMBERS;
	const uint32_t generation = atomic_load_explicit(&slot->member_generation, memory_order_relaxed);
	const struct domain_member *member = domain_member(domain, number);

	if (life_generation(life) != claim_generation(owner) || life_is_dead(life))
		return 1;
	/* [MEMBER-NEW] A member's number goes to others only once its lock is free. pair: member_introduce() */
	if (atomic_load_explicit(&member->generation, memory_order_acquire) != generation ||
	    domain_member_lives(domain, fd, number) == 0) {
		life_mark(domain, owner, life);
		return 1;
	}
	/* Its last step, for which the kernel would mark it, comes after the dump. */
	if (atomic_load_explicit(&member->pid_namespace, memory_order_relaxed) == sys_pid_namespace() &&
	    dump_is_written(atomic_load_explicit(&member->pid, memory_order_relaxed))) {
		life_mark(domain, owner, life);
		return 1;
	}
	return 0;
}

int life_look(struct domain *domain, uint64_t owner)
{
	int fd;
	int result;

	if (guard_map_is_poisoned(&domain->map))
		return -EBADMSG;
	result = domain_open_again(domain, &fd);
	if (result == -ESTALE)
		return result;
	/* Nobody can be asked now (no descriptors, say): who isn't known to be dead is alive. */
	if (result < 0)
		return life_has_ended(domain, owner);
	result = life_ask(domain, fd, owner);
	sys_close(&fd);
	return guard_map_is_poisoned(&domain->map) ? -EBADMSG : result;
}

/*
 * A peer that writes to the word without end keeps everybody from sleeping, but from no deadline: so it is looked at
 * however the sleep has ended.
 */
static int life_slept(int result, nonet_time until, nonet_time deadline)
{
	if (result == 0)
		return deadline == NONET_FOREVER || nonet_clock() < deadline ? 0 : -ETIMEDOUT;
	if (result != -ETIMEDOUT)
		return result;
	return until < deadline ? 1 : -ETIMEDOUT;
}

static nonet_time life_until(nonet_time deadline)
{
	const nonet_time until = nonet_after(DOMAIN_INTERVAL);

	return until < deadline ? until : deadline;
}

/*
 * On one word of several, if that was the @result for them: futex_waitv(2) is forbidden by a filter that is older
 * (seccomp(2)). For LIFE_BLIND, or until @until.
 */
static int life_sleep_blind(int result, const _Atomic uint32_t *word, uint32_t seen, nonet_time until)
{
	nonet_time soon;

	if (result != -ENOSYS && result != -EPERM)
		return result;
	soon = nonet_after(LIFE_BLIND);
	if (soon >= until)
		return sys_futex_wait(word, seen, until);
	result = sys_futex_wait(word, seen, soon);
	return result == -ETIMEDOUT ? 0 : result;
}

/*
 * The kernel wakes one who sleeps on the life of the dead, and it may have been us, who may find our own claim free and
 * have no use for it: so whoever slept on a life that is over hands that on, whatever woke him. proofs/mutex.pml and
 * proofs/turn.pml show the need. (It touches the word too: a hole, which the kernel found without the guard, is the
 * guard's from here on.)
 */
static void life_pass_on(const struct domain *domain, uint64_t owner)
{
	if (life_has_ended(domain, owner))
		life_tell(domain, owner);
}

int life_sleep(const struct domain *domain, const _Atomic uint64_t *claim, uint64_t seen, nonet_time deadline)
{
	struct sys_futex_pair pair;
	nonet_time until;
	uint64_t life;
	int result;

	if (claim_is_free(seen))
		return life_sleep_on(claim_futex(claim), claim_futex_value(seen), deadline);
	life = life_load(domain, seen);
	if (life_generation(life) != claim_generation(seen) || life_is_dead(life))
		return life_slept(0, 0, deadline);
	pair.words[0] = claim_futex(claim);
	pair.values[0] = claim_futex_value(seen);
	pair.words[1] = claim_futex(&domain_slot(domain, claim_slot(seen))->life);
	pair.values[1] = (uint32_t)life;
	until = life_until(deadline);
	result = life_sleep_blind(sys_futex_wait_pair(&pair, until), pair.words[0], pair.values[0], until);
	life_pass_on(domain, seen);
	return life_slept(result, until, deadline);
}

int life_sleep_many(const struct domain *domain, struct sys_futex_word *words, int count, const uint64_t *owners,
		    int owner_count, nonet_time deadline)
{
	nonet_time until;
	int result;

	for (int i = 0; i < owner_count; i++) {
		const _Atomic uint64_t *life = &domain_slot(domain, claim_slot(owners[i]))->life;

		words[count + i] = (struct sys_futex_word){claim_futex(life),
							   (uint32_t)atomic_load_explicit(life, memory_order_relaxed)};
		/* Dead since, so that we would sleep on the word of the dead. */
		if (life_has_ended(domain, owners[i]))
			return life_slept(0, 0, deadline);
	}
	until = life_until(deadline);
	result = sys_futex_wait_many(words, count + owner_count, until);
	result = life_sleep_blind(result, words[0].word, words[0].value, until);
	for (int i = 0; i < owner_count; i++)
		life_pass_on(domain, owners[i]);
	return life_slept(result, until, deadline);
}

int life_look_many(struct domain *domain, const uint64_t *owners, int count)
{
	int result = 0;

	for (int i = 0; i < count && result >= 0; i++)
		result = life_look(domain, owners[i]);
	return result < 0 ? result : 0;
}

int life_sleep_on(const _Atomic uint32_t *word, uint32_t seen, nonet_time deadline)
{
	const nonet_time until = life_until(deadline);

	return life_slept(sys_futex_wait(word, seen, until), until, deadline);
}

void life_tell(const struct domain *domain, uint64_t owner)
{
	(void)sys_futex_wake(claim_futex(&domain_slot(domain, claim_slot(owner))->life), SYS_FUTEX_ALL);
}

void life_describe(const struct domain *domain, uint64_t owner, struct life_owner *ret_owner)
{
	const struct domain_slot *slot = domain_slot(domain, claim_slot(owner));
	const uint32_t number = atomic_load_explicit(&slot->member, memory_order_relaxed) % DOMAIN_MEMBERS;
	const struct domain_member *member = domain_member(domain, number);
	struct life_owner known = {.member = number, .is_alive = !life_has_ended(domain, owner)};

	if (known.is_alive) {
		memcpy(known.name, member->name, sizeof(member->name));
		if (atomic_load_explicit(&member->pid_namespace, memory_order_relaxed) == sys_pid_namespace()) {
			known.pid = atomic_load_explicit(&member->pid, memory_order_relaxed);
			known.thread = atomic_load_explicit(&slot->thread, memory_order_relaxed);
		}
	}
	*ret_owner = known;
}
