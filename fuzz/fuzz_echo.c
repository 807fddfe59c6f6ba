/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a raw ICMP socket receives. Three properties:
 *  - any bytes: nothing is read beyond them, a payload that is told lies within them, and nothing is written if there
 *    is none;
 *  - what is taken for a reply has the type, the code and, of IPv4, a checksum that adds up;
 *  - a request that a host turned into a reply is read as what it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "socket/socket_echo.h"

#define IP_HEADER 20
#define CANARY    0x5a

static void require(bool holds)
{
	if (!holds)
		abort();
}

static uint16_t sum_of(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void check_any_bytes(bool ipv6, const uint8_t *data, size_t size)
{
	uint8_t *packet = malloc(size ? size : 1);
	struct echo echo;
	struct echo before;

	memset(&echo, CANARY, sizeof(echo));
	memset(&before, CANARY, sizeof(before));
	if (size > 0)
		memcpy(packet, data, size);
	if (echo_reply(ipv6, packet, size, &echo)) {
		require(echo.begin >= ECHO_HEADER_SIZE && echo.begin <= size && echo.size == size - echo.begin);
		require(packet[echo.begin - ECHO_HEADER_SIZE] == (ipv6 ? 129 : 0));
		require(packet[echo.begin - ECHO_HEADER_SIZE + 1] == 0);
		require(ipv6 || sum_of(packet + echo.begin - ECHO_HEADER_SIZE, echo.size + ECHO_HEADER_SIZE) == 0xffff);
	} else {
		require(memcmp(&echo, &before, sizeof(echo)) == 0);
	}
	free(packet);
}

static void check_answered(bool ipv6, uint16_t identifier, uint16_t sequence, const uint8_t *payload, size_t size)
{
	const size_t begin = ipv6 ? 0 : IP_HEADER;
	const size_t whole = begin + ECHO_HEADER_SIZE + size;
	uint8_t *packet = calloc(1, whole);
	uint8_t *echo_at = packet + begin;
	struct echo echo;
	uint16_t sum;

	echo_request(ipv6, identifier, sequence, payload, size, echo_at);
	if (size > 0)
		memcpy(echo_at + ECHO_HEADER_SIZE, payload, size);
	require(!echo_reply(ipv6, packet, whole, &echo));
	if (!ipv6) {
		require(sum_of(echo_at, ECHO_HEADER_SIZE + size) == 0xffff);
		packet[0] = 0x45;
		packet[9] = 1;
	}
	/* What the host does. */
	echo_at[0] = ipv6 ? 129 : 0;
	memset(echo_at + 2, 0, 2);
	sum = (uint16_t)~sum_of(echo_at, ECHO_HEADER_SIZE + size);
	echo_at[2] = (uint8_t)(sum >> 8);
	echo_at[3] = (uint8_t)sum;
	require(echo_reply(ipv6, packet, whole, &echo));
	require(echo.identifier == identifier && echo.sequence == sequence);
	require(echo.size == size && echo.begin == begin + ECHO_HEADER_SIZE);
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 5 || size > 65535)
		return 0;
	check_any_bytes(data[0] & 1, data + 1, size - 1);
	check_answered(data[0] & 1, (uint16_t)(data[1] << 8 | data[2]), (uint16_t)(data[3] << 8 | data[4]), data + 5,
		       size - 5);
	return 0;
}
