/* SPDX-License-Identifier: Apache-2.0 */
/* Memory without a name: made by memfd_create(2), or received. And its seals. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "guard/room.h"
#include "guard/whole.h"
#include "memory/memory.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/segments.h"

/* Make and map it; on failure the handle is as before. */
static int memfd_make(struct nonet_memory *memory, const struct nonet_memory_options *options, bool huge)
{
	uint64_t length = options->length;
	size_t page = memory->page;
	int fd = sys_memfd("nonet", huge);
	bool is_huge = false;
	int error = 0;

	if (fd < 0)
		return fd;
	if (huge) {
		error = sys_file_page_size(fd, &page, &is_huge);
		/* At most half of what 64 bits hold: no overflow. */
		length = (length + page - 1) & ~(uint64_t)(page - 1);
	}
	if (error == 0)
		error = whole_reserve(fd, 0, length);
	if (error == 0)
		error = guard_map(&memory->map, fd, 0, (size_t)length, memory_how(options), page);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	memory->fd = fd;
	memory->how = memory_how(options);
	memory->page = page;
	memory->huge = is_huge;
	return 0;
}

static int memfd_create_new(struct nonet_memory *memory, const struct nonet_address *address,
			    const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	const bool huge = options->flags & (NONET_MEMORY_HUGE | NONET_MEMORY_HUGE_ONLY);
	char reason[ROOM_REASON_SIZE];
	int error = -EOPNOTSUPP;

	(void)address;
	if (huge)
		error = memfd_make(memory, options, true);
	/* A kernel without hugetlbfs: -ENODEV or -EINVAL. */
	if (error == -ENODEV || error == -EINVAL || error == -ENOENT)
		error = -EOPNOTSUPP;
	if (error < 0 && !(options->flags & NONET_MEMORY_HUGE_ONLY))
		error = memfd_make(memory, options, false);
	else if (error == -ENOMEM)
		error = -ENOSPC;
	if (error < 0)
		return error_set(reterr, error, "can't make %llu bytes of memory%s: %s",
				 (unsigned long long)options->length,
				 options->flags & NONET_MEMORY_HUGE_ONLY
					 ? " of huge pages (/proc/sys/vm/nr_hugepages says how many there are)"
					 : "",
				 room_reason(options->length, error, reason));
	return 0;
}

static int memfd_seals_asked(uint32_t seals)
{
	return (seals & NONET_MEMORY_SEAL_SIZE ? F_SEAL_SHRINK | F_SEAL_GROW : 0) |
	       (seals & NONET_MEMORY_SEAL_WRITERS ? F_SEAL_FUTURE_WRITE : 0) |
	       (seals & NONET_MEMORY_SEAL_CONTENT ? F_SEAL_WRITE : 0) |
	       (seals & NONET_MEMORY_SEAL_SEALS ? F_SEAL_SEAL : 0);
}

/* Look at what was received before it is trusted. */
static int memfd_open(struct nonet_memory *memory, const struct nonet_address *address,
		      const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	const int asked = memfd_seals_asked(options->seals);
	const bool read_only = options->flags & NONET_MEMORY_READ_ONLY;
	const int fd = memory->fd;
	int flags = sys_get_flags(fd);
	int seals = flags < 0 ? flags : flags & O_PATH ? -EINVAL : sys_seals(fd);
	int error = seals < 0 ? seals : sys_file_page_size(fd, &memory->page, &memory->huge);

	(void)address;
	/* Only memory knows seals: tmpfs, hugetlbfs and memfds, fcntl(2). */
	if (error == -EINVAL)
		return error_set(reterr, -ENOTSUP, "descriptor %d isn't shared memory", fd);
	if (error < 0)
		return error_set(reterr, error, "can't look at descriptor %d: %s", fd, error_reason(error));
	/* Whoever can't write at all can't through us: CONTENT is more than WRITERS. */
	if (asked & ~(seals | (seals & F_SEAL_WRITE ? F_SEAL_FUTURE_WRITE : 0)))
		return error_set(reterr, -EPERM,
				 "the memory of descriptor %d hasn't the seals that were asked for: its sender can "
				 "still change it",
				 fd);
	if (!read_only && (flags & O_ACCMODE) != O_RDWR)
		return error_set(reterr, -EACCES, "descriptor %d can only be read: set NONET_MEMORY_READ_ONLY", fd);
	if (!read_only && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return error_set(reterr, -EACCES,
				 "the memory of descriptor %d is sealed against writing: set NONET_MEMORY_READ_ONLY",
				 fd);
	error = memory_file_length(memory, &memory->found);
	if (error < 0)
		return error_set(reterr, error, "can't look at descriptor %d: %s", fd, error_reason(error));
	return 0;
}

/*
 * Nobody may have it mapped for writing when F_SEAL_WRITE is set, and a shared mapping of a descriptor that can write
 * counts, whatever its protection. What can't be changed can as well be mapped privately.
 */
static int memfd_seal_content(struct nonet_memory *memory, int seals)
{
	struct guard_map before = memory->map;
	struct guard_map after = {0};
	int again;
	int error = guard_map(&after, memory->fd, 0, before.length, SYS_MAP_PRIVATE, memory->page);

	if (error < 0)
		return error;
	guard_map_done(&memory->map);
	error = sys_add_seals(memory->fd, seals);
	if (error == 0) {
		memory->map = after;
		memory->how = SYS_MAP_PRIVATE;
		return 0;
	}
	again = guard_map(&memory->map, memory->fd, 0, before.length, memory->how, memory->page);
	if (again < 0) {
		/* No address space for what was there a moment ago: better to be read than gone. */
		memory->map = after;
		memory->how = SYS_MAP_PRIVATE;
		return error;
	}
	guard_map_done(&after);
	return error;
}

int nonet_memory_seal(struct nonet_memory *memory, uint32_t seals)
{
	const int wanted = memfd_seals_asked(seals);
	int error = nonet_memory_check(memory);

	if (error < 0)
		return error;
	if (memory->carrier != &memory_memfd)
		return -EOPNOTSUPP;
	if (seals == 0 || seals & ~(NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_WRITERS | NONET_MEMORY_SEAL_CONTENT |
				    NONET_MEMORY_SEAL_SEALS))
		return -EINVAL;
	/* Ours is no mapping for writing already. */
	if (!(wanted & F_SEAL_WRITE) || memory->how & SYS_MAP_PRIVATE)
		return sys_add_seals(memory->fd, wanted);
	return memfd_seal_content(memory, wanted);
}

const struct memory_carrier memory_memfd = {
	.noun = "a memfd",
	.create = memfd_create_new,
	.open = memfd_open,
	.info = memory_file_info,
	.map = memory_file_map,
};
