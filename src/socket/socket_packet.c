/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "socket/socket.h"
#include "sys/event.h"
#include "sys/memory.h"

/*
 * Datagrams are taken whole or not at all, so a buffer that is too small has to be found out before, or what doesn't
 * fit must have a place. It has: behind the caller's buffer, the kernel fills packet.bytes, which is as large as the
 * largest message. Nobody pays for it who gives buffers that are large enough. Of ICMP, where headers come first, and
 * what isn't ours too, all goes there.
 */

static bool packet_is_held(struct socket_packet *packet)
{
	return atomic_load_explicit(&packet->held, memory_order_relaxed);
}

static void packet_hold(struct socket_packet *packet, bool held)
{
	atomic_store_explicit(&packet->held, held, memory_order_relaxed);
}

int socket_packet_arm(struct nonet_socket *socket)
{
	return packet_is_held(&socket->packet);
}

int socket_packet_wait(struct nonet_socket *socket, nonet_time deadline)
{
	const int ready = sys_poll_one(socket->stream.fd, POLLIN | POLLRDHUP, deadline);

	if (ready < 0)
		return ready;
	return ready & POLLRDHUP ? -EPIPE : 0;
}

int socket_packet_is_shut(struct nonet_socket *socket)
{
	const int ready = sys_poll_now(socket->stream.fd, POLLRDHUP);

	return ready < 0 ? ready : (ready & POLLRDHUP) != 0;
}

static bool packet_lacks_port(struct nonet_socket *socket)
{
	struct nonet_socket_name name;

	return nonet_socket_get_name(socket, &name) == 0 && name.port == 0;
}

int socket_packet_send(struct nonet_socket *socket, const union sys_address *to, const void *message, size_t size,
		       nonet_time deadline)
{
	struct iovec vector = {.iov_base = (void *)message, .iov_len = size};
	struct msghdr packet = {
		.msg_name = (void *)to,
		.msg_namelen = to ? socket_name_size(to) : 0,
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	const int flags = deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT;
	ssize_t sent;
	int ready;

	if (size > socket->stream.message_size)
		return -EMSGSIZE;
	if (socket->type == NONET_SOCKET_ICMP)
		return socket_icmp_send(socket, message, size, deadline);
	for (;;) {
		if (to)
			sent = sys_send(socket->stream.fd, &packet, flags);
		else
			sent = sys_send_bytes(socket->stream.fd, message, size, flags);
		if (sent >= 0)
			return 0;
		if (sent != -EAGAIN)
			break;
		/* That, too, it says of a socket that has no port yet, if none is free: always ready, and never sent.
		 */
		if (to && packet_lacks_port(socket))
			return -EADDRNOTAVAIL;
		ready = sys_poll_one(socket->stream.fd, POLLOUT, deadline);
		if (ready < 0)
			return ready;
	}
	/* What the kernel calls a socket that was told no address to send to. */
	return sent == -EDESTADDRREQ ? -ENOTCONN : (int)sent;
}

static int packet_allocate(struct nonet_socket *socket)
{
	struct socket_packet *packet = &socket->packet;

	if (!packet->bytes)
		packet->bytes = sys_allocate(socket->stream.message_size + SOCKET_HEADERS_MAX);
	return packet->bytes ? 0 : -ENOMEM;
}

/* Take the next datagram: the first @capacity bytes to @buffer, the others to their place in packet.bytes. */
static int packet_take_udp(struct nonet_socket *socket, void *buffer, size_t capacity, bool named, nonet_time deadline)
{
	struct socket_packet *packet = &socket->packet;
	const size_t limit = socket->stream.message_size;
	struct iovec vector[2] = {{.iov_base = buffer, .iov_len = capacity}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 1};
	ssize_t size;
	int ready;

	if (capacity < limit) {
		ready = packet_allocate(socket);
		if (ready < 0)
			return ready;
		/* If it doesn't fit, it stays for a call that may want to know who sent it. */
		named |= !socket->connected;
		vector[1].iov_base = packet->bytes + capacity;
		vector[1].iov_len = limit - capacity;
		message.msg_iovlen = 2;
	}
	for (;;) {
		if (named) {
			message.msg_name = &packet->sender;
			message.msg_namelen = sizeof(packet->sender);
		}
		size = sys_receive(socket->stream.fd, &message, deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT);
		if (size >= 0)
			break;
		if (size != -EAGAIN)
			return (int)size;
		ready = socket_packet_wait(socket, deadline);
		if (ready < 0)
			return ready;
	}
	if (size == 0 && deadline == NONET_FOREVER) {
		ready = socket_packet_is_shut(socket);
		if (ready != 0)
			return ready < 0 ? ready : -EPIPE;
	}
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (!named)
		packet->sender.any.sa_family = AF_UNSPEC;
	packet->begin = 0;
	packet->size = (size_t)size;
	return 0;
}

/* Who sent the datagram that was taken: of a connection only the peer can have. */
static int packet_sender(struct nonet_socket *socket, struct nonet_socket_name *ret_from)
{
	struct socket_packet *packet = &socket->packet;

	if (packet->sender.any.sa_family == AF_UNSPEC)
		return nonet_socket_peer(socket, ret_from);
	socket_name_show(&packet->sender, ret_from);
	return 0;
}

/*
 * The same of any type. Return: 0 with packet.size; 1: also 0, but all of it is in packet.bytes, wherever it belongs;
 * or an error.
 */
static int packet_take(struct nonet_socket *socket, void *buffer, size_t capacity, bool named, nonet_time deadline)
{
	int error;

	if (socket->type == NONET_SOCKET_UDP)
		return packet_take_udp(socket, buffer, capacity, named, deadline);
	error = packet_allocate(socket);
	if (error == 0)
		error = socket_icmp_take(socket, deadline);
	return error < 0 ? error : 1;
}

int socket_packet_receive(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
			  struct nonet_socket_name *ret_from, size_t *ret_size)
{
	struct socket_packet *packet = &socket->packet;
	const size_t limit = socket->stream.message_size;
	const bool was_held = packet_is_held(packet);
	struct nonet_socket_name from;
	int taken = 1;
	int error;

	capacity = capacity < limit ? capacity : limit;
	if (!was_held) {
		taken = packet_take(socket, buffer, capacity, ret_from, deadline);
		if (taken < 0)
			return taken;
	}
	if (packet->size > capacity) {
		/* It lies in two places. */
		if (taken == 0 && capacity > 0)
			memcpy(packet->bytes, buffer, capacity);
		if (!was_held)
			packet_hold(packet, true);
		return -EMSGSIZE;
	}
	error = ret_from ? packet_sender(socket, &from) : 0;
	if (error < 0)
		return error;
	if (taken > 0 && packet->size > 0)
		memcpy(buffer, packet->bytes + packet->begin, packet->size);
	if (was_held)
		packet_hold(packet, false);
	if (ret_from)
		*ret_from = from;
	*ret_size = packet->size;
	return 0;
}

int socket_packet_peek(struct nonet_socket *socket, nonet_time deadline, size_t *ret_size)
{
	struct socket_packet *packet = &socket->packet;
	int error;

	if (!packet_is_held(packet)) {
		error = packet_take(socket, NULL, 0, true, deadline);
		if (error < 0)
			return error;
		packet_hold(packet, true);
	}
	*ret_size = packet->size;
	return 0;
}

void socket_packet_done(struct nonet_socket *socket)
{
	socket->packet.bytes = sys_free(socket->packet.bytes);
}
