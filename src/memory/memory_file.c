/* SPDX-License-Identifier: Apache-2.0 */
/* What the two carriers that are files have in common: mapping, growing, looking. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "guard/whole.h"
#include "memory/memory.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/segments.h"

int memory_file_map(struct nonet_memory *memory, size_t length)
{
	return guard_map(&memory->map, memory->fd, 0, length, memory->how, memory->page);
}

int memory_file_length(const struct nonet_memory *memory, uint64_t *ret_length)
{
	struct stat status;
	int error = sys_stat_fd(memory->fd, &status);

	if (error < 0)
		return error;
	*ret_length = (uint64_t)status.st_size;
	return 0;
}

static uint32_t memory_seals_read(int seals)
{
	const int size = F_SEAL_SHRINK | F_SEAL_GROW;

	return ((seals & size) == size ? NONET_MEMORY_SEAL_SIZE : 0) |
	       (seals & F_SEAL_FUTURE_WRITE ? NONET_MEMORY_SEAL_WRITERS : 0) |
	       (seals & F_SEAL_WRITE ? NONET_MEMORY_SEAL_CONTENT : 0) |
	       (seals & F_SEAL_SEAL ? NONET_MEMORY_SEAL_SEALS : 0);
}

int memory_file_info(const struct nonet_memory *memory, struct nonet_memory_info *ret_info)
{
	struct nonet_memory_info info = {.attached = -1, .id = -1};
	struct stat status;
	int error = sys_stat_fd(memory->fd, &status);
	int seals = error < 0 ? error : sys_seals(memory->fd);

	/* Other file systems that somebody mounted at /dev/shm have no seals: -EINVAL. */
	if (seals < 0 && seals != -EINVAL)
		return seals;
	/* Every file of tmpfs is born sealed against seals; that says nothing of a named one. */
	if (seals > 0 && !memory->path)
		info.seals = memory_seals_read(seals);
	info.length = (uint64_t)status.st_size;
	info.page = memory->page;
	info.mode = status.st_mode & 0777;
	info.uid = status.st_uid;
	info.gid = status.st_gid;
	info.flags = (memory->huge ? NONET_MEMORY_IS_HUGE : 0) |
		     (memory->path && status.st_nlink == 0 ? NONET_MEMORY_IS_REMOVED : 0) |
		     (info.seals ? NONET_MEMORY_IS_SEALED : 0);
	*ret_info = info;
	return 0;
}

/* Map as much as there is, at least what was mapped. */
static int memory_resize(struct nonet_memory *memory, uint64_t length)
{
	int error;

	if (length < memory->map.length) {
		guard_poison(memory->map.guard);
		return -EBADMSG;
	}
	if (length > SIZE_MAX)
		return -EFBIG;
	error = guard_map_resize(&memory->map, memory->fd, 0, (size_t)length, memory->how);
	/* Its kernel's word for an address space that is full. */
	if (error < 0 && guard_map_is_poisoned(&memory->map))
		return -EBADMSG;
	return error;
}

int nonet_memory_refresh(struct nonet_memory *memory)
{
	uint64_t length;
	int error = nonet_memory_check(memory);

	/* A segment's length never changes. */
	if (error < 0 || memory->fd < 0)
		return error;
	error = memory_file_length(memory, &length);
	return error < 0 ? error : memory_resize(memory, length);
}

/* Let those who wait for a change look: the mode becomes what it is. */
static void memory_tell(const struct nonet_memory *memory)
{
	struct stat status;

	if (sys_stat_fd(memory->fd, &status) == 0)
		(void)sys_chmod_fd(memory->fd, status.st_mode & 07777);
}

int nonet_memory_grow(struct nonet_memory *memory, size_t length)
{
	uint64_t now;
	uint64_t wanted = length;
	int error = nonet_memory_check(memory);

	if (error < 0)
		return error;
	if (memory->fd < 0)
		return -EOPNOTSUPP;
	if (!(memory->how & SYS_MAP_WRITE))
		return -EPERM;
	error = memory_file_length(memory, &now);
	if (error < 0)
		return error;
	if (now < memory->map.length || now >= wanted)
		return memory_resize(memory, now);
	/* A large page is there in whole, or not. */
	if (__builtin_add_overflow(wanted, memory->page - 1, &wanted) || wanted > INT64_MAX)
		return -EFBIG;
	wanted = memory->huge ? wanted & ~(uint64_t)(memory->page - 1) : length;
	error = whole_reserve(memory->fd, now, wanted);
	if (error < 0)
		return error;
	/* Of a memfd the kernel tells changes of its mode and truncation, and nothing else (seen on 6.18). */
	if (!memory->path)
		memory_tell(memory);
	/* Somebody may have made it longer still. */
	return nonet_memory_refresh(memory);
}
