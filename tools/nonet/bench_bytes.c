/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_loops.h"

/* The kernel's mechanisms that are read and written: the plain calls, with nothing around them. */
struct bytes {
	int there[2], back[2]; /* reader, writer; of sockets and counters both are the same */
	int give, take;
	int set; /* BENCH_EPOLL; -1: none */
};

static int make_pipes(struct bytes *bytes)
{
	return pipe2(bytes->there, O_CLOEXEC) < 0 || pipe2(bytes->back, O_CLOEXEC) < 0 ? -errno : 0;
}

static int make_sockets(struct bytes *bytes, int type)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	bytes->there[0] = bytes->back[1] = pair[1];
	bytes->there[1] = bytes->back[0] = pair[0];
	return 0;
}

static int make_counters(struct bytes *bytes)
{
	bytes->there[0] = bytes->there[1] = eventfd(0, EFD_CLOEXEC);
	bytes->back[0] = bytes->back[1] = eventfd(0, EFD_CLOEXEC);
	return bytes->there[0] < 0 || bytes->back[0] < 0 ? -errno : 0;
}

static int bytes_prepare(struct bench_link *link)
{
	const int waits = link->what->mode == BENCH_ASLEEP || link->what->mode == BENCH_STREAM;
	struct bytes *bytes = malloc(sizeof(*bytes));
	int r;

	link->state = bytes;
	if (!bytes)
		return -ENOMEM;
	*bytes = (struct bytes){{-1, -1}, {-1, -1}, -1, -1, -1};
	if (link->what->kind == BENCH_PIPE)
		r = make_pipes(bytes);
	else if (link->what->kind == BENCH_EVENTFD)
		r = make_counters(bytes);
	else
		r = make_sockets(bytes, link->what->kind == BENCH_UNIX_STREAM ? SOCK_STREAM : SOCK_SEQPACKET);
	if (r < 0 || waits)
		return r;
	if (fcntl(bytes->there[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(bytes->there[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(bytes->back[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(bytes->back[1], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void close_both(int a, int b)
{
	if (a >= 0)
		close(a);
	if (b >= 0 && b != a)
		close(b);
}

static void bytes_discard(struct bench_link *link)
{
	struct bytes *bytes = link->state;
	const int is_pipe = link->what->kind == BENCH_PIPE, is_counter = link->what->kind == BENCH_EVENTFD;

	if (!bytes)
		return;
	close_both(bytes->there[0], bytes->there[1]);
	if (is_pipe || is_counter)
		close_both(bytes->back[0], bytes->back[1]);
	free(bytes);
}

static int bytes_join(struct bench_link *link)
{
	struct epoll_event wanted = {.events = EPOLLIN};
	struct bytes *bytes = link->state;

	bytes->give = link->place == 0 ? bytes->there[1] : bytes->back[1];
	bytes->take = link->place == 0 ? bytes->back[0] : bytes->there[0];
	/* Which a counter adds up. */
	if (link->what->kind == BENCH_EVENTFD)
		*(uint64_t *)link->message = 1;
	if (link->what->mode != BENCH_EPOLL)
		return 0;
	bytes->set = epoll_create1(EPOLL_CLOEXEC);
	return bytes->set < 0 || epoll_ctl(bytes->set, EPOLL_CTL_ADD, bytes->take, &wanted) < 0 ? -errno : 0;
}

/* Whether to go on after a failed read(2) or write(2). */
static inline int bytes_again(void)
{
	if (errno != EAGAIN && errno != EINTR)
		return 0;
	bench_pause();
	return 1;
}

static inline int bytes_put(struct bench_link *link)
{
	const struct bytes *bytes = link->state;
	const size_t size = link->what->size;
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(bytes->give, link->message + done, size - done);
		if (n >= 0)
			done += (size_t)n;
		else if (!bytes_again())
			return -errno;
	}
	return 0;
}

static inline int bytes_take(struct bench_link *link)
{
	const struct bytes *bytes = link->state;
	const size_t size = link->what->size;
	struct epoll_event event;
	size_t done = 0;
	ssize_t n;

	if (bytes->set >= 0)
		while (epoll_wait(bytes->set, &event, 1, -1) < 0)
			if (errno != EINTR)
				return -errno;
	while (done < size) {
		n = read(bytes->take, link->buffer + done, size - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			return -EPIPE;
		else if (!bytes_again())
			return -errno;
	}
	link->sum += loop_sum(link->buffer, size);
	return 0;
}

static int bytes_lead(struct bench_link *link, struct bench_slice *slice)
{
	return loop_lead(link, slice, bytes_put, bytes_take, NULL);
}

static int bytes_follow(struct bench_link *link)
{
	return loop_follow(link, bytes_put, bytes_take);
}

const struct bench_way bench_way_bytes = {
	.prepare = bytes_prepare,
	.discard = bytes_discard,
	.join = bytes_join,
	.lead = bytes_lead,
	.follow = bytes_follow,
};
