/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <nonet/event.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "bare.h"
#include "domain.h"

/* The other objects of a domain: rwlocks, semaphores, and events by their doorbell. */

struct pair_sync {
	struct nonet_rwlock *rwlock;
	struct nonet_semaphore *semaphore;
	struct bench_domain domain;
	char address[96];
};

static void pair_sync_close(void *end)
{
	struct pair_sync *own = end;

	if (!own)
		return;
	nonet_rwlock_close(own->rwlock);
	nonet_semaphore_close(own->semaphore);
	bench_domain_remove(&own->domain);
	free(own);
}

static int pair_sync_new(const char *scheme, void **ret_a, void **ret_b)
{
	struct pair_sync *own = calloc(1, sizeof(*own));
	int error;

	if (!own)
		return -ENOMEM;
	*ret_a = own;
	*ret_b = own;
	error = bench_domain_make(&own->domain);
	if (error == 0)
		snprintf(own->address, sizeof(own->address), "%s:%s/it", scheme, own->domain.directory);
	return error;
}

static int pair_rwlock_open(size_t size, void **ret_a, void **ret_b)
{
	int error = pair_sync_new("rwlock", ret_a, ret_b);
	struct pair_sync *own = *ret_a;

	(void)size;
	return error < 0 ? error : nonet_rwlock_create(own->address, NULL, &own->rwlock, NULL);
}

static int pair_rwlock_put_read(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_sync *own = end;

	(void)message;
	(void)size;
	return nonet_rwlock_read_lock(own->rwlock, deadline);
}

static int pair_rwlock_put_write(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_sync *own = end;

	(void)message;
	(void)size;
	return nonet_rwlock_write_lock(own->rwlock, deadline);
}

static int pair_rwlock_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_sync *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return nonet_rwlock_unlock(own->rwlock);
}

static int pair_semaphore_make(uint32_t flags, uint32_t value, void **ret_a, void **ret_b)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .flags = flags, .value = value};
	int error = pair_sync_new("semaphore", ret_a, ret_b);
	struct pair_sync *own = *ret_a;

	return error < 0 ? error : nonet_semaphore_create(own->address, &options, NONET_NOW, &own->semaphore, NULL);
}

static int pair_permit_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_semaphore_make(0, 1, ret_a, ret_b);
}

static int pair_signal_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_semaphore_make(NONET_SEMAPHORE_SIGNAL, 1, ret_a, ret_b);
}

/* A permit is had before it is given back. */
static int pair_permit_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_sync *own = end;

	(void)message;
	(void)size;
	return nonet_semaphore_wait(own->semaphore, 1, 0, deadline);
}

static int pair_permit_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_sync *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return nonet_semaphore_post(own->semaphore, 1, 0);
}

static const struct bench_way nonet_rwlock_reads = {pair_rwlock_open, pair_rwlock_put_read, pair_rwlock_take,
						    pair_sync_close, NULL};
static const struct bench_way nonet_rwlock_writes = {pair_rwlock_open, pair_rwlock_put_write, pair_rwlock_take,
						     pair_sync_close, NULL};
static const struct bench_way nonet_permit = {pair_permit_open, pair_permit_put, pair_permit_take, pair_sync_close,
					      NULL};
static const struct bench_way nonet_signalling = {pair_signal_open, pair_permit_put, pair_permit_take, pair_sync_close,
						  NULL};

/* An event each way. A handle is of the process that opened it: so each end opens its own, with its first call. */
struct pair_event {
	struct nonet_event *give;
	struct nonet_event *take;
	int set;
	struct bench_domain domain; /* the first end's */
	char addresses[2][96];      /* what it gives, what it takes */
};

static void pair_event_close(void *end)
{
	struct pair_event *own = end;

	if (!own)
		return;
	nonet_event_close(own->give);
	nonet_event_close(own->take);
	if (own->set >= 0)
		close(own->set);
	bench_domain_remove(&own->domain);
	free(own);
}

static int pair_event_begin(struct pair_event *own)
{
	struct epoll_event wanted = {.events = EPOLLIN};
	int error;
	int fd;

	if (own->set >= 0)
		return 0;
	error = nonet_event_open(own->addresses[0], &own->give, NULL);
	if (!error)
		error = nonet_event_open(own->addresses[1], &own->take, NULL);
	if (error)
		return error;
	fd = nonet_event_fd(own->take);
	own->set = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0 || own->set < 0)
		return fd < 0 ? fd : -errno;
	return epoll_ctl(own->set, EPOLL_CTL_ADD, fd, &wanted) < 0 ? -errno : 0;
}

static int pair_event_open(size_t size, void **ret_a, void **ret_b)
{
	struct pair_event *ends[2] = {calloc(1, sizeof(*ends[0])), calloc(1, sizeof(*ends[1]))};
	struct nonet_event *made = NULL;
	int error = ends[0] && ends[1] ? 0 : -ENOMEM;

	(void)size;
	*ret_a = ends[0];
	*ret_b = ends[1];
	if (error)
		return error;
	ends[0]->set = ends[1]->set = -1;
	error = bench_domain_make(&ends[0]->domain);
	for (int i = 0; i < 2 && !error; i++) {
		snprintf(ends[0]->addresses[i], sizeof(ends[0]->addresses[i]), "event:%s/%d", ends[0]->domain.directory,
			 i);
		snprintf(ends[1]->addresses[!i], sizeof(ends[1]->addresses[!i]), "event:%s/%d",
			 ends[0]->domain.directory, i);
		error = nonet_event_create(ends[0]->addresses[i], NULL, &made, NULL);
		if (!error)
			made = nonet_event_close(made);
	}
	return error;
}

static int pair_event_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_event *own = end;
	int error = pair_event_begin(own);

	(void)message;
	(void)size;
	(void)deadline;
	return error ? error : nonet_event_set(own->give);
}

/* Return: 0 to look, or a negative errno. */
static int pair_event_sleep(const struct pair_event *own, nonet_time deadline)
{
	struct epoll_event event;
	int ready;

	do
		ready = epoll_wait(own->set, &event, 1, (int)((deadline - nonet_clock()) / NONET_MS(1)));
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	return ready == 0 ? -ETIMEDOUT : 0;
}

static int pair_event_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_event *own = end;
	int result = pair_event_begin(own);

	(void)buffer;
	(void)size;
	while (result >= 0) {
		result = nonet_event_arm(own->take);
		if (result == 0)
			result = pair_event_sleep(own, deadline);
		if (result < 0)
			return result;
		result = nonet_event_wait(own->take, NONET_NOW);
		if (result == 0)
			result = nonet_event_clear(own->take);
		/* Nobody else clears it: it was set. */
		if (result != -EAGAIN)
			return result < 0 ? result : 0;
		result = 0;
	}
	return result;
}

static const struct bench_way nonet_doorbell = {pair_event_open, pair_event_put, pair_event_take, pair_event_close,
						NULL};

/*
 * naked is bare where nobody does it without. What a lock whose dead readers and writers are found costs over one that
 * knows no death is reported.
 */
const struct bench_case sync_cases[] = {
	{.what = "rwlock, locked for reading and unlocked",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_rwlock_reads, &bare_rwlock_read, &bare_rwlock_read}},
	{.what = "rwlock, locked for writing and unlocked",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_rwlock_writes, &bare_rwlock_write, &bare_rwlock_write}},
	{.what = "semaphore, a permit taken and given back",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .goal = 1.7,
	 .ways = {&nonet_permit, &bare_posix_semaphore, &naked_posix_semaphore}},
	{.what = "semaphore, post and wait of one that only counts",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .goal = 1.7,
	 .ways = {&nonet_signalling, &bare_posix_semaphore, &naked_posix_semaphore}},
	{.what = "event, by its descriptor in an epoll set",
	 .sizes = {1},
	 .metrics = BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .goal = 1.1,
	 .ways = {&nonet_doorbell, &bare_eventfd, &bare_eventfd}},
	{.what = NULL},
};
