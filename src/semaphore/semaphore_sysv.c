/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "base/time.h"
#include "semaphore/semaphore.h"
#include "sys/clock.h"
#include "sys/memory.h"
#include "sys/sysv_semaphore.h"

/*
 * System V semaphores.
 *
 * semget(2) makes a set whose values are 0, which its maker then changes. Whoever opens it in between would see permits
 * that aren't meant. Two marks tell that a set is finished:
 * - sem_otime, when the last semop(2) was: 0 as long as there was none. Programs that know of the gap finish by one.
 * - sempid of each semaphore: 0 until somebody gave it a value. Programs that don't know of it leave that at least.
 * We leave both.
 */

#define VALUE_MAX SYS_SYSV_SEMAPHORE_MAX

/* So many operations need no memory; kernel.sem may allow more than 500. */
#define OPERATIONS_ON_STACK 16

/* A set that was removed and made anew meanwhile: again from the beginning. */
#define SET_CHANGED (-EIDRM)

static int sysv_refuse_full(const struct semaphore_place *place, const char *what, uint32_t count,
			    struct nonet_error *reterr)
{
	struct sys_sysv_semaphore_limits limits;

	if (sys_sysv_semaphore_limits(&limits) < 0)
		return error_set(reterr, -ENOSPC, "can't %s %s: kernel.sem allows no more sets or semaphores", what,
				 place->text);
	if (limits.sets_now >= limits.sets)
		return error_set(
			reterr, -ENOSPC,
			"can't %s %s: all %u sets that kernel.sem allows are there (ipcs -s lists them, ipcrm -s ID "
			"removes one); to allow more: sysctl -w kernel.sem=\"%u %u %u %u\"",
			what, place->text, limits.sets, limits.set_size, limits.semaphores, limits.operations,
			limits.sets > INT_MAX / 2 ? INT_MAX : 2 * limits.sets);
	return error_set(
		reterr, -ENOSPC,
		"can't %s %s: %u of the %u semaphores that kernel.sem allows are there, %u more are too many; to "
		"allow more: sysctl -w kernel.sem=\"%u %u %u %u\"",
		what, place->text, limits.semaphores_now, limits.semaphores, count, limits.set_size,
		limits.semaphores > INT_MAX / 2 ? INT_MAX : 2 * limits.semaphores, limits.operations, limits.sets);
}

static int sysv_refuse_create(const struct semaphore_place *place, uint32_t count, int error,
			      struct nonet_error *reterr)
{
	const char *path = nonet_address_name(place->address, NULL);
	struct sys_sysv_semaphore_limits limits;

	if (error == -EEXIST && path)
		return error_set_key_exists(reterr, place->text, (uint32_t)place->key);
	if (error == -EEXIST)
		return error_set_exists(reterr, place->text);
	if (error == -ENOSPC)
		return sysv_refuse_full(place, "create", count, reterr);
	if (error == -EINVAL && sys_sysv_semaphore_limits(&limits) >= 0)
		return error_set(
			reterr, error,
			"can't create %s with %u semaphores: kernel.sem allows %u in a set; to allow more: sysctl -w "
			"kernel.sem=\"%u %u %u %u\"",
			place->text, count, limits.set_size, count, limits.semaphores, limits.operations, limits.sets);
	return error_set(reterr, error, "can't create %s: %s", place->text, error_reason(error));
}

/* For programs that wait for sem_otime: a semop(2) that leaves the value as it is. */
static int sysv_finish(int id, uint32_t value)
{
	const int16_t first = value < VALUE_MAX ? 1 : -1;
	const struct sys_sysv_semaphore_step steps[] = {{.change = first}, {.change = (int16_t)-first}};
	int error = sys_sysv_semaphore_operate(id, steps, 2, false, NONET_NOW);

	/* Somebody was faster, took or gave permits, and so has finished it. */
	return error == -EAGAIN || error == -ERANGE ? 0 : error;
}

static int sysv_create(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		       struct nonet_error *reterr)
{
	const struct semaphore_place *place = &semaphore->place;
	const uint32_t least = place->index + 1;
	const uint32_t count = options->count ? options->count : least;
	int error;
	int id;

	if (place->id >= 0)
		return error_set(reterr, -EINVAL, "can't create %s: the kernel gives the id; write a key", place->text);
	if (count < least)
		return error_set(reterr, -EINVAL, "can't create %s in a set of %u semaphores: it needs %u", place->text,
				 count, least);
	if (options->value > VALUE_MAX)
		return error_set(reterr, -EOVERFLOW,
				 "can't create %s with %u permits: a System V semaphore has at most %d; posixsem: more",
				 place->text, options->value, VALUE_MAX);
	id = sys_sysv_semaphore_create(place->key, count, options->mode ? options->mode : 0600);
	if (id < 0)
		return sysv_refuse_create(place, count, id, reterr);
	error = sys_sysv_semaphore_set_all(id, count, (uint16_t)options->value);
	if (error == 0)
		error = sysv_finish(id, options->value);
	if (error < 0) {
		(void)sys_sysv_semaphore_remove(id);
		return error_set(reterr, error, "can't give %s its first value: %s", place->text, error_reason(error));
	}
	semaphore->id = id;
	semaphore->count = count;
	return 0;
}

/* 1, 0, or an error. */
static int sysv_is_finished(int id, const struct sys_sysv_semaphore_set *set)
{
	int process;

	if (set->operated)
		return 1;
	for (uint32_t i = 0; i < set->count; i++) {
		process = sys_sysv_semaphore_last_process(id, i);
		if (process <= 0)
			return process;
	}
	return 1;
}

/* The id of the set, once it is finished. */
static int sysv_find(const struct semaphore_place *place, uint32_t flags, nonet_time deadline,
		     struct sys_sysv_semaphore_set *ret_set)
{
	struct sys_retry retry = {0};
	int error;
	int id;

	for (;;) {
		id = place->id >= 0 ? place->id : sys_sysv_semaphore_find(place->key);
		error = id < 0 ? id : sys_sysv_semaphore_status(id, ret_set);
		if (error == 0)
			error = flags & NONET_SEMAPHORE_UNFINISHED ? 1 : sysv_is_finished(id, ret_set);
		if (error == 1)
			return id;
		/* Removed between two of our calls: by its key there may be another. */
		if (error < 0 && (error != SET_CHANGED || place->id >= 0))
			return error;
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			return error;
	}
}

static int sysv_refuse(const struct semaphore_place *place, const char *what, int error, struct nonet_error *reterr)
{
	const char *path = nonet_address_name(place->address, NULL);

	switch (error) {
	case -ENOENT:
		if (path)
			return error_set(reterr, error,
					 "can't %s %s: there is no set with its key, 0x%08x; if there was, the file "
					 "may have been "
					 "replaced, which changes the key",
					 what, place->text, (unsigned)place->key);
		return error_set(reterr, error, "can't %s %s: there is no such set; ipcs -s lists them", what,
				 place->text);
	case -EIDRM:
		return error_set(reterr, error, "can't %s %s: there is no set of that id, or not any more", what,
				 place->text);
	case -EAGAIN:
	case -ETIMEDOUT:
		return error_set(
			reterr, error,
			"can't %s %s: the set is there, but nobody has given it its values yet. Its maker died, and it "
			"has to be removed (ipcrm -s), or means the zeros of a new set (NONET_SEMAPHORE_UNFINISHED)",
			what, place->text);
	case -EACCES:
	case -EPERM:
		return error_set(reterr, error, "can't %s %s: it is another user's, whose mode for it doesn't let us",
				 what, place->text);
	default:
		return error_set(reterr, error, "can't %s %s: %s", what, place->text, error_reason(error));
	}
}

static int sysv_open(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		     nonet_time deadline, struct nonet_error *reterr)
{
	const struct semaphore_place *place = &semaphore->place;
	struct sys_sysv_semaphore_set set;
	int id = sysv_find(place, options->flags, deadline, &set);

	if (id < 0)
		return sysv_refuse(place, "open", id, reterr);
	if (place->index >= set.count)
		return error_set(reterr, -EINVAL, "can't open %s: the set has %u semaphores, the last is [%u]",
				 place->text, set.count, set.count - 1);
	semaphore->id = id;
	semaphore->count = set.count;
	return 0;
}

static void sysv_close(struct nonet_semaphore *semaphore)
{
	/* The set is the kernel's. */
	(void)semaphore;
}

static int sysv_unlink(const struct semaphore_place *place, struct nonet_error *reterr)
{
	int error;
	int id;

	if (place->indexed)
		return error_set(reterr, -EINVAL,
				 "can't remove %s alone: the set is removed whole; write the address without [%u]",
				 place->text, place->index);
	id = place->id >= 0 ? place->id : sys_sysv_semaphore_find(place->key);
	error = id < 0 ? id : sys_sysv_semaphore_remove(id);
	if (error == -EIDRM && place->id < 0)
		error = -ENOENT;
	return error < 0 ? sysv_refuse(place, "remove", error, reterr) : 0;
}

static int sysv_operate_steps(struct nonet_semaphore *semaphore, const struct sys_sysv_semaphore_step *steps,
			      size_t count, nonet_time deadline)
{
	int error = sys_sysv_semaphore_operate(semaphore->id, steps, count, false, deadline);

	return error == -ERANGE ? -EOVERFLOW : error;
}

int semaphore_sysv_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline)
{
	const struct sys_sysv_semaphore_step step = {
		.index = (uint16_t)semaphore->place.index,
		.change = (int16_t) - (int32_t)(permits & VALUE_MAX),
		.undo = flags & NONET_SEMAPHORE_UNDO,
	};

	if (permits > VALUE_MAX)
		return -EINVAL;
	return sysv_operate_steps(semaphore, &step, 1, deadline);
}

int semaphore_sysv_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags)
{
	const struct sys_sysv_semaphore_step step = {
		.index = (uint16_t)semaphore->place.index,
		.change = (int16_t)(permits & VALUE_MAX),
		.undo = flags & NONET_SEMAPHORE_UNDO,
	};

	if (permits > VALUE_MAX)
		return -EOVERFLOW;
	return sysv_operate_steps(semaphore, &step, 1, NONET_NOW);
}

static int sysv_operate(struct nonet_semaphore *semaphore, const struct nonet_semaphore_operation *operations,
			size_t count, nonet_time deadline)
{
	struct sys_sysv_semaphore_step few[OPERATIONS_ON_STACK] = {{0}};
	struct sys_sysv_semaphore_step *steps = few;
	int error;

	for (size_t i = 0; i < count; i++)
		if (operations[i].change > VALUE_MAX || operations[i].change < -VALUE_MAX)
			return -EINVAL;
	/* No kernel allows more: semget(2)'s limits are ints. */
	if (count > INT_MAX)
		return -E2BIG;
	if (count > OPERATIONS_ON_STACK)
		steps = sys_allocate(count * sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		steps[i] = (struct sys_sysv_semaphore_step){
			.index = (uint16_t)operations[i].index,
			.change = (int16_t)operations[i].change,
			.undo = operations[i].flags & NONET_SEMAPHORE_UNDO,
		};
	error = sysv_operate_steps(semaphore, steps, count, deadline);
	if (steps != few)
		sys_free(steps);
	return error;
}

static int sysv_value(struct nonet_semaphore *semaphore, uint32_t *ret_value)
{
	int value = sys_sysv_semaphore_value(semaphore->id, semaphore->place.index);

	if (value < 0)
		return value;
	*ret_value = (uint32_t)value;
	return 0;
}

static int sysv_look(struct nonet_semaphore *semaphore, struct nonet_semaphore_info *ret_info)
{
	const uint32_t index = semaphore->place.index;
	struct nonet_semaphore_info info = {.maximum = VALUE_MAX, .index = index, .count = semaphore->count};
	int error = sysv_value(semaphore, &info.value);

	if (error == 0)
		error = info.waiters = sys_sysv_semaphore_waiters(semaphore->id, index);
	if (error >= 0)
		error = info.zero_waiters = sys_sysv_semaphore_zero_waiters(semaphore->id, index);
	if (error >= 0)
		error = info.last_pid = sys_sysv_semaphore_last_process(semaphore->id, index);
	if (error < 0)
		return error;
	*ret_info = info;
	return 0;
}

/* Takes one and gives it back in the same moment, in which others see neither. */
static int sysv_block(void *object)
{
	struct nonet_semaphore *semaphore = object;
	const uint16_t index = (uint16_t)semaphore->place.index;
	const struct sys_sysv_semaphore_step steps[] = {{.index = index, .change = -1}, {.index = index, .change = 1}};
	int error = sys_sysv_semaphore_operate(semaphore->id, steps, 2, true, NONET_FOREVER);

	return error == 0 ? 1 : error;
}

static void sysv_explain_wait(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *text = semaphore->place.text;
	const char *when = code == -EAGAIN ? "now" : "before the deadline";
	struct nonet_semaphore_info info;

	if (sysv_look(semaphore, &info) < 0)
		error_set(ret_error, code, "%s didn't have enough permits %s", text, when);
	else if (info.last_pid == 0)
		error_set(ret_error, code, "%s didn't have enough permits %s: it has %u, and %d more wait for some",
			  text, when, info.value, info.waiters);
	else
		error_set(
			ret_error, code,
			"%s didn't have enough permits %s: it has %u, %d more wait for some, and the last to change it "
			"was process %d",
			text, when, info.value, info.waiters, info.last_pid);
}

static bool sysv_explain(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *text = semaphore->place.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		sysv_explain_wait(semaphore, code, ret_error);
		return true;
	case -EIDRM:
		error_set(ret_error, code, "the set of %s was removed: open it anew, should there be another", text);
		return true;
	case -EOVERFLOW:
		error_set(ret_error, code,
			  "%s would have more permits than a System V semaphore can, or this process more of them to "
			  "undo: "
			  "%d, which no setting raises; posixsem: counts higher",
			  text, VALUE_MAX);
		return true;
	case -EACCES:
		error_set(
			ret_error, code,
			"%s is another user's, whose mode for it doesn't let us: taking and giving needs permission to "
			"write",
			text);
		return true;
	case -ENOSPC:
		error_set(ret_error, code, "the kernel has no room to note what is to be undone of %s", text);
		return true;
	case -E2BIG:
		error_set(ret_error, code,
			  "more operations at once on the set of %s than kernel.sem allows (its third number): raise "
			  "it by "
			  "sysctl -w kernel.sem=\"SEMMSL SEMMNS SEMOPM SEMMNI\"",
			  text);
		return true;
	default:
		return false;
	}
}

static const struct watcher_job sysv_job = {.block = sysv_block};

const struct semaphore_carrier semaphore_sysv = {
	.create = sysv_create,
	.open = sysv_open,
	.close = sysv_close,
	.unlink = sysv_unlink,
	.operate = sysv_operate,
	.value = sysv_value,
	.look = sysv_look,
	.job = &sysv_job,
	.explain = sysv_explain,
};
