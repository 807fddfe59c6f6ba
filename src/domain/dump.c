/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/dump.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sys/look.h"

/* The first byte of what a file of proc(5) says of @key; 0: nothing. */
static char dump_look(const char *path, const char *key)
{
	struct sys_lines lines;
	const char *value = NULL;
	char found = 0;

	if (sys_lines_open(AT_FDCWD, path, &lines) < 0)
		return 0;
	while (!value && sys_lines_next(&lines) > 0) {
		value = sys_lines_value(&lines, key);
		found = value ? value[0] : 0;
	}
	sys_lines_close(&lines);
	return found;
}

/*
 * The kernel says "CoreDumping: 1" before the other threads have left their system calls, which may write to memory.
 * Then each waits for the dump's end, idle; no system call ever sleeps like that. The one that is left dumps, and only
 * reads.
 */
bool dump_is_written(pid_t pid)
{
	struct sys_directory tasks;
	const char *name;
	unsigned char type;
	unsigned busy = 0;
	char path[64];
	int result;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if (dump_look(path, "CoreDumping") != '1')
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	if (sys_directory_open(AT_FDCWD, path, &tasks) < 0)
		return false;
	while ((result = sys_directory_next(&tasks, &name, &type)) > 0 && busy < 2) {
		char state;

		snprintf(path, sizeof(path), "/proc/%ld/task/%.16s/status", (long)pid, name);
		state = dump_look(path, "State");
		/* Idle, a zombie, dead; 0: gone. */
		busy += state && !strchr("IZX", state);
	}
	sys_directory_close(&tasks);
	return result >= 0 && busy < 2;
}
