/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "channel/subscriber.h"
#include "sync/pause.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"

/*
 * One that only looks on (NONET_SUBSCRIBER_TAP): it reads by the floor alone, as with CHANNEL_DROP, which is right
 * whatever the policy is: nothing above the floor is overwritten, and the floor is raised before. Its seat and its
 * positions are memory of its own, that nobody waits for; so it runs through the same reading as any subscriber.
 *
 * All it has of the channel is mapped to be read. It can't arm, so no publisher rings for it: it looks again after a
 * while, which doubles as long as there is nothing.
 */
#define TAP_NAP     NONET_MS(1)
#define TAP_LONGEST 4u /* doublings */
#define TAP_POLLS   1000u

struct subscriber_tap {
	int timer;              /* what it is waited for by; -1: not yet */
	_Atomic uint32_t naps;  /* that brought nothing */
	_Atomic uint64_t heads; /* of all lanes, at the last one: how far it had read */
	_Atomic int64_t looked; /* around, last */
	struct channel_seat seat;
	struct channel_position positions[];
};

int subscriber_tap_begin(struct nonet_subscriber *subscriber)
{
	const uint32_t lanes = subscriber->channel.lanes;
	struct subscriber_tap *tap = sys_allocate(sizeof(*tap) + lanes * sizeof(tap->positions[0]));

	if (!tap)
		return -ENOMEM;
	tap->timer = -1;
	subscriber->tap = tap;
	subscriber->seat = &tap->seat;
	/* Ours alone: the board's says what publishers do. */
	subscriber->channel.policy = CHANNEL_DROP;
	return 0;
}

void subscriber_tap_end(struct nonet_subscriber *subscriber)
{
	sys_close(&subscriber->tap->timer);
	subscriber->tap = sys_free(subscriber->tap);
}

struct channel_position *subscriber_tap_position(const struct nonet_subscriber *subscriber, uint32_t lane)
{
	return &subscriber->tap->positions[lane];
}

int subscriber_tap_start(struct nonet_subscriber *subscriber)
{
	if (subscriber->tap->timer < 0)
		subscriber->tap->timer = sys_timerfd_create();
	return subscriber->tap->timer;
}

/* Whether somebody publishes, as far as it can be seen. */
static bool tap_has_publisher(const struct nonet_subscriber *subscriber)
{
	const struct channel *channel = &subscriber->channel;

	for (uint32_t number = 0; number < channel->lanes; number++) {
		const struct channel_lane *lane = channel_lane(channel, number);
		/* [CHANNEL-CLAIM] What he has published is there before he leaves. pair: channel_leave() */
		const uint64_t claim = atomic_load_explicit(&lane->claim, memory_order_acquire);
		const uint64_t member = atomic_load_explicit(&lane->member, memory_order_relaxed);

		if (claim_is_free(claim) || member == CHANNEL_NOBODY)
			continue;
		if (domain_observe_life(channel->object.domain, (uint32_t)member, (uint32_t)(member >> 32)) != 0)
			return true;
	}
	return false;
}

static bool tap_has_ended(const struct nonet_subscriber *subscriber)
{
	return subscriber->flags & NONET_SUBSCRIBER_END &&
	       atomic_load_explicit(&channel_board(&subscriber->channel)->lives, memory_order_relaxed) > 0 &&
	       !tap_has_publisher(subscriber);
}

/* Once in an interval: 0, or -EBADMSG, -ESTALE. */
static int tap_look_around(const struct nonet_subscriber *subscriber)
{
	const struct object *object = &subscriber->channel.object;
	const nonet_time now = nonet_clock();

	if (now - atomic_load_explicit(&subscriber->tap->looked, memory_order_relaxed) < DOMAIN_INTERVAL) {
		const int error = object_check_domain(object);

		return error < 0 ? error : object_check_shared(object);
	}
	atomic_store_explicit(&subscriber->tap->looked, now, memory_order_relaxed);
	return object_look_around(object);
}

/* How long not to look, as nothing is there. */
static nonet_time tap_nap(const struct nonet_subscriber *subscriber)
{
	struct subscriber_tap *tap = subscriber->tap;
	uint64_t heads = 0;
	uint32_t naps;

	for (uint32_t number = 0; number < subscriber->channel.lanes; number++)
		heads += atomic_load_explicit(&subscriber->lanes[number].head, memory_order_relaxed);
	if (heads != atomic_load_explicit(&tap->heads, memory_order_relaxed)) {
		atomic_store_explicit(&tap->heads, heads, memory_order_relaxed);
		atomic_store_explicit(&tap->naps, 0, memory_order_relaxed);
	}
	naps = atomic_load_explicit(&tap->naps, memory_order_relaxed);
	if (naps < TAP_LONGEST)
		atomic_store_explicit(&tap->naps, naps + 1, memory_order_relaxed);
	return TAP_NAP << (naps < TAP_LONGEST ? naps : TAP_LONGEST);
}

/* 1: a message; 0: none; or what ends the waiting. */
static int tap_look(struct nonet_subscriber *subscriber, struct subscriber_found *ret_found)
{
	int result = object_check(&subscriber->channel.object);
	bool ended;

	if (result == 0 && subscriber_has_news(subscriber))
		result = subscriber_map(subscriber);
	if (result < 0)
		return result;
	ended = tap_has_ended(subscriber);
	result = subscriber_find(subscriber, ret_found);
	if (result != 0)
		return result;
	/* What was published before the last one left was looked at, unless there are news; of many notes a part. */
	if (ended && !subscriber_has_news(subscriber))
		return subscriber_has_record(subscriber) ? 0 : -EPIPE;
	return tap_look_around(subscriber);
}

static int tap_sleep(const struct nonet_subscriber *subscriber, nonet_time deadline)
{
	const _Atomic uint32_t *news = &channel_board(&subscriber->channel)->news;
	const nonet_time soon = nonet_after(tap_nap(subscriber));
	const int result = sys_futex_wait(news, atomic_load_explicit(&subscriber->news, memory_order_relaxed),
					  soon < deadline ? soon : deadline);

	return result == -ETIMEDOUT && soon < deadline ? 0 : object_slept(&subscriber->channel.object, result);
}

/* Polling, what is looked at between two looks at the clock. */
static void tap_poll(const struct nonet_subscriber *subscriber)
{
	for (uint32_t i = 0; i < TAP_POLLS && !subscriber_has_record(subscriber); i++)
		pause_once();
}

int subscriber_tap_wait(struct nonet_subscriber *subscriber, nonet_time deadline, struct subscriber_found *ret_found)
{
	int result;

	for (;;) {
		result = tap_look(subscriber, ret_found);
		if (result == 0)
			result = subscriber_is_late(deadline);
		if (result != 0)
			return result;
		if (subscriber->flags & NONET_SUBSCRIBER_POLL)
			tap_poll(subscriber);
		else
			result = tap_sleep(subscriber, deadline);
		if (result < 0)
			return result;
	}
}

int subscriber_tap_arm(struct nonet_subscriber *subscriber)
{
	if (subscriber_has_record(subscriber) || subscriber_has_news(subscriber) ||
	    object_check(&subscriber->channel.object) < 0 || tap_look_around(subscriber) < 0 ||
	    tap_has_ended(subscriber))
		return 1;
	return sys_timerfd_set(subscriber->tap->timer, nonet_after(tap_nap(subscriber)), 0);
}

void subscriber_tap_rest(struct nonet_subscriber *subscriber)
{
	(void)sys_timerfd_set(subscriber->tap->timer, NONET_FOREVER, 0);
}
