/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/error.h"
#include "base/time.h"
#include "socket/socket.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "sys/process.h"

struct connect_request {
	enum nonet_socket_type type;
	const struct nonet_socket_options *options; /* or NULL */
	const char *host;
	const char *port; /* NULL for ICMP */
	struct sys_addresses addresses;
	size_t tried;           /* addresses */
	bool refused;           /* by one of them at least */
	bool local;             /* what failed has nothing to do with the address: no descriptors, no permission */
	union sys_address last; /* the address that was tried last */
};

static int connect_socket(const struct connect_request *request, sa_family_t family)
{
	switch (request->type) {
	case NONET_SOCKET_TCP:
		return sys_socket_of(family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	case NONET_SOCKET_UDP:
		return sys_socket_of(family, SOCK_DGRAM, IPPROTO_UDP);
	case NONET_SOCKET_ICMP:
		return sys_socket_of(family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	}
	return -EINVAL;
}

/* Begin to connect; or, of TCP, ask again how that goes: -EALREADY until there is an answer, which is told once. */
static int connect_ask(int fd, const union sys_address *address)
{
	int error = sys_connect(fd, &address->any, socket_name_size(address));

	/* UDP has no local port left; that is no deadline. */
	if (error == -EAGAIN)
		return -EADDRNOTAVAIL;
	return socket_told(error);
}

/*
 * TCP connects a socket with itself, if the port to connect to is a free one of this machine, and happens to be what
 * the socket is given for its own. Nobody listens there. Hung up as usual it would stay in TIME_WAIT, and keep whoever
 * wants to listen there from it for a minute; so it is reset.
 */
static int connect_refuse_own(int fd, const union sys_address *address)
{
	const struct linger reset = {.l_onoff = 1};
	union sys_address local;
	union sys_address peer;
	socklen_t size = sizeof(local);
	int error = sys_local_name(fd, &local.any, &size);

	/* They stand at the same place in both families. */
	if (error < 0 || local.ipv4.sin_port != address->ipv4.sin_port)
		return error;
	/* Not @address: "0.0.0.0" and "::" are this machine too. */
	size = sizeof(peer);
	error = sys_peer_name(fd, &peer.any, &size);
	/* A peer that has gone again was another. */
	if (error == -ENOTCONN)
		return 0;
	if (error < 0 || !socket_name_is(&local, &peer))
		return error;
	error = sys_set_option(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return error < 0 ? error : -ECONNREFUSED;
}

static int connect_tcp(int fd, const union sys_address *address, nonet_time deadline)
{
	int error = connect_ask(fd, address);
	int ready;

	/* Within this machine the answer is there already, so that a deadline that has passed doesn't matter. */
	if (error == -EINPROGRESS)
		error = connect_ask(fd, address);
	while (error == -EALREADY || error == -EINPROGRESS) {
		ready = sys_poll_one(fd, POLLOUT, deadline);
		if (ready < 0)
			return ready;
		error = connect_ask(fd, address);
	}
	if (error == 0)
		error = connect_refuse_own(fd, address);
	/* Only the connecting had to be non-blocking; from here on each call says for itself. */
	return error < 0 ? error : sys_set_flags(fd, 0);
}

static int connect_one(struct connect_request *request, const union sys_address *address, nonet_time deadline,
		       int *ret_fd)
{
	const sa_family_t family = address->any.sa_family;
	int fd = connect_socket(request, family);
	int error = fd < 0 ? fd : 0;

	request->tried++;
	request->last = *address;
	/* A family that this machine hasn't is about the address; no permission, or no descriptor, isn't. */
	request->local = fd < 0 && fd != -EAFNOSUPPORT;
	if (error == 0)
		error = socket_set_up(fd, request->type, request->options);
	if (error == 0 && request->type == NONET_SOCKET_ICMP)
		error = socket_icmp_set_up(fd, family);
	if (error == 0 && request->type == NONET_SOCKET_TCP)
		error = connect_tcp(fd, address, deadline);
	else if (error == 0)
		error = connect_ask(fd, address);
	if (error < 0)
		sys_close(&fd);
	else
		*ret_fd = fd;
	request->refused |= error == -ECONNREFUSED;
	return error;
}

/* What one of @left addresses gets of the time. */
static nonet_time connect_share(nonet_time deadline, size_t left)
{
	nonet_time now;

	if (left <= 1 || deadline == NONET_NOW || deadline == NONET_FOREVER)
		return deadline;
	now = nonet_clock();
	return now + time_until(deadline, now) / (nonet_time)left;
}

static int connect_all(struct connect_request *request, nonet_time deadline, int *ret_fd)
{
	const size_t count = request->addresses.count;
	int error = -ENOENT;

	request->tried = 0;
	request->refused = false;
	for (size_t i = 0; i < count; i++) {
		error = connect_one(request, &request->addresses.list[i], connect_share(deadline, count - i), ret_fd);
		if (error == 0 || request->local)
			break;
	}
	return error;
}

static int connect_until(struct connect_request *request, nonet_time deadline, int *ret_fd)
{
	const bool wait = request->options && request->options->flags & NONET_SOCKET_WAIT_LISTENER;
	struct sys_retry retry = {0};
	int error;
	int slept;

	for (;;) {
		error = connect_all(request, deadline, ret_fd);
		if (error == 0 || !wait || !request->refused || request->local)
			return error;
		slept = sys_retry_sleep(&retry, deadline);
		if (slept < 0)
			return slept;
	}
}

static int connect_explain(struct nonet_error *reterr, int error, const struct connect_request *request)
{
	const bool ping = request->type == NONET_SOCKET_ICMP;
	char name[96];
	char all[64] = "";

	socket_describe(request->host, request->port, name, sizeof(name));
	if (request->tried > 1)
		snprintf(all, sizeof(all), " (the last of %zu addresses that were tried)", request->tried);
	switch (error) {
	case -ECONNREFUSED:
		return error_set(reterr, error, "nobody listens at %s%s", name, all);
	case -EAGAIN:
	case -ETIMEDOUT:
		return error_set(reterr, error, "%s %s %s%s", name,
				 request->refused ? "has nobody who listens" : "gave no answer",
				 error == -EAGAIN ? "at once" : "before the deadline", all);
	case -EHOSTUNREACH:
		return error_set(reterr, error, "the host of %s doesn't answer, or no way leads there%s", name, all);
	case -EPERM:
	case -EACCES:
		if (ping && request->local)
			return error_set(reterr, error,
					 "no permission to ping %s: a raw socket takes CAP_NET_RAW; run it as root, or "
					 "give the program the capability (setcap cap_net_raw+ep PROGRAM)",
					 name);
		return error_set(
			reterr, error,
			"no permission to connect to %s: a firewall forbids it, or it is a broadcast address%s", name,
			all);
	case -EAFNOSUPPORT:
		return error_set(reterr, error, "this machine has no %s, which %s needs",
				 request->last.any.sa_family == AF_INET ? "IPv4" : "IPv6", name);
	case -EADDRNOTAVAIL:
		return error_set(reterr, error, "no local address, or no free port, leads to %s%s", name, all);
	default:
		if (error == -EINVAL && socket_name_lacks_zone(&request->last))
			return error_set(reterr, error, SOCKET_LACKS_ZONE, name);
		return error_set(reterr, error, "can't connect to %s: %s%s", name, error_reason(error), all);
	}
}

/*
 * A number that no other of our last 65536 sockets had, so that a late answer to one that is closed is nobody's; and
 * hardly one of another process.
 */
static uint16_t connect_identifier(void)
{
	static atomic_uint count;

	return (uint16_t)(atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) +
			  (unsigned)sys_process_id() * 40503u);
}

static int connect_check_type(enum nonet_socket_type type, struct nonet_error *reterr)
{
	if (type != NONET_SOCKET_TCP && type != NONET_SOCKET_UDP && type != NONET_SOCKET_ICMP)
		return error_set(reterr, -EINVAL, "%d is no type of socket", (int)type);
	return 0;
}

int nonet_socket_connect(const char *host, const char *port, enum nonet_socket_type type,
			 const struct nonet_socket_options *options, nonet_time deadline,
			 struct nonet_socket **ret_socket, struct nonet_error *reterr)
{
	struct connect_request request = {.type = type, .options = options, .host = host, .port = port};
	uint16_t number = 0;
	int fd = -1;
	int error = connect_check_type(type, reterr);

	if (error == 0)
		error = socket_check_options(options, reterr);
	if (error == 0 && type != NONET_SOCKET_ICMP)
		error = socket_port(port, 1, &number, reterr);
	else if (error == 0 && port)
		error = error_set(reterr, -EINVAL, "ICMP has no ports: give NULL");
	if (error == 0 && !host)
		error = error_set(reterr, -EINVAL, "the host to connect to is missing");
	if (error == 0)
		error = socket_resolve(host, number, options, deadline, &request.addresses, reterr);
	if (error < 0)
		return error;
	error = connect_until(&request, deadline, &fd);
	if (error < 0)
		return connect_explain(reterr, error, &request);
	error = socket_make(fd, type, request.last.any.sa_family, options ? options->message_size : 0, ret_socket,
			    reterr);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	(*ret_socket)->connected = true;
	if (type == NONET_SOCKET_ICMP) {
		(*ret_socket)->host = request.last;
		(*ret_socket)->identifier = connect_identifier();
	}
	return 0;
}
