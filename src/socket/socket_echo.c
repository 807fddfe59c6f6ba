/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/socket_echo.h"

#include <string.h>

enum {
	ECHO_REQUEST_IPV4 = 8,
	ECHO_REPLY_IPV4 = 0,
	ECHO_REQUEST_IPV6 = 128,
	ECHO_REPLY_IPV6 = 129,
	IP_HEADER_MIN = 20,
	IP_PROTOCOL_AT = 9,
	IP_PROTOCOL_ICMP = 1,
};

/* The internet checksum's sum (RFC 1071), not folded; only the last part may have an odd size. */
static uint64_t echo_sum(uint64_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (size % 2)
		sum += (uint32_t)bytes[size - 1] << 8;
	return sum;
}

static uint16_t echo_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void echo_put(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t echo_get(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void echo_request(bool ipv6, uint16_t identifier, uint16_t sequence, const void *payload, size_t size,
		  uint8_t ret_header[ECHO_HEADER_SIZE])
{
	memset(ret_header, 0, ECHO_HEADER_SIZE);
	ret_header[0] = ipv6 ? ECHO_REQUEST_IPV6 : ECHO_REQUEST_IPV4;
	echo_put(ret_header + 4, identifier);
	echo_put(ret_header + 6, sequence);
	if (!ipv6)
		echo_put(ret_header + 2,
			 (uint16_t)~echo_fold(echo_sum(echo_sum(0, ret_header, ECHO_HEADER_SIZE), payload, size)));
}

bool echo_reply(bool ipv6, const uint8_t *packet, size_t size, struct echo *ret_echo)
{
	size_t begin = 0;
	const uint8_t *echo;

	if (!ipv6) {
		if (size < IP_HEADER_MIN || packet[0] >> 4 != 4 || packet[IP_PROTOCOL_AT] != IP_PROTOCOL_ICMP)
			return false;
		begin = (size_t)(packet[0] & 15) * 4;
		if (begin < IP_HEADER_MIN)
			return false;
	}
	if (size < begin + ECHO_HEADER_SIZE)
		return false;
	echo = packet + begin;
	if (echo[0] != (ipv6 ? ECHO_REPLY_IPV6 : ECHO_REPLY_IPV4) || echo[1] != 0)
		return false;
	/* A raw socket gets IPv4's packets before the kernel checks them; of IPv6 it has done so. */
	if (!ipv6 && echo_fold(echo_sum(0, echo, size - begin)) != 0xffff)
		return false;
	*ret_echo = (struct echo){
		.identifier = echo_get(echo + 4),
		.sequence = echo_get(echo + 6),
		.begin = begin + ECHO_HEADER_SIZE,
		.size = size - begin - ECHO_HEADER_SIZE,
	};
	return true;
}
