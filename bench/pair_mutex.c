/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <nonet/mutex.h>

#include "bare_mutex.h"
#include "domain.h"

struct pair_mutex {
	struct nonet_mutex *mutex;
	struct bench_domain domain;
	char address[80];
};

static void pair_mutex_remove(void *lock)
{
	struct pair_mutex *own = lock;

	if (!own)
		return;
	nonet_mutex_close(own->mutex);
	bench_domain_remove(&own->domain);
	free(own);
}

static int pair_mutex_make(void **ret_lock)
{
	struct pair_mutex *own = calloc(1, sizeof(*own));
	int error;

	if (!own)
		return -ENOMEM;
	*ret_lock = own;
	error = bench_domain_make(&own->domain);
	if (error < 0)
		return error;
	snprintf(own->address, sizeof(own->address), "mutex:%s/m", own->domain.directory);
	return nonet_mutex_create(own->address, NULL, &own->mutex, NULL);
}

/* A child isn't the member that its parent is. */
static int pair_mutex_enter(void *lock)
{
	struct pair_mutex *own = lock;

	nonet_mutex_close(own->mutex);
	own->mutex = NULL;
	return nonet_mutex_open(own->address, &own->mutex, NULL);
}

static int pair_mutex_lock(void *lock)
{
	struct pair_mutex *own = lock;

	return nonet_mutex_lock(own->mutex, NONET_FOREVER);
}

static int pair_mutex_unlock(void *lock)
{
	struct pair_mutex *own = lock;

	return nonet_mutex_unlock(own->mutex);
}

static int pair_mutex_recover(void *lock)
{
	struct pair_mutex *own = lock;

	return nonet_mutex_recover(own->mutex);
}

static const char *pair_mutex_address(void *lock)
{
	struct pair_mutex *own = lock;

	return own->address;
}

const struct lock_kind lock_nonet = {pair_mutex_make,    pair_mutex_enter,  pair_mutex_lock,   pair_mutex_unlock,
				     pair_mutex_recover, pair_mutex_remove, pair_mutex_address};

static int pair_mutex_open(size_t size, void **ret_a, void **ret_b)
{
	const int error = pair_mutex_make(ret_a);

	(void)size;
	*ret_b = *ret_a;
	return error;
}

static int pair_mutex_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_mutex *own = end;

	(void)message;
	(void)size;
	(void)deadline;
	return nonet_mutex_lock(own->mutex, NONET_FOREVER);
}

static int pair_mutex_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_mutex *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return nonet_mutex_unlock(own->mutex);
}

static const struct bench_way nonet_mutex_call = {pair_mutex_open, pair_mutex_put, pair_mutex_take, pair_mutex_remove,
						  NULL};

/* The ways that measure themselves, of one kind of lock each. */
#define PAIR_OWN(name, kind, open, argument)                                   \
	static int name##_open_##kind(size_t size, void **ret_a, void **ret_b) \
	{                                                                      \
		(void)size;                                                    \
		*ret_b = NULL;                                                 \
		return open##_open(&lock_##kind, argument, ret_a);             \
	}                                                                      \
	static const struct bench_way name##_##kind = {name##_open_##kind, NULL, NULL, open##_close, open##_slice}
#define PAIR_KINDS(name, open, argument)       \
	PAIR_OWN(name, nonet, open, argument); \
	PAIR_OWN(name, robust, open, argument)

PAIR_KINDS(pair_herd, herd, size);
PAIR_OWN(pair_herd, plain, herd, size);
PAIR_KINDS(pair_takeover, takeover, size);
PAIR_KINDS(pair_first_open, first, FIRST_OPEN);
PAIR_KINDS(pair_first_lock, first, FIRST_LOCK);

/* Where nobody does it without, naked is bare. */
const struct bench_case mutex_cases[] = {
	{.what = "mutex, lock and unlock",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .goal = 1.05,
	 .ways = {&nonet_mutex_call, &bare_robust_mutex, &bare_plain_mutex}},
	{.what = "mutex, wanted by processes",
	 .sizes = {2, 8, 32, 100},
	 .metrics = BIT(METRIC_HERD),
	 .judged = BIT(METRIC_HERD),
	 .goal = 1 / 0.75,
	 .ways = {&pair_herd_nonet, &pair_herd_robust, &pair_herd_plain}},
	{.what = "mutex, taken over from a killed process of MiB",
	 .sizes = {1, 1024},
	 .metrics = BIT(METRIC_ONCE),
	 .judged = BIT(METRIC_ONCE),
	 .limit = NONET_US(100),
	 .ways = {&pair_takeover_nonet, &pair_takeover_robust, &pair_takeover_robust}},
	{.what = "mutex, the first opened in a process",
	 .sizes = {1},
	 .metrics = BIT(METRIC_ONCE),
	 .judged = BIT(METRIC_ONCE),
	 .limit = NONET_US(200),
	 .ways = {&pair_first_open_nonet, &pair_first_open_robust, &pair_first_open_robust}},
	{.what = "mutex, the first locked by a thread",
	 .sizes = {1},
	 .metrics = BIT(METRIC_ONCE),
	 .judged = BIT(METRIC_ONCE),
	 .limit = NONET_US(200),
	 .ways = {&pair_first_lock_nonet, &pair_first_lock_robust, &pair_first_lock_robust}},
	{.what = NULL},
};
