/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A set of eventfds that stay silent and one pipe; take is the wait for the pipe, and may read from it. */
struct bare_set {
	int reader;
	int writer;
	size_t members;
	bool reads;
	int epoll; /* made by who waits, after the fork */
	int *silent;
};

static void bare_set_close(void *end)
{
	struct bare_set *set = end;

	if (!set)
		return;
	close(set->reader);
	close(set->writer);
	if (set->epoll >= 0)
		close(set->epoll);
	for (size_t i = 0; set->silent && i + 1 < set->members; i++)
		close(set->silent[i]);
	free(set->silent);
	free(set);
}

static int bare_set_open(size_t members, bool reads, void **ret_a, void **ret_b)
{
	struct bare_set *a = calloc(1, sizeof(*a));
	struct bare_set *b = calloc(1, sizeof(*b));
	int ab[2];
	int ba[2];

	if (!a || !b || pipe2(ab, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(ba, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(a);
		free(b);
		return -ENOMEM;
	}
	*a = (struct bare_set){.reader = ba[0], .writer = ab[1], .members = members, .reads = reads, .epoll = -1};
	*b = (struct bare_set){.reader = ab[0], .writer = ba[1], .members = members, .reads = reads, .epoll = -1};
	*ret_a = a;
	*ret_b = b;
	return 0;
}

static int bare_set_fill(struct bare_set *set)
{
	struct epoll_event event = {.events = EPOLLIN};

	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	set->silent = calloc(set->members, sizeof(*set->silent));
	if (set->epoll < 0 || !set->silent)
		return -ENOMEM;
	for (size_t i = 0; i + 1 < set->members; i++) {
		set->silent[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		event.data.ptr = &set->silent[i];
		if (set->silent[i] < 0 || epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->silent[i], &event) < 0)
			return -errno;
	}
	event.data.ptr = set;
	return epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->reader, &event) < 0 ? -errno : 0;
}

/* Wait for one member, whatever signals come, until the deadline at the latest. */
static int bare_set_wait(struct bare_set *set, nonet_time deadline)
{
	struct epoll_event event;
	struct timespec left = {0, 0};
	int count;

	do {
		if (deadline != NONET_NOW)
			left = bare_left(deadline);
		count = epoll_pwait2(set->epoll, &event, 1, deadline == NONET_FOREVER ? NULL : &left, NULL);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	if (count == 0)
		return deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT;
	return event.data.ptr == set ? 0 : -EPROTO;
}

static int bare_set_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_set *set = end;
	int error = set->epoll < 0 ? bare_set_fill(set) : 0;

	(void)size;
	if (!error)
		error = bare_set_wait(set, deadline);
	if (!error && set->reads)
		error = bare_read_all(set->reader, buffer, 1, deadline);
	return error;
}

static int bare_set_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_set *set = end;

	(void)size;
	return bare_write_all(set->writer, message, 1, deadline);
}

static int bare_set_put_nothing(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)end;
	(void)message;
	(void)size;
	(void)deadline;
	return 0;
}

static int bare_wait_ready_open(size_t members, void **ret_a, void **ret_b)
{
	int error = bare_set_open(members, false, ret_a, ret_b);

	/* It stays ready: what is measured is the wait alone. */
	return error ? error : bare_write_all(((struct bare_set *)*ret_a)->writer, "", 1, NONET_NOW);
}

static int bare_wait_pipe_open(size_t members, void **ret_a, void **ret_b)
{
	return bare_set_open(members, true, ret_a, ret_b);
}

const struct bench_way bare_wait_ready = {bare_wait_ready_open, bare_set_put_nothing, bare_set_take, bare_set_close};
const struct bench_way bare_wait_pipe = {bare_wait_pipe_open, bare_set_put, bare_set_take, bare_set_close};
