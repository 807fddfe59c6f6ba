/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* TCP connections by the plain calls: see naked.c. put connects and hangs up, take accepts and closes. */

struct naked_port {
	int fd;
	struct sockaddr_in own;
	struct sockaddr_in other;
};

static int naked_tcp_listen(struct naked_port *end)
{
	socklen_t size = sizeof(end->own);

	end->own = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	end->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(end->fd, (struct sockaddr *)&end->own, size) < 0 || listen(end->fd, INT32_MAX) < 0 ||
	    getsockname(end->fd, (struct sockaddr *)&end->own, &size) < 0)
		return -errno;
	return 0;
}

static int naked_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	struct naked_port *ends[2];
	int error = 0;

	(void)size;
	for (int i = 0; i < 2 && error == 0; i++) {
		ends[i] = calloc(1, sizeof(*ends[i]));
		if (!ends[i])
			return -ENOMEM;
		*(i ? ret_b : ret_a) = ends[i];
		error = naked_tcp_listen(ends[i]);
	}
	if (error < 0)
		return error;
	ends[0]->other = ends[1]->own;
	ends[1]->other = ends[0]->own;
	return 0;
}

static int naked_tcp_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct naked_port *port = end;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)message;
	(void)size;
	(void)deadline;
	if (connect(fd, (const struct sockaddr *)&port->other, sizeof(port->other)) < 0)
		return -errno;
	return bare_inet_hang_up(fd);
}

static int naked_tcp_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const int fd = accept(((struct naked_port *)end)->fd, NULL, NULL);

	(void)buffer;
	(void)size;
	(void)deadline;
	return fd < 0 ? -errno : close(fd);
}

static void naked_tcp_close(void *end)
{
	if (end)
		close(((struct naked_port *)end)->fd);
	free(end);
}

const struct bench_way naked_tcp_connect = {naked_tcp_open, naked_tcp_put, naked_tcp_take, naked_tcp_close};
