/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

/* Two semaphores, one each way: put gives a permit of the other side's, take takes one of its own. */
struct bare_posix {
	sem_t *give;
	sem_t *take;
};

static void bare_posix_close(void *end)
{
	struct bare_posix *own = end;

	if (!own)
		return;
	munmap(own->give, sizeof(sem_t));
	munmap(own->take, sizeof(sem_t));
	free(own);
}

/* One sem_t in memory of its own, mapped twice: each end has its own mapping. */
static int bare_posix_new(sem_t *ret_semaphores[2])
{
	int fd = memfd_create("bench", MFD_CLOEXEC);
	int error = fd < 0 || ftruncate(fd, sizeof(sem_t)) < 0 ? -errno : 0;

	for (int i = 0; i < 2 && !error; i++) {
		ret_semaphores[i] = mmap(NULL, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (ret_semaphores[i] == MAP_FAILED)
			error = -errno;
	}
	if (!error && sem_init(ret_semaphores[0], 1, 0) < 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static int bare_posix_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_posix *ends[2];
	sem_t *semaphores[2][2]; /* which, and of which end */
	int error = bare_posix_new(semaphores[0]);

	(void)size;
	if (!error)
		error = bare_posix_new(semaphores[1]);
	if (error < 0)
		return error;
	for (int i = 0; i < 2; i++) {
		ends[i] = malloc(sizeof(*ends[i]));
		if (!ends[i])
			return -ENOMEM;
		*ends[i] = (struct bare_posix){.give = semaphores[i][i], .take = semaphores[!i][i]};
	}
	*ret_a = ends[0];
	*ret_b = ends[1];
	return 0;
}

static int bare_posix_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	(void)deadline;
	return sem_post(((struct bare_posix *)end)->give) < 0 ? -errno : 0;
}

static nonet_time bare_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return NONET_S((nonet_time)now.tv_sec) + now.tv_nsec;
}

/* In slices: a waiter that was woken and killed has taken our wake with it. */
static int bare_posix_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	sem_t *semaphore = ((struct bare_posix *)end)->take;
	struct timespec until;
	nonet_time look;

	(void)buffer;
	(void)size;
	while (sem_trywait(semaphore) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || deadline == NONET_NOW)
			return -errno;
		look = bare_clock() + NONET_MS(100);
		look = deadline < look ? deadline : look;
		until = (struct timespec){.tv_sec = look / NONET_S(1), .tv_nsec = look % NONET_S(1)};
		if (sem_clockwait(semaphore, CLOCK_MONOTONIC, &until) == 0)
			return 0;
		if (errno != EINTR && (errno != ETIMEDOUT || bare_clock() >= deadline))
			return -errno;
	}
	return 0;
}

static int naked_posix_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)buffer;
	(void)size;
	(void)deadline;
	return sem_wait(((struct bare_posix *)end)->take) < 0 ? -errno : 0;
}

/* A set of two, the same way; of the process that made it. */
struct bare_sysv {
	int id;
	unsigned short give;
	unsigned short take;
	short undo;
	pid_t owner;
};

static int bare_sysv_make(short undo, void **ret_a, void **ret_b)
{
	struct bare_sysv *a = malloc(sizeof(*a));
	struct bare_sysv *b = malloc(sizeof(*b));
	int id = semget(IPC_PRIVATE, 2, 0600);

	*ret_a = a;
	*ret_b = b;
	if (!a || !b || id < 0)
		return -ENOMEM;
	*a = (struct bare_sysv){.id = id, .give = 0, .take = 1, .undo = undo, .owner = getpid()};
	*b = (struct bare_sysv){.id = id, .give = 1, .take = 0, .undo = undo};
	return 0;
}

static int bare_sysv_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_sysv_make(0, ret_a, ret_b);
}

static int bare_sysv_undo_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_sysv_make(SEM_UNDO, ret_a, ret_b);
}

static int bare_sysv_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_sysv *own = end;
	struct sembuf step = {.sem_num = own->give, .sem_op = 1, .sem_flg = (short)(own->undo | IPC_NOWAIT)};

	(void)message;
	(void)size;
	(void)deadline;
	return semop(own->id, &step, 1) < 0 ? -errno : 0;
}

static int bare_sysv_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_sysv *own = end;
	struct sembuf step = {.sem_num = own->take, .sem_op = -1, .sem_flg = own->undo};
	struct timespec left;

	(void)buffer;
	(void)size;
	do {
		left = bare_left(deadline);
		if (semtimedop(own->id, &step, 1, &left) == 0)
			return 0;
	} while (errno == EINTR);
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int naked_sysv_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_sysv *own = end;
	struct sembuf step = {.sem_num = own->take, .sem_op = -1, .sem_flg = own->undo};

	(void)buffer;
	(void)size;
	(void)deadline;
	return semop(own->id, &step, 1) < 0 ? -errno : 0;
}

static void bare_sysv_close(void *end)
{
	struct bare_sysv *own = end;

	if (own && own->owner == getpid())
		semctl(own->id, 0, IPC_RMID);
	free(own);
}

const struct bench_way bare_posix_semaphore = {bare_posix_open, bare_posix_put, bare_posix_take, bare_posix_close};
const struct bench_way naked_posix_semaphore = {bare_posix_open, bare_posix_put, naked_posix_take, bare_posix_close};
const struct bench_way bare_sysv_semaphore = {bare_sysv_open, bare_sysv_put, bare_sysv_take, bare_sysv_close};
const struct bench_way naked_sysv_semaphore = {bare_sysv_open, bare_sysv_put, naked_sysv_take, bare_sysv_close};
const struct bench_way bare_sysv_undo = {bare_sysv_undo_open, bare_sysv_put, bare_sysv_take, bare_sysv_close};
const struct bench_way naked_sysv_undo = {bare_sysv_undo_open, bare_sysv_put, naked_sysv_take, bare_sysv_close};
