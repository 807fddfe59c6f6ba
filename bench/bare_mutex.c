/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The C library's mutex in a file that processes map. Robust, it is what an expert takes today: its owner's death is
 * told. That a peer who writes over it makes the process write where the peer likes is not in the figures.
 */

int bare_mutex_open(const char *path, pthread_mutex_t **ret_mutex)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	void *base;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || (size_t)status.st_size < sizeof(**ret_mutex)) {
		close(fd);
		return -EPROTO;
	}
	base = mmap(NULL, sizeof(**ret_mutex), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return -errno;
	*ret_mutex = base;
	return 0;
}

static int bare_mutex_fill(struct bare_mutex *own, int kind)
{
	pthread_mutexattr_t attributes;
	const int fd = open(own->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error = 0;

	if (fd < 0)
		return -errno;
	own->owner = getpid();
	if (ftruncate(fd, sizeof(*own->mutex)) < 0)
		error = -errno;
	close(fd);
	if (!error)
		error = bare_mutex_open(own->path, &own->mutex);
	if (error < 0)
		return error;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, kind);
	error = -pthread_mutex_init(own->mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

static int bare_mutex_make(int kind, void **ret_lock)
{
	static unsigned number;
	struct bare_mutex *own = calloc(1, sizeof(*own));

	if (!own)
		return -ENOMEM;
	*ret_lock = own;
	snprintf(own->path, sizeof(own->path), "/dev/shm/nonet-bench-%d-%u.bare", (int)getpid(), number++);
	return bare_mutex_fill(own, kind);
}

static int bare_robust_make(void **ret_lock)
{
	return bare_mutex_make(PTHREAD_MUTEX_ROBUST, ret_lock);
}

static int bare_plain_make(void **ret_lock)
{
	return bare_mutex_make(PTHREAD_MUTEX_STALLED, ret_lock);
}

static int bare_mutex_enter(void *lock)
{
	(void)lock;
	return 0;
}

static int bare_mutex_lock(void *lock)
{
	struct bare_mutex *own = lock;

	return -pthread_mutex_lock(own->mutex);
}

static int bare_mutex_unlock(void *lock)
{
	struct bare_mutex *own = lock;

	return -pthread_mutex_unlock(own->mutex);
}

static int bare_mutex_recover(void *lock)
{
	struct bare_mutex *own = lock;

	return -pthread_mutex_consistent(own->mutex);
}

static void bare_mutex_remove(void *lock)
{
	struct bare_mutex *own = lock;

	if (!own)
		return;
	if (own->mutex)
		munmap(own->mutex, sizeof(*own->mutex));
	if (own->owner == getpid())
		(void)unlink(own->path);
	free(own);
}

static const char *bare_mutex_address(void *lock)
{
	struct bare_mutex *own = lock;

	return own->path;
}

const struct lock_kind lock_robust = {bare_robust_make,   bare_mutex_enter,  bare_mutex_lock,   bare_mutex_unlock,
				      bare_mutex_recover, bare_mutex_remove, bare_mutex_address};
const struct lock_kind lock_plain = {bare_plain_make,    bare_mutex_enter,  bare_mutex_lock,   bare_mutex_unlock,
				     bare_mutex_recover, bare_mutex_remove, bare_mutex_address};

/* One process that takes it and lets go. */

static int bare_call_open(int kind, void **ret_a, void **ret_b)
{
	const int error = bare_mutex_make(kind, ret_a);

	*ret_b = *ret_a;
	return error;
}

static int bare_robust_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_call_open(PTHREAD_MUTEX_ROBUST, ret_a, ret_b);
}

static int bare_plain_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_call_open(PTHREAD_MUTEX_STALLED, ret_a, ret_b);
}

static int bare_mutex_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_mutex *own = end;

	(void)message;
	(void)size;
	(void)deadline;
	return -pthread_mutex_lock(own->mutex);
}

static int bare_mutex_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_mutex *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return -pthread_mutex_unlock(own->mutex);
}

const struct bench_way bare_robust_mutex = {bare_robust_open, bare_mutex_put, bare_mutex_take, bare_mutex_remove, NULL};
const struct bench_way bare_plain_mutex = {bare_plain_open, bare_mutex_put, bare_mutex_take, bare_mutex_remove, NULL};
