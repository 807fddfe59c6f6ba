/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/error.h"
#include "domain/member.h"
#include "guard/whole.h"
#include "sys/backing.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "sys/process.h"

/* So often others may make and remove it between our finding it and opening it, before we say so. */
#define TURNS 64

/* An address, and the domain and file that it means. */
struct object_place {
	struct nonet_address *address;
	const char *text;
	struct domain *domain;
	bool observed;
	int directory;
	char file[ADDRESS_OBJECT_MAX + 16];
};

static int object_read_address(struct object_place *place, const char *address, const struct object_kind *kind,
			       struct nonet_error *reterr)
{
	int error = nonet_address_parse(address, &place->address, reterr);

	if (error < 0)
		return error;
	place->text = nonet_address_text(place->address);
	place->observed = false;
	if (nonet_address_scheme(place->address) != kind->scheme) {
		error_set(reterr, -EINVAL, "%s isn't the address of a %s; write %s", place->text, kind->word,
			  address_example(kind->scheme));
		place->address = nonet_address_free(place->address);
		return -EINVAL;
	}
	snprintf(place->file, sizeof(place->file), "%s.%s", nonet_address_name(place->address, NULL), kind->word);
	return 0;
}

static int object_place(struct object_place *place, const char *address, const struct object_kind *kind, bool make,
			struct nonet_error *reterr)
{
	int error = object_read_address(place, address, kind, reterr);

	if (error < 0)
		return error;
	error = domain_join(nonet_address_directory(place->address), make, &place->domain, reterr);
	if (error == 0) {
		error = domain_directory(place->domain, &place->directory);
		if (error < 0)
			error_set(reterr, error, "can't get at %s: the domain's directory: %s", place->text,
				  error_reason(error));
	}
	if (error < 0)
		place->address = nonet_address_free(place->address);
	return error;
}

/* Who only looks may not be let into the domain, and so can't know which it is. */
static bool object_is_of(const struct object *object, const struct domain *domain)
{
	const struct object_header *header = object_header(object);

	if (object->observed && domain->id[0] == 0 && domain->id[1] == 0)
		return true;
	return header->domain[0] == domain->id[0] && header->domain[1] == domain->id[1];
}

static bool object_header_is_right(const struct object *object, size_t length)
{
	const struct object_header *header = object_header(object);
	/* [OBJECT-MAGIC] pair: object_fill(), whose stores came before. */
	const uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);

	return magic == OBJECT_MAGIC && header->version == OBJECT_VERSION && header->kind == object->kind->number &&
	       header->layout == object->kind->layout && header->size == length - OBJECT_PAYLOAD;
}

/* All that another wrote is looked at here, once; later it is data, never a bound. */
static int object_check_file(struct object *object, size_t length, struct nonet_error *reterr)
{
	const struct object_header *header = object_header(object);

	if (!object_header_is_right(object, length))
		return error_set(reterr, -EPROTO,
				 "the file of %s isn't a %s's of this version of the library; use the same version, or "
				 "remove it",
				 object->text, object->kind->word);
	if (!object_is_of(object, object->domain))
		return error_set(reterr, -EXDEV,
				 "%s was made in another domain: its file was copied or moved here; remove it",
				 object->text);
	if (atomic_load_explicit(&header->poisoned, memory_order_relaxed) || guard_map_is_poisoned(&object->map) ||
	    (object->kind->check && !object->kind->check(object->payload, object->size)))
		return error_set(reterr, -EBADMSG,
				 "%s is damaged: a member wrote over it, or cut it off; remove it and make another",
				 object->text);
	object->traced = header->flags & OBJECT_TRACED;
	return 0;
}

static int object_map(struct object *object, int fd, size_t length)
{
	const unsigned how = object->observed ? 0 : SYS_MAP_WRITE;
	int error = guard_map(&object->map, fd, 0, length, how, DOMAIN_PAGE);

	if (error < 0)
		return error;
	(void)sys_map_advise(object->map.base, object->map.mapped, SYS_MAP_NOT_DUMPED);
	object->payload = (char *)object->map.base + OBJECT_PAYLOAD;
	object->size = length - OBJECT_PAYLOAD;
	return 0;
}

/* How much of the file is to be mapped; 0: it isn't an object's. */
static int object_measure(const struct object *object, int fd, uint64_t *ret_length)
{
	uint64_t size;
	int count;

	*ret_length = object->file;
	if (!object->kind->goes_on)
		return 0;
	count = sys_read_at(fd, &size, sizeof(size), offsetof(struct object_header, size));
	if (count < 0)
		return count;
	if (count != sizeof(size) || object->file < OBJECT_PAYLOAD || size > object->file - OBJECT_PAYLOAD)
		*ret_length = 0;
	else
		*ret_length = OBJECT_PAYLOAD + size;
	return 0;
}

/* Another wrote it: nothing is believed. */
static int object_attach(struct object *object, int fd, struct nonet_error *reterr)
{
	struct stat status;
	uint64_t length = 0;
	int error = sys_stat_fd(fd, &status);

	if (error == 0 && S_ISREG(status.st_mode)) {
		object->file = (uint64_t)status.st_size;
		error = object_measure(object, fd, &length);
	}
	if (error < 0)
		return error_set(reterr, error, "can't look at %s: %s", object->text, error_reason(error));
	if (length <= OBJECT_PAYLOAD || length > SIZE_MAX)
		return error_set(reterr, -EPROTO, "the file of %s isn't a %s's; remove it", object->text,
				 object->kind->word);
	object->number = status.st_ino;
	object->device = status.st_dev;
	error = object_map(object, fd, (size_t)length);
	if (error < 0)
		return error_set(reterr, error, "can't map %s: %s", object->text, error_reason(error));
	return object_check_file(object, (size_t)length, reterr);
}

/* Not yet in the list of what the member has open. */
static int object_new(struct object *object, const struct object_place *place, const struct object_kind *kind,
		      struct nonet_error *reterr)
{
	*object = (struct object){
		.kind = kind,
		.domain = place->domain,
		.generation = sys_generation(),
		.observed = place->observed,
	};
	object->fd = -1;
	object->text = sys_copy_string(place->text);
	return object->text ? 0 : error_set(reterr, -ENOMEM, "no memory for a handle of %s", place->text);
}

/* A daemon may have closed what it doesn't know, and something else has the number since. */
static bool object_has_file(const struct object *object)
{
	struct stat status;

	return object->number == 0 || sys_stat_fd(object->fd, &status) < 0 || object_is_file(object, &status);
}

static void object_drop(struct object *object)
{
	guard_map_done(&object->map);
	if (object->kind->goes_on && object->fd >= 0 && object_has_file(object))
		sys_close(&object->fd);
	object->text = sys_free(object->text);
	object->domain = NULL;
}

/* The descriptor, where the kind needs it. */
static void object_keep(struct object *object, int *fd, int error)
{
	if (error < 0 || !object->kind->goes_on) {
		sys_close(fd);
		return;
	}
	object->fd = *fd;
	*fd = -1;
}

static int object_open_place(const struct object_place *place, const struct object_kind *kind, struct object *object,
			     struct nonet_error *reterr)
{
	int error;
	const int access = place->observed ? O_RDONLY : O_RDWR;
	int fd = sys_open_at(place->directory, place->file, access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd == -ENOENT)
		return error_set(reterr, fd, "there is no %s", place->text);
	if (fd < 0)
		return error_set(reterr, fd, "can't open %s: %s", place->text, error_reason(fd));
	error = object_new(object, place, kind, reterr);
	if (error == 0)
		error = object_attach(object, fd, reterr);
	object_keep(object, &fd, error);
	if (error < 0)
		object_drop(object);
	return error;
}

static void object_fill(const struct object *object, const struct object_make *make)
{
	struct object_header *header = object_header(object);

	header->version = OBJECT_VERSION;
	header->kind = object->kind->number;
	header->layout = object->kind->layout;
	header->flags = make->traced ? OBJECT_TRACED : 0;
	header->size = make->size;
	header->domain[0] = object->domain->id[0];
	header->domain[1] = object->domain->id[1];
	header->made = sys_clock_real();
	make->fill(object, make->argument);
	atomic_store_explicit(&header->magic, OBJECT_MAGIC, memory_order_release); /* [OBJECT-MAGIC] */
}

static int object_create_place(const struct object_place *place, const struct object_kind *kind,
			       const struct object_make *make, struct object *object, struct nonet_error *reterr)
{
	const size_t length = OBJECT_PAYLOAD + make->size;
	struct whole whole;
	struct stat status;
	int fd;
	int error = whole_make(&whole, place->directory, place->file, length, make->mode ? make->mode : 0600, true);

	if (error == -EEXIST)
		return error_set_exists(reterr, place->text);
	if (error < 0)
		return error_set(reterr, error, "can't make %s: %s", place->text, error_reason(error));
	fd = whole.fd;
	error = object_new(object, place, kind, reterr);
	if (error == 0) {
		object->file = make->file;
		error = sys_stat_fd(fd, &status);
		if (error == 0 && make->file > length)
			error = sys_truncate(fd, (off_t)make->file);
		if (error == 0)
			error = object_map(object, fd, length);
		if (error == 0) {
			object->number = status.st_ino;
			object->device = status.st_dev;
			object->traced = make->traced;
			object_fill(object, make);
			error = whole_publish(&whole, place->file);
		}
		if (error == -EEXIST)
			error_set_exists(reterr, place->text);
		else if (error < 0)
			error_set(reterr, error, "can't make %s: %s", place->text, error_reason(error));
	}
	if (error < 0) {
		whole_drop(&whole);
		object_drop(object);
		return error;
	}
	object_keep(object, &fd, 0);
	return 0;
}

int object_create(const char *address, const struct object_kind *kind, const struct object_make *make,
		  struct object *ret_object, struct nonet_error *reterr)
{
	struct object_place place;
	struct object object;
	int error = object_place(&place, address, kind, true, reterr);

	if (error < 0)
		return error;
	error = -ENOENT;
	for (int turn = 0; turn < TURNS && error == -ENOENT; turn++) {
		error = object_create_place(&place, kind, make, &object, reterr);
		if (error == -EEXIST && make->may_exist)
			error = object_open_place(&place, kind, &object, reterr);
	}
	if (error == -ENOENT)
		error = error_set(reterr, -EAGAIN, "can't make %s: others make and remove it all the time", place.text);
	if (error == 0) {
		domain_member_adds(object.domain, object.number);
		*ret_object = object;
	}
	nonet_address_free(place.address);
	return error;
}

int object_open(const char *address, const struct object_kind *kind, struct object *ret_object,
		struct nonet_error *reterr)
{
	struct object_place place;
	struct object object;
	int error = object_place(&place, address, kind, false, reterr);

	if (error < 0)
		return error;
	error = object_open_place(&place, kind, &object, reterr);
	if (error == 0) {
		domain_member_adds(object.domain, object.number);
		*ret_object = object;
	}
	nonet_address_free(place.address);
	return error;
}

int object_again(const struct object *object, struct object *ret_object)
{
	struct object again = {
		.kind = object->kind,
		.domain = object->domain,
		.generation = sys_generation(),
		.traced = object->traced,
		.number = object->number,
		.device = object->device,
		.file = object->file,
		.fd = sys_duplicate(object->fd),
	};
	int error = again.fd < 0 ? again.fd : 0;

	if (error == 0) {
		again.text = sys_copy_string(object->text);
		error = again.text ? object_map(&again, again.fd, OBJECT_PAYLOAD + object->size) : -ENOMEM;
	}
	if (error < 0) {
		object_drop(&again);
		return error;
	}
	domain_member_adds(again.domain, again.number);
	*ret_object = again;
	return 0;
}

int object_observe(const char *address, const struct object_kind *kind, struct object *ret_object,
		   struct nonet_error *reterr)
{
	struct object_place place;
	struct object object;
	int error = object_read_address(&place, address, kind, reterr);

	if (error < 0)
		return error;
	place.observed = true;
	error = domain_observe(nonet_address_directory(place.address), &place.domain, reterr);
	if (error == 0) {
		place.directory = atomic_load_explicit(&place.domain->directory, memory_order_relaxed);
		error = object_open_place(&place, kind, &object, reterr);
		if (error < 0)
			domain_unobserve(place.domain);
		else
			*ret_object = object;
	}
	nonet_address_free(place.address);
	return error;
}

void object_close(struct object *object)
{
	struct domain *domain = object->domain;

	if (!domain)
		return;
	/* In a child the member isn't we. */
	if (!object->observed && object->generation == sys_generation())
		domain_member_removes(domain, object->number);
	object_drop(object);
	if (object->observed)
		domain_unobserve(domain);
}

int object_unlink(const char *address, const struct object_kind *kind, struct nonet_error *reterr)
{
	struct object_place place;
	int error = object_read_address(&place, address, kind, reterr);

	if (error < 0)
		return error;
	/* Not as a member: a name can be removed from a domain that is gone, full, or another version's. */
	error = domain_find_directory(nonet_address_directory(place.address), &place.directory, reterr);
	if (error == 0) {
		error = sys_unlink_at(place.directory, place.file);
		sys_close(&place.directory);
		if (error == -ENOENT)
			error_set(reterr, error, "there is no %s", place.text);
		else if (error < 0)
			error_set(reterr, error, "can't remove %s: %s", place.text, error_reason(error));
	}
	nonet_address_free(place.address);
	return error;
}

int object_check_shared(const struct object *object)
{
	return atomic_load_explicit(&object_header(object)->poisoned, memory_order_relaxed) ? -EBADMSG : 0;
}

int object_look_around(const struct object *object)
{
	int error = object_check_shared(object);
	int fd;

	if (error < 0)
		return error;
	error = domain_open_again(object->domain, &fd);
	if (error == 0)
		sys_close(&fd);
	/* Where nobody can be asked now, for want of descriptors, say, all may be well. */
	return error == -ESTALE ? error : 0;
}

void object_explain(const struct object *object, int code, struct nonet_error *ret_error)
{
	switch (code) {
	case -ECHILD:
		error_set(ret_error, code, "this handle of %s is the parent process's; a child opens its own",
			  object->text);
		break;
	case -EBADMSG:
		error_set(ret_error, code, "%s is damaged: a member wrote over it, or cut it off; remove it",
			  object->text);
		break;
	case -ESTALE:
		error_set(ret_error, code,
			  "the domain of %s was removed, so others may have another by this name; end the processes "
			  "that use it, and start them again",
			  object->text);
		break;
	default:
		error_set(ret_error, code, "%s: %s", object->text, error_reason(code));
		break;
	}
}

int object_poison(const struct object *object)
{
	if (!object->observed)
		atomic_store_explicit(&object_header(object)->poisoned, 1, memory_order_relaxed);
	return -EBADMSG;
}

void object_note(const struct object *object, uint64_t owner, uint32_t what, uint64_t value)
{
	struct object_header *header = object_header(object);
	const uint32_t number = atomic_fetch_add_explicit(&header->traced, 1, memory_order_relaxed);
	struct object_trace *trace = &header->trace[number % OBJECT_TRACE];

	atomic_store_explicit(&trace->owner, 0, memory_order_relaxed);
	atomic_store_explicit(&trace->when, sys_clock_real(), memory_order_relaxed);
	atomic_store_explicit(&trace->what, what, memory_order_relaxed);
	atomic_store_explicit(&trace->pid, (int32_t)sys_process_id(), memory_order_relaxed);
	atomic_store_explicit(&trace->value, value, memory_order_relaxed);
	/* [TRACE-OWNER] Whoever sees the owner sees the rest, unless the ring has come round meanwhile. */
	atomic_store_explicit(&trace->owner, owner, memory_order_release);
}
