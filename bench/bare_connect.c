/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* put connects to the other end's listener and hangs up; take accepts the connection and closes it. */

struct bare_listener {
	int fd;
	struct sockaddr_un own;
	struct sockaddr_un other;
	socklen_t size; /* of both addresses */
};

static void bare_connect_close(void *end)
{
	struct bare_listener *listener = end;

	if (!listener)
		return;
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

static void bare_connect_name(struct sockaddr_un *address, char side)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* Abstract: it leaves nothing behind. */
	snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "bare-bench-%08x-%c", (unsigned)getpid(), side);
}

static struct bare_listener *bare_connect_listen(char own, char other)
{
	struct bare_listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	bare_connect_name(&listener->own, own);
	bare_connect_name(&listener->other, other);
	listener->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(listener->own.sun_path + 1));
	/* Non-blocking: a client that has gone between the poll and the accept mustn't make us wait. */
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&listener->own, listener->size) < 0 ||
	    listen(listener->fd, INT32_MAX) < 0) {
		bare_connect_close(listener);
		return NULL;
	}
	return listener;
}

static int bare_connect_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	*ret_a = bare_connect_listen('a', 'b');
	*ret_b = bare_connect_listen('b', 'a');
	return *ret_a && *ret_b ? 0 : -EADDRINUSE;
}

static int bare_connect_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_listener *listener = end;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct timespec interval = {.tv_nsec = 1000000};
	int error = 0;

	(void)message;
	(void)size;
	if (fd < 0)
		return -errno;
	while (connect(fd, (const struct sockaddr *)&listener->other, listener->size) < 0) {
		error = -errno;
		/* EAGAIN: the backlog is full, and the kernel has no event for room in it. */
		if (error == -EAGAIN && deadline != NONET_NOW) {
			struct timespec left = bare_left(deadline);

			error = left.tv_sec || left.tv_nsec ? 0 : -ETIMEDOUT;
			if (!error)
				nanosleep(&interval, NULL);
		}
		if (error < 0 && error != -EINTR)
			break;
		error = 0;
	}
	close(fd);
	return error;
}

static int bare_connect_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_listener *listener = end;
	int error = 0;
	int fd;

	(void)buffer;
	(void)size;
	for (;;) {
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			break;
		if (errno == EAGAIN)
			error = bare_wait(listener->fd, POLLIN, deadline);
		else if (errno != EINTR)
			error = -errno;
		if (error < 0)
			return error;
	}
	close(fd);
	return 0;
}

const struct bench_way bare_connect = {bare_connect_open, bare_connect_put, bare_connect_take, bare_connect_close};
