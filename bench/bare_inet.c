/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* TCP connections by hand, within this machine. put connects and hangs up; take accepts the connection and closes it.
 */

int bare_inet_listen(struct sockaddr_in *ret_address)
{
	const int on = 1;
	socklen_t size = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)ret_address, size) < 0 || listen(fd, INT32_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret_address, &size) < 0)
		return -errno;
	return fd;
}

int bare_inet_hang_up(int fd)
{
	const struct linger now = {.l_onoff = 1};
	int error = setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0 ? -errno : 0;

	close(fd);
	return error;
}

/* Begin to connect, or ask how it goes: one call less than to poll(2) and to ask for SO_ERROR. */
static int bare_inet_ask(int fd, const struct sockaddr_in *to)
{
	return connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ? -errno : 0;
}

/* Connected by a deadline; not with itself, which the kernel does if the port happens to be free. */
static int bare_inet_connect(const struct sockaddr_in *to, nonet_time deadline)
{
	const int on = 1;
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ? -errno : 0;

	if (error == 0)
		error = bare_inet_ask(fd, to);
	if (error == -EINPROGRESS)
		error = bare_inet_ask(fd, to);
	while (error == -EALREADY) {
		error = bare_wait(fd, POLLOUT, deadline);
		if (error == 0)
			error = bare_inet_ask(fd, to);
	}
	if (error == 0 && getsockname(fd, (struct sockaddr *)&own, &size) < 0)
		error = -errno;
	if (error == 0 && own.sin_port == to->sin_port && own.sin_addr.s_addr == to->sin_addr.s_addr)
		error = -ECONNREFUSED;
	/* Calls without a deadline may sleep in the kernel. */
	if (error == 0 && fcntl(fd, F_SETFL, 0) < 0)
		error = -errno;
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

int bare_inet_pair(int type, int ret_fds[2])
{
	struct sockaddr_in addresses[2];
	socklen_t size = sizeof(addresses[0]);
	int listener;

	if (type == SOCK_STREAM) {
		listener = bare_inet_listen(&addresses[0]);
		ret_fds[0] = listener < 0 ? listener : bare_inet_connect(&addresses[0], NONET_FOREVER);
		ret_fds[1] = ret_fds[0] < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (listener >= 0)
			close(listener);
		return ret_fds[0] < 0 ? ret_fds[0] : ret_fds[1] < 0 ? -errno : 0;
	}
	for (int i = 0; i < 2; i++) {
		addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		ret_fds[i] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
		if (ret_fds[i] < 0 || bind(ret_fds[i], (struct sockaddr *)&addresses[i], size) < 0 ||
		    getsockname(ret_fds[i], (struct sockaddr *)&addresses[i], &size) < 0)
			return -errno;
	}
	for (int i = 0; i < 2; i++)
		if (connect(ret_fds[i], (struct sockaddr *)&addresses[!i], size) < 0)
			return -errno;
	return 0;
}

struct bare_listener {
	int fd;
	struct sockaddr_in own;
	struct sockaddr_in other;
};

static void bare_tcp_close(void *end)
{
	struct bare_listener *listener = end;

	if (!listener)
		return;
	close(listener->fd);
	free(listener);
}

static int bare_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_listener *ends[2];

	(void)size;
	for (int i = 0; i < 2; i++) {
		ends[i] = calloc(1, sizeof(*ends[i]));
		if (!ends[i])
			return -ENOMEM;
		*(i ? ret_b : ret_a) = ends[i];
		ends[i]->fd = bare_inet_listen(&ends[i]->own);
		if (ends[i]->fd < 0)
			return ends[i]->fd;
	}
	ends[0]->other = ends[1]->own;
	ends[1]->other = ends[0]->own;
	return 0;
}

static int bare_tcp_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	int fd = bare_inet_connect(&((struct bare_listener *)end)->other, deadline);

	(void)message;
	(void)size;
	return fd < 0 ? fd : bare_inet_hang_up(fd);
}

static int bare_tcp_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_listener *listener = end;
	int error = 0;
	int fd;

	(void)buffer;
	(void)size;
	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) < 0) {
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

const struct bench_way bare_tcp_connect = {bare_tcp_open, bare_tcp_put, bare_tcp_take, bare_tcp_close};
