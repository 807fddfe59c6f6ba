/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * put makes an object of @size bytes, as nonet does: its room, its mode, its memory, and then its name; touches it and
 * unmaps it. take opens it by name, looks at what it is, maps all of it, touches it, unmaps it and removes the name.
 */

struct bare_memory {
	char name[64];
	int key;
};

static void bare_memory_close(void *end)
{
	free(end);
}

static int bare_memory_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_memory *end = calloc(1, sizeof(*end));

	(void)size;
	if (!end)
		return -ENOMEM;
	snprintf(end->name, sizeof(end->name), "/bare-bench-%08x", (unsigned)getpid());
	end->key = 0x4c000000 | getpid();
	*ret_a = end;
	*ret_b = end;
	return 0;
}

static int bare_memory_map(int fd, size_t size)
{
	uint8_t *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	base[0]++;
	return munmap(base, size) < 0 ? -errno : 0;
}

static int bare_whole_fill(int fd, int directory, const char *name, size_t size)
{
	char link[32];
	int error = bare_reserve(fd, 0, size);

	if (!error && fchmod(fd, 0600) < 0)
		error = -errno;
	if (!error)
		error = bare_memory_map(fd, size);
	if (error < 0)
		return error;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, directory, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int bare_open_regular(const char *path, int flags, struct stat *ret_status)
{
	char link[32];
	int place = open(path, O_PATH | O_CLOEXEC | flags);
	int fd;

	if (place < 0)
		return -errno;
	if (fstat(place, ret_status) < 0 || !S_ISREG(ret_status->st_mode)) {
		fd = -ENOTSUP;
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
		fd = open(link, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		fd = fd < 0 ? -errno : fd;
	}
	close(place);
	return fd;
}

int bare_reserve(int fd, size_t from, size_t to)
{
	struct rlimit limit;

	/* Past it the kernel would end the program with SIGXFSZ, which nonet promises it doesn't. */
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur != RLIM_INFINITY && to > limit.rlim_cur)
		return -EFBIG;
	return fallocate(fd, 0, (off_t)from, (off_t)(to - from)) < 0 ? -errno : 0;
}

int bare_whole_make(const char *name, size_t size)
{
	struct stat status;
	int directory = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error = -EEXIST;
	int fd;

	if (directory < 0)
		return -errno;
	/* A name that is taken is to be known before memory is cleared in vain. */
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0);
		error = fd < 0 ? -errno : bare_whole_fill(fd, directory, name, size);
		if (fd >= 0)
			close(fd);
	}
	close(directory);
	return error;
}

static int bare_memory_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)deadline;
	return bare_whole_make(((struct bare_memory *)end)->name + 1, size);
}

static int bare_memory_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_memory *own = end;
	struct stat status;
	char path[100];
	int error;
	int fd;

	(void)buffer;
	(void)size;
	(void)deadline;
	snprintf(path, sizeof(path), "/dev/shm%s", own->name);
	fd = bare_open_regular(path, O_NOFOLLOW, &status);
	if (fd < 0)
		return fd;
	error = bare_memory_map(fd, (size_t)status.st_size);
	close(fd);
	if (error < 0)
		return error;
	/* Removed is only what is shared memory. */
	return lstat(path, &status) < 0 || !S_ISREG(status.st_mode) || unlink(path) < 0 ? -EIO : 0;
}

const struct bench_way bare_posixshm = {bare_memory_open, bare_memory_put, bare_memory_take, bare_memory_close};

static int bare_segment_touch(int id)
{
	uint8_t *base = shmat(id, NULL, 0);

	if ((intptr_t)base == -1)
		return -errno;
	base[0]++;
	return shmdt(base) < 0 ? -errno : 0;
}

static int bare_segment_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_memory *own = end;
	uint8_t *base;
	int id = shmget(own->key, size, IPC_CREAT | IPC_EXCL | 0600);

	(void)message;
	(void)deadline;
	if (id < 0)
		return -errno;
	base = shmat(id, NULL, 0);
	if ((intptr_t)base == -1)
		return -errno;
	/* All of it there, or an error now. */
	if (madvise(base, size, 23 /* MADV_POPULATE_WRITE */) < 0)
		return -errno;
	base[0]++;
	return shmdt(base) < 0 ? -errno : 0;
}

static int bare_segment_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_memory *own = end;
	struct shmid_ds status;
	int id = shmget(own->key, 0, 0);
	int error;

	(void)buffer;
	(void)size;
	(void)deadline;
	if (id < 0 || shmctl(id, IPC_STAT, &status) < 0)
		return -errno;
	error = bare_segment_touch(id);
	/* Opening and removing are two things to do; each begins with the key. */
	id = shmget(own->key, 0, 0);
	return error < 0 || shmctl(id, IPC_RMID, NULL) < 0 ? -EIO : 0;
}

const struct bench_way bare_sysvshm = {bare_memory_open, bare_segment_put, bare_segment_take, bare_memory_close};
