/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "unix/unix.h"

/* Connect, and wait for room in the backlog, or for somebody to listen: the kernel has an event for neither. */
static int connect_wait(int fd, const struct sockaddr_un *address, socklen_t size, bool wait_listener,
			nonet_time deadline)
{
	struct sys_retry retry = {0};
	int error;
	int slept;

	for (;;) {
		error = sys_connect(fd, (const struct sockaddr *)address, size);
		if (error != -EAGAIN && !(wait_listener && (error == -ENOENT || error == -ECONNREFUSED)))
			return error;
		slept = sys_retry_sleep(&retry, deadline);
		if (slept < 0)
			return slept;
	}
}

static int connect_explain(struct nonet_error *reterr, int error, const char *name, bool wait_listener)
{
	switch (error) {
	case -ECONNREFUSED:
		return error_set(reterr, error, "nobody listens at %s", name);
	case -ENOENT:
		return error_set(reterr, error, "there is no socket at %s", name);
	case -EPROTOTYPE:
		return error_set(reterr, error, "the socket at %s is of another type (stream, seqpacket, datagram)",
				 name);
	case -EAGAIN:
	case -ETIMEDOUT:
		if (wait_listener)
			return error_set(reterr, error, "nobody listens at %s, or accepts connections, %s", name,
					 error == -EAGAIN ? "now" : "before the deadline");
		return error_set(reterr, error, "too many connections wait to be accepted at %s", name);
	case -EACCES:
		return error_set(reterr, error,
				 "no permission to connect to %s: it takes write permission on the socket, and search "
				 "permission on its directories",
				 name);
	default:
		return error_set(reterr, error, "can't connect to %s: %s", name, error_reason(error));
	}
}

int nonet_unix_connect(const char *name, enum nonet_unix_type type, const struct nonet_unix_options *options,
		       nonet_time deadline, struct nonet_unix **ret_unix, struct nonet_error *reterr)
{
	const bool wait_listener = options && options->flags & NONET_UNIX_WAIT_LISTENER;
	struct sockaddr_un address;
	socklen_t address_size;
	char text[112];
	int error = unix_check_options(options, reterr);
	int kind = unix_socket_type(type, reterr);
	int fd;

	if (error == 0)
		error = unix_name_set(name, options ? options->name_size : 0, &address, &address_size, reterr);
	if (error < 0)
		return error;
	if (kind < 0)
		return kind;
	(void)unix_name_get(&address, address_size, text);
	fd = sys_socket(AF_UNIX, kind | SOCK_NONBLOCK);
	if (fd < 0)
		return error_set(reterr, fd, "can't make a UNIX socket: %s", error_reason(fd));
	error = connect_wait(fd, &address, address_size, wait_listener, deadline);
	if (error < 0) {
		sys_close(&fd);
		return connect_explain(reterr, error, text, wait_listener);
	}
	/* Only the connecting had to be non-blocking; from here on each call says for itself. */
	error = sys_set_flags(fd, 0);
	if (error < 0)
		error_set(reterr, error, "can't set up the connection to %s: %s", text, error_reason(error));
	else
		error = unix_make(fd, type, true, options ? options->message_size : 0,
				  options ? options->buffer_size : 0, ret_unix, reterr);
	if (error < 0)
		sys_close(&fd);
	return error;
}

int nonet_unix_accept(struct nonet_unix_listener *listener, nonet_time deadline, struct nonet_unix **ret_unix)
{
	/* Before it is accepted: without memory the client has to stay in the queue. */
	struct nonet_unix *socket = sys_allocate(sizeof(*socket));
	int error = 0;
	int fd;

	if (!socket)
		return -ENOMEM;
	for (;;) {
		fd = sys_accept(listener->fd);
		if (fd >= 0)
			break;
		/* A client that gave up in between; the next one may be there. */
		error = fd;
		if (error == -EAGAIN || error == -ECONNABORTED)
			error = sys_poll_one(listener->fd, POLLIN, deadline);
		if (error < 0)
			break;
	}
	if (fd >= 0) {
		error = unix_init(socket, fd, listener->type, true, listener->message_size, listener->buffer_size,
				  NULL);
		if (error == 0) {
			*ret_unix = socket;
			return 0;
		}
		sys_close(&fd);
	}
	sys_free(socket);
	return error;
}

int nonet_unix_listener_fd(struct nonet_unix_listener *listener)
{
	return listener->fd;
}

int nonet_unix_listener_arm(struct nonet_unix_listener *listener)
{
	return waitable_arm(&listener->waitable);
}

struct nonet_waitable *nonet_unix_listener_waitable(struct nonet_unix_listener *listener)
{
	return &listener->waitable;
}
