/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_GUARD_MAP_H
#define GUARD_GUARD_MAP_H

#include "guard/guard.h"

/* A mapping and its guard. One thread at a time changes it; any reads @base and @length meanwhile, and touches them. */
struct guard_map {
	void *base; /* NULL: nothing is mapped */
	size_t length;
	size_t mapped; /* the same in whole pages, which can be large */
	size_t page;
	bool writable;
	struct guard *guard;
};

/*
 * Map a file's bytes from @offset (whole pages) on.
 * @how:  SYS_MAP_*
 * @page: the size of the file's pages
 * Return: 0, or -errno, nothing mapped.
 */
int guard_map(struct guard_map *map, int fd, int64_t offset, size_t length, unsigned how, size_t page);

/* Guard what was mapped by other means. */
int guard_map_adopt(struct guard_map *map, void *base, size_t length, bool writable, size_t page);

/*
 * Map more of the file, or less; the base may move. On failure it is as it was.
 * @fd, @offset, @how: as it was mapped
 */
int guard_map_resize(struct guard_map *map, int fd, int64_t offset, size_t length, unsigned how);

/* Unmap. Does nothing if nothing is mapped. */
void guard_map_done(struct guard_map *map);

/* Whether a hole was found in it. */
static inline bool guard_map_is_poisoned(const struct guard_map *map)
{
	return map->guard && guard_is_poisoned(map->guard);
}

#endif
