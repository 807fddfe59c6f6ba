/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "socket/socket.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"

/* More than net.core.somaxconn ever allows, which the kernel cuts it down to. */
#define LISTEN_BACKLOG_MAX INT32_MAX

static int listen_explain(struct nonet_error *reterr, int error, const char *name, const union sys_address *last)
{
	switch (error) {
	case -EADDRINUSE:
		/* They stand at the same place in both families. */
		if (last->ipv4.sin_port == 0)
			return error_set(reterr, error,
					 "no port is free for %s: close some sockets, or widen "
					 "net.ipv4.ip_local_port_range",
					 name);
		return error_set(reterr, error, "another socket has %s: take another port, or end who has it (ss -lp)",
				 name);
	case -EADDRNOTAVAIL:
		return error_set(reterr, error, "%s isn't an address of this machine", name);
	case -EAFNOSUPPORT:
		return error_set(reterr, error, "this machine doesn't have the address family of %s", name);
	case -EACCES:
		return error_set(reterr, error,
				 "no permission to take %s: low ports take CAP_NET_BIND_SERVICE, or a lower "
				 "net.ipv4.ip_unprivileged_port_start",
				 name);
	default:
		if (error == -EINVAL && socket_name_lacks_zone(last))
			return error_set(reterr, error, SOCKET_LACKS_ZONE, name);
		return error_set(reterr, error, "can't take %s: %s", name, error_reason(error));
	}
}

/* "::" takes what comes over IPv4 too, or not, whatever net.ipv6.bindv6only says. */
static int listen_set_up(int fd, enum nonet_socket_type type, const struct nonet_socket_options *options,
			 sa_family_t family)
{
	const uint32_t flags = options ? options->flags : 0;
	const int on = 1;
	const int only = flags & NONET_SOCKET_IPV6 && !(flags & NONET_SOCKET_IPV4);
	int error = socket_set_up(fd, type, options);

	if (error == 0 && type == NONET_SOCKET_TCP)
		error = sys_set_option(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (error == 0 && family == AF_INET6)
		error = sys_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	return error;
}

static int listen_one(enum nonet_socket_type type, const union sys_address *address,
		      const struct nonet_socket_options *options)
{
	const int backlog = options && options->backlog ? (int)options->backlog : LISTEN_BACKLOG_MAX;
	const sa_family_t family = address->any.sa_family;
	const bool tcp = type == NONET_SOCKET_TCP;
	int fd = tcp ? sys_socket_of(family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP)
		     : sys_socket_of(family, SOCK_DGRAM, IPPROTO_UDP);
	int error = fd < 0 ? fd : listen_set_up(fd, type, options, family);

	if (error == 0)
		error = sys_bind(fd, &address->any, socket_name_size(address));
	if (error == 0 && tcp)
		error = sys_listen(fd, backlog);
	if (error < 0)
		sys_close(&fd);
	return error < 0 ? error : fd;
}

/* Take the first address of @host that is here. Return: a descriptor, or an error with its sentence. */
static int listen_publish(const char *host, const char *port, enum nonet_socket_type type,
			  const struct nonet_socket_options *options, nonet_time deadline, sa_family_t *ret_family,
			  char *name, size_t capacity, struct nonet_error *reterr)
{
	struct sys_addresses addresses;
	uint16_t number;
	size_t i;
	int fd = -EADDRNOTAVAIL;
	int error = socket_check_options(options, reterr);

	if (error == 0)
		error = socket_port(port, 0, &number, reterr);
	if (error == 0)
		error = socket_resolve(host, number, options, deadline, &addresses, reterr);
	if (error < 0)
		return error;
	socket_describe(host, port, name, capacity);
	for (i = 0; i < addresses.count; i++) {
		fd = listen_one(type, &addresses.list[i], options);
		if (fd != -EADDRNOTAVAIL && fd != -EAFNOSUPPORT)
			break;
	}
	/* The last one that was tried. */
	i -= i == addresses.count;
	if (fd < 0)
		return listen_explain(reterr, fd, name, &addresses.list[i]);
	*ret_family = addresses.list[i].any.sa_family;
	return fd;
}

int nonet_socket_listen(const char *host, const char *port, const struct nonet_socket_options *options,
			nonet_time deadline, struct nonet_socket_listener **ret_listener, struct nonet_error *reterr)
{
	struct nonet_socket_listener *listener = sys_allocate(sizeof(*listener));
	int fd;

	if (!listener)
		return error_set(reterr, -ENOMEM, "no memory for a listener's handle");
	fd = listen_publish(host, port, NONET_SOCKET_TCP, options, deadline, &listener->family, listener->name,
			    sizeof(listener->name), reterr);
	if (fd < 0) {
		sys_free(listener);
		return fd;
	}
	listener->fd = fd;
	listener->message_size = options ? options->message_size : 0;
	waitable_init(&listener->waitable, fd, NULL);
	*ret_listener = listener;
	return 0;
}

int nonet_socket_bind(const char *host, const char *port, const struct nonet_socket_options *options,
		      nonet_time deadline, struct nonet_socket **ret_socket, struct nonet_error *reterr)
{
	char name[96];
	sa_family_t family;
	int fd = listen_publish(host, port, NONET_SOCKET_UDP, options, deadline, &family, name, sizeof(name), reterr);
	int error;

	if (fd < 0)
		return fd;
	error = socket_make(fd, NONET_SOCKET_UDP, family, options ? options->message_size : 0, ret_socket, reterr);
	if (error < 0)
		sys_close(&fd);
	return error;
}

/* What accept(2) says of a client that has gone, or of its network: the next one may be there. */
static bool accept_is_passing(int error)
{
	switch (error) {
	case -ECONNABORTED:
	case -ENETDOWN:
	case -EPROTO:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -EOPNOTSUPP:
	case -ENETUNREACH:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

int nonet_socket_accept(struct nonet_socket_listener *listener, nonet_time deadline, struct nonet_socket **ret_socket)
{
	/* Before it is accepted: without memory the client has to stay in the queue. */
	struct nonet_socket *socket = sys_allocate(sizeof(*socket));
	int error;
	int fd;

	if (!socket)
		return -ENOMEM;
	for (;;) {
		fd = sys_accept(listener->fd);
		if (fd >= 0)
			break;
		error = fd;
		if (error == -EAGAIN || accept_is_passing(error))
			error = sys_poll_one(listener->fd, POLLIN, deadline);
		if (error < 0) {
			sys_free(socket);
			return error;
		}
	}
	/* The kernel has given it the listener's options. */
	socket_init(socket, fd, NONET_SOCKET_TCP, listener->family, listener->message_size);
	*ret_socket = socket;
	return 0;
}

struct nonet_socket_listener *nonet_socket_listener_close(struct nonet_socket_listener *listener)
{
	if (!listener)
		return NULL;
	waitable_done(&listener->waitable);
	sys_close(&listener->fd);
	return sys_free(listener);
}

int nonet_socket_listener_fd(struct nonet_socket_listener *listener)
{
	return listener->fd;
}

int nonet_socket_listener_arm(struct nonet_socket_listener *listener)
{
	return waitable_arm(&listener->waitable);
}

struct nonet_waitable *nonet_socket_listener_waitable(struct nonet_socket_listener *listener)
{
	return &listener->waitable;
}
