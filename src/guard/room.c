/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/mapping.h"
#include "sys/memory.h"

/*
 * The two hierarchies that a host may have, mounted where every distribution and container has them. In a container
 * that sees the host's paths, but its own group alone, the path isn't there; its parents are walked up to the mount,
 * which then is the container's group.
 */
struct room_hierarchy {
	const char *root;
	const char *limit, *used;
	const char *swap_limit, *swap_used;
	bool swap_with_memory; /* these two count memory and swap together */
	/* Lines of memory.stat: what is given back before anybody is killed. */
	const char *stats[3];
};

/* What a process uses is charged to the memory controller of one of them. */
static const struct room_hierarchy room_unified =
					   {
						   .root = "/sys/fs/cgroup",
						   .limit = "memory.max",
						   .used = "memory.current",
						   .swap_limit = "memory.swap.max",
						   .swap_used = "memory.swap.current",
						   .stats = {"active_file ", "inactive_file ", "slab_reclaimable "},
},
				   room_legacy = {
					   .root = "/sys/fs/cgroup/memory",
					   .limit = "memory.limit_in_bytes",
					   .used = "memory.usage_in_bytes",
					   .swap_limit = "memory.memsw.limit_in_bytes",
					   .swap_used = "memory.memsw.usage_in_bytes",
					   .swap_with_memory = true,
					   .stats = {"total_active_file ", "total_inactive_file ", NULL},
};

/* "max", or what no machine has: no limit. */
#define ROOM_NO_LIMIT ((uint64_t)1 << 60)

/* The number in a small file; ROOM_NO_LIMIT also where there is none. */
static uint64_t room_number(int group, const char *name)
{
	uint64_t number = ROOM_NO_LIMIT;
	char *text;

	if (sys_read_text(group, name, &text) < 0)
		return number;
	if (text[0] >= '0' && text[0] <= '9')
		number = strtoull(text, NULL, 10);
	sys_free(text);
	return number < ROOM_NO_LIMIT ? number : ROOM_NO_LIMIT;
}

static uint64_t room_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t room_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the group's pages are that the kernel can take back: files that are on disks, too. */
static uint64_t room_given_back(int group, const struct room_hierarchy *hierarchy)
{
	struct sys_lines lines;
	uint64_t sum = 0;

	if (sys_lines_open(group, "memory.stat", &lines) < 0)
		return 0;
	while (sys_lines_next(&lines) == 1) {
		for (size_t i = 0; i < sizeof(hierarchy->stats) / sizeof(hierarchy->stats[0]); i++) {
			const char *name = hierarchy->stats[i];

			if (name && strncmp(lines.line, name, strlen(name)) == 0)
				sum += strtoull(lines.line + strlen(name), NULL, 10);
		}
	}
	sys_lines_close(&lines);
	return sum;
}

/* Narrow @room by one group; @swap: what the machine has free of it. */
static void room_look_at(int group, const char *path, const struct room_hierarchy *hierarchy, uint64_t swap,
			 struct room *room)
{
	const uint64_t limit = room_number(group, hierarchy->limit);
	const size_t length = strlen(path);
	uint64_t used, given_back, swap_limit, bytes;

	/* Without a limit of memory there may be one of both, but nobody sets it so. */
	if (limit == ROOM_NO_LIMIT)
		return;
	used = room_number(group, hierarchy->used);
	if (used == ROOM_NO_LIMIT)
		return;
	given_back = room_least(room_given_back(group, hierarchy), used);
	swap_limit = room_number(group, hierarchy->swap_limit);
	bytes = room_less(limit, used - given_back);
	if (hierarchy->swap_with_memory) {
		bytes += swap;
		if (swap_limit < ROOM_NO_LIMIT)
			bytes = room_least(
				bytes,
				room_less(swap_limit, room_less(room_number(group, hierarchy->swap_used), given_back)));
	} else {
		if (swap_limit < ROOM_NO_LIMIT)
			swap = room_least(swap, room_less(swap_limit, room_number(group, hierarchy->swap_used)));
		bytes += swap;
	}
	if (bytes >= room->bytes)
		return;
	room->bytes = bytes;
	room->file = hierarchy->limit;
	room->limit = limit;
	room->kept = used - given_back;
	snprintf(room->group, sizeof(room->group), "%s",
		 length == 0 ? "/" : path + (length < sizeof(room->group) ? 0 : length - sizeof(room->group) + 1));
}

/*
 * @path as /proc has it, beginning with a slash; it is cut up. Of a group outside of our namespace it begins with /.. :
 * nothing is found there, and the root that we see is what is left.
 */
static void room_look_up(char *path, const struct room_hierarchy *hierarchy, uint64_t swap, struct room *room)
{
	int root = sys_open(hierarchy->root, O_PATH | O_DIRECTORY);
	int group;

	if (root < 0)
		return;
	for (;;) {
		char *slash = strrchr(path, '/');

		if (slash && slash[1] == '\0') {
			*slash = '\0';
			continue;
		}
		group = sys_open_at(root, path[0] ? path + 1 : ".", O_PATH | O_DIRECTORY);
		if (group >= 0)
			room_look_at(group, path, hierarchy, swap, room);
		sys_close(&group);
		if (!slash)
			break;
		*slash = '\0';
	}
	sys_close(&root);
}

/* Whether "4:cpu,memory:/path" names the controller of memory. */
static bool room_is_memory(const char *controllers, size_t size)
{
	static const char name[] = "memory";
	const size_t length = sizeof(name) - 1;

	for (const char *at = controllers; (size_t)(at - controllers) + length <= size; at++) {
		const size_t after = (size_t)(at - controllers) + length;

		if ((at == controllers || at[-1] == ',') && (after == size || at[length] == ',') &&
		    memcmp(at, name, length) == 0)
			return true;
	}
	return false;
}

static void room_look_at_groups(uint64_t swap, struct room *room)
{
	char *text;
	char *unified = NULL;
	char *legacy = NULL;
	char *save;

	/* Of this thread: the main thread may have ended. */
	if (sys_read_text(AT_FDCWD, "/proc/thread-self/cgroup", &text) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path || path[1] != '/')
			continue;
		if (path == controllers + 1)
			unified = path + 1;
		else if (room_is_memory(controllers + 1, (size_t)(path - controllers - 1)))
			legacy = path + 1;
	}
	if (legacy)
		room_look_up(legacy, &room_legacy, swap, room);
	else if (unified)
		room_look_up(unified, &room_unified, swap, room);
	sys_free(text);
}

struct room room_look(void)
{
	struct room room = {.bytes = UINT64_MAX};
	uint64_t available;
	uint64_t swap = 0;

	if (sys_memory_available(&available, &swap) == 0)
		room.bytes = available + swap;
	room_look_at_groups(swap, &room);
	return room;
}

/* Page tables, and the tree in which a file keeps its pages, are charged as well: 1/512, and 1/450. */
static uint64_t room_needed(uint64_t length)
{
	return length + length / 128;
}

int room_check(uint64_t length)
{
	if (length < ROOM_LEAST)
		return 0;
	return room_needed(length) <= room_look().bytes ? 0 : -ENOMEM;
}

int room_check_file(int fd, uint64_t length)
{
	if (length < ROOM_LEAST || sys_file_is_in_memory(fd) != 1)
		return 0;
	return room_check(length);
}

const char *room_reason(uint64_t length, int error, char buffer[ROOM_REASON_SIZE])
{
	struct room room;

	if (error != -ENOMEM || length < ROOM_LEAST)
		return error_reason(error);
	room = room_look();
	if (room_needed(length) <= room.bytes)
		return error_reason(error);
	if (room.group[0])
		snprintf(buffer, ROOM_REASON_SIZE,
			 "the control group %s may have %llu bytes of memory (%s) and keeps %llu, and beyond that "
			 "processes are killed; ask for less, or raise its limit",
			 room.group, (unsigned long long)room.limit, room.file, (unsigned long long)room.kept);
	else
		snprintf(buffer, ROOM_REASON_SIZE,
			 "the machine has %llu bytes of memory and swap to give (MemAvailable and SwapFree in "
			 "/proc/meminfo), and beyond that processes are killed; ask for less",
			 (unsigned long long)room.bytes);
	return buffer;
}

const char *room_left(char buffer[ROOM_REASON_SIZE])
{
	const struct room room = room_look();

	if (room.bytes == UINT64_MAX)
		return "an unknown number of bytes";
	snprintf(buffer, ROOM_REASON_SIZE, "%llu bytes%s%s%s%s%s", (unsigned long long)room.bytes,
		 room.group[0] ? ", as the control group " : "", room.group, room.group[0] ? " may have no more (" : "",
		 room.group[0] ? room.file : "", room.group[0] ? ")" : "");
	return buffer;
}
