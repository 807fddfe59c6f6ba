/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <nonet/mutex.h>

#include "hostile/hostile.h"
#include "sync/mutex_layout.h"

static int make(const char *address, void **ret_object)
{
	const struct nonet_mutex_options options = {.size = sizeof(options),
						    .flags = NONET_MUTEX_MAY_EXIST | NONET_MUTEX_TRACE};

	return nonet_mutex_create(address, &options, (struct nonet_mutex **)ret_object, NULL);
}

static int open_it(const char *address, void **ret_object)
{
	return nonet_mutex_open(address, (struct nonet_mutex **)ret_object, NULL);
}

static void close_it(void *object)
{
	nonet_mutex_close(object);
}

static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EDEADLK, -EOWNERDEAD, -EBADMSG, -ESTALE, -EPERM};
	struct nonet_mutex_holder holder;
	struct nonet_error error;

	switch (test_random_next(random) % 8) {
	case 0:
		return nonet_mutex_recover(object);
	case 1:
		return nonet_mutex_look(object, &holder);
	case 2:
		nonet_mutex_explain(object, codes[test_random_next(random) % 7], &error);
		return error.code;
	case 3:
	case 4:
		return nonet_mutex_unlock(object);
	default:
		return nonet_mutex_lock(object, deadline);
	}
}

static int count(void *object, uint64_t *number)
{
	int result = nonet_mutex_lock(object, NONET_FOREVER);

	if (result < 0)
		return result;
	*number += 1;
	return nonet_mutex_unlock(object);
}

/* As the header has them. */
static const int errors[] = {
	-EEXIST, -ENOENT,  -EINVAL, -EPERM,      -EPROTO,  -EXDEV,     -EBADMSG,         -EUSERS,     -ESTALE,
	-EAGAIN, -ENOTDIR, -EACCES, -ELOOP,      -EISDIR,  -ENOSPC,    -EFBIG,           -EMFILE,     -ENFILE,
	-ENOMEM, -ENOLCK,  -ENODEV, -EOWNERDEAD, -EDEADLK, -ETIMEDOUT, -ENOTRECOVERABLE, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "mutex",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "mutex",
	.size = offsetof(struct mutex_shared, rank),
};
