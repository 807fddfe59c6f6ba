/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/event.h"

#include <errno.h>

#include "base/list.h"
#include "domain/claim.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "sys/futex.h"

/*
 * Setting, waiting, arming. event_layout.h has the states of the word.
 *
 *   - Who sets takes the waiters' and the bells' bit out with the same step, and then wakes and rings all of them. So
 *     nobody is missed: whoever puts a bit in does it by a compare-and-swap that fails if it was set meanwhile.
 *   - Sleepers sleep on the low half, which holds a part of the count: however often it is set and cleared before one
 *     gets to sleep, he doesn't. (2^29 times would do, and cost him DOMAIN_INTERVAL.)
 *   - Who sets may be killed before he wakes: nobody sleeps for longer than DOMAIN_INTERVAL without looking.
 *
 * [EVENT-STATE]  Who goes on because of an event sees all that was done before it was set: release, acquire.
 */

static bool event_swap(struct nonet_event *event, uint64_t *seen, uint64_t wanted)
{
	/* [EVENT-STATE] [BELL-ARMED] pair: the same */
	return atomic_compare_exchange_strong_explicit(&event->shared->state, seen, wanted, memory_order_acq_rel,
						       memory_order_acquire);
}

static uint64_t event_load(const struct nonet_event *event)
{
	return atomic_load_explicit(&event->shared->state, memory_order_acquire); /* [EVENT-STATE] pair: event_swap() */
}

static void event_tell(struct nonet_event *event, uint64_t state)
{
	atomic_store_explicit(&event->told, event_count(state), memory_order_relaxed);
}

static int event_trace(struct nonet_event *event, enum event_step step, uint64_t state)
{
	uint64_t owner;
	int error;

	if (!event->object.traced)
		return 0;
	error = domain_thread_owner(event->object.domain, &owner);
	if (error == 0)
		object_note(&event->object, owner, step, event_count(state));
	return error;
}

/* @bit: EVENT_SET, or 0 for a pulse */
static int event_happen(struct nonet_event *event, uint64_t bit, enum event_step step)
{
	uint64_t seen;
	uint64_t wanted;
	int error = object_check(&event->object);

	if (error == 0)
		error = event_trace(event, step, event_load(event) + EVENT_ONCE);
	if (error < 0)
		return error;
	seen = event_load(event);
	do
		wanted = ((seen + EVENT_ONCE) & ~(uint64_t)(EVENT_SET | EVENT_WAITERS | EVENT_BELLS)) | bit;
	while (!event_swap(event, &seen, wanted));
	if (seen & EVENT_WAITERS)
		(void)sys_futex_wake(claim_futex(&event->shared->state), SYS_FUTEX_ALL);
	if (seen & EVENT_BELLS)
		doorbell_ring(&event->object);
	return object_check(&event->object);
}

int nonet_event_set(struct nonet_event *event)
{
	return event_happen(event, EVENT_SET, EVENT_WAS_SET);
}

int nonet_event_pulse(struct nonet_event *event)
{
	return event_happen(event, 0, EVENT_WAS_PULSED);
}

int nonet_event_clear(struct nonet_event *event)
{
	uint64_t seen;
	int error = object_check(&event->object);

	if (error == 0)
		error = event_trace(event, EVENT_WAS_CLEARED, event_load(event));
	if (error < 0)
		return error;
	seen = event_load(event);
	while (seen & EVENT_SET && !event_swap(event, &seen, seen & ~(uint64_t)EVENT_SET))
		;
	error = object_check(&event->object);
	return error < 0 ? error : (int)(seen & EVENT_SET);
}

/* Return: 0 to look again, or what ends the waiting. */
static int event_sleep(struct nonet_event *event, uint64_t seen, nonet_time deadline)
{
	int result;

	if (!(seen & EVENT_WAITERS)) {
		if (!event_swap(event, &seen, seen | EVENT_WAITERS))
			return 0;
		seen |= EVENT_WAITERS;
	}
	result = life_sleep_on(claim_futex(&event->shared->state), claim_futex_value(seen), deadline);
	return result == 1 ? object_look_around(&event->object) : object_slept(&event->object, result);
}

/* Until the count isn't @count, or, if @until_set, it is set. */
static int event_wait(struct nonet_event *event, uint64_t count, bool until_set, nonet_time deadline,
		      uint64_t *ret_state)
{
	uint64_t seen;
	int result;

	for (;;) {
		seen = event_load(event);
		result = object_check(&event->object);
		if (result < 0)
			return result;
		event_tell(event, seen);
		*ret_state = seen;
		if (event_count(seen) != count || (until_set && seen & EVENT_SET))
			return 0;
		if (deadline == NONET_NOW)
			return object_not_now(&event->object);
		result = event_sleep(event, seen, deadline);
		if (result < 0)
			return result;
	}
}

int nonet_event_wait(struct nonet_event *event, nonet_time deadline)
{
	uint64_t state;
	int error = object_check(&event->object);

	return error < 0 ? error : event_wait(event, event_count(event_load(event)), true, deadline, &state);
}

int nonet_event_wait_count(struct nonet_event *event, uint64_t seen, nonet_time deadline, uint64_t *ret_count)
{
	uint64_t state;
	int error = object_check(&event->object);

	if (error == 0)
		error = event_wait(event, seen, false, deadline, &state);
	if (error < 0)
		return error;
	*ret_count = event_count(state);
	return 0;
}

int nonet_event_look(struct nonet_event *event, struct nonet_event_info *ret_info)
{
	uint64_t state;
	int error = object_check(&event->object);

	if (error < 0)
		return error;
	state = event_load(event);
	error = object_check(&event->object);
	if (error == 0)
		error = object_check_shared(&event->object);
	if (error < 0)
		return error;
	event_tell(event, state);
	*ret_info = (struct nonet_event_info){.count = event_count(state)};
	if (state & EVENT_SET)
		ret_info->flags |= NONET_EVENT_IS_SET;
	if (state & (EVENT_WAITERS | EVENT_BELLS))
		ret_info->flags |= NONET_EVENT_HAS_WAITERS;
	return 0;
}

static bool event_is_ready(const struct nonet_event *event, uint64_t state)
{
	return state & EVENT_SET || event_count(state) != atomic_load_explicit(&event->told, memory_order_relaxed) ||
	       object_check(&event->object) < 0 || object_check_shared(&event->object) < 0;
}

static int event_bell_look(void *argument, uint64_t *owners, int room)
{
	const struct nonet_event *event = argument;

	(void)owners;
	(void)room;
	return event_is_ready(event, event_load(event)) ? DOORBELL_READY : 0;
}

const struct doorbell_job event_bell = {.look = event_bell_look};

int event_arm(struct nonet_waitable *waitable)
{
	struct nonet_event *event = container_of(waitable, struct nonet_event, waitable);
	uint64_t seen = event_load(event);

	if (event_is_ready(event, seen))
		return 1;
	doorbell_arm(&event->bell);
	do {
		if (event_is_ready(event, seen)) {
			doorbell_disarm(&event->bell);
			return 1;
		}
	} while (!event_swap(event, &seen, seen | EVENT_BELLS));
	doorbell_watch(&event->bell, 0);
	return 0;
}
