/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's lock of readers and writers, which knows no death: there is none that does. */

static void bare_rwlock_close(void *end)
{
	if (end)
		munmap(end, sizeof(pthread_rwlock_t));
}

static int bare_rwlock_open(size_t size, void **ret_a, void **ret_b)
{
	pthread_rwlockattr_t attributes;
	void *lock = mmap(NULL, sizeof(pthread_rwlock_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error;

	(void)size;
	if (lock == MAP_FAILED)
		return -errno;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	error = -pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	*ret_a = lock;
	*ret_b = lock;
	return error;
}

static int bare_rwlock_put_read(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	(void)deadline;
	return -pthread_rwlock_rdlock(end);
}

static int bare_rwlock_put_write(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	(void)deadline;
	return -pthread_rwlock_wrlock(end);
}

static int bare_rwlock_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)buffer;
	(void)size;
	(void)deadline;
	return -pthread_rwlock_unlock(end);
}

const struct bench_way bare_rwlock_read = {bare_rwlock_open, bare_rwlock_put_read, bare_rwlock_take, bare_rwlock_close,
					   NULL};
const struct bench_way bare_rwlock_write = {bare_rwlock_open, bare_rwlock_put_write, bare_rwlock_take,
					    bare_rwlock_close, NULL};

/* An eventfd each way, which is waited for in an epoll(7) set: what a doorbell is to be as fast as. */
struct bare_eventfd {
	int give;
	int take;
	int set;
};

static void bare_eventfd_close(void *end)
{
	struct bare_eventfd *own = end;

	if (!own)
		return;
	close(own->give);
	close(own->take);
	close(own->set);
	free(own);
}

static struct bare_eventfd *bare_eventfd_end(int give, int take)
{
	struct bare_eventfd *own = calloc(1, sizeof(*own));
	struct epoll_event wanted = {.events = EPOLLIN};

	if (!own)
		return NULL;
	own->give = dup(give);
	own->take = dup(take);
	own->set = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(own->set, EPOLL_CTL_ADD, own->take, &wanted);
	return own;
}

static int bare_eventfd_open(size_t size, void **ret_a, void **ret_b)
{
	const int first = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const int second = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)size;
	if (first < 0 || second < 0)
		return -errno;
	*ret_a = bare_eventfd_end(first, second);
	*ret_b = bare_eventfd_end(second, first);
	close(first);
	close(second);
	return *ret_a && *ret_b ? 0 : -ENOMEM;
}

static int bare_eventfd_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_eventfd *own = end;
	const uint64_t one = 1;

	(void)message;
	(void)size;
	(void)deadline;
	return write(own->give, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

static int bare_eventfd_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_eventfd *own = end;
	struct epoll_event event;
	uint64_t count;
	int ready;

	(void)buffer;
	(void)size;
	do
		ready = epoll_wait(own->set, &event, 1, (int)((deadline - nonet_clock()) / NONET_MS(1)));
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready < 0 ? -errno : -ETIMEDOUT;
	return read(own->take, &count, sizeof(count)) == sizeof(count) ? 0 : -errno;
}

const struct bench_way bare_eventfd = {bare_eventfd_open, bare_eventfd_put, bare_eventfd_take, bare_eventfd_close,
				       NULL};
