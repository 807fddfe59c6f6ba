/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "domain/life.h"
#include "sync/rank.h"
#include "sync/rwlock.h"
#include "sys/memory.h"

/* Locks of readers and writers as objects: making and opening them; who holds one. */

#define READERS 128u /* unless the maker says how many */

static bool rwlock_number_is_right(uint32_t number)
{
	return number >= RWLOCK_PLACES_MIN && number <= RWLOCK_PLACES_MAX && (number & (number - 1)) == 0;
}

static size_t rwlock_size(uint32_t number)
{
	return sizeof(struct rwlock_shared) + number * sizeof(uint64_t);
}

static bool rwlock_check(const void *payload, size_t size)
{
	const struct rwlock_shared *shared = payload;

	/* [RWLOCK-MAGIC] pair: rwlock_fill(), whose stores came before. */
	return size >= sizeof(*shared) && atomic_load_explicit(&shared->magic, memory_order_acquire) == RWLOCK_MAGIC &&
	       shared->layout == RWLOCK_LAYOUT;
}

static const struct object_kind rwlock_kind = {
	.scheme = NONET_SCHEME_RWLOCK,
	.number = RWLOCK_KIND,
	.layout = RWLOCK_LAYOUT,
	.word = "rwlock",
	.check = rwlock_check,
};

static const struct nonet_rwlock_options rwlock_defaults = {.size = sizeof(rwlock_defaults)};

static int rwlock_check_options(const struct nonet_rwlock_options *options, struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the rwlock options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~(NONET_RWLOCK_MAY_EXIST | NONET_RWLOCK_TRACE) || options->reserved[0] ||
	    options->reserved[1] || options->reserved[2])
		return error_set(reterr, -EINVAL, "the rwlock options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of an rwlock has more than permission bits",
				 options->mode);
	if (options->readers && !rwlock_number_is_right(options->readers))
		return error_set(reterr, -EINVAL,
				 "an rwlock can't be for %u readers at once: it takes a power of two from %u to %u",
				 options->readers, RWLOCK_PLACES_MIN, RWLOCK_PLACES_MAX);
	return 0;
}

static void rwlock_fill(const struct object *object, const void *argument)
{
	const struct nonet_rwlock_options *options = argument;
	struct rwlock_shared *shared = object->payload;

	/* The rest is zeroed: nobody reads or writes. */
	shared->rank = options->rank;
	shared->number = options->readers ? options->readers : READERS;
	shared->layout = RWLOCK_LAYOUT;
	atomic_store_explicit(&shared->magic, RWLOCK_MAGIC, memory_order_release); /* [RWLOCK-MAGIC] */
}

/* What doesn't change is read once. The number bounds what we look at: it follows from the size of what is mapped. */
static int rwlock_know(struct nonet_rwlock *rwlock, struct nonet_error *reterr)
{
	struct rwlock_shared *shared = rwlock->object.payload;
	const size_t number = (rwlock->object.size - sizeof(*shared)) / sizeof(uint64_t);

	if (number > RWLOCK_PLACES_MAX || !rwlock_number_is_right((uint32_t)number) || shared->number != number ||
	    rwlock_size((uint32_t)number) != rwlock->object.size)
		return error_set(reterr, -EBADMSG,
				 "%s is damaged: a member wrote over it, or cut it off; remove it and make another",
				 rwlock->object.text);
	rwlock->shared = shared;
	rwlock->number = (uint32_t)number;
	rwlock->strides = (unsigned)__builtin_ctz(rwlock->number / RWLOCK_LINE);
	rwlock->rank = shared->rank;
	rwlock->plain = rwlock->rank == 0 && !rwlock->object.traced;
	return 0;
}

/* With @make to make it with, else it is opened. */
static int rwlock_new(const char *address, const struct object_make *make, struct nonet_rwlock **ret_rwlock,
		      struct nonet_error *reterr)
{
	struct nonet_rwlock *rwlock = sys_allocate(sizeof(*rwlock));
	int error;

	if (!rwlock)
		return error_set(reterr, -ENOMEM, "no memory for an rwlock's handle");
	error = make ? object_create(address, &rwlock_kind, make, &rwlock->object, reterr)
		     : object_open(address, &rwlock_kind, &rwlock->object, reterr);
	if (error < 0) {
		sys_free(rwlock);
		return error;
	}
	rwlock_bells_init(rwlock);
	error = rwlock_know(rwlock, reterr);
	if (error < 0) {
		nonet_rwlock_close(rwlock);
		return error;
	}
	*ret_rwlock = rwlock;
	return 0;
}

int nonet_rwlock_create(const char *address, const struct nonet_rwlock_options *options,
			struct nonet_rwlock **ret_rwlock, struct nonet_error *reterr)
{
	struct object_make make = {.fill = rwlock_fill};
	int error;

	options = options ? options : &rwlock_defaults;
	error = rwlock_check_options(options, reterr);
	if (error < 0)
		return error;
	make.size = rwlock_size(options->readers ? options->readers : READERS);
	make.mode = options->mode;
	make.traced = options->flags & NONET_RWLOCK_TRACE;
	make.may_exist = options->flags & NONET_RWLOCK_MAY_EXIST;
	make.argument = options;
	return rwlock_new(address, &make, ret_rwlock, reterr);
}

int nonet_rwlock_open(const char *address, struct nonet_rwlock **ret_rwlock, struct nonet_error *reterr)
{
	return rwlock_new(address, NULL, ret_rwlock, reterr);
}

struct nonet_rwlock *nonet_rwlock_close(struct nonet_rwlock *rwlock)
{
	if (!rwlock)
		return NULL;
	rwlock_bells_done(rwlock);
	object_close(&rwlock->object);
	return sys_free(rwlock);
}

int nonet_rwlock_unlink(const char *address, struct nonet_error *reterr)
{
	return object_unlink(address, &rwlock_kind, reterr);
}

static void rwlock_describe(const struct nonet_rwlock *rwlock, uint64_t claim, uint32_t flags,
			    struct nonet_rwlock_holder *ret_holder)
{
	struct nonet_rwlock_holder holder = {.flags = flags};
	struct life_owner owner;

	life_describe(rwlock->object.domain, claim, &owner);
	if (!owner.is_alive)
		holder.flags |= NONET_RWLOCK_IS_DEAD;
	if (claim & CLAIM_WAITERS)
		holder.flags |= NONET_RWLOCK_HAS_WAITERS;
	holder.pid = owner.pid;
	holder.thread = owner.thread;
	holder.member = owner.member;
	memcpy(holder.name, owner.name, sizeof(owner.name));
	*ret_holder = holder;
}

static void rwlock_describe_writer(const struct nonet_rwlock *rwlock, uint64_t claim,
				   struct nonet_rwlock_holder *ret_holder)
{
	const struct rwlock_shared *shared = rwlock->shared;
	const bool waits = claim_state(claim) & RWLOCK_INTENT;

	rwlock_describe(rwlock, claim, waits ? NONET_RWLOCK_WAITS_TO_WRITE : NONET_RWLOCK_WRITES, ret_holder);
	/* [RWLOCK-SINCE] pair: rwlock_note_since() */
	if (atomic_load_explicit(&shared->since_owner, memory_order_acquire) == (claim & CLAIM_OWNER))
		ret_holder->since = atomic_load_explicit(&shared->since, memory_order_relaxed);
}

int nonet_rwlock_look(struct nonet_rwlock *rwlock, struct nonet_rwlock_holder *ret_holders, size_t capacity,
		      size_t *ret_number)
{
	const struct rwlock_shared *shared = rwlock->shared;
	size_t number = 0;
	uint64_t claim;
	int error = object_check(&rwlock->object);

	if (error < 0)
		return error;
	if (!ret_holders && capacity > 0)
		return -EINVAL;
	claim = atomic_load_explicit(&shared->claim, memory_order_relaxed);
	if (claim_is_free(claim) && claim_state(claim) == RWLOCK_GIVEN_UP)
		return -ENOTRECOVERABLE;
	if (guard_map_is_poisoned(&rwlock->object.map) || object_check_shared(&rwlock->object) < 0)
		return -EBADMSG;
	if (!claim_is_free(claim)) {
		if (number < capacity)
			rwlock_describe_writer(rwlock, claim, &ret_holders[number]);
		number++;
	}
	for (uint32_t place = 0; place < rwlock->number; place++) {
		const uint64_t reader = atomic_load_explicit(&shared->places[place], memory_order_relaxed);

		/* An upgrader is told of once. */
		if (claim_is_free(reader) || (!claim_is_free(claim) && rwlock_owns(reader, claim)))
			continue;
		if (number < capacity)
			rwlock_describe(rwlock, reader, NONET_RWLOCK_READS, &ret_holders[number]);
		number++;
	}
	*ret_number = number;
	return 0;
}
