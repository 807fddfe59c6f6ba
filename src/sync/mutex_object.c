/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "domain/life.h"
#include "sync/mutex.h"
#include "sync/rank.h"
#include "sys/memory.h"

/* Mutexes as objects: making, opening, placing them; who holds one. */

static bool mutex_check(const void *payload, size_t size)
{
	const struct mutex_shared *shared = payload;

	/* [MUTEX-MAGIC] pair: mutex_fill(), whose stores came before. */
	return size == sizeof(*shared) && atomic_load_explicit(&shared->magic, memory_order_acquire) == MUTEX_MAGIC &&
	       shared->layout == MUTEX_LAYOUT;
}

static const struct object_kind mutex_kind = {
	.scheme = NONET_SCHEME_MUTEX,
	.number = MUTEX_KIND,
	.layout = MUTEX_LAYOUT,
	.word = "mutex",
	.check = mutex_check,
};

static const struct nonet_mutex_options mutex_defaults = {.size = sizeof(mutex_defaults)};

static int mutex_check_options(const struct nonet_mutex_options *options, uint32_t flags, uint32_t modes,
			       struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the mutex options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~flags || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the mutex options have unknown flags or a reserved field set");
	if (options->mode & ~modes)
		return error_set(reterr, -EINVAL, "the mode %#o of a mutex has more than permission bits",
				 options->mode);
	return 0;
}

void mutex_fill(struct mutex_shared *shared, const struct domain *domain, uint32_t rank, uint32_t flags)
{
	atomic_store_explicit(&shared->claim, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->since, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->since_owner, 0, memory_order_relaxed);
	shared->rank = rank;
	shared->flags = flags;
	shared->domain[0] = domain->id[0];
	shared->domain[1] = domain->id[1];
	shared->layout = MUTEX_LAYOUT;
	shared->reserved = 0;
	atomic_store_explicit(&shared->magic, MUTEX_MAGIC, memory_order_release); /* [MUTEX-MAGIC] */
}

/* What doesn't change is read once. */
static void mutex_know(struct nonet_mutex *mutex, struct mutex_shared *shared)
{
	mutex->shared = shared;
	mutex->rank = shared->rank;
	mutex->recursive = shared->flags & MUTEX_RECURSIVE;
	mutex->plain = mutex->rank == 0 && !mutex->object.traced;
	mutex->rings = mutex->object.map.base;
}

void mutex_inside(struct nonet_mutex *mutex, const struct object *object, struct mutex_shared *shared)
{
	*mutex = (struct nonet_mutex){.object = *object, .shared = shared, .plain = true};
}

static void mutex_fill_payload(const struct object *object, const void *argument)
{
	const struct nonet_mutex_options *options = argument;

	mutex_fill(object->payload, object->domain, options->rank,
		   options->flags & NONET_MUTEX_RECURSIVE ? MUTEX_RECURSIVE : 0);
}

int nonet_mutex_create(const char *address, const struct nonet_mutex_options *options, struct nonet_mutex **ret_mutex,
		       struct nonet_error *reterr)
{
	const uint32_t flags = NONET_MUTEX_MAY_EXIST | NONET_MUTEX_RECURSIVE | NONET_MUTEX_TRACE;
	struct object_make make = {.size = sizeof(struct mutex_shared), .fill = mutex_fill_payload};
	struct nonet_mutex *mutex;
	int error;

	options = options ? options : &mutex_defaults;
	error = mutex_check_options(options, flags, 0777, reterr);
	if (error < 0)
		return error;
	make.mode = options->mode;
	make.traced = options->flags & NONET_MUTEX_TRACE;
	make.may_exist = options->flags & NONET_MUTEX_MAY_EXIST;
	make.argument = options;
	mutex = sys_allocate(sizeof(*mutex));
	if (!mutex)
		return error_set(reterr, -ENOMEM, "no memory for a mutex's handle");
	error = object_create(address, &mutex_kind, &make, &mutex->object, reterr);
	if (error < 0) {
		sys_free(mutex);
		return error;
	}
	mutex_bell_init(mutex);
	mutex_know(mutex, mutex->object.payload);
	*ret_mutex = mutex;
	return 0;
}

int nonet_mutex_open(const char *address, struct nonet_mutex **ret_mutex, struct nonet_error *reterr)
{
	struct nonet_mutex *mutex = sys_allocate(sizeof(*mutex));
	int error;

	if (!mutex)
		return error_set(reterr, -ENOMEM, "no memory for a mutex's handle");
	error = object_open(address, &mutex_kind, &mutex->object, reterr);
	if (error < 0) {
		sys_free(mutex);
		return error;
	}
	mutex_bell_init(mutex);
	mutex_know(mutex, mutex->object.payload);
	*ret_mutex = mutex;
	return 0;
}

struct nonet_mutex *nonet_mutex_close(struct nonet_mutex *mutex)
{
	if (!mutex)
		return NULL;
	mutex_bell_done(mutex);
	if (mutex->object.map.base)
		object_close(&mutex->object);
	else
		sys_free(mutex->object.text);
	return sys_free(mutex);
}

int nonet_mutex_unlink(const char *address, struct nonet_error *reterr)
{
	return object_unlink(address, &mutex_kind, reterr);
}

static int mutex_check_place(const struct mutex_shared *shared, const struct domain *domain, const char *text,
			     struct nonet_error *reterr)
{
	if (!mutex_check(shared, sizeof(*shared)))
		return error_set(reterr, -EPROTO,
				 "there is no mutex of this version of the library at %s; make one with "
				 "NONET_MUTEX_MAKE first",
				 text);
	if (shared->domain[0] != domain->id[0] || shared->domain[1] != domain->id[1])
		return error_set(reterr, -EXDEV,
				 "the mutex at %s was made in another domain than that in %s: its users wouldn't know "
				 "each other",
				 text, domain->path);
	return 0;
}

int nonet_mutex_place(void *place, const char *directory, const struct nonet_mutex_options *options,
		      struct nonet_mutex **ret_mutex, struct nonet_error *reterr)
{
	struct mutex_shared *shared = place;
	struct nonet_mutex *mutex;
	char text[48];
	int error;

	options = options ? options : &mutex_defaults;
	error = mutex_check_options(options, NONET_MUTEX_MAKE | NONET_MUTEX_RECURSIVE, 0, reterr);
	if (error < 0)
		return error;
	if (!place || (uintptr_t)place % NONET_MUTEX_PLACE_SIZE)
		return error_set(reterr, -EINVAL, "a mutex can't be placed at %p: it takes a multiple of %d", place,
				 NONET_MUTEX_PLACE_SIZE);
	snprintf(text, sizeof(text), "the mutex at %p", place);
	mutex = sys_allocate(sizeof(*mutex));
	if (!mutex)
		return error_set(reterr, -ENOMEM, "no memory for a mutex's handle");
	mutex->object.generation = sys_generation();
	mutex_bell_init(mutex);
	mutex->object.text = sys_copy_string(text);
	error = mutex->object.text ? domain_join(directory, true, &mutex->object.domain, reterr)
				   : error_set(reterr, -ENOMEM, "no memory for a mutex's handle");
	if (error == 0 && options->flags & NONET_MUTEX_MAKE)
		mutex_fill(shared, mutex->object.domain, options->rank,
			   options->flags & NONET_MUTEX_RECURSIVE ? MUTEX_RECURSIVE : 0);
	else if (error == 0)
		error = mutex_check_place(shared, mutex->object.domain, text, reterr);
	if (error < 0) {
		nonet_mutex_close(mutex);
		return error;
	}
	mutex_know(mutex, shared);
	*ret_mutex = mutex;
	return 0;
}

int nonet_mutex_look(struct nonet_mutex *mutex, struct nonet_mutex_holder *ret_holder)
{
	struct nonet_mutex_holder holder = {0};
	struct life_owner owner;
	uint64_t seen;
	int error = object_check(&mutex->object);

	if (error < 0)
		return error;
	seen = atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
	if (seen & CLAIM_WAITERS)
		holder.flags |= NONET_MUTEX_HAS_WAITERS;
	if (claim_is_free(seen)) {
		if (claim_state(seen) == MUTEX_GIVEN_UP)
			holder.flags |= NONET_MUTEX_IS_GIVEN_UP;
	} else {
		life_describe(mutex->object.domain, seen, &owner);
		holder.flags |= NONET_MUTEX_IS_HELD | (owner.is_alive ? 0 : NONET_MUTEX_IS_DEAD);
		holder.pid = owner.pid;
		holder.thread = owner.thread;
		holder.member = owner.member;
		memcpy(holder.name, owner.name, sizeof(owner.name));
		/* [MUTEX-SINCE] pair: mutex_note_since() */
		if (atomic_load_explicit(&mutex->shared->since_owner, memory_order_acquire) == (seen & CLAIM_OWNER))
			holder.since = atomic_load_explicit(&mutex->shared->since, memory_order_relaxed);
	}
	/* One in the program's own memory has no header. */
	if (guard_map_is_poisoned(&mutex->object.map) ||
	    (mutex->object.map.base && object_check_shared(&mutex->object) < 0))
		return -EBADMSG;
	*ret_holder = holder;
	return 0;
}

static void mutex_explain_holder(struct nonet_mutex *mutex, int code, struct nonet_error *ret_error)
{
	const char *tail = code == -ETIMEDOUT ? "until the deadline" : "now";
	struct nonet_mutex_holder holder;

	if (nonet_mutex_look(mutex, &holder) < 0 || !(holder.flags & NONET_MUTEX_IS_HELD))
		error_set(ret_error, code, "%s was held by another thread %s; it is free by now", mutex->object.text,
			  code == -ETIMEDOUT ? tail : "then");
	else if (holder.pid)
		error_set(ret_error, code, "%s is held by thread %d of process %d (%s) %s", mutex->object.text,
			  holder.thread, holder.pid, holder.name, tail);
	else
		error_set(ret_error, code, "%s is held by a process of another PID namespace (%s) %s",
			  mutex->object.text, holder.name, tail);
}

static void mutex_explain_deadlock(struct nonet_mutex *mutex, struct nonet_error *ret_error)
{
	const struct domain_ranked *held = rank_in_way(mutex->object.domain, mutex->rank);

	if (held)
		error_set(ret_error, -EDEADLK,
			  "%s has rank %u, and this thread holds %s of rank %u; mutexes with ranks are taken in the "
			  "order "
			  "of their ranks",
			  mutex->object.text, mutex->rank, held->name, held->rank);
	else
		error_set(ret_error, -EDEADLK,
			  "this thread holds %s already; unlock it first, or make it with NONET_MUTEX_RECURSIVE",
			  mutex->object.text);
}

void nonet_mutex_explain(struct nonet_mutex *mutex, int code, struct nonet_error *ret_error)
{
	const char *text = mutex->object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		mutex_explain_holder(mutex, code, ret_error);
		break;
	case -EDEADLK:
		mutex_explain_deadlock(mutex, ret_error);
		break;
	case -EOWNERDEAD:
		error_set(ret_error, code,
			  "%s is held now, but its last owner died with it: put right what it guards, then call "
			  "nonet_mutex_recover()",
			  text);
		break;
	case -ENOTRECOVERABLE:
		error_set(
			ret_error, code,
			"%s was unlocked without nonet_mutex_recover() after its owner had died, so nobody can have it "
			"any more; remove it and make another",
			text);
		break;
	case -EPERM:
		error_set(ret_error, code, "this thread doesn't hold %s; only who has locked it may unlock it", text);
		break;
	case -EINVAL:
		error_set(ret_error, code, "%s has nothing to recover: its last owner didn't die", text);
		break;
	default:
		object_explain(&mutex->object, code, ret_error);
		break;
	}
}
