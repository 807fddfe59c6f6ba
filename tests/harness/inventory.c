/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/inventory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/names.h"
#include "harness/process.h"

/* Without a limit of its own: a test that leaks more descriptors than any table holds should still be told. */
void inventory_add(struct inventory *inventory, const char *key, const char *what, unsigned long long size)
{
	struct inventory_item *item = (struct inventory_item *)inventory_find(inventory, key);

	if (item) {
		item->size += size;
		return;
	}
	if (inventory->count == inventory->room) {
		inventory->room = inventory->room ? 2 * inventory->room : 32;
		inventory->items = realloc(inventory->items, inventory->room * sizeof(*item));
		if (!inventory->items)
			abort();
	}
	item = &inventory->items[inventory->count++];
	snprintf(item->key, sizeof(item->key), "%s", key);
	snprintf(item->what, sizeof(item->what), "%s", what);
	item->size = size;
}

const struct inventory_item *inventory_find(const struct inventory *inventory, const char *key)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (strcmp(inventory->items[i].key, key) == 0)
			return &inventory->items[i];
	return NULL;
}

void inventory_done(struct inventory *inventory)
{
	free(inventory->items);
	*inventory = (struct inventory){0};
}

void inventory_descriptors(struct inventory *inventory)
{
	char target[256];
	struct dirent *entry;
	char *deleted;
	ssize_t size;
	DIR *directory = opendir("/proc/self/fd");

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
			continue;
		size = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		/* Closed since it was listed, by another thread. */
		if (size <= 0)
			continue;
		target[size] = '\0';
		/* An unlinked file is still the same one. */
		deleted = strstr(target, " (deleted)");
		if (deleted)
			*deleted = '\0';
		inventory_add(inventory, entry->d_name, target, 0);
	}
	if (directory)
		closedir(directory);
}

void inventory_children(struct inventory *inventory)
{
	siginfo_t information;
	pid_t pids[256];
	char path[64];
	char key[32];
	char name[64];
	struct test_activity activity;
	size_t count;

	/* The common case without a look into /proc: no children at all. */
	if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) < 0)
		return;
	count = test_process_children(getpid(), pids, 256);
	for (size_t i = 0; i < count && i < 256; i++) {
		snprintf(key, sizeof(key), "%d", (int)pids[i]);
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pids[i]);
		test_read_file(path, name, sizeof(name));
		test_process_activity(pids[i], &activity);
		strcat(name, activity.state == 'Z' ? ", ended but not reaped" : ", still running");
		inventory_add(inventory, key, name, 0);
	}
	/* /proc/.../children needs CONFIG_PROC_CHILDREN; that there is one is known all the same. */
	if (count == 0)
		inventory_add(inventory, "?", "its number is not known: no /proc/self/task/TID/children", 0);
}

void inventory_threads(struct inventory *inventory)
{
	struct dirent *entry;
	char path[64];
	char name[64];
	DIR *tasks = opendir("/proc/self/task");

	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		test_read_file(path, name, sizeof(name));
		inventory_add(inventory, entry->d_name, name, 0);
	}
	if (tasks)
		closedir(tasks);
}

void inventory_abstract_sockets(struct inventory *inventory)
{
	char line[512];
	char target[64];
	struct dirent *entry;
	unsigned long inode;
	ssize_t size;
	int name;
	FILE *list;
	DIR *directory;
	struct inventory own = {0};

	/* The table is the whole network namespace's; what is this process's own is known by the inodes. */
	directory = opendir("/proc/self/fd");
	while (directory && (entry = readdir(directory))) {
		size = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		if (strncmp(target, "socket:[", 8) == 0)
			inventory_add(&own, target, "", 0);
	}
	if (directory)
		closedir(directory);
	list = own.count > 0 ? fopen("/proc/self/net/unix", "re") : NULL;
	while (list && fgets(line, sizeof(line), list)) {
		name = 0;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %n", &inode, &name) != 1 || name == 0 ||
		    line[name] != '@')
			continue;
		snprintf(target, sizeof(target), "socket:[%lu]", inode);
		if (inventory_find(&own, target))
			inventory_add(inventory, line + name, "", 0);
	}
	if (list)
		fclose(list);
	inventory_done(&own);
}

/* Of a file that isn't whole yet, where the file system can't make one without a name: src/guard/whole.c. */
#define UNFINISHED ".nonet-"

void inventory_shared_names(struct inventory *inventory)
{
	struct dirent *entry;
	DIR *directory = opendir("/dev/shm");

	/* What other programs have there, nonet's own command among them, comes and goes. */
	while (directory && (entry = readdir(directory)))
		if (test_name_is_own(entry->d_name) || strncmp(entry->d_name, UNFINISHED, strlen(UNFINISHED)) == 0)
			inventory_add(inventory, entry->d_name, "", 0);
	if (directory)
		closedir(directory);
}
