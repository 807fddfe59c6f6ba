/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * UNIX packets and datagrams, and UDP's, by hand: the kernel keeps messages apart, but cuts what is larger than the
 * buffer. So the rest of it gets a place behind the caller's buffer, from which the next call takes it.
 */

#define PACKET_LIMIT (256u << 10) /* more than the default SO_SNDBUF lets one packet be */

struct bare_packet {
	int fd;
	bool ends; /* a connection: 0 bytes may be its end */
	/* A packet that was too large for the buffer; its room is PACKET_LIMIT. */
	unsigned char *held;
	size_t held_size;
	bool holds;
};

static int bare_packet_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const int fd = ((struct bare_packet *)end)->fd;

	/* All or nothing. No SIGPIPE, and nothing of the socket is changed. */
	while (send(fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int error = errno == EAGAIN ? bare_wait(fd, POLLOUT, deadline) : errno == EINTR ? 0 : -errno;

		if (error < 0)
			return error;
	}
	return 0;
}

static int bare_descriptor_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const int fd = ((struct bare_packet *)end)->fd;
	const int descriptor = STDERR_FILENO;
	struct iovec vector = {(void *)message, size};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = &vector, .msg_iovlen = 1};

	packet.msg_control = control.bytes;
	packet.msg_controllen = sizeof(control.bytes);
	*CMSG_FIRSTHDR(&packet) =
		(struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&packet)), &descriptor, sizeof(int));
	while (sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int error = errno == EAGAIN ? bare_wait(fd, POLLOUT, deadline) : errno == EINTR ? 0 : -errno;

		if (error < 0)
			return error;
	}
	return 0;
}

/*
 * 0 bytes: an empty packet, or the end. A packet brings a time stamp with it, or the mark of one for which there was no
 * room; the end brings nothing.
 */
static bool bare_packet_ended(const struct bare_packet *packet, const struct msghdr *message)
{
	return packet->ends && message->msg_controllen == 0 && !(message->msg_flags & MSG_CTRUNC);
}

/* @message's first place is the caller's buffer: how many bytes came, of which some may be in packet->held. */
static ssize_t bare_packet_receive(struct bare_packet *packet, struct msghdr *message, nonet_time deadline)
{
	const size_t capacity = message->msg_iov->iov_len;
	const size_t controllen = message->msg_controllen;
	ssize_t got;
	int error;

	if (packet->holds) {
		if (packet->held_size > capacity)
			return -EMSGSIZE;
		memcpy(message->msg_iov->iov_base, packet->held, packet->held_size);
		packet->holds = false;
		message->msg_controllen = 0;
		return (ssize_t)packet->held_size;
	}
	for (;;) {
		/* Without room for control data the kernel closes the descriptors that come. */
		got = recvmsg(packet->fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got >= 0)
			break;
		message->msg_controllen = controllen;
		error = errno == EAGAIN ? bare_wait(packet->fd, POLLIN, deadline) : errno == EINTR ? 0 : -errno;
		if (error < 0)
			return error;
	}
	if (got == 0 && bare_packet_ended(packet, message))
		return -EPIPE;
	if ((size_t)got > capacity) {
		memcpy(packet->held, message->msg_iov->iov_base, capacity);
		packet->held_size = (size_t)got;
		packet->holds = true;
		return -EMSGSIZE;
	}
	return got;
}

static int bare_packet_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_packet *packet = end;
	struct iovec vector[2] = {{buffer, size}, {packet->held + size, PACKET_LIMIT - size}};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	ssize_t got = bare_packet_receive(packet, &message, deadline);

	return got < 0 ? (int)got : (size_t)got == size ? 0 : -EPROTO;
}

static int bare_descriptor_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_packet *packet = end;
	struct iovec vector[2] = {{buffer, size}, {packet->held + size, PACKET_LIMIT - size}};
	union bare_control control;
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
	int taken = -1;
	ssize_t got;

	message.msg_control = control.bytes;
	message.msg_controllen = sizeof(control.bytes);
	got = bare_packet_receive(packet, &message, deadline);
	if (got < 0)
		return (int)got;
	/* MSG_CTRUNC: this process had no room for it. */
	if (bare_descriptors(&message, &taken) < 1)
		return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
	close(taken);
	return (size_t)got == size ? 0 : -EPROTO;
}

static void bare_packet_close(void *end)
{
	struct bare_packet *packet = end;

	if (!packet)
		return;
	close(packet->fd);
	free(packet->held);
	free(packet);
}

static int bare_packet_ends(int domain, int type, void **ret_a, void **ret_b)
{
	const int on = 1;
	int fds[2];
	int error = 0;

	if (domain == AF_INET)
		error = bare_inet_pair(type, fds);
	else if (socketpair(domain, type | SOCK_CLOEXEC, 0, fds) < 0)
		error = -errno;
	if (error < 0)
		return error;
	for (int i = 0; i < 2; i++) {
		struct bare_packet *packet = calloc(1, sizeof(*packet));

		/* The one way to tell an empty packet from the end of the connection in every case. */
		if (type == SOCK_SEQPACKET && setsockopt(fds[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
			return -errno;
		if (!packet)
			return -ENOMEM;
		packet->fd = fds[i];
		packet->ends = type == SOCK_SEQPACKET;
		packet->held = malloc(PACKET_LIMIT);
		if (!packet->held)
			return -ENOMEM;
		*(i ? ret_b : ret_a) = packet;
	}
	return 0;
}

static int bare_seqpacket_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_packet_ends(AF_UNIX, SOCK_SEQPACKET, ret_a, ret_b);
}

static int bare_datagram_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_packet_ends(AF_UNIX, SOCK_DGRAM, ret_a, ret_b);
}

static int bare_udp_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_packet_ends(AF_INET, SOCK_DGRAM, ret_a, ret_b);
}

const struct bench_way bare_seqpacket = {bare_seqpacket_open, bare_packet_put, bare_packet_take, bare_packet_close};
const struct bench_way bare_datagram = {bare_datagram_open, bare_packet_put, bare_packet_take, bare_packet_close};
const struct bench_way bare_udp = {bare_udp_open, bare_packet_put, bare_packet_take, bare_packet_close};
const struct bench_way bare_seqpacket_descriptors = {bare_seqpacket_open, bare_descriptor_put, bare_descriptor_take,
						     bare_packet_close};
