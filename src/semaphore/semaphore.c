/* SPDX-License-Identifier: Apache-2.0 */
#include "semaphore/semaphore.h"

#include <errno.h>
#include <stddef.h>

#include "base/error.h"
#include "base/list.h"
#include "base/time.h"
#include "sys/fork.h"
#include "sys/memory.h"

/* So often others may remove a semaphore between our finding it and opening it, before we say so. */
#define TURNS 64

static const struct nonet_semaphore_options semaphore_defaults = {.size = sizeof(semaphore_defaults)};

static int semaphore_check_options(const struct nonet_semaphore_options *options, uint32_t flags, uint32_t counts,
				   struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the semaphore options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~flags || options->reserved_32 || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the semaphore options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a semaphore has more than permission bits",
				 options->mode);
	if (options->count > counts)
		return error_set(reterr, -EINVAL, "%u semaphores are too many for a set: %u can be named",
				 options->count, counts);
	return 0;
}

static int semaphore_waitable_arm(struct nonet_waitable *waitable)
{
	struct nonet_semaphore *semaphore = container_of(waitable, struct nonet_semaphore, waitable);
	uint32_t value = 0;
	int error;

	if (semaphore->shared)
		return semaphore_shared_arm(semaphore);
	error = semaphore->carrier->value(semaphore, &value);
	/* What is wrong is found out by the call that follows. */
	if (value > 0 || error < 0)
		return 1;
	return semaphore->looker ? looker_arm(semaphore->looker) : watcher_arm(semaphore->watcher);
}

static void semaphore_waitable_rest(struct nonet_waitable *waitable)
{
	struct nonet_semaphore *semaphore = container_of(waitable, struct nonet_semaphore, waitable);

	if (semaphore->shared)
		semaphore_shared_rest(semaphore);
	else if (semaphore->looker)
		looker_rest(semaphore->looker);
	else
		watcher_rest(semaphore->watcher);
}

static int semaphore_new(const char *address, struct nonet_semaphore **ret_semaphore, struct nonet_error *reterr)
{
	struct nonet_semaphore *semaphore = sys_allocate(sizeof(*semaphore));
	int error;

	if (!semaphore)
		return error_set(reterr, -ENOMEM, "no memory for a semaphore's handle");
	error = semaphore_place_init(&semaphore->place, address, reterr);
	if (error < 0) {
		sys_free(semaphore);
		return error;
	}
	semaphore->carrier = semaphore->place.carrier;
	semaphore->generation = sys_generation();
	/* Until there is a helper; in a child there won't be. */
	waitable_init(&semaphore->waitable, -ECHILD, semaphore_waitable_arm);
	semaphore->waitable.rest = semaphore_waitable_rest;
	pthread_mutex_init(&semaphore->starting, NULL);
	*ret_semaphore = semaphore;
	return 0;
}

static struct nonet_semaphore *semaphore_free(struct nonet_semaphore *semaphore)
{
	semaphore_place_done(&semaphore->place);
	return sys_free(semaphore);
}

/* Create it, or else open the one that is there; which, others may change at any time. */
static int semaphore_create_or_open(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
				    nonet_time deadline, struct nonet_error *reterr)
{
	const struct semaphore_carrier *carrier = semaphore->carrier;
	int error;

	for (int turn = 0; turn < TURNS; turn++) {
		error = carrier->create(semaphore, options, reterr);
		if (error != -EEXIST || !(options->flags & NONET_SEMAPHORE_MAY_EXIST))
			return error;
		error = carrier->open(semaphore, options, deadline, reterr);
		if (error != -ENOENT)
			return error;
	}
	return error_set(reterr, -EAGAIN, "can't create %s: others make and remove it all the time",
			 semaphore->place.text);
}

int nonet_semaphore_create(const char *address, const struct nonet_semaphore_options *options, nonet_time deadline,
			   struct nonet_semaphore **ret_semaphore, struct nonet_error *reterr)
{
	struct nonet_semaphore *semaphore;
	int error;

	options = options ? options : &semaphore_defaults;
	/* An index in an address is at most 65535. */
	error = semaphore_check_options(options,
					NONET_SEMAPHORE_MAY_EXIST | NONET_SEMAPHORE_UNFINISHED | NONET_SEMAPHORE_SIGNAL,
					65536, reterr);
	if (error >= 0)
		error = semaphore_new(address, &semaphore, reterr);
	if (error < 0)
		return error;
	error = semaphore_create_or_open(semaphore, options, deadline, reterr);
	if (error < 0) {
		semaphore_free(semaphore);
		return error;
	}
	*ret_semaphore = semaphore;
	return 0;
}

int nonet_semaphore_open(const char *address, const struct nonet_semaphore_options *options, nonet_time deadline,
			 struct nonet_semaphore **ret_semaphore, struct nonet_error *reterr)
{
	struct nonet_semaphore *semaphore;
	int error;

	options = options ? options : &semaphore_defaults;
	error = semaphore_check_options(options, NONET_SEMAPHORE_UNFINISHED, 0, reterr);
	if (error >= 0)
		error = semaphore_new(address, &semaphore, reterr);
	if (error < 0)
		return error;
	error = semaphore->carrier->open(semaphore, options, deadline, reterr);
	if (error < 0) {
		semaphore_free(semaphore);
		return error;
	}
	*ret_semaphore = semaphore;
	return 0;
}

struct nonet_semaphore *nonet_semaphore_close(struct nonet_semaphore *semaphore)
{
	if (!semaphore)
		return NULL;
	waitable_done(&semaphore->waitable);
	watcher_free(semaphore->watcher);
	looker_free(semaphore->looker);
	semaphore->carrier->close(semaphore);
	pthread_mutex_destroy(&semaphore->starting);
	return semaphore_free(semaphore);
}

int nonet_semaphore_unlink(const char *address, struct nonet_error *reterr)
{
	struct semaphore_place place;
	int error = semaphore_place_init(&place, address, reterr);

	if (error < 0)
		return error;
	error = place.carrier->unlink(&place, reterr);
	semaphore_place_done(&place);
	return error;
}

/*
 * What isn't one permit of a POSIX semaphore or a domain's. Out of line, and left for with a jump, so that what is
 * saves none of the registers that the rest needs: giving and taking a free permit are two atomic operations of 13 ns
 * in all, to which saving them added 2.
 */
SEMAPHORE_OTHER static int semaphore_wait_other(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags,
						nonet_time deadline)
{
	if (permits == 0 || flags & ~NONET_SEMAPHORE_UNDO)
		return -EINVAL;
	if (semaphore->shared)
		return semaphore_shared_wait(semaphore, permits, flags, deadline);
	return semaphore->posix ? semaphore_posix_wait(semaphore, permits, flags, deadline)
				: semaphore_sysv_wait(semaphore, permits, flags, deadline);
}

SEMAPHORE_OTHER static int semaphore_post_other(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags)
{
	if (permits == 0 || flags & ~NONET_SEMAPHORE_UNDO)
		return -EINVAL;
	if (semaphore->shared)
		return semaphore_shared_post(semaphore, permits, flags);
	return semaphore->posix ? semaphore_posix_post(semaphore, permits, flags)
				: semaphore_sysv_post(semaphore, permits, flags);
}

SEMAPHORE_APART static int semaphore_wait_posix(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	return semaphore_posix_take(semaphore, deadline);
}

int nonet_semaphore_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline)
{
	if (permits != 1 || flags)
		return semaphore_wait_other(semaphore, permits, flags, deadline);
	if (semaphore->posix)
		return semaphore_wait_posix(semaphore, deadline);
	if (semaphore->shared)
		return semaphore_shared_take(semaphore, deadline);
	return semaphore_wait_other(semaphore, permits, flags, deadline);
}

int nonet_semaphore_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags)
{
	if (permits != 1 || flags)
		return semaphore_post_other(semaphore, permits, flags);
	if (semaphore->posix)
		return sys_posix_semaphore_post(semaphore->posix);
	if (semaphore->shared)
		return semaphore_shared_give(semaphore);
	return semaphore_post_other(semaphore, permits, flags);
}

int nonet_semaphore_operate(struct nonet_semaphore *semaphore, const struct nonet_semaphore_operation *operations,
			    size_t count, nonet_time deadline)
{
	if (count == 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (operations[i].index >= semaphore->count || operations[i].flags & ~NONET_SEMAPHORE_UNDO ||
		    operations[i].reserved)
			return -EINVAL;
	return semaphore->carrier->operate(semaphore, operations, count, deadline);
}

int nonet_semaphore_value(struct nonet_semaphore *semaphore, uint32_t *ret_value)
{
	return semaphore->carrier->value(semaphore, ret_value);
}

int nonet_semaphore_look(struct nonet_semaphore *semaphore, struct nonet_semaphore_info *ret_info)
{
	return semaphore->carrier->look(semaphore, ret_info);
}

/* Under @starting. Return: the descriptor, or an error. */
static int semaphore_start_helper(struct nonet_semaphore *semaphore)
{
	const struct semaphore_carrier *carrier = semaphore->carrier;
	int error;

	if (carrier->job)
		error = watcher_new(carrier->job, semaphore, &semaphore->watcher);
	else
		error = looker_new(carrier->is_ready, semaphore, &semaphore->looker);
	if (error < 0)
		return error;
	return carrier->job ? watcher_fd(semaphore->watcher) : looker_fd(semaphore->looker);
}

/* That there is a helper: its descriptor, or an error. */
static int semaphore_start(struct nonet_semaphore *semaphore)
{
	int error;

	/* A child can't have a parent's helper, and the mutex may be one that another thread of the parent held. */
	if (semaphore->generation != sys_generation()) {
		semaphore->waitable.fd = -ECHILD;
		return -ECHILD;
	}
	pthread_mutex_lock(&semaphore->starting);
	if (semaphore->shared)
		semaphore->waitable.fd = semaphore_shared_start(semaphore);
	else if (!semaphore->watcher && !semaphore->looker)
		semaphore->waitable.fd = semaphore_start_helper(semaphore);
	error = semaphore->waitable.fd;
	pthread_mutex_unlock(&semaphore->starting);
	return error;
}

int nonet_semaphore_fd(struct nonet_semaphore *semaphore)
{
	return semaphore_start(semaphore);
}

int nonet_semaphore_arm(struct nonet_semaphore *semaphore)
{
	int error = semaphore_start(semaphore);

	if (error >= 0 && semaphore->shared)
		error = object_check_domain(&semaphore->object);
	return error < 0 ? error : waitable_arm(&semaphore->waitable);
}

struct nonet_waitable *nonet_semaphore_waitable(struct nonet_semaphore *semaphore)
{
	/* Whoever adds it to a set is told why it can't be. */
	(void)semaphore_start(semaphore);
	return &semaphore->waitable;
}
