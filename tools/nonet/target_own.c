/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include <nonet/channel.h>
#include <nonet/event.h>
#include <nonet/mutex.h>
#include <nonet/rwlock.h>

#include "target.h"

/* Nonet's own objects, as nonet wait waits for them: looked at, never taken. */

static int mutex_open(struct target *target, struct nonet_error *ret_error)
{
	struct nonet_mutex *mutex;
	int r = nonet_mutex_open(target->given, &mutex, ret_error);

	if (r == 0)
		target->object = mutex;
	return r;
}

static struct nonet_waitable *mutex_waitable(void *object)
{
	return nonet_mutex_waitable(object);
}

/* Whose holder is dead can be had. */
static int mutex_is_ready(void *object, struct nonet_error *ret_error)
{
	struct nonet_mutex_holder holder;
	int r = nonet_mutex_look(object, &holder);

	if (r == 0 && holder.flags & NONET_MUTEX_IS_GIVEN_UP)
		r = -ENOTRECOVERABLE;
	if (r < 0)
		nonet_mutex_explain(object, r, ret_error);
	return r < 0 ? r : !(holder.flags & NONET_MUTEX_IS_HELD) || holder.flags & NONET_MUTEX_IS_DEAD;
}

static int mutex_arm(void *object, struct nonet_error *ret_error)
{
	int r = nonet_mutex_arm(object);

	if (r < 0)
		nonet_mutex_explain(object, r, ret_error);
	return r;
}

static void mutex_close(void *object)
{
	nonet_mutex_close(object);
}

const struct target_kind target_mutex = {
	.open = mutex_open,
	.waitable = mutex_waitable,
	.is_ready = mutex_is_ready,
	.arm = mutex_arm,
	.close = mutex_close,
};

/* The most who can have one: all places of readers, and a writer. */
#define HOLDERS 1025

struct rwlock {
	struct nonet_rwlock *lock;
	struct nonet_rwlock_holder holders[HOLDERS];
};

static void rwlock_close(void *object)
{
	struct rwlock *rwlock = object;

	nonet_rwlock_close(rwlock->lock);
	free(rwlock);
}

static int rwlock_open(struct target *target, struct nonet_error *ret_error)
{
	struct rwlock *rwlock = calloc(1, sizeof(*rwlock));
	int r;

	if (!rwlock) {
		*ret_error = (struct nonet_error){.code = -ENOMEM, .text = "no memory is left", .position = -1};
		return -ENOMEM;
	}
	r = nonet_rwlock_open(target->given, &rwlock->lock, ret_error);
	if (r < 0)
		rwlock_close(rwlock);
	else
		target->object = rwlock;
	return r;
}

static struct nonet_waitable *rwlock_waitable(void *object)
{
	struct rwlock *rwlock = object;

	return nonet_rwlock_waitable(rwlock->lock, NONET_RWLOCK_WRITES);
}

/* Readers who died are in nobody's way, and a writer who died doesn't keep others from it. */
static int rwlock_is_ready(void *object, struct nonet_error *ret_error)
{
	struct rwlock *rwlock = object;
	size_t count = 0, i = 0;
	int r = nonet_rwlock_look(rwlock->lock, rwlock->holders, HOLDERS, &count);

	if (r < 0) {
		nonet_rwlock_explain(rwlock->lock, r, ret_error);
		return r;
	}
	while (i < count && i < HOLDERS && rwlock->holders[i].flags & NONET_RWLOCK_IS_DEAD)
		i++;
	return i == count;
}

static int rwlock_arm(void *object, struct nonet_error *ret_error)
{
	struct rwlock *rwlock = object;
	int r = nonet_rwlock_arm(rwlock->lock, NONET_RWLOCK_WRITES);

	if (r < 0)
		nonet_rwlock_explain(rwlock->lock, r, ret_error);
	return r;
}

const struct target_kind target_rwlock = {
	.open = rwlock_open,
	.waitable = rwlock_waitable,
	.is_ready = rwlock_is_ready,
	.arm = rwlock_arm,
	.close = rwlock_close,
};

/* It happens also if it is pulsed while we are there. */
struct event {
	struct nonet_event *event;
	uint64_t seen; /* how often it had happened before */
};

static void event_close(void *object)
{
	struct event *event = object;

	nonet_event_close(event->event);
	free(event);
}

static int event_open(struct target *target, struct nonet_error *ret_error)
{
	struct event *event = calloc(1, sizeof(*event));
	struct nonet_event_info info;
	int r;

	if (!event) {
		*ret_error = (struct nonet_error){.code = -ENOMEM, .text = "no memory is left", .position = -1};
		return -ENOMEM;
	}
	r = nonet_event_open(target->given, &event->event, ret_error);
	if (r == 0) {
		r = nonet_event_look(event->event, &info);
		if (r < 0)
			nonet_event_explain(event->event, r, ret_error);
		else
			event->seen = info.count;
	}
	if (r < 0)
		event_close(event);
	else
		target->object = event;
	return r;
}

static struct nonet_waitable *event_waitable(void *object)
{
	struct event *event = object;

	return nonet_event_waitable(event->event);
}

static int event_is_ready(void *object, struct nonet_error *ret_error)
{
	struct event *event = object;
	struct nonet_event_info info;
	int r = nonet_event_look(event->event, &info);

	if (r < 0) {
		nonet_event_explain(event->event, r, ret_error);
		return r;
	}
	return info.flags & NONET_EVENT_IS_SET || info.count != event->seen;
}

static int event_arm(void *object, struct nonet_error *ret_error)
{
	struct event *event = object;
	int r = nonet_event_arm(event->event);

	if (r < 0)
		nonet_event_explain(event->event, r, ret_error);
	return r;
}

const struct target_kind target_event = {
	.open = event_open,
	.waitable = event_waitable,
	.is_ready = event_is_ready,
	.arm = event_arm,
	.close = event_close,
};

/* It only looks on: nobody who publishes waits for it, however long the others are waited for. */
static int channel_open(struct target *target, struct nonet_error *ret_error)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_TAP};
	struct nonet_subscriber *subscriber;
	int r = nonet_subscriber_open(target->given, &options, &subscriber, ret_error);

	if (r == 0)
		target->object = subscriber;
	return r;
}

static struct nonet_waitable *channel_waitable(void *object)
{
	return nonet_subscriber_waitable(object);
}

static int channel_is_ready(void *object, struct nonet_error *ret_error)
{
	size_t size;
	int r = nonet_subscriber_message_size(object, NONET_NOW, &size);

	if (r < 0 && r != -EAGAIN)
		nonet_subscriber_explain(object, r, ret_error);
	return r == -EAGAIN ? 0 : r < 0 ? r : 1;
}

static int channel_arm(void *object, struct nonet_error *ret_error)
{
	int r = nonet_subscriber_arm(object);

	if (r < 0)
		nonet_subscriber_explain(object, r, ret_error);
	return r;
}

static void channel_close(void *object)
{
	nonet_subscriber_close(object);
}

const struct target_kind target_channel = {
	.open = channel_open,
	.waitable = channel_waitable,
	.is_ready = channel_is_ready,
	.arm = channel_arm,
	.close = channel_close,
};
