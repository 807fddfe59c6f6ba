/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/condition.h>
#include <nonet/mutex.h>

#include "bare.h"
#include "domain.h"

/* A condition each way, and one mutex. A handle is of the process that opened it: so each end opens its own. */
struct pair_condition {
	struct nonet_mutex *mutex;
	struct nonet_condition *changed[2];
	unsigned *full; /* what each end takes from: [own] */
	int own;
	struct bench_domain domain; /* the first end's, as the memory is */
	char addresses[3][96];      /* of the conditions, and the mutex */
};

static void pair_condition_close(void *end)
{
	struct pair_condition *own = end;

	if (!own)
		return;
	nonet_mutex_close(own->mutex);
	for (int i = 0; i < 2; i++)
		nonet_condition_close(own->changed[i]);
	if (own->domain.owner == getpid() && own->full)
		munmap(own->full, 2 * sizeof(*own->full));
	bench_domain_remove(&own->domain);
	free(own);
}

/* With the end's first call, which its process makes. */
static int pair_condition_begin(struct pair_condition *own)
{
	int error;

	if (own->mutex)
		return 0;
	error = nonet_mutex_open(own->addresses[2], &own->mutex, NULL);
	for (int i = 0; i < 2 && !error; i++)
		error = nonet_condition_open(own->addresses[i], &own->changed[i], NULL);
	return error;
}

static int pair_condition_make(struct pair_condition *own)
{
	struct nonet_mutex *mutex;
	struct nonet_condition *condition;
	int error = nonet_mutex_create(own->addresses[2], NULL, &mutex, NULL);

	if (!error)
		nonet_mutex_close(mutex);
	for (int i = 0; i < 2 && !error; i++) {
		error = nonet_condition_create(own->addresses[i], NULL, &condition, NULL);
		if (!error)
			nonet_condition_close(condition);
	}
	return error;
}

static int pair_condition_open(size_t size, void **ret_a, void **ret_b)
{
	struct pair_condition *ends[2] = {calloc(1, sizeof(*ends[0])), calloc(1, sizeof(*ends[1]))};
	int error = ends[0] && ends[1] ? 0 : -ENOMEM;

	(void)size;
	*ret_a = ends[0];
	*ret_b = ends[1];
	if (!error)
		error = bench_domain_make(&ends[0]->domain);
	if (error)
		return error;
	ends[0]->full =
		mmap(NULL, 2 * sizeof(*ends[0]->full), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ends[0]->full == MAP_FAILED) {
		ends[0]->full = NULL;
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		const char *directory = ends[0]->domain.directory;

		ends[i]->full = ends[0]->full;
		ends[i]->own = i;
		snprintf(ends[i]->addresses[0], sizeof(ends[i]->addresses[0]), "condition:%s/0", directory);
		snprintf(ends[i]->addresses[1], sizeof(ends[i]->addresses[1]), "condition:%s/1", directory);
		snprintf(ends[i]->addresses[2], sizeof(ends[i]->addresses[2]), "mutex:%s/m", directory);
	}
	return pair_condition_make(ends[0]);
}

/* Who was told of a death goes on: two words are never half-written. */
static int pair_condition_had(const struct pair_condition *own, int result)
{
	return result == -EOWNERDEAD ? nonet_mutex_recover(own->mutex) : result;
}

static int pair_condition_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_condition *own = end;
	int error = pair_condition_begin(own);

	(void)message;
	(void)size;
	if (!error)
		error = pair_condition_had(own, nonet_mutex_lock(own->mutex, deadline));
	if (error)
		return error;
	own->full[!own->own] = 1;
	error = nonet_mutex_unlock(own->mutex);
	return error ? error : nonet_condition_signal(own->changed[!own->own]);
}

static int pair_condition_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_condition *own = end;
	int error = pair_condition_begin(own);

	(void)buffer;
	(void)size;
	if (!error)
		error = pair_condition_had(own, nonet_mutex_lock(own->mutex, deadline));
	while (!error && !own->full[own->own])
		error = pair_condition_had(own, nonet_condition_wait(own->changed[own->own], own->mutex, deadline));
	if (error && error != -ETIMEDOUT)
		return error;
	own->full[own->own] = 0;
	return nonet_mutex_unlock(own->mutex) < 0 ? -EPROTO : error;
}

/* Nobody waits. */
static int pair_condition_signal(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_condition *own = end;
	const int error = pair_condition_begin(own);

	(void)message;
	(void)size;
	(void)deadline;
	return error ? error : nonet_condition_signal(own->changed[0]);
}

static int pair_condition_broadcast(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_condition *own = end;
	const int error = pair_condition_begin(own);

	(void)buffer;
	(void)size;
	(void)deadline;
	return error ? error : nonet_condition_broadcast(own->changed[0]);
}

static const struct bench_way nonet_condition = {pair_condition_open, pair_condition_put, pair_condition_take,
						 pair_condition_close, NULL};
static const struct bench_way nonet_condition_idle = {pair_condition_open, pair_condition_signal,
						      pair_condition_broadcast, pair_condition_close, NULL};

const struct bench_case condition_cases[] = {
	{.what = "condition, what a mutex guards told and waited for",
	 .sizes = {1},
	 .metrics = BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .goal = 1.05,
	 .ways = {&nonet_condition, &bare_condition, &naked_condition}},
	{.what = "condition, signal and broadcast that nobody waits for",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_condition_idle, &bare_condition_idle, &bare_condition_idle}},
	{.what = NULL},
};
