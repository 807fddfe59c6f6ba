/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <nonet/semaphore.h>

#include "lock.h"

static struct nonet_semaphore *semaphore;

/* How long whoever is making a System V set may take to give it its values. */
#define MAKING NONET_S(1)

int lock_open_semaphore(const char *address, nonet_time deadline, struct nonet_semaphore **ret_semaphore,
			struct nonet_error *ret_error)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = NONET_SEMAPHORE_UNFINISHED,
	};
	const nonet_time made = nonet_after(MAKING);
	int r;

	r = nonet_semaphore_open(address, NULL, deadline < made ? deadline : made, ret_semaphore, ret_error);
	/* Not being made, then: its zeros are meant, as those of ipcmk(1) are. */
	if (r == -ETIMEDOUT && nonet_clock() >= made)
		r = nonet_semaphore_open(address, &options, NONET_NOW, ret_semaphore, ret_error);
	return r;
}

static int semaphore_open(const struct lock_request *request, nonet_time deadline, struct nonet_error *ret_error)
{
	return lock_open_semaphore(request->address, deadline, &semaphore, ret_error);
}

static void semaphore_explain(int code, struct nonet_error *ret_error)
{
	nonet_semaphore_explain(semaphore, code, ret_error);
}

static int sysv_take(nonet_time deadline)
{
	return nonet_semaphore_wait(semaphore, 1, NONET_SEMAPHORE_UNDO, deadline);
}

static int plain_take(nonet_time deadline)
{
	return nonet_semaphore_wait(semaphore, 1, 0, deadline);
}

static int plain_give(int status)
{
	(void)status;
	return nonet_semaphore_post(semaphore, 1, 0);
}

const struct lock_kind lock_sysv_semaphore = {
	.open = semaphore_open,
	.take = sysv_take,
	.explain = semaphore_explain,
	.ends_with_process = 1,
};

const struct lock_kind lock_posix_semaphore = {
	.open = semaphore_open,
	.take = plain_take,
	.give = plain_give,
	.explain = semaphore_explain,
};

/* Nonet's own: a permit of one who dies comes back by itself, as the guard's does. */
const struct lock_kind lock_own_semaphore = {
	.open = semaphore_open,
	.take = plain_take,
	.give = plain_give,
	.explain = semaphore_explain,
	.ends_with_guard = 1,
};
