/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

#include <nonet/filelock.h>

#include "bare.h"

/* put locks a file exclusively, take unlocks it; nobody else wants it. */

struct pair_lock {
	struct nonet_filelock *lock;
	char path[64];
};

static int pair_lock_open(const char *scheme, void **ret_a, void **ret_b)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	struct pair_lock *own = calloc(1, sizeof(*own));
	char address[96];

	if (!own)
		return -1;
	*ret_a = *ret_b = own;
	snprintf(own->path, sizeof(own->path), "/dev/shm/nonet-bench-pair-%d", (int)getpid());
	snprintf(address, sizeof(address), "%s:%s", scheme, own->path);
	return nonet_filelock_open(address, &options, &own->lock, NULL);
}

static int pair_ofdlock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_lock_open("ofdlock", ret_a, ret_b);
}

static int pair_posixlock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_lock_open("posixlock", ret_a, ret_b);
}

static int pair_flock_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_lock_open("flock", ret_a, ret_b);
}

static int pair_lock_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	return nonet_filelock_lock(((struct pair_lock *)end)->lock, NONET_FILELOCK_EXCLUSIVE, deadline);
}

static int pair_lock_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)buffer;
	(void)size;
	(void)deadline;
	return nonet_filelock_unlock(((struct pair_lock *)end)->lock);
}

static void pair_lock_close(void *end)
{
	struct pair_lock *own = end;

	if (!own)
		return;
	nonet_filelock_close(own->lock);
	unlink(own->path);
	free(own);
}

static const struct bench_way nonet_ofdlock = {pair_ofdlock_open, pair_lock_put, pair_lock_take, pair_lock_close};
static const struct bench_way nonet_posixlock = {pair_posixlock_open, pair_lock_put, pair_lock_take, pair_lock_close};
static const struct bench_way nonet_flock = {pair_flock_open, pair_lock_put, pair_lock_take, pair_lock_close};

const struct bench_case filelock_cases[] = {
	{.what = "ofdlock, lock and unlock",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_ofdlock, &bare_ofdlock, &naked_ofdlock}},
	{.what = "posixlock, lock and unlock",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_posixlock, &bare_posixlock, &naked_posixlock}},
	{.what = "flock, lock and unlock",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_flock, &bare_flock, &naked_flock}},
	{.what = NULL},
};
