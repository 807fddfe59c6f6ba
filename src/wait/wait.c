/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>

#include "base/time.h"
#include "sys/event.h"
#include "wait/wait_set.h"
#include "waitable/waitable.h"

/* How many events one look into epoll fetches at most: bounds the stack, 12 bytes each. */
#define WAIT_BATCH 128

/* One call of nonet_wait(). */
struct wait_call {
	struct nonet_wait_event *events;
	size_t max;
	size_t count;
	uint64_t round;
};

static void call_report(struct wait_call *call, struct wait_member *member, uint32_t events)
{
	/* Ready by what it read ahead and by its descriptor: one event. */
	if (member->round == call->round) {
		call->events[member->slot].events |= events;
		return;
	}
	member->round = call->round;
	member->slot = call->count;
	call->events[call->count++] = (struct nonet_wait_event){.data = member->data, .events = events};
}

/* Whether a member on to_arm may be ready; if not, epoll will tell. */
static bool member_is_ahead(struct wait_member *member)
{
	/* Changed since. @queued stays: it needn't tell us. */
	if (!(member->events & NONET_WAIT_RECEIVE))
		return false;
	/* [WAIT-QUEUED] pair: waitable_touch(), which finds it cleared if it comes after our question. */
	atomic_exchange_explicit(&member->waitable->queued, false, memory_order_acq_rel);
	return waitable_arm(member->waitable) > 0;
}

/*
 * Report what is ready without the kernel's knowledge, until @budget events are reported. A ready member goes to the
 * list's end, so that those not asked this time come first in the next call; one that isn't ready leaves the list.
 */
static void set_report_ahead(struct nonet_wait_set *set, struct wait_call *call, size_t budget)
{
	struct list *last = set->to_arm.prev;
	struct list *node = NULL;

	while (node != last && call->count < budget && !list_is_empty(&set->to_arm)) {
		struct wait_member *member;

		node = set->to_arm.next;
		list_remove(node);
		member = container_of(node, struct wait_member, in_to_arm);
		if (!member_is_ahead(member))
			continue;
		call_report(call, member, NONET_WAIT_RECEIVE);
		wait_set_queue(member);
	}
}

static uint32_t events_from_epoll(uint32_t events)
{
	uint32_t result = 0;

	/* A peer that shut down its sending side is EPOLLIN too (EPOLLRDHUP comes with it); errors wake everybody. */
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		result |= NONET_WAIT_RECEIVE;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		result |= NONET_WAIT_SEND;
	return result;
}

/* Report what epoll said; it rotates by itself, a level-triggered descriptor that it told goes to its list's end. */
static void set_report_kernel(struct nonet_wait_set *set, struct wait_call *call, const struct epoll_event *events,
			      int count)
{
	for (int i = 0; i < count; i++) {
		struct wait_member *member = events[i].data.ptr;
		uint32_t ready = events_from_epoll(events[i].events);
		uint64_t rings;

		if (!member) {
			(void)sys_counter_read(set->bell, &rings);
			set->rung = false;
			continue;
		}
		/* Removed (a grave's events are 0) or changed after epoll had said it. */
		ready &= member->events;
		if (!ready)
			continue;
		call_report(call, member, ready);
		/* What the caller takes may leave more read ahead. */
		wait_set_queue(member);
	}
}

/*
 * Look into epoll, asleep until @deadline if need be. Called and returns with the mutex locked.
 *
 * The first look doesn't sleep and keeps the mutex: with something ready, which is when speed matters, it saves a pair
 * of lock and unlock and the reading of the clock, a tenth of the call.
 */
static int set_ask_kernel(struct nonet_wait_set *set, struct epoll_event *ret_events, size_t room, nonet_time deadline)
{
	int count = sys_epoll_wait(set->epoll, ret_events, (int)room, NONET_NOW);

	if (count != 0 || deadline == NONET_NOW)
		return count;
	set->sleeping++;
	pthread_mutex_unlock(&set->mutex);
	count = sys_epoll_wait(set->epoll, ret_events, (int)room, deadline);
	pthread_mutex_lock(&set->mutex);
	set->sleeping--;
	return count;
}

static int set_wait(struct nonet_wait_set *set, struct wait_call *call, nonet_time deadline)
{
	/* Whoever kept the others out last time may take half of the room this time. */
	size_t budget = set->kernel_kept_out ? call->max / 2 : call->max;
	struct epoll_event events[WAIT_BATCH];
	bool seen_all = false;

	set->kernel_kept_out = false;
	for (;;) {
		size_t room;
		bool skipped;
		int count;

		set_report_ahead(set, call, budget);
		if (call->count == call->max) {
			set->kernel_kept_out = true;
			return 0;
		}
		/* Not earlier: a member touched just before the deadline was asked just now. */
		if (seen_all && call->count == 0 && nonet_clock() >= deadline)
			return time_expired(deadline);

		skipped = call->count == 0 && !list_is_empty(&set->to_arm);
		room = call->max - call->count < WAIT_BATCH ? call->max - call->count : WAIT_BATCH;
		count = set_ask_kernel(set, events, room, call->count > 0 || skipped ? NONET_NOW : deadline);
		set_report_kernel(set, call, events, count);
		if (call->count > 0)
			return 0;
		budget = call->max;
		if (skipped)
			continue;
		if (count <= 0)
			return count < 0 ? count : -EAGAIN;
		/*
		 * Only the bell, or members removed meanwhile. If they filled the room, others may stand behind them,
		 * also for a call that may not wait; ghosts however would be seen again for ever.
		 */
		seen_all = (size_t)count < room || !list_is_empty(&set->ghosts);
	}
}

int nonet_wait(struct nonet_wait_set *set, struct nonet_wait_event *ret_events, size_t max, nonet_time deadline,
	       size_t *ret_count)
{
	struct wait_call call = {.events = ret_events, .max = max};
	int error;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	if (max == 0)
		return -EINVAL;

	pthread_mutex_lock(&set->mutex);
	call.round = ++set->round;
	set->waiting++;
	error = set_wait(set, &call, deadline);
	set->waiting--;
	if (set->waiting == 0)
		wait_set_free_list(&set->graves);
	pthread_mutex_unlock(&set->mutex);
	if (error < 0)
		return error;
	*ret_count = call.count;
	return 0;
}
