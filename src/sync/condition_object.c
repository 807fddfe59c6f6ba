/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "sync/condition.h"
#include "sys/memory.h"

/* Conditions as objects: making, opening, placing them. */

static bool condition_check(const void *payload, size_t size)
{
	const struct condition_shared *shared = payload;

	/* [CONDITION-MAGIC] pair: condition_fill(), whose stores came before. */
	return size == sizeof(*shared) &&
	       atomic_load_explicit(&shared->magic, memory_order_acquire) == CONDITION_MAGIC &&
	       shared->layout == CONDITION_LAYOUT;
}

static const struct object_kind condition_kind = {
	.scheme = NONET_SCHEME_CONDITION,
	.number = CONDITION_KIND,
	.layout = CONDITION_LAYOUT,
	.word = "condition",
	.check = condition_check,
};

static const struct nonet_condition_options condition_defaults = {.size = sizeof(condition_defaults)};

static int condition_check_options(const struct nonet_condition_options *options, uint32_t flags, uint32_t modes,
				   struct nonet_error *reterr)
{
	uint32_t reserved = 0;

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the condition options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		reserved |= options->reserved[i];
	if (options->flags & ~flags || reserved)
		return error_set(reterr, -EINVAL, "the condition options have unknown flags or a reserved field set");
	if (options->mode & ~modes)
		return error_set(reterr, -EINVAL, "the mode %#o of a condition has more than permission bits",
				 options->mode);
	return 0;
}

static void condition_fill(struct condition_shared *shared)
{
	atomic_store_explicit(&shared->bell, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->armed, 0, memory_order_relaxed);
	for (size_t i = 0; i < sizeof(shared->reserved) / sizeof(shared->reserved[0]); i++)
		shared->reserved[i] = 0;
	shared->layout = CONDITION_LAYOUT;
	shared->unused = 0;
	atomic_store_explicit(&shared->magic, CONDITION_MAGIC, memory_order_release); /* [CONDITION-MAGIC] */
}

static void condition_fill_payload(const struct object *object, const void *argument)
{
	(void)argument;
	condition_fill(object->payload);
}

/* With @make to make it with, else it is opened. */
static int condition_new(const char *address, const struct object_make *make, struct nonet_condition **ret_condition,
			 struct nonet_error *reterr)
{
	struct nonet_condition *condition = sys_allocate(sizeof(*condition));
	int error;

	if (!condition)
		return error_set(reterr, -ENOMEM, "no memory for a condition's handle");
	error = make ? object_create(address, &condition_kind, make, &condition->object, reterr)
		     : object_open(address, &condition_kind, &condition->object, reterr);
	if (error < 0) {
		sys_free(condition);
		return error;
	}
	condition->shared = condition->object.payload;
	*ret_condition = condition;
	return 0;
}

int nonet_condition_create(const char *address, const struct nonet_condition_options *options,
			   struct nonet_condition **ret_condition, struct nonet_error *reterr)
{
	struct object_make make = {.size = sizeof(struct condition_shared), .fill = condition_fill_payload};
	int error;

	options = options ? options : &condition_defaults;
	error = condition_check_options(options, NONET_CONDITION_MAY_EXIST, 0777, reterr);
	if (error < 0)
		return error;
	make.mode = options->mode;
	make.may_exist = options->flags & NONET_CONDITION_MAY_EXIST;
	return condition_new(address, &make, ret_condition, reterr);
}

int nonet_condition_open(const char *address, struct nonet_condition **ret_condition, struct nonet_error *reterr)
{
	return condition_new(address, NULL, ret_condition, reterr);
}

struct nonet_condition *nonet_condition_close(struct nonet_condition *condition)
{
	if (!condition)
		return NULL;
	if (condition->object.map.base)
		object_close(&condition->object);
	else
		sys_free(condition->object.text);
	return sys_free(condition);
}

int nonet_condition_unlink(const char *address, struct nonet_error *reterr)
{
	return object_unlink(address, &condition_kind, reterr);
}

int nonet_condition_place(void *place, const struct nonet_condition_options *options,
			  struct nonet_condition **ret_condition, struct nonet_error *reterr)
{
	struct condition_shared *shared = place;
	struct nonet_condition *condition;
	char text[48];
	int error;

	options = options ? options : &condition_defaults;
	error = condition_check_options(options, NONET_CONDITION_MAKE, 0, reterr);
	if (error < 0)
		return error;
	if (!place || (uintptr_t)place % NONET_CONDITION_PLACE_SIZE)
		return error_set(reterr, -EINVAL, "a condition can't be placed at %p: it takes a multiple of %d", place,
				 NONET_CONDITION_PLACE_SIZE);
	if (!(options->flags & NONET_CONDITION_MAKE) && !condition_check(shared, sizeof(*shared)))
		return error_set(reterr, -EPROTO,
				 "there is no condition of this version of the library at %p; make one with "
				 "NONET_CONDITION_MAKE first",
				 place);
	snprintf(text, sizeof(text), "the condition at %p", place);
	condition = sys_allocate(sizeof(*condition));
	if (condition)
		condition->object.text = sys_copy_string(text);
	if (!condition || !condition->object.text) {
		sys_free(condition);
		return error_set(reterr, -ENOMEM, "no memory for a condition's handle");
	}
	condition->object.generation = sys_generation();
	condition->shared = shared;
	if (options->flags & NONET_CONDITION_MAKE)
		condition_fill(shared);
	*ret_condition = condition;
	return 0;
}

void nonet_condition_explain(struct nonet_condition *condition, int code, struct nonet_error *ret_error)
{
	const char *text = condition->object.text;

	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "%s can't be waited for with NONET_NOW; give a later deadline", text);
		break;
	case -ETIMEDOUT:
		error_set(ret_error, code, "nobody signalled %s before the deadline; the mutex is held again", text);
		break;
	case -EOWNERDEAD:
		error_set(ret_error, code,
			  "while %s was waited for, an owner of the mutex died with it: it is held now; put right what "
			  "it guards, then call nonet_mutex_recover()",
			  text);
		break;
	case -ENOTRECOVERABLE:
		error_set(ret_error, code, "while %s was waited for, the mutex was given up, and isn't held", text);
		break;
	case -EPERM:
		error_set(ret_error, code, "%s is waited for with a mutex that this thread holds; lock it first", text);
		break;
	case -EINVAL:
		error_set(
			ret_error, code,
			"%s is waited for with a mutex that is held once, and recovered: this one is locked more than "
			"once, or nonet_mutex_recover() wasn't called after -EOWNERDEAD",
			text);
		break;
	case -EDEADLK:
		error_set(
			ret_error, code,
			"while it waits for %s, this thread would hold a lock of the mutex's rank or a higher one, and "
			"couldn't take the mutex again; unlock that first",
			text);
		break;
	case -ECHILD:
		error_set(ret_error, code,
			  "a handle, of %s or the mutex, is the parent process's; a child opens its own", text);
		break;
	case -EBADMSG:
		error_set(ret_error, code, "%s, or the mutex, is damaged: a member wrote over it, or cut it off", text);
		break;
	default:
		object_explain(&condition->object, code, ret_error);
		break;
	}
}
