/* SPDX-License-Identifier: Apache-2.0 */
#include "mapfile/mapfile.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "guard/room.h"
#include "guard/whole.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "sys/process.h"

/* The same numbers, so that nothing has to be translated. */
_Static_assert((int)NONET_MAPFILE_WRITTEN == CHANGE_WRITTEN && (int)NONET_MAPFILE_GREW == CHANGE_GREW &&
		       (int)NONET_MAPFILE_SHRANK == CHANGE_SHRANK && (int)NONET_MAPFILE_REMOVED == CHANGE_REMOVED &&
		       (int)NONET_MAPFILE_REPLACED == CHANGE_REPLACED,
	       "changes are guard/change.h's");

#define MAPFILE_FLAGS (NONET_MAPFILE_READ_ONLY | NONET_MAPFILE_PRIVATE | NONET_MAPFILE_EXISTING)

/* The largest offset and length that a file and an address space may have. */
#define MAPFILE_MAX ((uint64_t)INT64_MAX / 2)

static const struct nonet_mapfile_options mapfile_no_options = {.size = sizeof(mapfile_no_options)};

/* How often a name that comes and goes is tried: each time somebody else made or removed it in between. */
#define MAPFILE_TRIES 100

static int mapfile_check_options(const struct nonet_mapfile_options *options, bool creating, struct nonet_error *reterr)
{
	const unsigned long long page = (unsigned long long)sys_page_size();

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the mapfile options' size is %u, but this library's are of %zu bytes", options->size,
				 sizeof(*options));
	if (options->flags & ~MAPFILE_FLAGS || options->reserved0 || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the mapfile options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a file has more than permission bits",
				 options->mode);
	if (options->offset % page != 0)
		return error_set(
			reterr, -EINVAL,
			"the offset %llu is no multiple of the page size, %llu: map from %llu on, and look %llu "
			"bytes into it",
			(unsigned long long)options->offset, page,
			(unsigned long long)(options->offset - options->offset % page),
			(unsigned long long)(options->offset % page));
	if (options->offset > MAPFILE_MAX || options->length > MAPFILE_MAX)
		return error_set(reterr, -EFBIG, "a region of %llu bytes at %llu is beyond the end of any file",
				 (unsigned long long)options->length, (unsigned long long)options->offset);
	if (!creating)
		return 0;
	if (options->length == 0)
		return error_set(reterr, -EINVAL,
				 "a file of no length was asked for; set the options' length to 1 byte or more");
	if (options->flags & NONET_MAPFILE_PRIVATE)
		return error_set(
			reterr, -EINVAL,
			"what is stored in a PRIVATE mapping never reaches the file: open a file that there is");
	return 0;
}

static unsigned mapfile_how(const struct nonet_mapfile_options *options)
{
	return (options->flags & NONET_MAPFILE_READ_ONLY ? 0 : SYS_MAP_WRITE) |
	       (options->flags & NONET_MAPFILE_PRIVATE ? SYS_MAP_PRIVATE : 0);
}

static struct nonet_mapfile *mapfile_alloc(const char *path, const struct nonet_mapfile_options *options)
{
	struct nonet_mapfile *mapfile = sys_allocate(sizeof(*mapfile));

	if (!mapfile)
		return NULL;
	mapfile->fd = -1;
	mapfile->how = mapfile_how(options);
	mapfile->offset = options->offset;
	change_init(&mapfile->change);
	mapfile->path = sys_copy_string(path);
	return mapfile->path ? mapfile : sys_free(mapfile);
}

static int mapfile_open_file(const char *path, unsigned how, struct stat *ret_status)
{
	const bool to_write = how & SYS_MAP_WRITE && !(how & SYS_MAP_PRIVATE);

	return sys_open_regular(AT_FDCWD, path, to_write ? O_RDWR : O_RDONLY, ret_status);
}

/* @block: the file's st_blksize, or 0: it wasn't asked for. */
static int mapfile_map(struct nonet_mapfile *mapfile, uint64_t length, blksize_t block)
{
	bool huge;
	size_t page = (size_t)sys_page_size();
	int error = 0;

	/* Large pages are the blocks of their file system, so that one with smaller blocks needn't be asked. */
	if (block == 0 || (size_t)block > page)
		error = sys_file_page_size(mapfile->fd, &page, &huge);
	if (error < 0)
		return error;
	if (length > PTRDIFF_MAX)
		return -EFBIG;
	return guard_map(&mapfile->map, mapfile->fd, (int64_t)mapfile->offset, (size_t)length, mapfile->how, page);
}

static int mapfile_open_into(struct nonet_mapfile *mapfile, const struct nonet_mapfile_options *options,
			     struct nonet_error *reterr)
{
	const unsigned long long offset = options->offset;
	const char *path = mapfile->path;
	unsigned long long length = options->length;
	unsigned long long size;
	struct stat status;
	int error;
	int fd = mapfile_open_file(path, mapfile->how, &status);

	if (fd == -ENOTSUP)
		return error_set(reterr, fd, "can't map %s: it is no regular file", path);
	if (fd < 0)
		return error_set(reterr, fd, "can't open %s: %s", path, error_reason(fd));
	mapfile->fd = fd;
	size = (unsigned long long)status.st_size;
	if (size <= offset)
		return error_set(reterr, -ENODATA,
				 "there is nothing to map: %s has %llu bytes, and the region begins at %llu", path,
				 size, offset);
	if (length > size - offset)
		return error_set(reterr, -ERANGE, "%s ends at %llu, before the end of the region at %llu", path, size,
				 offset + length);
	if (length == 0)
		length = size - offset;
	error = mapfile_map(mapfile, length, status.st_blksize);
	if (error < 0)
		return error_set(reterr, error, "can't map %llu bytes of %s: %s", length, path, error_reason(error));
	return 0;
}

/* Made, mapped, and only then given its name: another process finds it whole, or not at all. */
static int mapfile_create_new(struct nonet_mapfile *mapfile, const struct nonet_mapfile_options *options)
{
	struct whole whole = {.fd = -1};
	const char *name;
	int directory = sys_open_parent(mapfile->path, &name);
	int error = directory;

	if (directory >= 0)
		error = whole_make(&whole, directory, name, options->offset + options->length,
				   options->mode ? options->mode : 0600, false);
	if (error == 0) {
		mapfile->fd = whole.fd;
		error = mapfile_map(mapfile, options->length, 0);
	}
	if (error == 0)
		error = whole_publish(&whole, name);
	if (error < 0) {
		guard_map_done(&mapfile->map);
		mapfile->fd = -1;
		whole_drop(&whole);
	}
	sys_close(&directory);
	return error;
}

static int mapfile_create_into(struct nonet_mapfile *mapfile, const struct nonet_mapfile_options *options,
			       struct nonet_error *reterr)
{
	const unsigned long long size = options->offset + options->length;
	struct nonet_error why = {0};
	int tries = MAPFILE_TRIES;
	char reason[ROOM_REASON_SIZE];
	int error;

	do {
		error = mapfile_create_new(mapfile, options);
		if (error != -EEXIST || !(options->flags & NONET_MAPFILE_EXISTING))
			break;
		error = mapfile_open_into(mapfile, options, &why);
		if (error == 0)
			return 0;
		if (error != -ENOENT) {
			if (reterr)
				*reterr = why;
			return error;
		}
	} while (--tries > 0);
	if (error == -EEXIST)
		return error_set_exists(reterr, mapfile->path);
	if (error == -ENOSPC || error == -EDQUOT)
		return error_set(reterr, error, "no room for the %llu bytes of %s: %s", size, mapfile->path,
				 error_reason(error));
	if (error < 0)
		return error_set(reterr, error, "can't make %s of %llu bytes: %s", mapfile->path, size,
				 room_reason(size, error, reason));
	return 0;
}

static int mapfile_make(const char *path, const struct nonet_mapfile_options *options, bool creating,
			struct nonet_mapfile **ret_mapfile, struct nonet_error *reterr)
{
	struct nonet_mapfile *mapfile;
	int error;

	if (!options)
		options = &mapfile_no_options;
	error = mapfile_check_options(options, creating, reterr);
	if (error < 0)
		return error;
	mapfile = mapfile_alloc(path, options);
	if (!mapfile)
		return error_set(reterr, -ENOMEM, "no memory for the handle of %s", path);
	error = creating ? mapfile_create_into(mapfile, options, reterr) : mapfile_open_into(mapfile, options, reterr);
	if (error < 0) {
		nonet_mapfile_close(mapfile);
		return error;
	}
	*ret_mapfile = mapfile;
	return 0;
}

int nonet_mapfile_create(const char *path, const struct nonet_mapfile_options *options,
			 struct nonet_mapfile **ret_mapfile, struct nonet_error *reterr)
{
	return mapfile_make(path, options, true, ret_mapfile, reterr);
}

int nonet_mapfile_open(const char *path, const struct nonet_mapfile_options *options,
		       struct nonet_mapfile **ret_mapfile, struct nonet_error *reterr)
{
	return mapfile_make(path, options, false, ret_mapfile, reterr);
}

struct nonet_mapfile *nonet_mapfile_close(struct nonet_mapfile *mapfile)
{
	if (!mapfile)
		return NULL;
	change_done(&mapfile->change);
	guard_map_done(&mapfile->map);
	sys_close(&mapfile->fd);
	sys_free(mapfile->path);
	return sys_free(mapfile);
}

int nonet_mapfile_unlink(const char *path, struct nonet_error *reterr)
{
	const char *name;
	struct stat status;
	int directory = sys_open_parent(path, &name);
	int error = directory < 0 ? directory : sys_stat_at(directory, name, &status);

	if (error == 0)
		error = S_ISREG(status.st_mode) ? sys_unlink_at(directory, name) : -ENOTSUP;
	sys_close(&directory);
	if (error == -ENOTSUP)
		return error_set(reterr, error, "%s is no regular file, and stays", path);
	if (error < 0)
		return error_set(reterr, error, "can't remove %s: %s", path, error_reason(error));
	return 0;
}

void *nonet_mapfile_base(struct nonet_mapfile *mapfile)
{
	return mapfile->map.base;
}

size_t nonet_mapfile_length(struct nonet_mapfile *mapfile)
{
	return mapfile->map.length;
}

int nonet_mapfile_check(struct nonet_mapfile *mapfile)
{
	return guard_map_is_poisoned(&mapfile->map) ? -EBADMSG : 0;
}

int nonet_mapfile_changed(struct nonet_mapfile *mapfile, nonet_time deadline, uint32_t *ret_changes)
{
	return change_take(&mapfile->change, mapfile->fd, mapfile->path, mapfile->offset + mapfile->map.length,
			   deadline, ret_changes);
}

int nonet_mapfile_fd(struct nonet_mapfile *mapfile)
{
	int error = change_watch(&mapfile->change, mapfile->fd);

	return error < 0 ? error : mapfile->change.fd;
}

int nonet_mapfile_arm(struct nonet_mapfile *mapfile)
{
	int fd = nonet_mapfile_fd(mapfile);

	return fd < 0 ? fd : change_arm(&mapfile->change);
}

struct nonet_waitable *nonet_mapfile_waitable(struct nonet_mapfile *mapfile)
{
	return nonet_mapfile_fd(mapfile) < 0 ? NULL : &mapfile->change.waitable;
}
