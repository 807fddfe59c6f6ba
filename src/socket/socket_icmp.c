/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw socket gets a copy of every ICMP packet of its family that its host sends us: answers to others, and ones of
 * nobody, too. Ours are known by the identifier, and by a sequence number that waits for its answer.
 *
 * One word says which do, as one thread may send while another receives: {unanswered 48 | last 16}. @last is the
 * sequence number that was used last, and bit i of @unanswered belongs to the number last - i.
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <string.h>

#include "base/time.h"
#include "socket/socket.h"
#include "socket/socket_echo.h"
#include "sys/event.h"

/* <linux/icmp.h>, which only src/sys may include. */
#define SOL_RAW_IPV4     255
#define ICMP_FILTER_IPV4 1
#define ECHO_REPLY_IPV4  0

#define ICMP_REMEMBERED 48

/* How many packets of others a call looks at, even one that may not wait, before it looks at the deadline. */
#define ICMP_SKIP_MAX 256

int socket_icmp_set_up(int fd, sa_family_t family)
{
	/* A bit for each type that is not wanted. */
	const uint32_t others = ~(UINT32_C(1) << ECHO_REPLY_IPV4);
	struct icmp6_filter filter;

	if (family == AF_INET)
		return sys_set_option(fd, SOL_RAW_IPV4, ICMP_FILTER_IPV4, &others, sizeof(others));
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	return sys_set_option(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
}

/* The next number, which waits for an answer from now on. */
static uint16_t icmp_next(struct nonet_socket *socket)
{
	uint64_t word = atomic_load_explicit(&socket->unanswered, memory_order_relaxed);
	uint64_t next;

	do
		next = (word >> 16 << 17 | UINT64_C(1) << 16) | (uint16_t)(word + 1);
	while (!atomic_compare_exchange_weak_explicit(&socket->unanswered, &word, next, memory_order_relaxed,
						      memory_order_relaxed));
	return (uint16_t)next;
}

/* Whether a number waited for its answer: it doesn't any more. */
static bool icmp_answered(struct nonet_socket *socket, uint16_t sequence)
{
	uint64_t word = atomic_load_explicit(&socket->unanswered, memory_order_relaxed);
	uint64_t bit;
	uint16_t ago;

	do {
		ago = (uint16_t)((uint16_t)word - sequence);
		if (ago >= ICMP_REMEMBERED)
			return false;
		bit = UINT64_C(1) << (16 + ago);
		if (!(word & bit))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&socket->unanswered, &word, word & ~bit, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

int socket_icmp_send(struct nonet_socket *socket, const void *message, size_t size, nonet_time deadline)
{
	const uint16_t sequence = icmp_next(socket);
	uint8_t header[ECHO_HEADER_SIZE];
	struct iovec vector[2] = {
		{.iov_base = header, .iov_len = sizeof(header)},
		{.iov_base = (void *)message, .iov_len = size},
	};
	const struct msghdr packet = {.msg_iov = vector, .msg_iovlen = size > 0 ? 2 : 1};
	ssize_t sent;
	int ready;

	echo_request(socket->family == AF_INET6, socket->identifier, sequence, message, size, header);
	for (;;) {
		sent = sys_send(socket->stream.fd, &packet, deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT);
		if (sent >= 0)
			return 0;
		ready = sent == -EAGAIN ? sys_poll_one(socket->stream.fd, POLLOUT, deadline) : socket_told((int)sent);
		if (ready < 0) {
			(void)icmp_answered(socket, sequence);
			return ready;
		}
	}
}

int socket_icmp_take(struct nonet_socket *socket, nonet_time deadline)
{
	struct packet *packet = &socket->packet;
	const bool ipv6 = socket->family == AF_INET6;
	const size_t room = socket->stream.message_size + SOCKET_HEADERS_MAX;
	struct echo echo;
	ssize_t size;
	int ready;

	for (unsigned skipped = 0;;) {
		size = sys_receive_bytes(socket->stream.fd, packet->bytes, room,
					 MSG_TRUNC | (deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT));
		if (size == -EAGAIN) {
			ready = socket_packet_wait(socket, deadline);
			if (ready < 0)
				return ready;
			continue;
		}
		/* Of a packet there is at least a header. */
		if (size == 0 && deadline == NONET_FOREVER) {
			ready = socket_packet_is_shut(socket);
			if (ready != 0)
				return ready < 0 ? ready : -EPIPE;
		}
		/* That is of a request, which was too large for the way: lost like any other. */
		if (size < 0 && size != -EMSGSIZE)
			return socket_told((int)size);
		/* Cut off, its checksum can't be right; IPv6 has told us that it was. */
		if (size >= 0 && (size_t)size <= room && echo_reply(ipv6, packet->bytes, (size_t)size, &echo) &&
		    echo.identifier == socket->identifier && icmp_answered(socket, echo.sequence)) {
			if (echo.size > socket->stream.message_size)
				return -EMSGSIZE;
			packet->begin = echo.begin;
			packet->size = echo.size;
			return 0;
		}
		/* Others may send all the time. */
		skipped++;
		if (skipped >= ICMP_SKIP_MAX && deadline != NONET_FOREVER && nonet_clock() >= deadline)
			return time_expired(deadline);
	}
}
