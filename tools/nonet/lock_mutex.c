/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <nonet/mutex.h>
#include <nonet/rwlock.h>

#include "lock.h"
#include "say.h"

/*
 * A mutex is a thread's: the guard's, which has only one. Who is cut short while he holds it may leave half of his
 * work, and the next one has to know that: so where a signal ended the command, the guard ends without unlocking, which
 * is the death of a holder to everybody else, programs in C included.
 */
static struct nonet_mutex *mutex;
static struct nonet_rwlock *rwlock;
static const struct lock_request *wanted;
static int took_over;

/* It was had, with @r. Return: 0 if the command may run. */
static int taken(int r)
{
	if (r != -EOWNERDEAD)
		return r;
	took_over = 1;
	if (wanted->dead == LOCK_DEAD_REFUSES)
		return r;
	if (setenv(LOCK_DEAD_VARIABLE, wanted->address, 1) < 0)
		return -errno;
	if (wanted->dead == LOCK_DEAD_WARNS)
		say_failure("the last holder of %s died with it: what it guards may be half-done; %s is run to put it "
			    "right",
			    wanted->address, wanted->command[0]);
	return 0;
}

/* Whether it is to be left as if its holder had died, which the guard does next. */
static int is_left(int status)
{
	return status < 0 || (took_over && status != 0 && wanted->dead != LOCK_DEAD_RECOVERS);
}

/* @error is the library's sentence about @code: but -EOWNERDEAD is said to a program there, not to a person. */
static void explain(int code, struct nonet_error *error)
{
	if (code != -EOWNERDEAD)
		return;
	snprintf(error->text, sizeof(error->text),
		 "the last holder of %s died with it, so what it guards may be half-done: %s isn't run; put it right "
		 "and use --recover, or leave out --no-recover",
		 wanted->address, wanted->command[0]);
}

static int mutex_open(const struct lock_request *request, nonet_time deadline, struct nonet_error *ret_error)
{
	(void)deadline;
	wanted = request;
	return nonet_mutex_open(request->address, &mutex, ret_error);
}

static int mutex_take(nonet_time deadline)
{
	return taken(nonet_mutex_lock(mutex, deadline));
}

static int mutex_give(int status)
{
	int r = 0;

	if (is_left(status))
		return 0;
	if (took_over)
		r = nonet_mutex_recover(mutex);
	return r < 0 ? r : nonet_mutex_unlock(mutex);
}

static void mutex_explain(int code, struct nonet_error *ret_error)
{
	nonet_mutex_explain(mutex, code, ret_error);
	explain(code, ret_error);
}

const struct lock_kind lock_mutex = {
	.open = mutex_open,
	.take = mutex_take,
	.give = mutex_give,
	.explain = mutex_explain,
	.ends_with_guard = 1,
};

static int rwlock_open(const struct lock_request *request, nonet_time deadline, struct nonet_error *ret_error)
{
	(void)deadline;
	wanted = request;
	return nonet_rwlock_open(request->address, &rwlock, ret_error);
}

static int rwlock_take(nonet_time deadline)
{
	return taken(wanted->shared ? nonet_rwlock_read_lock(rwlock, deadline)
				    : nonet_rwlock_write_lock(rwlock, deadline));
}

/* A reader who is cut short has changed nothing. */
static int rwlock_give(int status)
{
	int r = 0;

	if (is_left(status) && (took_over || !wanted->shared))
		return 0;
	if (took_over)
		r = nonet_rwlock_recover(rwlock);
	return r < 0 ? r : nonet_rwlock_unlock(rwlock);
}

static void rwlock_explain(int code, struct nonet_error *ret_error)
{
	nonet_rwlock_explain(rwlock, code, ret_error);
	explain(code, ret_error);
}

const struct lock_kind lock_rwlock = {
	.open = rwlock_open,
	.take = rwlock_take,
	.give = rwlock_give,
	.explain = rwlock_explain,
	.ends_with_guard = 1,
};
