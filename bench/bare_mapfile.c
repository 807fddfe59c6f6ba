/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A file in /dev/shm, so that no device's time hides what the calls cost. What is done with it: made and removed;
 * mapped and unmapped; made longer page by page; written back.
 */

struct bare_mapfile {
	char path[64];
	int fd; /* -1: not open */
	uint8_t *base;
	size_t length;
};

/*
 * Growing begins again when it is so many times its first length: often enough for each slice to have all lengths,
 * whose mappings aren't moved at the same cost.
 */
#define BARE_MAPFILE_STEPS 32

static void bare_mapfile_unmap(struct bare_mapfile *own)
{
	if (own->fd < 0)
		return;
	munmap(own->base, own->length);
	close(own->fd);
	own->fd = -1;
}

static int bare_mapfile_map_whole(struct bare_mapfile *own)
{
	struct stat status;
	int fd = bare_open_regular(own->path, 0, &status);

	if (fd < 0)
		return fd;
	own->fd = fd;
	own->base = MAP_FAILED;
	if (status.st_size > 0) {
		own->length = (size_t)status.st_size;
		own->base = mmap(NULL, own->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (own->base != MAP_FAILED)
		return 0;
	close(fd);
	own->fd = -1;
	return -EIO;
}

static void bare_mapfile_close(void *end)
{
	struct bare_mapfile *own = end;

	if (!own)
		return;
	bare_mapfile_unmap(own);
	unlink(own->path);
	free(own);
}

static int bare_mapfile_new(struct bare_mapfile **ret_own)
{
	struct bare_mapfile *own = calloc(1, sizeof(*own));

	if (!own)
		return -ENOMEM;
	own->fd = -1;
	snprintf(own->path, sizeof(own->path), "/dev/shm/bare-bench-XXXXXX");
	*ret_own = own;
	return 0;
}

/* Only a name. */
static int bare_mapfile_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_mapfile *own = NULL;
	int error = bare_mapfile_new(&own);

	(void)size;
	if (!error)
		snprintf(own->path, sizeof(own->path), "/dev/shm/bare-file-%08x", (unsigned)getpid());
	*ret_a = *ret_b = own;
	return error;
}

/* A file. */
static int bare_mapfile_open_file(size_t size, void **ret_a, void **ret_b)
{
	struct bare_mapfile *own = NULL;
	int error = bare_mapfile_new(&own);
	int fd = error ? -1 : mkostemp(own->path, O_CLOEXEC);

	*ret_a = *ret_b = own;
	if (error)
		return error;
	if (fd < 0)
		return -errno;
	error = bare_reserve(fd, 0, size);
	close(fd);
	return error;
}

/* A file that is mapped. */
static int bare_mapfile_open_mapped(size_t size, void **ret_a, void **ret_b)
{
	int error = bare_mapfile_open_file(size, ret_a, ret_b);

	return error < 0 ? error : bare_mapfile_map_whole(*ret_a);
}

static int bare_mapfile_map_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;
	int error = bare_mapfile_map_whole(own);

	(void)message;
	(void)size;
	(void)deadline;
	if (error < 0)
		return error;
	own->base[0]++;
	bare_mapfile_unmap(own);
	return 0;
}

static int naked_mapfile_map_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_mapfile *own = end;
	int fd = open(own->path, O_RDWR | O_CLOEXEC);
	uint8_t *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)message;
	(void)deadline;
	close(fd);
	if (base == MAP_FAILED)
		return -EIO;
	base[0]++;
	return munmap(base, size) < 0 ? -errno : 0;
}

static int bare_mapfile_nothing(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)end;
	(void)buffer;
	(void)size;
	(void)deadline;
	return 0;
}

static int bare_mapfile_make_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)deadline;
	return bare_whole_make(((struct bare_mapfile *)end)->path + sizeof("/dev/shm"), size);
}

/* Opened, and removed: only if it is a file, in the directory where that was seen. */
static int bare_mapfile_make_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const char *path = ((struct bare_mapfile *)end)->path;
	const char *name = path + sizeof("/dev/shm");
	struct stat status;
	int error = bare_mapfile_map_put(end, NULL, size, deadline);
	int directory;

	(void)buffer;
	if (error < 0)
		return error;
	directory = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
	    unlinkat(directory, name, 0) < 0)
		error = -EIO;
	close(directory);
	return error;
}

static int bare_mapfile_remap(struct bare_mapfile *own, size_t length)
{
	void *base = mremap(own->base, own->length, length, MREMAP_MAYMOVE);

	if (base == MAP_FAILED)
		return -errno;
	own->base = base;
	own->length = length;
	return 0;
}

/* Not where somebody has truncated it; and with its blocks, so that there is no SIGBUS later. */
static int bare_mapfile_grow_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;
	const size_t length = own->length + size;
	struct stat status;
	int error;

	(void)message;
	(void)deadline;
	if (fstat(own->fd, &status) < 0)
		return -errno;
	if ((size_t)status.st_size < own->length)
		return -EBADMSG;
	error = (size_t)status.st_size < length ? bare_reserve(own->fd, (size_t)status.st_size, length) : 0;
	return error < 0 ? error : bare_mapfile_remap(own, length);
}

static int naked_mapfile_grow_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;

	(void)message;
	(void)deadline;
	return ftruncate(own->fd, (off_t)(own->length + size)) < 0 ? -errno
								   : bare_mapfile_remap(own, own->length + size);
}

static int bare_mapfile_grow_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;

	(void)buffer;
	(void)deadline;
	if (own->length < size * BARE_MAPFILE_STEPS)
		return 0;
	bare_mapfile_unmap(own);
	return truncate(own->path, (off_t)size) < 0 ? -errno : bare_mapfile_map_whole(own);
}

static int bare_mapfile_sync_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;

	(void)message;
	(void)deadline;
	own->base[0]++;
	return msync(own->base, size, MS_SYNC) < 0 ? -errno : 0;
}

static int bare_mapfile_sync_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_mapfile *own = end;

	(void)buffer;
	(void)deadline;
	return msync(own->base, size, MS_SYNC) < 0 || fdatasync(own->fd) < 0 ? -errno : 0;
}

const struct bench_way bare_mapfile = {bare_mapfile_open, bare_mapfile_make_put, bare_mapfile_make_take,
				       bare_mapfile_close};
const struct bench_way bare_mapfile_map = {bare_mapfile_open_file, bare_mapfile_map_put, bare_mapfile_nothing,
					   bare_mapfile_close};
const struct bench_way naked_mapfile_map = {bare_mapfile_open_file, naked_mapfile_map_put, bare_mapfile_nothing,
					    bare_mapfile_close};
const struct bench_way bare_mapfile_grow = {bare_mapfile_open_mapped, bare_mapfile_grow_put, bare_mapfile_grow_take,
					    bare_mapfile_close};
const struct bench_way naked_mapfile_grow = {bare_mapfile_open_mapped, naked_mapfile_grow_put, bare_mapfile_grow_take,
					     bare_mapfile_close};
const struct bench_way bare_mapfile_sync = {bare_mapfile_open_mapped, bare_mapfile_sync_put, bare_mapfile_sync_take,
					    bare_mapfile_close};
