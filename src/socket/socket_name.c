/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "socket/socket.h"

int socket_port(const char *port, uint16_t least, uint16_t *ret_port, struct nonet_error *reterr)
{
	const size_t size = port ? strlen(port) : 0;
	unsigned long number;

	if (size == 0 || size > 5 || strspn(port, "0123456789") != size)
		return error_set(reterr, -EINVAL, "\"%.32s\" is no port: give a decimal number up to 65535",
				 port ? port : "");
	number = strtoul(port, NULL, 10);
	if (number < least || number > UINT16_MAX)
		return error_set(reterr, -EINVAL, "the port %lu isn't from %u to 65535", number, least);
	*ret_port = (uint16_t)number;
	return 0;
}

void socket_describe(const char *host, const char *port, char *text, size_t capacity)
{
	const bool brackets = host && strchr(host, ':');

	if (!host)
		snprintf(text, capacity, "port %s", port);
	else if (!port)
		snprintf(text, capacity, "%s", host);
	else
		snprintf(text, capacity, brackets ? "[%.64s]:%s" : "%.64s:%s", host, port);
}

socklen_t socket_name_size(const union sys_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->ipv4) : sizeof(address->ipv6);
}

/* Drop the addresses of families that aren't wanted. */
static void resolve_filter(struct sys_addresses *addresses, uint32_t flags)
{
	const bool ipv4 = flags & NONET_SOCKET_IPV4 || !(flags & NONET_SOCKET_IPV6);
	const bool ipv6 = flags & NONET_SOCKET_IPV6 || !(flags & NONET_SOCKET_IPV4);
	size_t kept = 0;

	for (size_t i = 0; i < addresses->count; i++)
		if (addresses->list[i].any.sa_family == AF_INET ? ipv4 : ipv6)
			addresses->list[kept++] = addresses->list[i];
	addresses->count = kept;
}

static int resolve_explain(struct nonet_error *reterr, int error, const char *host)
{
	switch (error) {
	case -ENOENT:
		return error_set(reterr, error, "there is no host %.256s", host);
	case -EREMOTEIO:
		return error_set(reterr, error,
				 "the name servers gave no answer about the host %.256s: see /etc/resolv.conf", host);
	case -EAGAIN:
		return error_set(reterr, error,
				 "looking up the host %.256s takes time: give a deadline, or a numeric address", host);
	case -ETIMEDOUT:
		return error_set(reterr, error, "the host %.256s wasn't looked up before the deadline", host);
	default:
		return error_set(reterr, error, "can't look up the host %.256s: %s", host, error_reason(error));
	}
}

/* What needs no look-up of any kind; a zone does, of the interface. */
static bool name_parse(const char *host, union sys_address *ret_address)
{
	union sys_address address = {.ipv4 = {.sin_family = AF_INET}};

	if (inet_pton(AF_INET, host, &address.ipv4.sin_addr) != 1) {
		address = (union sys_address){.ipv6 = {.sin6_family = AF_INET6}};
		if (inet_pton(AF_INET6, host, &address.ipv6.sin6_addr) != 1)
			return false;
	}
	*ret_address = address;
	return true;
}

/* Every address of this machine: "::" stands for those of IPv4 too, where there is IPv6. */
static const struct sys_addresses socket_everywhere = {
	.count = 2,
	.list = {{.ipv6 = {.sin6_family = AF_INET6}}, {.ipv4 = {.sin_family = AF_INET}}},
};

int socket_resolve(const char *host, uint16_t port, const struct nonet_socket_options *options, nonet_time deadline,
		   struct sys_addresses *ret_addresses, struct nonet_error *reterr)
{
	const uint32_t flags = options ? options->flags : 0;
	struct sys_addresses addresses;
	int error = 0;

	if (host && !*host)
		return error_set(reterr, -EINVAL, "the host is empty: give a name or an address");
	if (!host)
		addresses = socket_everywhere;
	else if (name_parse(host, &addresses.list[0]))
		addresses.count = 1;
	else
		error = sys_resolve_numeric(host, &addresses);
	/* No name has a colon: what is left has a zone that isn't here. */
	if (error == -ENOENT && !strchr(host, ':'))
		error = sys_resolve(host, deadline, &addresses);
	if (error < 0)
		return resolve_explain(reterr, error, host);
	resolve_filter(&addresses, flags);
	if (addresses.count == 0)
		return error_set(reterr, -EAFNOSUPPORT, "the host %.256s has no address of %s", host,
				 flags & NONET_SOCKET_IPV4 ? "IPv4" : "IPv6");
	ret_addresses->count = addresses.count;
	for (size_t i = 0; i < addresses.count; i++) {
		ret_addresses->list[i] = addresses.list[i];
		/* They stand at the same place in both families. */
		ret_addresses->list[i].ipv4.sin_port = htons(port);
	}
	return 0;
}

void socket_name_show(const union sys_address *address, struct nonet_socket_name *ret_name)
{
	const struct in6_addr *ipv6 = &address->ipv6.sin6_addr;
	size_t size;

	*ret_name = (struct nonet_socket_name){.port = ntohs(address->ipv4.sin_port)};
	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->ipv4.sin_addr, ret_name->host, sizeof(ret_name->host));
	} else if (IN6_IS_ADDR_V4MAPPED(ipv6)) {
		inet_ntop(AF_INET, &ipv6->s6_addr[12], ret_name->host, sizeof(ret_name->host));
	} else {
		inet_ntop(AF_INET6, ipv6, ret_name->host, sizeof(ret_name->host));
		size = strlen(ret_name->host);
		/* By number: the interface may have another name by the time that this is used. */
		if (address->ipv6.sin6_scope_id)
			snprintf(ret_name->host + size, sizeof(ret_name->host) - size, "%%%u",
				 address->ipv6.sin6_scope_id);
	}
}

int socket_name_read(const struct nonet_socket_name *name, sa_family_t family, union sys_address *ret_address)
{
	union sys_address address;
	union sys_address mapped = {.ipv6 = {.sin6_family = AF_INET6}};
	struct sys_addresses numeric;
	int error;

	if (!memchr(name->host, 0, sizeof(name->host)) || name->port == 0)
		return -EINVAL;
	if (!name_parse(name->host, &address)) {
		error = sys_resolve_numeric(name->host, &numeric);
		if (error < 0)
			return error == -ENOENT ? -EINVAL : error;
		address = numeric.list[0];
	}
	if (address.any.sa_family == AF_INET && family == AF_INET6) {
		mapped.ipv6.sin6_addr.s6_addr[10] = 0xff;
		mapped.ipv6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&mapped.ipv6.sin6_addr.s6_addr[12], &address.ipv4.sin_addr, sizeof(address.ipv4.sin_addr));
		address = mapped;
	}
	if (address.any.sa_family != family)
		return -EAFNOSUPPORT;
	address.ipv4.sin_port = htons(name->port);
	*ret_address = address;
	return 0;
}

bool socket_name_is(const union sys_address *one, const union sys_address *other)
{
	if (one->any.sa_family != other->any.sa_family || one->ipv4.sin_port != other->ipv4.sin_port)
		return false;
	if (one->any.sa_family == AF_INET)
		return one->ipv4.sin_addr.s_addr == other->ipv4.sin_addr.s_addr;
	return memcmp(&one->ipv6.sin6_addr, &other->ipv6.sin6_addr, sizeof(one->ipv6.sin6_addr)) == 0;
}

bool socket_name_lacks_zone(const union sys_address *address)
{
	return address->any.sa_family == AF_INET6 && address->ipv6.sin6_scope_id == 0 &&
	       (IN6_IS_ADDR_LINKLOCAL(&address->ipv6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&address->ipv6.sin6_addr));
}

int nonet_socket_get_name(struct nonet_socket *socket, struct nonet_socket_name *ret_name)
{
	union sys_address address;
	socklen_t size = sizeof(address);
	int error = sys_local_name(socket->stream.fd, &address.any, &size);

	if (error == 0)
		socket_name_show(&address, ret_name);
	return error;
}

int nonet_socket_peer(struct nonet_socket *socket, struct nonet_socket_name *ret_peer)
{
	union sys_address address;
	socklen_t size = sizeof(address);
	int error = 0;

	if (socket->type == NONET_SOCKET_ICMP)
		address = socket->host;
	else
		error = sys_peer_name(socket->stream.fd, &address.any, &size);
	if (error == 0)
		socket_name_show(&address, ret_peer);
	return error;
}

int nonet_socket_listener_get_name(struct nonet_socket_listener *listener, struct nonet_socket_name *ret_name)
{
	union sys_address address;
	socklen_t size = sizeof(address);
	int error = sys_local_name(listener->fd, &address.any, &size);

	if (error == 0)
		socket_name_show(&address, ret_name);
	return error;
}
