/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "socket/socket.h"
#include "sys/event.h"
#include "sys/memory.h"

/* The room that a packet needs. Of ICMP, where headers come first, and what isn't ours too, all goes there. */
static size_t packet_room(const struct nonet_socket *socket)
{
	return socket->stream.message_size + (socket->type == NONET_SOCKET_ICMP ? SOCKET_HEADERS_MAX : 0);
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
	bool again = false;
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
		/* Of one that was sent before, and was too large for the way; if of this one, it is said again. */
		if (sent == -EMSGSIZE && !again) {
			again = true;
			continue;
		}
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
	return sent == -EDESTADDRREQ ? -ENOTCONN : socket_told((int)sent);
}

/* Take the next datagram: the first @capacity bytes to @buffer, the others to their place in packet.bytes. */
static int packet_take_udp(struct nonet_socket *socket, void *buffer, size_t capacity, bool named, nonet_time deadline)
{
	struct packet *packet = &socket->packet;
	struct iovec vector[2];
	const int parts = packet_vector(packet, buffer, capacity, packet_room(socket), vector);
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)parts};
	bool again = false;
	ssize_t size;
	int ready;

	if (parts < 0)
		return parts;
	/* If it doesn't fit, it stays for a call that may want to know who sent it. */
	named |= parts > 1 && !socket->connected;
	for (;;) {
		if (named) {
			message.msg_name = &socket->sender;
			message.msg_namelen = sizeof(socket->sender);
		}
		size = sys_receive(socket->stream.fd, &message, deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT);
		if (size >= 0)
			break;
		/* Of one that we sent, and that was too large for the way: lost like any other, nobody's buffer. */
		if (size == -EMSGSIZE && !again) {
			again = true;
			continue;
		}
		if (size != -EAGAIN && size != -EMSGSIZE)
			return socket_told((int)size);
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
		socket->sender.any.sa_family = AF_UNSPEC;
	packet->begin = 0;
	packet->size = (size_t)size;
	return 0;
}

/* Who sent the datagram that was taken: of a connection only the peer can have. */
static int packet_sender(struct nonet_socket *socket, struct nonet_socket_name *ret_from)
{
	if (socket->sender.any.sa_family == AF_UNSPEC)
		return nonet_socket_peer(socket, ret_from);
	socket_name_show(&socket->sender, ret_from);
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
	error = packet_allocate(&socket->packet, packet_room(socket));
	if (error == 0)
		error = socket_icmp_take(socket, deadline);
	return error < 0 ? error : 1;
}

int socket_packet_receive(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
			  struct nonet_socket_name *ret_from, size_t *ret_size)
{
	struct packet *packet = &socket->packet;
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
		if (taken == 0)
			return packet_keep(packet, buffer, capacity);
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
	struct packet *packet = &socket->packet;
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
