/* SPDX-License-Identifier: Apache-2.0 */
/* posixshm: a file in /dev/shm, as shm_open(3) of every C library on Linux has it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "guard/room.h"
#include "guard/whole.h"
#include "memory/memory.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/memory.h"

#define POSIX_DIRECTORY "/dev/shm"

/* The name in the directory: an address has its one slash before it. */
static const char *posix_name(const struct nonet_address *address)
{
	return nonet_address_name(address, NULL) + 1;
}

static int posix_directory(void)
{
	return sys_open(POSIX_DIRECTORY, O_PATH | O_DIRECTORY);
}

/* The grammar keeps names far below NAME_MAX. */
struct posix_path {
	char text[sizeof(POSIX_DIRECTORY) + 1 + 255];
};

/* The directory is root's, and sticky: its name leads to one place. */
static void posix_path(const struct nonet_address *address, struct posix_path *ret_path)
{
	size_t size;
	const char *name = nonet_address_name(address, &size);

	/* Its one slash and its NUL with it. */
	memcpy(mempcpy(ret_path->text, POSIX_DIRECTORY, sizeof(POSIX_DIRECTORY) - 1), name, size + 1);
}

static int posix_open_file(const char *path, int flags, uint64_t *ret_length)
{
	struct stat status;
	int fd = sys_open_regular(AT_FDCWD, path, flags | O_NOFOLLOW, &status);

	if (fd >= 0)
		*ret_length = (uint64_t)status.st_size;
	return fd;
}

static int posix_remember(struct nonet_memory *memory, const struct nonet_address *address)
{
	struct posix_path path;

	posix_path(address, &path);
	memory->path = sys_copy_string(path.text);
	return memory->path ? 0 : -ENOMEM;
}

static int posix_refuse(const char *what, const char *text, int error, struct nonet_error *reterr)
{
	if (error == -ENOTSUP)
		return error_set(reterr, error,
				 "can't %s %s: what has the name in " POSIX_DIRECTORY " is no regular file", what,
				 text);
	if (error == -ENOENT)
		return error_set(reterr, error, "can't %s %s: there is none (no file in " POSIX_DIRECTORY ")", what,
				 text);
	if (error == -EPERM)
		return error_set(reterr, error, "can't %s %s: it is another user's", what, text);
	return error_set(reterr, error, "can't %s %s: %s", what, text, error_reason(error));
}

static int posix_open(struct nonet_memory *memory, const struct nonet_address *address,
		      const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	const bool read_only = options->flags & NONET_MEMORY_READ_ONLY;
	int error = posix_remember(memory, address);
	int fd = error < 0 ? error : posix_open_file(memory->path, read_only ? O_RDONLY : O_RDWR, &memory->found);

	if (fd < 0)
		return posix_refuse("open", memory->text, fd, reterr);
	memory->fd = fd;
	return 0;
}

/* Made, mapped, and only then given its name: a peer finds it whole, or not at all. */
static int posix_create_new(struct nonet_memory *memory, const char *name, const struct nonet_memory_options *options)
{
	struct whole whole = {.fd = -1};
	int directory = posix_directory();
	int error = directory;

	if (directory >= 0)
		error = whole_make(&whole, directory, name, options->length, options->mode ? options->mode : 0600,
				   true);
	if (error == 0) {
		memory->fd = whole.fd;
		memory->how = memory_how(options);
		error = memory_file_map(memory, (size_t)options->length);
	}
	if (error == 0)
		error = whole_publish(&whole, name);
	if (error < 0) {
		guard_map_done(&memory->map);
		memory->fd = -1;
		whole_drop(&whole);
	}
	sys_close(&directory);
	return error;
}

static int posix_create_failed(const struct nonet_memory *memory, const struct nonet_memory_options *options, int error,
			       struct nonet_error *reterr)
{
	const unsigned long long length = options->length;
	char reason[ROOM_REASON_SIZE];

	if (error == -EEXIST)
		return error_set_exists(reterr, memory->text);
	if (error == -ENOSPC || error == -EDQUOT)
		return error_set(reterr, error, "no room for the %llu bytes of %s in " POSIX_DIRECTORY ": %s", length,
				 memory->text, error_reason(error));
	if (error == -ENOENT || error == -EPERM)
		return error_set(reterr, error, "can't make %s in " POSIX_DIRECTORY ": %s", memory->text,
				 error_reason(error));
	if (error == -ENOMEM)
		return error_set(reterr, error, "can't make %s of %llu bytes: %s", memory->text, length,
				 room_reason(length, error, reason));
	return posix_refuse("make", memory->text, error, reterr);
}

static int posix_create(struct nonet_memory *memory, const struct nonet_address *address,
			const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	const char *name = posix_name(address);
	struct nonet_error why = {0};
	int tries = MEMORY_TRIES;
	int error;

	if (options->flags & NONET_MEMORY_HUGE_ONLY)
		return error_set(reterr, -EOPNOTSUPP,
				 "%s can't be made of huge pages from the pool: " POSIX_DIRECTORY
				 " has none; nonet_memory_new() and sysvshm: do",
				 memory->text);
	do {
		/* Before the name is there, so that nothing is left to fail after. */
		error = posix_remember(memory, address);
		if (error == 0)
			error = posix_create_new(memory, name, options);
		if (error != -EEXIST || !(options->flags & NONET_MEMORY_EXISTING))
			break;
		memory->path = sys_free(memory->path);
		error = posix_open(memory, address, options, &why);
		if (error == 0)
			return 0;
		memory->path = sys_free(memory->path);
		if (error != -ENOENT) {
			if (reterr)
				*reterr = why;
			return error;
		}
	} while (--tries > 0);
	if (error < 0)
		return posix_create_failed(memory, options, error, reterr);
	/* The kernel's choice, and no harm if it says no. */
	if (options->flags & NONET_MEMORY_HUGE)
		(void)sys_map_advise(memory->map.base, memory->map.mapped, SYS_MAP_HUGE);
	return 0;
}

/* What has the name, if it is shared memory. */
static int posix_look(const struct posix_path *path, struct stat *ret_status)
{
	int error = sys_stat_at(AT_FDCWD, path->text, ret_status);

	return error == 0 && !S_ISREG(ret_status->st_mode) ? -ENOTSUP : error;
}

static int posix_unlink(const struct nonet_address *address, struct nonet_error *reterr)
{
	struct posix_path path;
	struct stat status;
	int error;

	posix_path(address, &path);
	error = posix_look(&path, &status);
	if (error == 0)
		error = sys_unlink_at(AT_FDCWD, path.text);
	return error < 0 ? posix_refuse("remove", nonet_address_text(address), error, reterr) : 0;
}

static int posix_find(const struct nonet_address *address, struct nonet_memory_info *ret_info,
		      struct nonet_error *reterr)
{
	struct posix_path path;
	struct stat status;
	int error;

	posix_path(address, &path);
	error = posix_look(&path, &status);
	if (error < 0)
		return posix_refuse("look at", nonet_address_text(address), error, reterr);
	*ret_info = (struct nonet_memory_info){
		.length = (uint64_t)status.st_size,
		.attached = -1,
		.mode = status.st_mode & 0777,
		.uid = status.st_uid,
		.gid = status.st_gid,
		.id = -1,
	};
	return 0;
}

const struct memory_carrier memory_posix = {
	.noun = "POSIX shared memory",
	.create = posix_create,
	.open = posix_open,
	.unlink = posix_unlink,
	.find = posix_find,
	.info = memory_file_info,
	.map = memory_file_map,
};
