/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/channel.h"

#include <errno.h>

#include "base/error.h"
#include "domain/life.h"
#include "domain/member.h"
#include "sync/doorbell.h"
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

uint64_t channel_owner(const struct channel *channel, const _Atomic uint64_t *claim)
{
	/* [CHANNEL-CLAIM] pair: channel_leave() */
	return channel_owner_by(channel, atomic_load_explicit(claim, memory_order_acquire));
}

uint64_t channel_owner_by(const struct channel *channel, uint64_t claim)
{
	const uint64_t seen = claim & CLAIM_OWNER;
	const bool lives = channel->link ? !channel_link_is_over(channel->link)
					 : !claim_is_free(seen) && !life_has_ended(channel->object.domain, seen);

	return lives ? seen : 0;
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

void channel_news(const struct channel *channel)
{
	_Atomic uint32_t *news = &channel_board(channel)->news;

	atomic_fetch_add_explicit(news, 1, memory_order_seq_cst); /* [CHANNEL-NEWS] pair: subscriber_has_news() */
	(void)sys_futex_wake(news, SYS_FUTEX_ALL);
	/* Those who wait by descriptor aren't asleep on the news, and have armed no lane that they don't know. */
	doorbell_ring(&channel->object);
}

int channel_sleep(const struct channel *channel, struct sys_futex_word *words, int count, const uint64_t *owners,
		  int owner_count, nonet_time deadline)
{
	int result;

	if (channel->link)
		return object_slept(&channel->object, channel_link_sleep(channel->link, &words[count - 1], deadline));
	result = life_sleep_many(channel->object.domain, words, count, owners, owner_count, deadline);
	if (result != 1)
		return object_slept(&channel->object, result);
	/* A whole interval: is all as it should be? */
	result = object_look_around(&channel->object);
	return result < 0 ? result : life_look_many(channel->object.domain, owners, owner_count);
}

int channel_poison(const struct channel *channel)
{
	if (!channel->link)
		return object_poison(&channel->object);
	/* What says so in a domain is a word of all; here it is ours to know. */
	guard_poison(channel->object.map.guard);
	return -EBADMSG;
}

int channel_not_now(const struct channel *channel)
{
	return channel->link ? -EAGAIN : object_not_now(&channel->object);
}

void channel_explain(const struct channel *channel, int code, struct nonet_error *ret_error)
{
	if (channel->link && code == -EBADMSG) {
		error_set(ret_error, code, "the other side of %s wrote what isn't a channel's; close it",
			  channel->object.text);
		return;
	}
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
