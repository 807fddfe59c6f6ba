/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nonet/condition.h>
#include <nonet/mutex.h>

#include "hostile/hostile.h"
#include "sync/condition_layout.h"

/*
 * A condition; the mutex that it is waited for with, which nobody else reaches: the wait takes it again without a
 * deadline; and one by which it is counted.
 */
struct pair {
	struct nonet_condition *condition;
	struct nonet_mutex *own;
	struct nonet_mutex *counting;
	void *place;
};

static void close_it(void *object)
{
	struct pair *pair = object;

	if (!pair)
		return;
	nonet_condition_close(pair->condition);
	nonet_mutex_close(pair->own);
	nonet_mutex_close(pair->counting);
	free(pair->place);
	free(pair);
}

static int pair_open(const char *address, bool make, void **ret_object)
{
	const struct nonet_condition_options options = {.size = sizeof(options), .flags = NONET_CONDITION_MAY_EXIST};
	const struct nonet_mutex_options shared = {.size = sizeof(shared), .flags = NONET_MUTEX_MAY_EXIST};
	const struct nonet_mutex_options placed = {.size = sizeof(placed), .flags = NONET_MUTEX_MAKE};
	struct pair *pair = calloc(1, sizeof(*pair));
	char mutex[512];
	char directory[512];
	int result;

	if (!pair)
		return -ENOMEM;
	snprintf(mutex, sizeof(mutex), "mutex%s", strchr(address, ':'));
	snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(address, '/') - strchr(address, ':') - 1),
		 strchr(address, ':') + 1);
	result = make ? nonet_condition_create(address, &options, &pair->condition, NULL)
		      : nonet_condition_open(address, &pair->condition, NULL);
	if (result == 0)
		result = nonet_mutex_create(mutex, &shared, &pair->counting, NULL);
	pair->place = aligned_alloc(NONET_MUTEX_PLACE_SIZE, NONET_MUTEX_PLACE_SIZE);
	if (result == 0)
		result = pair->place ? nonet_mutex_place(pair->place, directory, &placed, &pair->own, NULL) : -ENOMEM;
	if (result < 0)
		close_it(pair);
	else
		*ret_object = pair;
	return result;
}

static int make(const char *address, void **ret_object)
{
	return pair_open(address, true, ret_object);
}

static int open_it(const char *address, void **ret_object)
{
	return pair_open(address, false, ret_object);
}

/* A thread that ended with the mutex leaves it to the next. */
static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EPERM, -EOWNERDEAD, -EBADMSG, -ESTALE};
	struct pair *pair = object;
	struct nonet_error error;
	int result;

	switch (test_random_next(random) % 6) {
	case 0:
		return nonet_condition_signal(pair->condition);
	case 1:
		return nonet_condition_broadcast(pair->condition);
	case 2:
		nonet_condition_explain(pair->condition, codes[test_random_next(random) % 6], &error);
		return error.code;
	default:
		result = nonet_mutex_lock(pair->own, NONET_NOW);
		if (result == -EOWNERDEAD)
			result = nonet_mutex_recover(pair->own);
		if (result < 0 && result != -EDEADLK)
			return result;
		result = nonet_condition_wait(pair->condition, pair->own, deadline);
		if (result == -EOWNERDEAD)
			(void)!nonet_mutex_recover(pair->own);
		(void)!nonet_mutex_unlock(pair->own);
		return result;
	}
}

static int count(void *object, uint64_t *number)
{
	struct pair *pair = object;
	int result = nonet_mutex_lock(pair->counting, NONET_FOREVER);

	if (result < 0)
		return result;
	*number += 1;
	result = nonet_condition_signal(pair->condition);
	return result < 0 ? result : nonet_mutex_unlock(pair->counting);
}

/* As the headers have them. */
static const int errors[] = {
	-EEXIST, -ENOENT,  -EINVAL, -EPERM,      -EPROTO,  -EXDEV,           -EBADMSG,   -EUSERS,     -ESTALE,
	-EAGAIN, -ENOTDIR, -EACCES, -ELOOP,      -EISDIR,  -ENOSPC,          -EFBIG,     -EMFILE,     -ENFILE,
	-ENOMEM, -ENOLCK,  -ENODEV, -EOWNERDEAD, -EDEADLK, -ENOTRECOVERABLE, -ETIMEDOUT, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "condition",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "condition",
	.size = sizeof(struct condition_shared),
};
