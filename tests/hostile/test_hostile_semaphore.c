/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include <nonet/semaphore.h>

#include "hostile/hostile.h"
#include "semaphore/semaphore_layout.h"

static int make(const char *address, void **ret_object)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options), .flags = NONET_SEMAPHORE_MAY_EXIST, .value = 1};

	return nonet_semaphore_create(address, &options, NONET_NOW, (struct nonet_semaphore **)ret_object, NULL);
}

static int open_it(const char *address, void **ret_object)
{
	return nonet_semaphore_open(address, NULL, NONET_NOW, (struct nonet_semaphore **)ret_object, NULL);
}

static void close_it(void *object)
{
	nonet_semaphore_close(object);
}

static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EPERM, -EOVERFLOW, -EBADMSG, -ESTALE};
	struct nonet_semaphore_info info;
	struct nonet_error error;
	uint32_t value;

	switch (test_random_next(random) % 10) {
	case 0:
		return nonet_semaphore_value(object, &value);
	case 1:
		return nonet_semaphore_look(object, &info);
	case 2:
		nonet_semaphore_explain(object, codes[test_random_next(random) % 6], &error);
		return error.code;
	case 3:
		return nonet_semaphore_arm(object);
	case 4:
	case 5:
	case 6:
		return nonet_semaphore_post(object, 1, 0);
	default:
		return nonet_semaphore_wait(object, 1, 0, deadline);
	}
}

static int count(void *object, uint64_t *number)
{
	int result = nonet_semaphore_wait(object, 1, 0, NONET_FOREVER);

	if (result < 0)
		return result;
	*number += 1;
	return nonet_semaphore_post(object, 1, 0);
}

/* As the headers have them. */
static const int errors[] = {
	-EEXIST, -ENOENT,  -EINVAL, -EPERM,     -EPROTO,    -EXDEV,      -EBADMSG, -EUSERS, -ESTALE,
	-EAGAIN, -ENOTDIR, -EACCES, -ELOOP,     -EISDIR,    -ENOSPC,     -EFBIG,   -EMFILE, -ENFILE,
	-ENOMEM, -ENOLCK,  -ENODEV, -EOVERFLOW, -ETIMEDOUT, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "semaphore",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "semaphore",
	.size = sizeof(struct semaphore_shared) + sizeof(uint64_t),
};
