/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_host_byte(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       byte == '.' || byte == '-' || byte == '_' || byte >= 0x80;
}

/* A name or an IPv4 address, which only a look-up could tell apart. */
static int read_name(struct address_reader *reader, const char *begin, const char *end)
{
	struct nonet_address *address = reader->address;
	size_t i;
	int result;

	if (begin == end)
		return address_refuse(reader, begin,
				      "the host is missing; write a name or an IPv4 address, or an IPv6 address in "
				      "brackets, as in %s",
				      reader->example);
	result = address_read_bytes(reader, begin, end, "host", false, &address->name, &address->name_size);
	if (result < 0)
		return result;
	for (i = 0; i < address->name_size; i++) {
		if (!is_host_byte((unsigned char)address->name[i]))
			return address_refuse(reader, address_find_byte(begin, i),
					      "\"%.*s\" is no host: a name has letters, digits and . - _, and an IPv6 "
					      "address stands in brackets, as in %s",
					      ADDRESS_QUOTE(begin, end), reader->example);
	}
	if (address->name_size > ADDRESS_HOST_MAX)
		return address_refuse(reader, address_find_byte(begin, ADDRESS_HOST_MAX),
				      "the host has %zu bytes; a name in DNS has at most %d", address->name_size,
				      ADDRESS_HOST_MAX);
	return 0;
}

/* What the kernel allows as an interface's name; @zone begins with its '%'. */
static int read_zone(struct address_reader *reader, const char *begin, const char *end, const char *zone)
{
	const char *name = zone + 1;
	size_t before = (size_t)(name - reader->address->name);
	size_t size = strlen(name), wrong = strcspn(name, "/: \t\n\v\f\r");

	if (!size)
		return address_refuse(reader, end,
				      "no interface stands after %%25; write one, as in [fe80::1%%25eth0]");
	if (wrong < size || !strcmp(name, ".") || !strcmp(name, ".."))
		return address_refuse(reader, address_find_byte(begin, before + (wrong < size ? wrong : 0)),
				      "\"%s\" is no name of an interface; write one, as in [fe80::1%%25eth0]", name);
	if (size > ADDRESS_ZONE_MAX)
		return address_refuse(reader, address_find_byte(begin, before + ADDRESS_ZONE_MAX),
				      "the interface's name has %zu bytes; the kernel allows at most %d", size,
				      ADDRESS_ZONE_MAX);
	return 0;
}

/* What stands in brackets. The name becomes the shortest spelling, with its zone if there is one. */
static int read_ipv6(struct address_reader *reader, const char *begin, const char *end)
{
	struct nonet_address *address = reader->address;
	char shortest[INET6_ADDRSTRLEN];
	struct in6_addr binary;
	size_t size, wrong;
	char *zone;
	int result;

	if (begin == end)
		return address_refuse(reader, begin, "no address stands in the brackets; write one, as in [::1]");
	result = address_read_bytes(reader, begin, end, "host", false, &address->name, &address->name_size);
	if (result < 0)
		return result;
	zone = memchr(address->name, '%', address->name_size);
	size = zone ? (size_t)(zone - address->name) : address->name_size;
	wrong = strspn(address->name, "0123456789abcdefABCDEF:.");
	if (wrong < size)
		return address_refuse(
			reader, address_find_byte(begin, wrong),
			"\"%.*s\" is no IPv6 address: it has hexadecimal digits and colons, and an interface "
			"after %%25, as in [::1] or [fe80::1%%25eth0]",
			ADDRESS_QUOTE(begin, end));
	if (zone) {
		result = read_zone(reader, begin, end, zone);
		if (result < 0)
			return result;
		*zone = '\0';
	}
	if (inet_pton(AF_INET6, address->name, &binary) != 1)
		return address_refuse(
			reader, begin,
			"\"%.*s\" is no IPv6 address; write up to eight groups of four hexadecimal digits, "
			"with :: for zeros left out, as in [::1]",
			ADDRESS_QUOTE(begin, end));
	inet_ntop(AF_INET6, &binary, shortest, sizeof(shortest));
	address->name = reader->unused;
	address->name_size = (size_t)sprintf(reader->unused, "%s%s%s", shortest, zone ? "%" : "", zone ? zone + 1 : "");
	reader->unused += address->name_size + 1;
	return 0;
}

/* The host at @rest, up to its colon if it is @with_port. *@ret_after is the byte behind it. */
static int read_host(struct address_reader *reader, const char *rest, bool with_port, const char **ret_after)
{
	const char *end = reader->end, *close, *colon, *second;
	int result;

	if (*rest == '[') {
		close = memchr(rest, ']', (size_t)(end - rest));
		result = read_ipv6(reader, rest + 1, close ? close : end);
		if (result < 0)
			return result;
		if (!close)
			return address_refuse(reader, end,
					      "the bracket is not closed; write ] after the IPv6 address, as in "
					      "[::1]");
		*ret_after = close + 1;
		return 0;
	}
	colon = with_port ? memchr(rest, ':', (size_t)(end - rest)) : NULL;
	second = colon ? memchr(colon + 1, ':', (size_t)(end - colon - 1)) : NULL;
	if (second)
		return address_refuse(
			reader, colon == rest ? colon : second,
			"\"%.*s\" has more colons than HOST:PORT; an IPv6 address stands in brackets, as in %s",
			ADDRESS_QUOTE(rest, end), reader->example);
	result = read_name(reader, rest, colon ? colon : end);
	if (result < 0)
		return result;
	*ret_after = colon ? colon : end;
	return 0;
}

int address_read_host(struct address_reader *reader, const char *rest)
{
	const char *after;
	int result;

	result = read_host(reader, rest, false, &after);
	if (result < 0)
		return result;
	if (after < reader->end)
		return address_refuse(reader, after, "\"%.*s\" stands after the host; nothing may, as in %s",
				      ADDRESS_QUOTE(after, reader->end), reader->example);
	return 0;
}

int address_read_host_port(struct address_reader *reader, const char *rest)
{
	const char *after;
	int result;

	result = read_host(reader, rest, true, &after);
	if (result < 0)
		return result;
	if (after == reader->end || *after != ':')
		return address_refuse(reader, after, "a colon and the port have to follow the host \"%.*s\", as in %s",
				      ADDRESS_QUOTE(rest, after), reader->example);
	return address_read_number(reader, after + 1, reader->end, "port", NONET_ADDRESS_PORT, 0, 65535);
}
