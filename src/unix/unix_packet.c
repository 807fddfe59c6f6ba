/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "sys/clock.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "unix/unix.h"

int unix_packet_send(struct nonet_unix *socket, const struct sockaddr_un *to, socklen_t to_size, const void *message,
		     size_t size, const int *descriptors, size_t count, nonet_time deadline)
{
	struct iovec vector = {.iov_base = (void *)message, .iov_len = size};
	struct unix_control control;
	struct msghdr packet = {
		.msg_name = (void *)to,
		.msg_namelen = to_size,
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	struct sys_retry retry = {0};
	ssize_t sent;
	int ready;

	if (size > socket->stream.message_size)
		return -EMSGSIZE;
	if (count > 0) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = unix_ancillary_build(control.bytes, descriptors, count);
	}
	for (;;) {
		const int flags = deadline == NONET_FOREVER && !to ? 0 : MSG_DONTWAIT;

		if (to || count > 0)
			sent = sys_send(socket->stream.fd, &packet, flags);
		else
			sent = sys_send_bytes(socket->stream.fd, message, size, flags);
		if (sent >= 0)
			return 0;
		if (sent != -EAGAIN)
			break;
		if (to) {
			/* POLLOUT is about our own buffer, or the peer that we are connected to: not this one. */
			ready = sys_retry_sleep(&retry, deadline);
		} else {
			ready = sys_poll_one(socket->stream.fd, POLLOUT, deadline);
		}
		if (ready < 0)
			return ready;
	}
	if (to)
		return (int)sent;
	/* The kernel says so once, and takes the connection apart; what is meant stays the same. */
	socket->refused |= sent == -ECONNREFUSED;
	return sent == -ENOTCONN && socket->refused ? -ECONNREFUSED : (int)sent;
}

/* Whether the end of a connection was seen, when a packet of no bytes came. */
static bool packet_is_end(struct nonet_unix *socket, bool stamped)
{
	size_t queued;
	int ready;

	if (socket->type != NONET_UNIX_SEQPACKET || stamped)
		return false;
	if (socket->marks_packets)
		return true;
	/* An inherited socket, which we leave as it is: an empty packet is known by the peer's still being there. */
	ready = sys_poll_now(socket->stream.fd, POLLIN | POLLRDHUP);
	if (ready < 0 || !(ready & (POLLHUP | POLLRDHUP)))
		return false;
	/* It has gone, but what it sent after an empty packet is still to come. */
	return sys_queued(socket->stream.fd, &queued) < 0 || queued == 0;
}

/*
 * Take the next packet: the first @capacity bytes to @buffer, the others to their place in packet.bytes.
 * @wanted: what came with it is wanted too; else the kernel drops it, and says MSG_CTRUNC if there was any
 * Return: 0 with packet.size and what came beside it, or an error.
 */
static int packet_take(struct nonet_unix *socket, void *buffer, size_t capacity, bool wanted, nonet_time deadline)
{
	struct packet *packet = &socket->packet;
	struct unix_beside *beside = &socket->beside;
	struct iovec vector[2];
	const int parts = packet_vector(packet, buffer, capacity, socket->stream.message_size, vector);
	struct unix_control control;
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)parts};
	bool stamped;
	ssize_t size;
	int ready;

	if (parts < 0)
		return parts;
	for (;;) {
		if (wanted) {
			/* Who sent a packet of a connection is known. */
			if (socket->type == NONET_UNIX_DATAGRAM) {
				message.msg_name = &beside->sender;
				message.msg_namelen = sizeof(beside->sender);
			}
			message.msg_control = control.bytes;
			message.msg_controllen = sizeof(control.bytes);
		}
		size = sys_receive(socket->stream.fd, &message, deadline == NONET_FOREVER ? 0 : MSG_DONTWAIT);
		if (size >= 0)
			break;
		if (size != -EAGAIN)
			return (int)size;
		ready = sys_poll_one(socket->stream.fd, POLLIN, deadline);
		if (ready < 0)
			return ready;
	}
	if (wanted)
		unix_ancillary_take(&message, &beside->rights, &stamped);
	else
		stamped = message.msg_flags & MSG_CTRUNC;
	beside->sender_size = message.msg_namelen;
	if (size == 0 && packet_is_end(socket, stamped)) {
		unix_rights_close(&beside->rights);
		return -EPIPE;
	}
	if (message.msg_flags & MSG_TRUNC) {
		unix_rights_close(&beside->rights);
		return -EMSGSIZE;
	}
	packet->size = (size_t)size;
	return 0;
}

int unix_packet_receive(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			struct nonet_unix_ancillary *ancillary, size_t *ret_size)
{
	struct packet *packet = &socket->packet;
	struct unix_beside *beside = &socket->beside;
	const size_t limit = socket->stream.message_size;
	int error;

	capacity = capacity < limit ? capacity : limit;
	if (packet_is_held(packet)) {
		if (packet->size > capacity)
			return -EMSGSIZE;
		if (packet->size > 0)
			memcpy(buffer, packet->bytes, packet->size);
	} else {
		error = packet_take(socket, buffer, capacity, ancillary, deadline);
		if (error < 0)
			return error;
		if (packet->size > capacity)
			return packet_keep(packet, buffer, capacity);
	}
	packet_hold(packet, false);
	/* Who doesn't want them doesn't mind how many there would have been. */
	error = ancillary && beside->rights.truncated ? -EMFILE : 0;
	if (ancillary && beside->rights.count > ancillary->descriptors_capacity)
		error = -EMSGSIZE;
	if (ancillary && error == 0) {
		ancillary->descriptors_count = beside->rights.count;
		for (uint32_t i = 0; i < beside->rights.count; i++)
			ancillary->descriptors[i] = beside->rights.fds[i];
		beside->rights.count = 0;
		ancillary->sender_size = unix_name_get(&beside->sender, beside->sender_size, ancillary->sender);
	}
	unix_rights_close(&beside->rights);
	if (error < 0)
		return error;
	*ret_size = packet->size;
	return 0;
}

int unix_packet_peek(struct nonet_unix *socket, nonet_time deadline, size_t *ret_size)
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

void unix_packet_done(struct nonet_unix *socket)
{
	unix_rights_close(&socket->beside.rights);
	packet_done(&socket->packet);
}
