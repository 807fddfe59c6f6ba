/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard_map.h"

#include <errno.h>

#include "base/checked.h"
#include "sys/mapping.h"
#include "sys/segments.h"

static bool guard_round(size_t length, size_t page, size_t *ret_rounded)
{
	if (!checked_add_size(length, page - 1, ret_rounded))
		return false;
	*ret_rounded &= ~(page - 1);
	return true;
}

static void guard_unmap(void *base, size_t size)
{
	/* A System V segment of large pages whose size nobody told us; else munmap(2) also takes what was mended. */
	if (sys_unmap(base, size) == -EINVAL)
		(void)sys_shm_detach(base);
}

int guard_map_adopt(struct guard_map *map, void *base, size_t length, bool writable, size_t page)
{
	struct guard_map made = {.base = base, .length = length, .page = page, .writable = writable};
	int error;

	if (!guard_round(length, page, &made.mapped))
		return -EOVERFLOW;
	error = guard_add(base, made.mapped, writable, &made.guard);
	if (error < 0)
		return error;
	*map = made;
	return 0;
}

int guard_map(struct guard_map *map, int fd, int64_t offset, size_t length, unsigned how, size_t page)
{
	size_t rounded;
	void *base;
	int error;

	if (!guard_round(length, page, &rounded))
		return -EOVERFLOW;
	error = sys_map(fd, offset, rounded, how, &base);
	if (error < 0)
		return error;
	error = guard_map_adopt(map, base, length, how & SYS_MAP_WRITE, page);
	if (error < 0)
		guard_unmap(base, rounded);
	return error;
}

int guard_map_resize(struct guard_map *map, int fd, int64_t offset, size_t length, unsigned how)
{
	struct guard_map made = {0};
	void *base = map->base;
	size_t rounded;
	int error = 0;

	if (!guard_round(length, map->page, &rounded))
		return -EOVERFLOW;
	if (rounded != map->mapped) {
		guard_stop(map->guard);
		error = sys_remap(map->base, map->mapped, rounded, true, &base);
		guard_resume(map->guard, base, error < 0 ? map->mapped : rounded, map->writable);
	}
	/*
	 * The kernel doesn't grow mappings of large pages (-EINVAL), nor what advice, mlock(2) or mprotect(2) for a
	 * part has made several mappings of (-EFAULT: mremap(2)): a new one takes the old one's place.
	 */
	if ((error == -EINVAL || error == -EFAULT) && !(how & SYS_MAP_PRIVATE) && !guard_map_is_poisoned(map)) {
		error = guard_map(&made, fd, offset, length, how, map->page);
		if (error == 0) {
			guard_map_done(map);
			*map = made;
		}
		return error;
	}
	if (error < 0)
		return error;
	map->base = base;
	map->mapped = rounded;
	map->length = length;
	return 0;
}

void guard_map_done(struct guard_map *map)
{
	if (!map->base)
		return;
	guard_stop(map->guard);
	guard_unmap(map->base, map->mapped);
	guard_resume(map->guard, NULL, 0, false);
	*map = (struct guard_map){0};
}
