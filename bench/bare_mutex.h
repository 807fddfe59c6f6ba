/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_MUTEX_H
#define BENCH_BARE_MUTEX_H

#include <pthread.h>

#include "lock.h"

struct bare_mutex {
	pthread_mutex_t *mutex;
	pid_t owner; /* removes @path */
	char path[64];
};

/* One that is there. */
int bare_mutex_open(const char *path, pthread_mutex_t **ret_mutex);

extern const struct bench_way bare_robust_mutex;
extern const struct bench_way bare_plain_mutex;

#endif
