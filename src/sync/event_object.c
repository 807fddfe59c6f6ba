/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "base/list.h"
#include "sync/event.h"
#include "sys/memory.h"

/* Events as objects: making, opening and describing them; and their descriptors. */

static bool event_check(const void *payload, size_t size)
{
	(void)payload;
	/* Any state is one that it can be in. */
	return size == sizeof(struct event_shared);
}

static const struct object_kind event_kind = {
	.scheme = NONET_SCHEME_EVENT,
	.number = EVENT_KIND,
	.layout = EVENT_LAYOUT,
	.word = "event",
	.check = event_check,
};

static const struct nonet_event_options event_defaults = {.size = sizeof(event_defaults)};

static int event_check_options(const struct nonet_event_options *options, struct nonet_error *reterr)
{
	const uint32_t flags = NONET_EVENT_MAY_EXIST | NONET_EVENT_SET | NONET_EVENT_TRACE;

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the event options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~flags || options->reserved_32 || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the event options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of an event has more than permission bits",
				 options->mode);
	return 0;
}

static void event_fill(const struct object *object, const void *argument)
{
	const struct nonet_event_options *options = argument;
	struct event_shared *shared = object->payload;

	atomic_store_explicit(&shared->state, options->flags & NONET_EVENT_SET ? EVENT_SET : 0, memory_order_relaxed);
}

static void event_rest(struct nonet_waitable *waitable)
{
	struct nonet_event *event = container_of(waitable, struct nonet_event, waitable);

	if (event->object.generation == sys_generation())
		doorbell_rest(&event->bell);
}

static void event_begin(struct nonet_event *event)
{
	event->shared = event->object.payload;
	atomic_store_explicit(&event->told,
			      event_count(atomic_load_explicit(&event->shared->state, memory_order_relaxed)),
			      memory_order_relaxed);
	doorbell_init(&event->bell, &event->object, &event_bell, event);
	/* Until it has a bell; in a child it won't. */
	waitable_init(&event->waitable, -ECHILD, event_arm);
	event->waitable.rest = event_rest;
}

int nonet_event_create(const char *address, const struct nonet_event_options *options, struct nonet_event **ret_event,
		       struct nonet_error *reterr)
{
	struct object_make make = {.size = sizeof(struct event_shared), .fill = event_fill};
	struct nonet_event *event;
	int error;

	options = options ? options : &event_defaults;
	error = event_check_options(options, reterr);
	if (error < 0)
		return error;
	make.mode = options->mode;
	make.traced = options->flags & NONET_EVENT_TRACE;
	make.may_exist = options->flags & NONET_EVENT_MAY_EXIST;
	make.argument = options;
	event = sys_allocate(sizeof(*event));
	if (!event)
		return error_set(reterr, -ENOMEM, "no memory for an event's handle");
	error = object_create(address, &event_kind, &make, &event->object, reterr);
	if (error < 0) {
		sys_free(event);
		return error;
	}
	event_begin(event);
	*ret_event = event;
	return 0;
}

int nonet_event_open(const char *address, struct nonet_event **ret_event, struct nonet_error *reterr)
{
	struct nonet_event *event = sys_allocate(sizeof(*event));
	int error;

	if (!event)
		return error_set(reterr, -ENOMEM, "no memory for an event's handle");
	error = object_open(address, &event_kind, &event->object, reterr);
	if (error < 0) {
		sys_free(event);
		return error;
	}
	event_begin(event);
	*ret_event = event;
	return 0;
}

struct nonet_event *nonet_event_close(struct nonet_event *event)
{
	if (!event)
		return NULL;
	waitable_done(&event->waitable);
	doorbell_done(&event->bell);
	object_close(&event->object);
	return sys_free(event);
}

int nonet_event_unlink(const char *address, struct nonet_error *reterr)
{
	return object_unlink(address, &event_kind, reterr);
}

/* What it is waited for by, or why it can't be. */
static int event_start(struct nonet_event *event)
{
	int error = object_check(&event->object);

	event->waitable.fd = error < 0 ? error : doorbell_start(&event->bell);
	return event->waitable.fd;
}

int nonet_event_fd(struct nonet_event *event)
{
	return event_start(event);
}

int nonet_event_arm(struct nonet_event *event)
{
	int error = event_start(event);

	if (error >= 0)
		error = object_check_domain(&event->object);
	return error < 0 ? error : waitable_arm(&event->waitable);
}

struct nonet_waitable *nonet_event_waitable(struct nonet_event *event)
{
	(void)event_start(event);
	return &event->waitable;
}

void nonet_event_explain(struct nonet_event *event, int code, struct nonet_error *ret_error)
{
	const char *text = event->object.text;

	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "%s hasn't happened; somebody has to set or pulse it", text);
		break;
	case -ETIMEDOUT:
		error_set(ret_error, code, "%s didn't happen before the deadline: nobody has set or pulsed it", text);
		break;
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor is left to wait for %s: raise RLIMIT_NOFILE (ulimit -n), or close some", text);
		break;
	default:
		object_explain(&event->object, code, ret_error);
		break;
	}
}
