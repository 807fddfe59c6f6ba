/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include <nonet/event.h>

#include "hostile/hostile.h"
#include "sync/event_layout.h"

static int make(const char *address, void **ret_object)
{
	const struct nonet_event_options options = {.size = sizeof(options),
						    .flags = NONET_EVENT_MAY_EXIST | NONET_EVENT_TRACE};

	return nonet_event_create(address, &options, (struct nonet_event **)ret_object, NULL);
}

static int open_it(const char *address, void **ret_object)
{
	return nonet_event_open(address, (struct nonet_event **)ret_object, NULL);
}

static void close_it(void *object)
{
	nonet_event_close(object);
}

static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EBADMSG, -ESTALE, -ECHILD};
	struct nonet_event_info info;
	struct nonet_error error;
	uint64_t number;

	switch (test_random_next(random) % 10) {
	case 0:
		return nonet_event_pulse(object);
	case 1:
		return nonet_event_look(object, &info);
	case 2:
		nonet_event_explain(object, codes[test_random_next(random) % 4], &error);
		return error.code;
	case 3:
		return nonet_event_arm(object);
	case 4:
		return nonet_event_set(object);
	case 5:
	case 6:
		return nonet_event_clear(object);
	case 7:
		return nonet_event_look(object, &info) < 0
			       ? 0
			       : nonet_event_wait_count(object, info.count, deadline, &number);
	default:
		return nonet_event_wait(object, deadline);
	}
}

/* An event excludes nobody: what it can promise is that it happens. */
static int count(void *object, uint64_t *number)
{
	int result = nonet_event_set(object);

	atomic_fetch_add((_Atomic uint64_t *)number, 1);
	return result < 0 ? result : nonet_event_wait(object, NONET_NOW);
}

/* As the headers have them. */
static const int errors[] = {
	-EEXIST, -ENOENT, -EINVAL,  -EPERM,  -EPROTO, -EXDEV,     -EBADMSG,    -EUSERS,
	-ESTALE, -EAGAIN, -ENOTDIR, -EACCES, -ELOOP,  -EISDIR,    -ENOSPC,     -EFBIG,
	-EMFILE, -ENFILE, -ENOMEM,  -ENOLCK, -ENODEV, -ETIMEDOUT, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "event",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "event",
	.size = sizeof(struct event_shared),
};
