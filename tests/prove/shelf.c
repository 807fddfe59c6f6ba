/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prove/run.h"

#define PAGE 4096

/* One page of a file that has bytes. */
struct page {
	off_t offset;
	unsigned char bytes[PAGE];
};

struct leaf {
	char name[256];
	ino_t inode;
	mode_t mode;
	off_t size;
	struct page *pages;
	size_t count;
};

struct prove_shelf {
	char directory[64];
	struct leaf *leaves;
	size_t count;
};

static void *grown(void *array, size_t count, size_t size)
{
	/* To the next power of two, whenever the last one is full. */
	if (count & (count - 1))
		return array;
	array = realloc(array, (count ? count * 2 : 1) * size);
	if (!array)
		prove_broken("no memory");
	return array;
}

/* Call @each for each name in @directory; objects have no folders. A name that goes meanwhile is passed over. */
static void walk(const char *directory, void (*each)(int fd, const char *name, const struct stat *stat, void *argument),
		 void *argument)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	struct stat stat;

	if (!stream)
		prove_broken("%s: %s", directory, strerror(errno));
	while ((entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    fstatat(dirfd(stream), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
			each(dirfd(stream), entry->d_name, &stat, argument);
	closedir(stream);
}

/*
 * The next page with bytes from @offset on, or -1. [lseek(2)] SEEK_DATA finds pages that exist: what was never
 * touched isn't looked at, so that a file of 140 MB costs what is used of it.
 */
static off_t next_page(int fd, off_t offset, off_t size)
{
	off_t found = offset < size ? lseek(fd, offset, SEEK_DATA) : -1;

	return found < 0 ? -1 : found & ~(off_t)(PAGE - 1);
}

static size_t read_page(int fd, off_t offset, unsigned char *ret_bytes)
{
	ssize_t size = pread(fd, ret_bytes, PAGE, offset);

	if (size < 0)
		prove_broken("pread: %s", strerror(errno));
	memset(ret_bytes + size, 0, PAGE - (size_t)size);
	return (size_t)size;
}

static void shelve(int fd, const char *name, const struct stat *stat, void *argument)
{
	struct prove_shelf *shelf = argument;
	struct leaf *leaf;
	int file;

	shelf->leaves = grown(shelf->leaves, shelf->count, sizeof(*leaf));
	leaf = &shelf->leaves[shelf->count++];
	*leaf = (struct leaf){.inode = stat->st_ino, .mode = stat->st_mode, .size = stat->st_size};
	snprintf(leaf->name, sizeof(leaf->name), "%s", name);
	if (!S_ISREG(stat->st_mode))
		return;
	file = openat(fd, name, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		prove_broken("%s: %s", name, strerror(errno));
	for (off_t at = next_page(file, 0, leaf->size); at >= 0; at = next_page(file, at + PAGE, leaf->size)) {
		leaf->pages = grown(leaf->pages, leaf->count, sizeof(*leaf->pages));
		leaf->pages[leaf->count].offset = at;
		read_page(file, at, leaf->pages[leaf->count++].bytes);
	}
	close(file);
}

struct prove_shelf *prove_shelf_new(const char *directory)
{
	struct prove_shelf *shelf = calloc(1, sizeof(*shelf));

	if (!shelf)
		prove_broken("no memory");
	snprintf(shelf->directory, sizeof(shelf->directory), "%s", directory);
	walk(directory, shelve, shelf);
	return shelf;
}

struct prove_shelf *prove_shelf_free(struct prove_shelf *shelf)
{
	if (!shelf)
		return NULL;
	for (size_t i = 0; i < shelf->count; i++)
		free(shelf->leaves[i].pages);
	free(shelf->leaves);
	free(shelf);
	return NULL;
}

static void must_write(int fd, const void *bytes, off_t offset, size_t size)
{
	if (pwrite(fd, bytes, size, offset) != (ssize_t)size)
		prove_broken("pwrite: %s", strerror(errno));
}

static void restore_bytes(int fd, const struct leaf *leaf)
{
	unsigned char now[PAGE];
	size_t i = 0;
	off_t at;

	for (at = next_page(fd, 0, leaf->size); at >= 0; at = next_page(fd, at + PAGE, leaf->size)) {
		size_t size = read_page(fd, at, now);

		for (; i < leaf->count && leaf->pages[i].offset < at; i++) /* became a hole */
			must_write(fd, leaf->pages[i].bytes, leaf->pages[i].offset, PAGE);
		if (i == leaf->count || leaf->pages[i].offset > at) { /* was one */
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE) < 0)
				prove_broken("fallocate: %s", strerror(errno));
			continue;
		}
		if (memcmp(leaf->pages[i].bytes, now, size) != 0)
			must_write(fd, leaf->pages[i].bytes, at, size);
		i++;
	}
	for (; i < leaf->count; i++)
		must_write(fd, leaf->pages[i].bytes, leaf->pages[i].offset, PAGE);
}

/* A FIFO keeps bytes too. */
static void drain(int fd)
{
	unsigned char bytes[PAGE];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static bool restore_leaf(int directory, const struct leaf *leaf)
{
	struct stat stat;
	bool same;
	int fd;

	if (!S_ISREG(leaf->mode) && !S_ISFIFO(leaf->mode))
		return fstatat(directory, leaf->name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && stat.st_ino == leaf->inode;
	fd = openat(directory, leaf->name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	same = fstat(fd, &stat) == 0 && stat.st_ino == leaf->inode && stat.st_size >= leaf->size;
	if (same && S_ISFIFO(leaf->mode))
		drain(fd);
	if (same && S_ISREG(leaf->mode)) {
		if (stat.st_size > leaf->size && ftruncate(fd, leaf->size) < 0)
			prove_broken("ftruncate: %s", strerror(errno));
		if (stat.st_mode != leaf->mode)
			fchmod(fd, leaf->mode & 07777);
		restore_bytes(fd, leaf);
	}
	close(fd);
	return same;
}

static void remove_new(int fd, const char *name, const struct stat *stat, void *argument)
{
	const struct prove_shelf *shelf = argument;

	for (size_t i = 0; i < shelf->count; i++)
		if (strcmp(shelf->leaves[i].name, name) == 0)
			return;
	unlinkat(fd, name, S_ISDIR(stat->st_mode) ? AT_REMOVEDIR : 0);
}

bool prove_shelf_restore(const struct prove_shelf *shelf)
{
	int fd = open(shelf->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool whole = fd >= 0;

	for (size_t i = 0; i < shelf->count && whole; i++)
		whole = restore_leaf(fd, &shelf->leaves[i]);
	if (fd >= 0)
		close(fd);
	walk(shelf->directory, remove_new, (void *)shelf);
	return whole;
}

/* FNV-1a's mixing, eight bytes at a time, with what it lacks: high bits that come down. */
static void mix(uint64_t *hash, const void *bytes, size_t size)
{
	uint64_t word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		word = 0;
		memcpy(&word, (const char *)bytes + i, size - i < sizeof(word) ? size - i : sizeof(word));
		*hash = (*hash ^ word) * 0x9e3779b97f4a7c15ull;
		*hash ^= *hash >> 29;
	}
}

static void hash_leaf(int directory, const char *name, const struct stat *stat, void *argument)
{
	unsigned char bytes[PAGE];
	uint64_t hash = stat->st_mode;
	int fd;

	mix(&hash, name, strlen(name));
	mix(&hash, &stat->st_size, sizeof(stat->st_size));
	fd = S_ISREG(stat->st_mode) ? openat(directory, name, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		for (off_t at = next_page(fd, 0, stat->st_size); at >= 0;
		     at = next_page(fd, at + PAGE, stat->st_size)) {
			mix(&hash, &at, sizeof(at));
			mix(&hash, bytes, read_page(fd, at, bytes));
		}
		close(fd);
	}
	*(uint64_t *)argument += hash; /* whatever the order of the names */
}

uint64_t prove_shelf_hash(const char *directory)
{
	uint64_t hash = 0;

	walk(directory, hash_leaf, &hash);
	return hash;
}

static void remove_one(int fd, const char *name, const struct stat *stat, void *argument)
{
	(void)argument;
	unlinkat(fd, name, S_ISDIR(stat->st_mode) ? AT_REMOVEDIR : 0);
}

void prove_shelf_empty(const char *directory)
{
	walk(directory, remove_one, NULL);
}
