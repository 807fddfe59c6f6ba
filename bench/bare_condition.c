/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <nonet/time.h>

/* The C library's condition between processes, one each way, beside a mutex that tells its owner's death. */

struct bare_condition_shared {
	pthread_mutex_t mutex;
	pthread_cond_t changed[2];
	unsigned full[2]; /* what each end takes from */
};

struct bare_condition {
	struct bare_condition_shared *shared;
	int own;
	pid_t owner; /* unmaps @shared; 0: the other end's does */
};

static void bare_condition_close(void *end)
{
	struct bare_condition *own = end;

	if (own && own->owner == getpid())
		munmap(own->shared, sizeof(*own->shared));
	free(own);
}

static int bare_condition_fill(struct bare_condition_shared *shared, int robust)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t condition;
	int error;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&mutex, robust);
	error = -pthread_mutex_init(&shared->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&condition);
	pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
	for (int i = 0; i < 2 && !error; i++)
		error = -pthread_cond_init(&shared->changed[i], &condition);
	pthread_condattr_destroy(&condition);
	return error;
}

static int bare_condition_new(int robust, void **ret_a, void **ret_b)
{
	struct bare_condition_shared *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bare_condition *ends[2] = {calloc(1, sizeof(*ends[0])), calloc(1, sizeof(*ends[1]))};

	if (shared == MAP_FAILED || !ends[0] || !ends[1])
		return -ENOMEM;
	*ends[0] = (struct bare_condition){.shared = shared, .own = 0, .owner = getpid()};
	*ends[1] = (struct bare_condition){.shared = shared, .own = 1};
	*ret_a = ends[0];
	*ret_b = ends[1];
	return bare_condition_fill(shared, robust);
}

static int bare_condition_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_condition_new(PTHREAD_MUTEX_ROBUST, ret_a, ret_b);
}

static int naked_condition_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_condition_new(PTHREAD_MUTEX_STALLED, ret_a, ret_b);
}

/* Who was told of a death goes on: two words are never half-written. */
static int bare_condition_had(struct bare_condition_shared *shared, int error)
{
	return error == EOWNERDEAD ? pthread_mutex_consistent(&shared->mutex) : error;
}

static int bare_condition_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_condition *own = end;
	struct bare_condition_shared *shared = own->shared;
	int error = bare_condition_had(shared, pthread_mutex_lock(&shared->mutex));

	(void)message;
	(void)size;
	(void)deadline;
	if (error)
		return -error;
	shared->full[!own->own] = 1;
	error = pthread_mutex_unlock(&shared->mutex);
	return error ? -error : -pthread_cond_signal(&shared->changed[!own->own]);
}

/* @until: NULL: for ever */
static int bare_condition_await(const struct bare_condition *own, const struct timespec *until)
{
	struct bare_condition_shared *shared = own->shared;
	pthread_cond_t *changed = &shared->changed[own->own];
	int error = bare_condition_had(shared, pthread_mutex_lock(&shared->mutex));

	while (!error && !shared->full[own->own])
		error = bare_condition_had(shared, until ? pthread_cond_timedwait(changed, &shared->mutex, until)
							 : pthread_cond_wait(changed, &shared->mutex));
	if (error && error != ETIMEDOUT)
		return -error;
	shared->full[own->own] = 0;
	pthread_mutex_unlock(&shared->mutex);
	return -error;
}

static int bare_condition_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct timespec until = {.tv_sec = deadline / NONET_S(1), .tv_nsec = deadline % NONET_S(1)};

	(void)buffer;
	(void)size;
	return bare_condition_await(end, &until);
}

static int naked_condition_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)buffer;
	(void)size;
	(void)deadline;
	return bare_condition_await(end, NULL);
}

static int bare_condition_signal(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_condition *own = end;

	(void)message;
	(void)size;
	(void)deadline;
	return -pthread_cond_signal(&own->shared->changed[0]);
}

static int bare_condition_broadcast(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_condition *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return -pthread_cond_broadcast(&own->shared->changed[0]);
}

const struct bench_way bare_condition = {bare_condition_open, bare_condition_put, bare_condition_take,
					 bare_condition_close, NULL};
const struct bench_way naked_condition = {naked_condition_open, bare_condition_put, naked_condition_take,
					  bare_condition_close, NULL};
const struct bench_way bare_condition_idle = {bare_condition_open, bare_condition_signal, bare_condition_broadcast,
					      bare_condition_close, NULL};
