/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "harness/inventory.h"

static bool malloc_stays_in_heap;

void inventory_keep_malloc_in_heap(void)
{
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_ARENA_MAX, 1);
	malloc_stays_in_heap = true;
}

/* What the process's own machinery maps and unmaps as it likes. */
static bool is_machinery(const char *path)
{
	return path[0] == '[' || strstr(path, ".so.") || strstr(path, "/locale") || strstr(path, "gconv") ||
	       (strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".so") == 0);
}

void inventory_mappings(struct inventory *inventory)
{
	unsigned long long from;
	unsigned long long to;
	char line[4096 + 128];
	char *deleted;
	int path;
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && fgets(line, sizeof(line), maps)) {
		path = 0;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &from, &to, &path) != 2 || path == 0)
			continue;
		deleted = strstr(line + path, " (deleted)");
		if (deleted)
			*deleted = '\0';
		/* The kernel merges neighbours, so only the sum of private memory means anything. */
		if (line[path] == '\0' && malloc_stays_in_heap)
			inventory_add(inventory, INVENTORY_PRIVATE, "", to - from);
		else if (line[path] != '\0' && !is_machinery(line + path))
			inventory_add(inventory, line + path, "", to - from);
	}
	if (maps)
		fclose(maps);
}
