/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with the region once it is mapped: growing, writing back, advice. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "base/flat.h"
#include "guard/room.h"
#include "guard/whole.h"
#include "mapfile/mapfile.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/process.h"

static int mapfile_size(const struct nonet_mapfile *mapfile, uint64_t *ret_size)
{
	struct stat status;
	int error = sys_stat_fd(mapfile->fd, &status);

	if (error < 0)
		return error;
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

/* Whether stores reach the file. */
static bool mapfile_writes(const struct nonet_mapfile *mapfile)
{
	return (mapfile->how & (SYS_MAP_WRITE | SYS_MAP_PRIVATE)) == SYS_MAP_WRITE;
}

/* Map the file up to @end, where it ends or a place before. */
static int mapfile_resize(struct nonet_mapfile *mapfile, uint64_t end)
{
	int error;

	if (end < mapfile->offset + mapfile->map.length) {
		guard_poison(mapfile->map.guard);
		return -EBADMSG;
	}
	if (end - mapfile->offset > PTRDIFF_MAX)
		return -EFBIG;
	error = guard_map_resize(&mapfile->map, mapfile->fd, (int64_t)mapfile->offset, (size_t)(end - mapfile->offset),
				 mapfile->how);
	/* A hole was found meanwhile: what the kernel says of a mapping in pieces means nothing. */
	return error < 0 && guard_map_is_poisoned(&mapfile->map) ? -EBADMSG : error;
}

int nonet_mapfile_refresh(struct nonet_mapfile *mapfile)
{
	uint64_t size;
	int error = nonet_mapfile_check(mapfile);

	if (error < 0)
		return error;
	error = mapfile_size(mapfile, &size);
	return error < 0 ? error : mapfile_resize(mapfile, size);
}

FLAT int nonet_mapfile_grow(struct nonet_mapfile *mapfile, size_t length)
{
	uint64_t end;
	uint64_t size;
	int error = nonet_mapfile_check(mapfile);

	if (error < 0)
		return error;
	if (!mapfile_writes(mapfile))
		return -EPERM;
	if (__builtin_add_overflow(mapfile->offset, (uint64_t)length, &end) || end > INT64_MAX)
		return -EFBIG;
	error = mapfile_size(mapfile, &size);
	if (error < 0)
		return error;
	if (size < mapfile->offset + mapfile->map.length)
		return mapfile_resize(mapfile, size);
	if (length <= mapfile->map.length)
		return 0;
	if (size < end) {
		error = whole_reserve(mapfile->fd, size, end);
		if (error == -EOPNOTSUPP)
			error = sys_truncate(mapfile->fd, (off_t)end);
	}
	return error < 0 ? error : mapfile_resize(mapfile, end);
}

/* A range of the region in whole pages; 0, or -EINVAL. */
static int mapfile_range(const struct nonet_mapfile *mapfile, size_t offset, size_t length, void **ret_begin,
			 size_t *ret_size)
{
	const size_t page = mapfile->map.page;
	const size_t begin = offset & ~(page - 1);
	size_t end;

	if (offset > mapfile->map.length || length > mapfile->map.length - offset)
		return -EINVAL;
	end = length ? offset + length : mapfile->map.length;
	*ret_begin = (char *)mapfile->map.base + begin;
	/* The region is mapped in whole pages, so that rounding up stays inside. */
	*ret_size = ((end + page - 1) & ~(page - 1)) - begin;
	return 0;
}

/* That the file can be found after a power failure is written in the directory. */
static int mapfile_sync_name(struct nonet_mapfile *mapfile)
{
	const char *name;
	int place;
	int directory;
	int error;

	if (mapfile->durable)
		return 0;
	place = sys_open_parent(mapfile->path, &name);
	directory = place < 0 ? place : sys_open_at(place, ".", O_RDONLY | O_DIRECTORY);
	error = directory < 0 ? directory : sys_sync_file(directory);
	sys_close(&directory);
	sys_close(&place);
	/* File systems that write no directories out refuse: fsync(2). */
	if (error == -EINVAL)
		error = 0;
	mapfile->durable = error == 0;
	return error;
}

int nonet_mapfile_sync(struct nonet_mapfile *mapfile, size_t offset, size_t length, enum nonet_mapfile_sync how)
{
	void *begin;
	size_t size;
	int error = nonet_mapfile_check(mapfile);

	if (error < 0)
		return error;
	if (how != NONET_MAPFILE_START && how != NONET_MAPFILE_WRITE && how != NONET_MAPFILE_DURABLE)
		return -EINVAL;
	error = mapfile_range(mapfile, offset, length, &begin, &size);
	if (error < 0)
		return error;
	if (!mapfile_writes(mapfile))
		return -EPERM;
	if (size == 0)
		return 0;
	if (how == NONET_MAPFILE_START)
		error = sys_write_start(
			mapfile->fd, (off_t)mapfile->offset + ((char *)begin - (char *)mapfile->map.base), (off_t)size);
	else
		error = sys_map_sync(begin, size);
	if (error == 0 && how == NONET_MAPFILE_DURABLE)
		error = sys_sync_data(mapfile->fd);
	if (error == 0 && how == NONET_MAPFILE_DURABLE)
		error = mapfile_sync_name(mapfile);
	/* Where the file has ended meanwhile there is nothing to write. */
	return error < 0 && guard_map_is_poisoned(&mapfile->map) ? -EBADMSG : error;
}

int nonet_mapfile_advise(struct nonet_mapfile *mapfile, size_t offset, size_t length, enum nonet_mapfile_advice advice)
{
	static const enum sys_map_advice advices[] = {
		[NONET_MAPFILE_NORMAL] = SYS_MAP_NORMAL, [NONET_MAPFILE_SEQUENTIAL] = SYS_MAP_SEQUENTIAL,
		[NONET_MAPFILE_RANDOM] = SYS_MAP_RANDOM, [NONET_MAPFILE_SOON] = SYS_MAP_SOON,
		[NONET_MAPFILE_DONE] = SYS_MAP_DONE,     [NONET_MAPFILE_HUGE] = SYS_MAP_HUGE,
	};
	void *begin;
	size_t size;
	int error = nonet_mapfile_check(mapfile);

	if (error < 0)
		return error;
	if (advice < NONET_MAPFILE_NORMAL || advice > NONET_MAPFILE_HUGE)
		return -EINVAL;
	error = mapfile_range(mapfile, offset, length, &begin, &size);
	if (error < 0)
		return error;
	if (advice == NONET_MAPFILE_DONE && mapfile->how & SYS_MAP_PRIVATE)
		return -EPERM;
	if (size == 0)
		return 0;
	/* A part advised otherwise is a mapping of its own, and what is private couldn't be moved in pieces. */
	if (mapfile->how & SYS_MAP_PRIVATE && advice != NONET_MAPFILE_SOON) {
		begin = mapfile->map.base;
		size = mapfile->map.mapped;
	}
	return sys_map_advise(begin, size, advices[advice]);
}

int nonet_mapfile_info(struct nonet_mapfile *mapfile, struct nonet_mapfile_info *ret_info)
{
	struct stat status;
	int error = nonet_mapfile_check(mapfile);

	if (error == 0)
		error = sys_stat_fd(mapfile->fd, &status);
	if (error < 0)
		return error;
	*ret_info = (struct nonet_mapfile_info){
		.file_size = (uint64_t)status.st_size,
		/* In units of 512, whatever the file system's are: stat(2). */
		.blocks = (uint64_t)status.st_blocks * 512,
		.offset = mapfile->offset,
		.length = mapfile->map.length,
		.flags = status.st_nlink == 0 ? NONET_MAPFILE_IS_REMOVED : 0,
		.mode = status.st_mode & 0777,
		.uid = status.st_uid,
		.gid = status.st_gid,
	};
	return 0;
}

void nonet_mapfile_explain(struct nonet_mapfile *mapfile, int code, struct nonet_error *ret_error)
{
	const char *path = mapfile->path;
	char left[ROOM_REASON_SIZE];

	switch (code) {
	case -EBADMSG:
		error_set(
			ret_error, code,
			"somebody truncated %s, or its file system had no block for it: zeros stand for what is gone; "
			"close it, and open what is there now",
			path);
		return;
	case -EPERM:
		error_set(ret_error, code,
			  mapfile_writes(mapfile)
				  ? "%s may not be changed so (chattr(1), or the file system's own rules)"
				  : "%s is mapped for reading alone, or privately: stores don't reach it",
			  path);
		return;
	case -EINVAL:
		error_set(ret_error, code, "a bad argument for %s, or a range outside of the %zu bytes that are mapped",
			  path, mapfile->map.length);
		return;
	case -EAGAIN:
		error_set(ret_error, code, "nothing happened to %s so far, or too much memory is locked", path);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "nothing happened to %s before the deadline", path);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "the handle of %s is the parent's, and so is what it waits by: open it in this process",
			  path);
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor left for %s: RLIMIT_NOFILE is reached, or "
			  "/proc/sys/fs/inotify/max_user_instances",
			  path);
		return;
	case -ENOSPC:
		error_set(ret_error, code,
			  "no room for %s, or (for a wait) /proc/sys/fs/inotify/max_user_watches is reached", path);
		return;
	case -ENOMEM:
		error_set(ret_error, code,
			  "no memory, or no address space, for %s as long as that; of memory there can be had now %s",
			  path, room_left(left));
		return;
	case -EIO:
		error_set(ret_error, code,
			  "the device of %s has failed: what was stored since the last sync may be lost", path);
		return;
	default:
		error_set(ret_error, code, "%s: %s", path, error_reason(code));
		return;
	}
}
