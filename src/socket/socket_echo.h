/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOCKET_SOCKET_ECHO_H
#define SOCKET_SOCKET_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ICMP echo, byte by byte (RFC 792, RFC 4443); all numbers are big-endian:
 *
 *   0  1  type: request 8, reply 0; of IPv6 128 and 129
 *   1  1  code, 0
 *   2  2  checksum
 *   4  2  identifier
 *   6  2  sequence number
 *   8     payload
 */
#define ECHO_HEADER_SIZE 8

struct echo {
	uint16_t identifier;
	uint16_t sequence;
	size_t begin; /* of the payload in the packet */
	size_t size;
};

/* The header of a request. The checksum of IPv6 is left to the kernel, which knows the addresses that go into it. */
void echo_request(bool ipv6, uint16_t identifier, uint16_t sequence, const void *payload, size_t size,
		  uint8_t ret_header[ECHO_HEADER_SIZE]);

/*
 * Read what a raw socket received: of IPv4 with IP's header, of IPv6 without. Pure.
 * Return: whether it is a whole echo reply; else nothing is written.
 */
bool echo_reply(bool ipv6, const uint8_t *packet, size_t size, struct echo *ret_echo);

#endif
