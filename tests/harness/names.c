/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/names.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/inventory.h"

#define NAME_PREFIX "nonet-test-"

struct directory {
	struct directory *next;
	pid_t owner; /* a child has copies, and answers for none */
	char path[PATH_MAX];
};
static struct directory *directories;

const char *test_directory_new_at(const char *file, int line)
{
	const char *base = getenv("TMPDIR");
	struct directory *directory = calloc(1, sizeof(*directory));

	if (!directory)
		test_fail_at(file, line, "no memory for a directory's name");
	snprintf(directory->path, sizeof(directory->path), "%s/" NAME_PREFIX "XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(directory->path))
		test_fail_at(file, line, "no directory %s: %s", directory->path, strerror(errno));
	directory->owner = getpid();
	directory->next = directories;
	directories = directory;
	return directory->path;
}

/* The names in a directory, for a sentence. Return: how many. */
static int list_names(const char *path, char *ret_text, size_t size)
{
	struct dirent *entry;
	size_t filled = 0;
	int count = 0;
	DIR *open_directory = opendir(path);

	ret_text[0] = '\0';
	while (open_directory && (entry = readdir(open_directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (filled < size)
			filled += (size_t)snprintf(ret_text + filled, size - filled, "%s%s", count ? ", " : "",
						   entry->d_name);
		count++;
	}
	if (open_directory)
		closedir(open_directory);
	return count;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

/* Take it off the list and the disk. */
static void directory_remove(struct directory *directory)
{
	struct directory **link = &directories;

	while (*link != directory)
		link = &(*link)->next;
	*link = directory->next;
	nftw(directory->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(directory);
}

void test_directory_free_at(const char *file, int line, const char *path)
{
	struct directory *directory = directories;
	char copy[PATH_MAX];
	char names[512];
	int count;

	if (!path)
		return;
	while (directory && directory->path != path)
		directory = directory->next;
	if (!directory)
		test_fail_at(file, line, "%s is no test directory", path);
	snprintf(copy, sizeof(copy), "%s", path);
	count = list_names(path, names, sizeof(names));
	directory_remove(directory);
	if (count > 0)
		test_fail_at(file, line, "left behind in %s: %s", copy, names);
}

/* What a test forgot: named with what is in it, and removed. */
void inventory_directories(struct inventory *inventory)
{
	struct directory *directory;
	struct directory *next;
	char names[200];
	char what[256];

	for (directory = directories; directory; directory = next) {
		next = directory->next;
		if (directory->owner != getpid())
			continue;
		if (list_names(directory->path, names, sizeof(names)) > 0)
			snprintf(what, sizeof(what), "holding %s", names);
		else
			snprintf(what, sizeof(what), "empty");
		inventory_add(inventory, directory->path, what, 0);
	}
}

void test_directories_abandon(void)
{
	struct directory *directory;
	struct directory *next;

	for (directory = directories; directory; directory = next) {
		next = directory->next;
		if (directory->owner == getpid())
			directory_remove(directory);
	}
}

/* One of four turns of static memory. */
static char *turn(size_t *ret_size)
{
	static char texts[4][PATH_MAX];
	static unsigned int next;

	*ret_size = sizeof(texts[0]);
	return texts[next++ % 4];
}

const char *test_path(const char *directory, const char *name)
{
	size_t size;
	char *text = turn(&size);

	if (snprintf(text, size, "%s/%s", directory, name) >= (int)size)
		test_fail("the path %s/%s is too long", directory, name);
	return text;
}

pid_t test_program(void)
{
	static pid_t program;

	if (program == 0)
		program = getpid();
	return program;
}

const char *test_name(const char *word)
{
	static unsigned int number;
	size_t size;
	char *text = turn(&size);

	snprintf(text, size, NAME_PREFIX "%d-%d-%u-%s", (int)test_program(), (int)getpid(), number++, word);
	return text;
}

bool test_name_is_own(const char *name)
{
	const char *found = strstr(name, NAME_PREFIX);

	return found && strtol(found + strlen(NAME_PREFIX), NULL, 10) == test_program();
}

/* 'N', 16 bits of the process, a number. */
#define KEY_TAG UINT32_C(0x4e000000)

int32_t test_sysv_key(void)
{
	static unsigned int number;

	return (int32_t)(KEY_TAG | ((uint32_t)getpid() & 0xffff) << 8 | (number++ & 0xff));
}

bool test_sysv_key_is_own(int32_t key)
{
	return ((uint32_t)key & ~UINT32_C(0xff)) == (KEY_TAG | ((uint32_t)getpid() & 0xffff) << 8);
}
