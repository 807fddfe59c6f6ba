/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/*
 * put locks a file exclusively, take unlocks it. A lock of a process has to know whether this is the process that took
 * it: pthread_atfork(3) tells. A deadline, where it is held, is kept by looking again.
 */
static int bare_forks;

static void bare_lock_forked(void)
{
	bare_forks++;
}

struct bare_lock {
	int fd;
	int command; /* to set it; -1: flock(2) */
	int owner;   /* of classic locks: @bare_forks then; else -1 */
	char path[64];
};

static int bare_lock_new(int command, void **ret_a, void **ret_b)
{
	struct bare_lock *lock = calloc(1, sizeof(*lock));

	if (!lock)
		return -ENOMEM;
	*ret_a = *ret_b = lock;
	snprintf(lock->path, sizeof(lock->path), "/dev/shm/nonet-bench-bare-%d", (int)getpid());
	lock->command = command;
	lock->owner = command == F_SETLK ? bare_forks : -1;
	if (command == F_SETLK && pthread_atfork(NULL, NULL, bare_lock_forked) != 0)
		return -ENOMEM;
	lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return lock->fd < 0 ? -errno : 0;
}

static int bare_ofdlock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_lock_new(F_OFD_SETLK, ret_a, ret_b);
}

static int bare_posixlock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_lock_new(F_SETLK, ret_a, ret_b);
}

static int bare_flock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_lock_new(-1, ret_a, ret_b);
}

static int bare_lock_set(const struct bare_lock *lock, short type)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET};

	if (lock->owner >= 0 && lock->owner != bare_forks)
		return -ECHILD;
	if (lock->command == -1)
		return flock(lock->fd, type == F_UNLCK ? LOCK_UN : LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	return fcntl(lock->fd, lock->command, &range) < 0 ? -errno : 0;
}

static int bare_lock_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct timespec interval = {.tv_nsec = 1000000};
	int error;

	(void)message;
	(void)size;
	while ((error = bare_lock_set(end, F_WRLCK)) == -EAGAIN && deadline != NONET_NOW) {
		const struct timespec left = bare_left(deadline);

		if (left.tv_sec == 0 && left.tv_nsec == 0)
			return -ETIMEDOUT;
		nanosleep(&interval, NULL);
	}
	return error;
}

static int bare_lock_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)buffer;
	(void)size;
	(void)deadline;
	return bare_lock_set(end, F_UNLCK);
}

static void bare_lock_close(void *end)
{
	struct bare_lock *lock = end;

	if (!lock)
		return;
	if (lock->fd >= 0) {
		close(lock->fd);
		unlink(lock->path);
	}
	free(lock);
}

const struct bench_way bare_ofdlock = {bare_ofdlock_open, bare_lock_put, bare_lock_take, bare_lock_close};
const struct bench_way bare_posixlock = {bare_posixlock_open, bare_lock_put, bare_lock_take, bare_lock_close};
const struct bench_way bare_flock = {bare_flock_open, bare_lock_put, bare_lock_take, bare_lock_close};

/* The plain calls: they wait for ever. */
static int naked_lock_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct bare_lock *lock = end;

	(void)message;
	(void)size;
	(void)deadline;
	if (lock->command == -1)
		return flock(lock->fd, LOCK_EX) < 0 ? -errno : 0;
	return fcntl(lock->fd, lock->command == F_SETLK ? F_SETLKW : F_OFD_SETLKW, &range) < 0 ? -errno : 0;
}

static int naked_lock_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct flock range = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	const struct bare_lock *lock = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	if (lock->command == -1)
		return flock(lock->fd, LOCK_UN) < 0 ? -errno : 0;
	return fcntl(lock->fd, lock->command, &range) < 0 ? -errno : 0;
}

const struct bench_way naked_ofdlock = {bare_ofdlock_open, naked_lock_put, naked_lock_take, bare_lock_close};
const struct bench_way naked_posixlock = {bare_posixlock_open, naked_lock_put, naked_lock_take, bare_lock_close};
const struct bench_way naked_flock = {bare_flock_open, naked_lock_put, naked_lock_take, bare_lock_close};
