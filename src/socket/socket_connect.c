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
	struct sys_addresses addresses;
	char name[96];          /* for sentences */
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

/* Wait for the peer's answer, and hear what it is. */
static int connect_wait(int fd, nonet_time deadline)
{
	int answer;
	socklen_t size = sizeof(answer);
	/* Within this machine it is there already, so that a deadline that has passed doesn't matter. */
	int ready = sys_poll_now(fd, POLLOUT);
	int error;

	if (ready == 0)
		ready = sys_poll_one(fd, POLLOUT, deadline);
	if (ready < 0)
		return ready;
	error = sys_get_option(fd, SOL_SOCKET, SO_ERROR, &answer, &size);
	if (error < 0)
		return error;
	/* The kernel gave up, not we. */
	return answer == ETIMEDOUT ? -EHOSTUNREACH : -answer;
}

/*
 * Whether TCP has connected a socket with itself: it does, if the port to connect to is a free one of this machine, and
 * happens to be what the socket is given for its own. Nobody listens there.
 */
static int connect_is_own(int fd, const union sys_address *address)
{
	union sys_address local;
	socklen_t size = sizeof(local);
	int error = sys_local_name(fd, &local.any, &size);

	return error < 0 ? error : socket_name_is(&local, address);
}

static int connect_tcp(int fd, const union sys_address *address, nonet_time deadline)
{
	int own;
	int error = sys_connect(fd, &address->any, socket_name_size(address));

	if (error == -EINPROGRESS || error == -EALREADY)
		error = connect_wait(fd, deadline);
	if (error < 0)
		return error;
	own = connect_is_own(fd, address);
	if (own != 0)
		return own < 0 ? own : -ECONNREFUSED;
	/* Only the connecting had to be non-blocking; from here on each call says for itself. */
	return sys_set_flags(fd, 0);
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
		error = sys_connect(fd, &address->any, socket_name_size(address));
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
	char all[64] = "";

	if (request->tried > 1)
		snprintf(all, sizeof(all), " (the last of %zu addresses that were tried)", request->tried);
	switch (error) {
	case -ECONNREFUSED:
		return error_set(reterr, error, "nobody listens at %s%s", request->name, all);
	case -EAGAIN:
	case -ETIMEDOUT:
		return error_set(reterr, error, "%s %s %s%s", request->name,
				 request->refused ? "has nobody who listens" : "gave no answer",
				 error == -EAGAIN ? "at once" : "before the deadline", all);
	case -EHOSTUNREACH:
		return error_set(reterr, error, "the host of %s doesn't answer, or no way leads there%s", request->name,
				 all);
	case -EPERM:
	case -EACCES:
		if (ping && request->local)
			return error_set(reterr, error,
					 "no permission to ping %s: a raw socket takes CAP_NET_RAW; run it as root, or "
					 "give the program the capability (setcap cap_net_raw+ep PROGRAM)",
					 request->name);
		return error_set(
			reterr, error,
			"no permission to connect to %s: a firewall forbids it, or it is a broadcast address%s",
			request->name, all);
	case -EAFNOSUPPORT:
		return error_set(reterr, error, "this machine has no %s, which %s needs",
				 request->last.any.sa_family == AF_INET ? "IPv4" : "IPv6", request->name);
	case -EADDRNOTAVAIL:
		return error_set(reterr, error, "no local address, or no free port, leads to %s%s", request->name, all);
	default:
		return error_set(reterr, error, "can't connect to %s: %s%s", request->name, error_reason(error), all);
	}
}

/* A number that no other of our sockets has, and hardly one of another process. */
static uint16_t connect_identifier(const struct nonet_socket *socket)
{
	return (uint16_t)((uintptr_t)socket >> 6 ^ (unsigned)sys_process_id() << 3);
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
	struct connect_request request = {.type = type, .options = options};
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
	socket_describe(host, port, request.name, sizeof(request.name));
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
		(*ret_socket)->identifier = connect_identifier(*ret_socket);
	}
	return 0;
}
