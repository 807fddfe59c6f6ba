/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/list.h"
#include "channel/subscriber.h"
#include "domain/life.h"
#include "sys/membarrier.h"

/*
 * Waiting for messages: by looking, asleep, or by a descriptor.
 *
 * [CHANNEL-SLEEP]  We raise armed, then look at headers; a publisher stores a header, then looks at armed. There is a
 *                  full fence between the two here; and there too, or, where he says that he is unfenced, the one that
 *                  membarrier(2) makes in him now. Without it (it is forbidden) nobody sleeps long.
 *
 * [CHANNEL-NEWS]   A publisher that begins or ends raises the news and then wakes; we read the news, look at all that
 *                  they tell of, and sleep on what we had read.
 *
 * [CHANNEL-UNFENCED]  Who reads that a lane is fenced since it rang sees the message that it rang for: he needs no
 *                  membarrier(2) to.
 *
 * [CHANNEL-BELL]   Who arms by descriptor enters it in the table, then reads the bell; a publisher that rings raises
 * the bell, then looks at the table. A full fence between the two on both sides: so he is rung, or has armed for the
 * new bell. (Who sleeps by futex has the kernel compare.)
 *
 * Several subscribers arm one lane. Each raises armed to the bell that he sleeps on, and never lowers it: one who comes
 * late with an old bell would else hide that another has armed for the new one. He won't sleep himself, since the bell
 * isn't the one that he sleeps on.
 */

/* Polling: looks between two at the clock, and at whether all is as it should be. */
#define WAIT_POLLS 1000u

/* A peer may write the word without end. */
#define WAIT_RAISES 100u

void subscriber_tell(const struct nonet_subscriber *subscriber, struct channel_lane *lane, uint32_t room)
{
	uint32_t seen = room;

	if (!atomic_compare_exchange_strong_explicit(&lane->room, &seen, room + 1, memory_order_release,
						     memory_order_relaxed)) /* [CHANNEL-WANTS] */
		return;
	(void)sys_futex_wake(&lane->room, SYS_FUTEX_ALL);
	if (!subscriber->channel.link)
		return;
	/* [CHANNEL-WANTS] He said that he waits by the socket, then looked at positions. pair: publisher_sleep() */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&lane->wants_polled, memory_order_relaxed) == room)
		(void)channel_link_ring(subscriber->channel.link);
}

bool subscriber_has_news(const struct nonet_subscriber *subscriber)
{
	/* [CHANNEL-NEWS] pair: channel_news() */
	return atomic_load_explicit(&channel_board(&subscriber->channel)->news, memory_order_acquire) !=
	       atomic_load_explicit(&subscriber->news, memory_order_relaxed);
}

bool subscriber_has_record(const struct nonet_subscriber *subscriber)
{
	for (uint32_t number = 0; number < subscriber->channel.lanes; number++) {
		const struct subscriber_lane *lane = &subscriber->lanes[number];
		uint8_t *base = atomic_load_explicit(&lane->base, memory_order_relaxed);
		const uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

		if (!base)
			continue;
		if (atomic_load_explicit(channel_header(base, subscriber->mask, head), memory_order_relaxed) != 0)
			return true;
		if (subscriber->channel.policy == CHANNEL_DROP && subscriber_is_over(lane, head))
			return true;
	}
	return false;
}

/* Publishers that live: how many; the first @room of them in @owners, each process once. */
static int wait_publishers(const struct nonet_subscriber *subscriber, uint64_t *owners, int room)
{
	const struct channel *channel = &subscriber->channel;
	int count = 0;

	for (uint32_t number = 0; number < channel->lanes && count < room; number++) {
		const uint64_t claim = channel_owner(channel, &channel_lane(channel, number)->claim);
		int i = count;

		if (claim == 0)
			continue;
		while (i > 0 && owners[i - 1] != claim)
			i--;
		if (i == 0)
			owners[count++] = claim;
	}
	return count;
}

static void wait_raise(_Atomic uint32_t *word, uint32_t bell)
{
	uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);

	/* [CHANNEL-ARMED] What we said before is seen by who sees this. pair: publisher_ring() */
	for (uint32_t i = 0; i < WAIT_RAISES && (int32_t)(bell - seen) > 0; i++)
		if (atomic_compare_exchange_weak_explicit(word, &seen, bell, memory_order_release,
							  memory_order_relaxed))
			break;
}

/*
 * Arm all lanes. @words: filled in with what is to be slept on, if the caller will sleep, else NULL
 * Return: how many words; or -EAGAIN: don't sleep long, who publishes may not see it.
 */
static int wait_arm(const struct nonet_subscriber *subscriber, struct sys_futex_word *words)
{
	const struct channel *channel = &subscriber->channel;
	const bool sleeps = words && !(channel->link && channel->link->polls);
	bool unfenced = false;
	int count = 0;

	if (!words)
		atomic_thread_fence(memory_order_seq_cst); /* [CHANNEL-BELL] pair: publisher_ring() */
	for (uint32_t number = 0; number < channel->lanes; number++) {
		struct channel_lane *lane = subscriber->lanes[number].lane;
		const uint32_t bell = atomic_load_explicit(&lane->bell, memory_order_acquire); /* [CHANNEL-BELL] */

		if (!atomic_load_explicit(&subscriber->lanes[number].base, memory_order_relaxed))
			continue;
		if (words)
			words[count++] = (struct sys_futex_word){&lane->bell, bell};
		/* So that it doesn't fall behind by half of all numbers where nobody ever sleeps by it. */
		wait_raise(&lane->asleep, sleeps ? bell : bell - 1);
		if (channel->link)
			wait_raise(&lane->polled, sleeps ? bell - 1 : bell);
		wait_raise(&lane->armed, bell);
	}
	/* [CHANNEL-SLEEP] pair: publisher_has_to_tell(), publisher_unfence() */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t number = 0; number < channel->lanes && !unfenced; number++)
		/* [CHANNEL-UNFENCED] pair: publisher_ring() */
		unfenced = atomic_load_explicit(&subscriber->lanes[number].lane->unfenced, memory_order_acquire);
	if (unfenced && sys_membarrier() < 0)
		return -EAGAIN;
	return count;
}

/* @soon_again: what is waited for wakes nobody. Return: 0 to look again. */
static int wait_asleep(struct nonet_subscriber *subscriber, bool soon_again, nonet_time deadline)
{
	_Atomic uint32_t *news = &channel_board(&subscriber->channel)->news;
	struct sys_futex_word words[SYS_FUTEX_MANY];
	uint64_t owners[CHANNEL_PUBLISHERS];
	const nonet_time soon = nonet_after(CHANNEL_BLIND);
	bool blind = false;
	int count = wait_arm(subscriber, words + 1);
	int alive;
	int result;

	if (count < 0 || soon_again) {
		blind = soon < deadline;
		deadline = blind ? soon : deadline;
		count = count < 0 ? 0 : count;
	}
	alive = wait_publishers(subscriber, owners, CHANNEL_PUBLISHERS);
	words[0] = (struct sys_futex_word){news, atomic_load_explicit(&subscriber->news, memory_order_relaxed)};
	if (subscriber_has_record(subscriber) || subscriber_has_news(subscriber))
		return 0;
	result = channel_sleep(&subscriber->channel, words, 1 + count, owners, alive, deadline);
	return blind && result == -ETIMEDOUT ? 0 : result;
}

/* Without sleeping: whether there is something. */
static bool wait_awake(const struct nonet_subscriber *subscriber, uint32_t looks)
{
	for (uint32_t i = 0; i < looks; i++) {
		if (subscriber_has_record(subscriber))
			return true;
		pause_once();
	}
	return false;
}

/* Whether it ever looks without sleeping. */
static bool wait_looks(const struct nonet_subscriber *subscriber)
{
	return !(subscriber->flags & NONET_SUBSCRIBER_SLEEP) &&
	       (subscriber->flags & NONET_SUBSCRIBER_POLL || pause_helps());
}

static bool wait_for_a_while(struct nonet_subscriber *subscriber)
{
	bool came;

	if (subscriber_skips_looking(subscriber))
		return false;
	came = wait_awake(subscriber, SUBSCRIBER_LOOKS);
	subscriber->vain = came ? 0 : subscriber->vain + 1;
	return came;
}

void subscriber_hang_back(void)
{
	for (uint32_t i = 0; i < SUBSCRIBER_REST; i++)
		pause_once();
}

/* All was read: is that the end? */
enum wait_end {
	WAIT_ON,     /* somebody publishes, or it wasn't asked for */
	WAIT_ENDING, /* one who was killed may have threads that still do */
	WAIT_OVER,
};

/* @ret_owner: WAIT_ENDING: who was killed */
static enum wait_end wait_end(const struct nonet_subscriber *subscriber, uint64_t *ret_owner)
{
	const struct channel *channel = &subscriber->channel;
	uint64_t owner;

	/* No other publisher can come. */
	if (channel->link)
		return channel_link_is_over(channel->link) ? WAIT_OVER : WAIT_ON;
	if (!(subscriber->flags & NONET_SUBSCRIBER_END) ||
	    atomic_load_explicit(&channel_board(channel)->lives, memory_order_relaxed) == 0 ||
	    wait_publishers(subscriber, &owner, 1) > 0)
		return WAIT_ON;
	for (uint32_t number = 0; number < channel->lanes; number++) {
		const struct channel_lane *lane = channel_lane(channel, number);

		if (!channel_is_left(channel, lane)) {
			*ret_owner = atomic_load_explicit(&lane->claim, memory_order_relaxed) & CLAIM_OWNER;
			return WAIT_ENDING;
		}
	}
	return WAIT_OVER;
}

/* The lanes have nothing. Return: 1 a message, 0 look again, or what ends the waiting. */
static int wait_turn(struct nonet_subscriber *subscriber, nonet_time deadline, bool looked,
		     struct subscriber_found *ret_found)
{
	const bool polls = subscriber->flags & NONET_SUBSCRIBER_POLL;
	const bool sleeps = !wait_looks(subscriber);
	enum wait_end end;
	uint64_t owner;
	int result = object_check(&subscriber->channel.object);

	if (result == 0 && subscriber_has_news(subscriber))
		result = subscriber_map(subscriber);
	if (result < 0)
		return result;
	/* Who sleeps is told. */
	if (subscriber->channel.link && (polls || deadline == NONET_NOW))
		(void)channel_link_look(subscriber->channel.link);
	end = wait_end(subscriber, &owner);
	if (end == WAIT_OVER) {
		/* What was published before the last one left; where there are notes without end, a part of it. */
		result = subscriber_find(subscriber, ret_found);
		return result == 0 && !subscriber_has_news(subscriber) && !subscriber_has_record(subscriber) ? -EPIPE
													     : result;
	}
	if (deadline == NONET_NOW) {
		result = subscriber_find(subscriber, ret_found);
		return result == 0 ? channel_not_now(&subscriber->channel) : result;
	}
	if (polls) {
		if (!wait_awake(subscriber, WAIT_POLLS) && deadline != NONET_FOREVER && nonet_clock() >= deadline)
			return -ETIMEDOUT;
	} else if (looked || sleeps || !wait_for_a_while(subscriber)) {
		return wait_asleep(subscriber, end == WAIT_ENDING, deadline);
	}
	return 0;
}

int subscriber_is_late(nonet_time deadline)
{
	if (deadline == NONET_NOW)
		return -EAGAIN;
	return deadline != NONET_FOREVER && nonet_clock() >= deadline ? -ETIMEDOUT : 0;
}

int subscriber_wait(struct nonet_subscriber *subscriber, nonet_time deadline, struct subscriber_found *ret_found)
{
	/* Whoever tried to take one has. */
	bool looked = subscriber->watches;
	uint64_t sequence = 0;
	int result = 0;

	if (subscriber->tap)
		return subscriber_tap_wait(subscriber, deadline, ret_found);
	if (subscriber->channel.link)
		subscriber->channel.link->polls = false;
	/* A note may stand behind the last message. */
	for (uint32_t number = 0; number < subscriber->channel.lanes; number++) {
		struct subscriber_lane *lane = &subscriber->lanes[number];

		sequence += lane->sequence;
		if (lane->held == 0)
			subscriber_move(subscriber, lane, atomic_load_explicit(&lane->head, memory_order_relaxed));
	}
	if (deadline != NONET_NOW && !subscriber->watches && wait_looks(subscriber))
		subscriber_waits(subscriber, sequence);
	while (result == 0) {
		result = wait_turn(subscriber, deadline, looked, ret_found);
		looked = true;
		if (result == 0)
			result = subscriber_find(subscriber, ret_found);
		/* A peer may write so that there always seems to be something. */
		if (result == 0)
			result = subscriber_is_late(deadline);
	}
	return result;
}

static bool wait_is_idle(const struct nonet_subscriber *subscriber)
{
	return atomic_load_explicit(&subscriber->idle, memory_order_relaxed);
}

/* Whether there is something to be told. By any thread. */
static bool wait_has_word(const struct nonet_subscriber *subscriber)
{
	const nonet_time again = atomic_load_explicit(&subscriber->again, memory_order_relaxed);

	if (again && nonet_clock() >= again)
		return true;
	if (!wait_is_idle(subscriber) && (subscriber_has_record(subscriber) || subscriber_has_news(subscriber)))
		return true;
	return object_check(&subscriber->channel.object) < 0 || object_check_shared(&subscriber->channel.object) < 0;
}

static int wait_bell_look(void *argument, uint64_t *owners, int room)
{
	const struct nonet_subscriber *subscriber = argument;
	uint64_t owner;
	int count;

	if (wait_has_word(subscriber))
		return DOORBELL_READY;
	count = wait_publishers(subscriber, owners, room);
	if (count > 0 || wait_is_idle(subscriber))
		return count;
	/* Who was killed doesn't ring. */
	switch (wait_end(subscriber, &owner)) {
	case WAIT_OVER:
		return DOORBELL_READY;
	case WAIT_ENDING:
		return DOORBELL_SOON;
	default:
		return 0;
	}
}

const struct doorbell_job subscriber_bell = {.look = wait_bell_look};

int subscriber_arm(struct nonet_waitable *waitable)
{
	struct nonet_subscriber *subscriber = container_of(waitable, struct nonet_subscriber, waitable);
	uint64_t owner = 0;

	if (subscriber->tap)
		return subscriber_tap_arm(subscriber);
	doorbell_arm(&subscriber->bell);
	/* Where membarrier(2) is forbidden who publishes may not see it. */
	doorbell_watch_closely(&subscriber->bell,
			       wait_arm(subscriber, NULL) < 0 ||
				       atomic_load_explicit(&subscriber->again, memory_order_relaxed));
	(void)wait_publishers(subscriber, &owner, 1);
	/* Where one is ending, the helper is told of him as if he weren't dead, and looks. */
	if (wait_has_word(subscriber) || (!wait_is_idle(subscriber) && wait_end(subscriber, &owner) == WAIT_OVER)) {
		doorbell_disarm(&subscriber->bell);
		return 1;
	}
	doorbell_watch(&subscriber->bell, owner);
	return 0;
}

int subscriber_arm_link(struct nonet_waitable *waitable)
{
	const struct nonet_subscriber *subscriber = container_of(waitable, struct nonet_subscriber, waitable);

	/* What has rung is drained first: whatever rings from here on is for what we say now. */
	if (channel_link_look(subscriber->channel.link))
		return 1;
	(void)wait_arm(subscriber, NULL);
	return subscriber_has_record(subscriber) || object_check(&subscriber->channel.object) < 0;
}
