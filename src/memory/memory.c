/* SPDX-License-Identifier: Apache-2.0 */
#include "memory/memory.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "sys/process.h"

/* The same numbers, so that nothing has to be translated. */
_Static_assert((int)NONET_MEMORY_WRITTEN == CHANGE_WRITTEN && (int)NONET_MEMORY_GREW == CHANGE_GREW &&
		       (int)NONET_MEMORY_SHRANK == CHANGE_SHRANK && (int)NONET_MEMORY_REMOVED == CHANGE_REMOVED &&
		       (int)NONET_MEMORY_REPLACED == CHANGE_REPLACED,
	       "changes are guard/change.h's");

#define MEMORY_FLAGS (NONET_MEMORY_READ_ONLY | NONET_MEMORY_EXISTING | NONET_MEMORY_HUGE | NONET_MEMORY_HUGE_ONLY)
#define MEMORY_SEALS \
	(NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_WRITERS | NONET_MEMORY_SEAL_CONTENT | NONET_MEMORY_SEAL_SEALS)

/* The largest length that a file and an address space may have. */
#define MEMORY_LENGTH_MAX ((uint64_t)(PTRDIFF_MAX < INT64_MAX ? PTRDIFF_MAX : INT64_MAX) - (UINT64_C(1) << 30))

static const struct nonet_memory_options memory_no_options = {.size = sizeof(memory_no_options)};

unsigned memory_how(const struct nonet_memory_options *options)
{
	return options->flags & NONET_MEMORY_READ_ONLY ? 0 : SYS_MAP_WRITE;
}

static int memory_check_options(const struct nonet_memory_options *options, bool creating, struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the memory options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~MEMORY_FLAGS || options->seals & ~MEMORY_SEALS || options->reserved[0] ||
	    options->reserved[1])
		return error_set(reterr, -EINVAL, "the memory options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of shared memory has more than permission bits",
				 options->mode);
	if (options->length > MEMORY_LENGTH_MAX)
		return error_set(reterr, -EFBIG, "%llu bytes of shared memory are more than any address space has",
				 (unsigned long long)options->length);
	if (creating && options->length == 0)
		return error_set(reterr, -EINVAL,
				 "shared memory of no length was asked for; set the options' length to 1 byte or more");
	return 0;
}

static int memory_read_address(const char *text, struct nonet_address **ret_address,
			       const struct memory_carrier **ret_carrier, struct nonet_error *reterr)
{
	struct nonet_address *address;
	int error = nonet_address_parse(text, &address, reterr);

	if (error < 0)
		return error;
	switch (nonet_address_scheme(address)) {
	case NONET_SCHEME_POSIXSHM:
		*ret_carrier = &memory_posix;
		break;
	case NONET_SCHEME_SYSVSHM:
		*ret_carrier = &memory_sysv;
		break;
	default:
		nonet_address_free(address);
		return error_set(reterr, -EOPNOTSUPP,
				 "%s names no shared memory; write posixshm:/NAME or sysvshm:KEY (a file is mapped by "
				 "nonet_mapfile_open())",
				 text);
	}
	*ret_address = address;
	return 0;
}

static struct nonet_memory *memory_alloc(const struct memory_carrier *carrier, const char *text)
{
	const size_t size = strlen(text) + 1;
	struct nonet_memory *memory = sys_allocate(sizeof(*memory) + size);

	if (!memory)
		return NULL;
	memcpy(memory->text, text, size);
	memory->carrier = carrier;
	memory->fd = -1;
	memory->id = -1;
	memory->page = (size_t)sys_page_size();
	change_init(&memory->change);
	return memory;
}

/* The length of what was found is what is mapped. */
static int memory_map(struct nonet_memory *memory, const struct nonet_memory_options *options,
		      struct nonet_error *reterr)
{
	int error;

	if (memory->found == 0)
		return error_set(reterr, -ENODATA,
				 "%s is empty: its maker hasn't given it a length yet, or was killed before that",
				 memory->text);
	if (memory->found < options->length)
		return error_set(reterr, -ERANGE,
				 "%s has %llu bytes, but %llu were asked for: it may be another program's object",
				 memory->text, (unsigned long long)memory->found, (unsigned long long)options->length);
	if (memory->found > MEMORY_LENGTH_MAX)
		return error_set(reterr, -EFBIG, "%s has %llu bytes, which no address space holds", memory->text,
				 (unsigned long long)memory->found);
	memory->how = memory_how(options);
	error = memory->carrier->map(memory, (size_t)memory->found);
	if (error < 0)
		return error_set(reterr, error, "can't map the %llu bytes of %s: %s", (unsigned long long)memory->found,
				 memory->text, error_reason(error));
	return 0;
}

/* What create and open share: @make is the carrier's. */
static int memory_make(const char *text, const struct nonet_memory_options *options, bool creating,
		       struct nonet_memory **ret_memory, struct nonet_error *reterr)
{
	const struct memory_carrier *carrier;
	struct nonet_address *address;
	struct nonet_memory *memory;
	int error = memory_check_options(options, creating, reterr);

	if (error == 0)
		error = memory_read_address(text, &address, &carrier, reterr);
	if (error < 0)
		return error;
	memory = memory_alloc(carrier, nonet_address_text(address));
	if (!memory)
		error = error_set(reterr, -ENOMEM, "no memory for the handle of %s", text);
	else if (creating)
		error = carrier->create(memory, address, options, reterr);
	else
		error = carrier->open(memory, address, options, reterr);
	nonet_address_free(address);
	/* A creator has mapped it, before anybody could find it. */
	if (error == 0 && !memory->map.base)
		error = memory_map(memory, options, reterr);
	if (error < 0) {
		nonet_memory_close(memory);
		return error;
	}
	*ret_memory = memory;
	return 0;
}

int nonet_memory_create(const char *address, const struct nonet_memory_options *options,
			struct nonet_memory **ret_memory, struct nonet_error *reterr)
{
	return memory_make(address, options ? options : &memory_no_options, true, ret_memory, reterr);
}

int nonet_memory_open(const char *address, const struct nonet_memory_options *options, struct nonet_memory **ret_memory,
		      struct nonet_error *reterr)
{
	return memory_make(address, options ? options : &memory_no_options, false, ret_memory, reterr);
}

int nonet_memory_new(const struct nonet_memory_options *options, struct nonet_memory **ret_memory,
		     struct nonet_error *reterr)
{
	struct nonet_memory *memory;
	int error;

	if (!options)
		options = &memory_no_options;
	error = memory_check_options(options, true, reterr);
	if (error < 0)
		return error;
	memory = memory_alloc(&memory_memfd, "the memfd");
	if (!memory)
		return error_set(reterr, -ENOMEM, "no memory for the handle of a memfd");
	error = memory_memfd.create(memory, NULL, options, reterr);
	if (error < 0) {
		nonet_memory_close(memory);
		return error;
	}
	*ret_memory = memory;
	return 0;
}

int nonet_memory_take_fd(int *fd, const struct nonet_memory_options *options, struct nonet_memory **ret_memory,
			 struct nonet_error *reterr)
{
	struct nonet_memory *memory;
	int error;

	if (!options)
		options = &memory_no_options;
	error = memory_check_options(options, false, reterr);
	if (error < 0)
		return error;
	memory = memory_alloc(&memory_memfd, "the memory that was received");
	if (!memory)
		return error_set(reterr, -ENOMEM, "no memory for the handle of descriptor %d", *fd);
	memory->fd = *fd;
	error = memory_memfd.open(memory, NULL, options, reterr);
	if (error == 0)
		error = memory_map(memory, options, reterr);
	if (error == 0) {
		error = sys_set_cloexec(*fd);
		if (error < 0)
			error_set(reterr, error, "can't let descriptor %d be closed at exec: %s", *fd,
				  error_reason(error));
	}
	if (error < 0) {
		memory->fd = -1;
		nonet_memory_close(memory);
		return error;
	}
	*fd = -1;
	*ret_memory = memory;
	return 0;
}

struct nonet_memory *nonet_memory_close(struct nonet_memory *memory)
{
	if (!memory)
		return NULL;
	change_done(&memory->change);
	guard_map_done(&memory->map);
	sys_close(&memory->fd);
	sys_free(memory->path);
	return sys_free(memory);
}

int nonet_memory_unlink(const char *text, struct nonet_error *reterr)
{
	const struct memory_carrier *carrier;
	struct nonet_address *address;
	int error = memory_read_address(text, &address, &carrier, reterr);

	if (error < 0)
		return error;
	error = carrier->unlink(address, reterr);
	nonet_address_free(address);
	return error;
}

int nonet_memory_find(const char *text, struct nonet_memory_info *ret_info, struct nonet_error *reterr)
{
	const struct memory_carrier *carrier;
	struct nonet_address *address;
	int error = memory_read_address(text, &address, &carrier, reterr);

	if (error < 0)
		return error;
	error = carrier->find(address, ret_info, reterr);
	nonet_address_free(address);
	return error;
}

void *nonet_memory_base(struct nonet_memory *memory)
{
	return memory->map.base;
}

size_t nonet_memory_length(struct nonet_memory *memory)
{
	return memory->map.length;
}

int nonet_memory_check(struct nonet_memory *memory)
{
	return guard_map_is_poisoned(&memory->map) ? -EBADMSG : 0;
}

int nonet_memory_descriptor(struct nonet_memory *memory)
{
	return memory->fd < 0 ? -EOPNOTSUPP : memory->fd;
}

int nonet_memory_info(struct nonet_memory *memory, struct nonet_memory_info *ret_info)
{
	int error = nonet_memory_check(memory);

	return error < 0 ? error : memory->carrier->info(memory, ret_info);
}

int nonet_memory_changed(struct nonet_memory *memory, nonet_time deadline, uint32_t *ret_changes)
{
	if (memory->fd < 0)
		return -EOPNOTSUPP;
	return change_take(&memory->change, memory->fd, memory->path, memory->map.length, deadline, ret_changes);
}

int nonet_memory_fd(struct nonet_memory *memory)
{
	int error = memory->fd < 0 ? -EOPNOTSUPP : change_watch(&memory->change, memory->fd);

	return error < 0 ? error : memory->change.fd;
}

int nonet_memory_arm(struct nonet_memory *memory)
{
	int fd = nonet_memory_fd(memory);

	return fd < 0 ? fd : change_arm(&memory->change);
}

struct nonet_waitable *nonet_memory_waitable(struct nonet_memory *memory)
{
	return nonet_memory_fd(memory) < 0 ? NULL : &memory->change.waitable;
}
