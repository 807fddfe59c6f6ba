/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_OBJECT_H
#define DOMAIN_OBJECT_H

#include <errno.h>
#include <sys/stat.h>

#include "domain/domain.h"
#include "domain/object_layout.h"
#include "sys/fork.h"

/* Named objects of a domain: what all kinds have in common. */

/* A kind of object. */
struct object_kind {
	enum nonet_scheme scheme;
	uint32_t number;  /* in its header: never changes */
	uint32_t layout;  /* a number that differs when the layout does */
	const char *word; /* "mutex", for sentences and at the end of the file's name */
	bool goes_on;     /* the file is longer than what is mapped; its descriptor is kept */

	/* Whether what another has written can be an object: @size bytes, which may change while it is looked at. */
	bool (*check)(const void *payload, size_t size);
};

struct object;

/* What a new one gets. */
struct object_make {
	size_t size;   /* of the kind's part, in bytes, above 0 */
	uint64_t file; /* how long the file is, if the kind goes on: holes behind the kind's part */
	uint32_t mode; /* 0: 0600 */
	bool traced;
	bool may_exist; /* one that is there is opened */
	/* Fill in the kind's part, @object->payload, which is zeroed; nobody else has it yet. */
	void (*fill)(const struct object *object, const void *argument);
	const void *argument;
};

/* An object that is open. */
struct object {
	const struct object_kind *kind;
	struct domain *domain;
	unsigned generation; /* of the process whose handle it is */
	bool traced;
	bool observed; /* mapped to read, by who isn't a member: object_observe() */
	void *payload;
	size_t size;
	struct guard_map map;
	uint64_t number; /* of its file */
	uint64_t device; /* and the file system that has it */
	int fd;          /* of a kind that goes on, else -1 */
	uint64_t file;   /* how long the file was */
	char *text;      /* its address */
};

/*
 * Make one, or open one that is there. On failure there is nothing that wasn't there before, but maybe the domain.
 *
 * Return: 0, or
 *   -EEXIST      there is one (create)
 *   -ENOENT      there is none (open)
 *   -EINVAL      not an address of this kind
 *   -EPROTO      the file isn't this kind's, or of another version of the library
 *   -EBADMSG     it is damaged
 *   -ESTALE      the domain was removed meanwhile
 *   and as domain_join()
 */
int object_create(const char *address, const struct object_kind *kind, const struct object_make *make,
		  struct object *ret_object, struct nonet_error *reterr);
int object_open(const char *address, const struct object_kind *kind, struct object *ret_object,
		struct nonet_error *reterr);

/*
 * Open one that is open, once more, by its descriptor and not its name, which may be another's by now. Of a kind that
 * goes on; the descriptor was looked at.
 *
 * Return: 0, or -ENOMEM, -EMFILE, -EBADF, -EAGAIN, -ENFILE, -ENODEV
 */
int object_again(const struct object *object, struct object *ret_object);

/*
 * Open one to look at it alone: to read it is all that is needed, and no member sees it. Its domain is observed too: no
 * claim's owner may be asked for, and nothing that would write is called on it but object_poison(), which doesn't.
 *
 * Return: as object_open(), from which domain it comes is checked where that may be known.
 */
int object_observe(const char *address, const struct object_kind *kind, struct object *ret_object,
		   struct nonet_error *reterr);

/* Takes a zeroed one too. */
void object_close(struct object *object);

/* Remove its name; who has it open goes on. */
int object_unlink(const char *address, const struct object_kind *kind, struct nonet_error *reterr);

static inline struct object_header *object_header(const struct object *object)
{
	return (struct object_header *)object->map.base;
}

/* Whether a descriptor's @status is that of the object's file. */
static inline bool object_is_file(const struct object *object, const struct stat *status)
{
	return status->st_ino == object->number && status->st_dev == object->device;
}

/* Whether the handle is this process's, and no hole was found in it: 0, -ECHILD, -EBADMSG. Cheap: for every call. */
static inline int object_check(const struct object *object)
{
	if (__builtin_expect(object->generation != sys_generation(), 0))
		return -ECHILD;
	return __builtin_expect(guard_map_is_poisoned(&object->map), 0) ? -EBADMSG : 0;
}

/* The same for a short path, which calls nothing and so saves no registers: false, ask object_check(). */
static inline bool object_is_surely_fine(const struct object *object)
{
	return __builtin_expect(sys_generation_is_surely(object->generation), 1) &&
	       __builtin_expect(!guard_map_is_poisoned(&object->map), 1);
}

/* Whether the domain was removed, as far as this process has noticed by now: 0, -ESTALE. Cheap. */
static inline int object_check_domain(const struct object *object)
{
	return atomic_load_explicit(&object->domain->removed, memory_order_relaxed) ? -ESTALE : 0;
}

/* What is said to who may not wait: -EAGAIN, unless he would wait for ever, -ESTALE. */
static inline int object_not_now(const struct object *object)
{
	const int error = object_check_domain(object);

	return error < 0 ? error : -EAGAIN;
}

/* What a slow path asks besides: whether a peer found it damaged. 0, -EBADMSG. */
int object_check_shared(const struct object *object);

/* It is damaged: nobody can use it any more; who only looks says so to nobody else. Return: -EBADMSG. */
int object_poison(const struct object *object);

/* What a sleep on the object's memory came to: a page that isn't there, its own or the domain's, was cut off. */
static inline int object_slept(const struct object *object, int result)
{
	const struct domain *domain = object->domain;
	const bool cut_off = object->map.base || (domain && guard_map_is_poisoned(&domain->map));

	return result == -EFAULT && cut_off ? -EBADMSG : result;
}

/* Asleep for a whole interval: whether it is damaged, or its domain was removed. 0, -EBADMSG, -ESTALE. System calls. */
int object_look_around(const struct object *object);

/* What may be wrong with any object, in a sentence; of other codes what the kernel means by them. */
void object_explain(const struct object *object, int code, struct nonet_error *ret_error);

/* Note an operation, if the object was made to. */
void object_note(const struct object *object, uint64_t owner, uint32_t what, uint64_t value);

static inline void object_trace(const struct object *object, uint64_t owner, uint32_t what, uint64_t value)
{
	if (__builtin_expect(object->traced, 0))
		object_note(object, owner, what, value);
}

#endif
