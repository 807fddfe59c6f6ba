/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/channel.h"

#include <errno.h>

#include "base/error.h"
#include "domain/life.h"
#include "domain/member.h"
#include "sys/files.h"

/*
 * What publishers and subscribers have in common: taking a lane or a seat, and sleeping.
 *
 * [CHANNEL-CLAIM]  Who takes a lane or a seat sees all that the one before has written there: he had released it, or
 *                  is gone with all of his threads.
 */

static uint64_t channel_member(const struct domain *domain)
{
	return (uint64_t)domain->member_generation << 32 | domain->member;
}

/*
 * A mark in the life word says that one thread is dead; its siblings may still be writing into a ring. So it is the
 * life lock that is asked, of the member who had it: 1 gone, 0 not, or -errno.
 */
static int channel_is_gone(struct domain *domain, uint64_t member)
{
	const uint32_t number = (uint32_t)member % DOMAIN_MEMBERS;
	const uint32_t generation = (uint32_t)(member >> 32);
	int result;
	int fd;

	if (member == CHANNEL_NOBODY)
		return 1;
	/* [MEMBER-NEW] A member's number goes to others only once its lock is free. pair: member_introduce() */
	if (atomic_load_explicit(&domain_member(domain, number)->generation, memory_order_acquire) != generation)
		return 1;
	result = domain_open_again(domain, &fd);
	if (result < 0)
		return result;
	result = domain_member_lives(domain, fd, number);
	sys_close(&fd);
	return result < 0 ? result : !result;
}

int channel_take(const struct channel *channel, _Atomic uint64_t *claim, _Atomic uint64_t *member, uint64_t owner)
{
	struct domain *domain = channel->object.domain;
	uint64_t seen = atomic_load_explicit(claim, memory_order_relaxed);
	int result;

	if (!claim_is_free(seen)) {
		if (!life_has_ended(domain, seen))
			return 0;
		/* Dead between his claim and this word, he has written nothing; who was before him is gone, or left. */
		result = channel_is_gone(domain, atomic_load_explicit(member, memory_order_relaxed));
		if (result <= 0)
			return result;
	}
	/* [CHANNEL-CLAIM] pair: channel_leave() */
	if (!atomic_compare_exchange_strong_explicit(claim, &seen, owner, memory_order_acq_rel, memory_order_relaxed))
		return 0;
	atomic_store_explicit(member, channel_member(domain), memory_order_relaxed);
	return 1;
}

bool channel_is_left(const struct channel *channel, const struct channel_lane *lane)
{
	/* [CHANNEL-CLAIM] pair: channel_leave() */
	if (claim_is_free(atomic_load_explicit(&lane->claim, memory_order_acquire)))
		return true;
	/* Where nobody can be asked now, he is taken to be there. */
	return channel_is_gone(channel->object.domain, atomic_load_explicit(&lane->member, memory_order_relaxed)) > 0;
}

void channel_leave(_Atomic uint64_t *claim, _Atomic uint64_t *member)
{
	/* Else who takes it next, and is killed before he says who he is, would pass for us as long as we live. */
	atomic_store_explicit(member, CHANNEL_NOBODY, memory_order_relaxed);
	atomic_store_explicit(claim, 0, memory_order_release); /* [CHANNEL-CLAIM] pair: channel_take() */
}

/* Asleep for a whole interval: is all as it should be? */
static int channel_look_around(const struct channel *channel, const uint64_t *owners, int count)
{
	int result = object_look_around(&channel->object);

	for (int i = 0; i < count && result >= 0; i++)
		result = life_look(channel->object.domain, owners[i]);
	return result < 0 ? result : 0;
}

int channel_sleep(const struct channel *channel, struct sys_futex_word *words, int count, const uint64_t *owners,
		  int owner_count, nonet_time deadline)
{
	const struct domain *domain = channel->object.domain;
	const nonet_time interval = nonet_after(DOMAIN_INTERVAL);
	const nonet_time until = interval < deadline ? interval : deadline;
	int result;
	int i;

	for (i = 0; i < owner_count; i++) {
		const _Atomic uint64_t *life = &domain_slot(domain, claim_slot(owners[i]))->life;

		words[count + i] = (struct sys_futex_word){claim_futex(life),
							   (uint32_t)atomic_load_explicit(life, memory_order_relaxed)};
		/* Dead since, so that we would sleep on the word of the dead. */
		if (life_has_ended(domain, owners[i]))
			return 0;
	}
	result = sys_futex_wait_many(words, count + owner_count, until);
	/* A filter of system calls that is older than this one (seccomp(2)): looks again soon. */
	if (result == -ENOSYS || result == -EPERM) {
		const nonet_time soon = nonet_after(CHANNEL_BLIND);

		result = sys_futex_wait(words[0].word, words[0].value, soon < until ? soon : until);
		if (result == -ETIMEDOUT && soon < until)
			result = 0;
	}
	/* The kernel wakes one, who may have no use for it: see life_sleep(). */
	for (i = 0; i < owner_count; i++)
		if (life_has_ended(domain, owners[i]))
			life_tell(domain, owners[i]);
	/* A peer that writes to a word without end keeps us from sleeping, but from no deadline. */
	if (result == 0 && deadline != NONET_FOREVER && nonet_clock() >= deadline)
		return -ETIMEDOUT;
	if (result == -ETIMEDOUT && until < deadline)
		return channel_look_around(channel, owners, owner_count);
	return object_slept(&channel->object, result);
}

void channel_explain(const struct channel *channel, int code, struct nonet_error *ret_error)
{
	switch (code) {
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor is left to wait for %s: raise RLIMIT_NOFILE (ulimit -n), or close some",
			  channel->object.text);
		break;
	default:
		object_explain(&channel->object, code, ret_error);
		break;
	}
}
