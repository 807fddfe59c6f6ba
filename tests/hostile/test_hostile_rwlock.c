/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include <nonet/rwlock.h>

#include "hostile/hostile.h"
#include "sync/rwlock_layout.h"

static int make(const char *address, void **ret_object)
{
	const struct nonet_rwlock_options options = {.size = sizeof(options),
						     .flags = NONET_RWLOCK_MAY_EXIST | NONET_RWLOCK_TRACE};

	return nonet_rwlock_create(address, &options, (struct nonet_rwlock **)ret_object, NULL);
}

static int open_it(const char *address, void **ret_object)
{
	return nonet_rwlock_open(address, (struct nonet_rwlock **)ret_object, NULL);
}

static void close_it(void *object)
{
	nonet_rwlock_close(object);
}

static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EDEADLK, -EOWNERDEAD, -EBADMSG, -ESTALE, -EPERM, -EBUSY};
	struct nonet_rwlock_holder holders[4];
	size_t number;
	struct nonet_error error;

	switch (test_random_next(random) % 12) {
	case 0:
		return nonet_rwlock_recover(object);
	case 1:
		return nonet_rwlock_look(object, holders, 4, &number);
	case 2:
		nonet_rwlock_explain(object, codes[test_random_next(random) % 8], &error);
		return error.code;
	case 3:
		return nonet_rwlock_upgrade(object, deadline);
	case 4:
		return nonet_rwlock_downgrade(object);
	case 5:
	case 6:
	case 7:
		return nonet_rwlock_unlock(object);
	case 8:
	case 9:
		return nonet_rwlock_read_lock(object, deadline);
	default:
		return nonet_rwlock_write_lock(object, deadline);
	}
}

static int count(void *object, uint64_t *number)
{
	int result = nonet_rwlock_write_lock(object, NONET_FOREVER);

	if (result < 0)
		return result;
	*number += 1;
	return nonet_rwlock_unlock(object);
}

/* As the headers have them. */
static const int errors[] = {
	-EEXIST,  -ENOENT,     -EINVAL,  -EPERM,           -EPROTO, -EXDEV,     -EBADMSG,    -EUSERS, -ESTALE, -EAGAIN,
	-ENOTDIR, -EACCES,     -ELOOP,   -EISDIR,          -ENOSPC, -EFBIG,     -EMFILE,     -ENFILE, -ENOMEM, -ENOLCK,
	-ENODEV,  -EOWNERDEAD, -EDEADLK, -ENOTRECOVERABLE, -EBUSY,  -ETIMEDOUT, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "rwlock",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "rwlock",
	.size = sizeof(struct rwlock_shared) + RWLOCK_PLACES_MIN * sizeof(uint64_t),
};
