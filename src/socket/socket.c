/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/socket.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/error.h"
#include "base/list.h"
#include "stream/hot.h"
#include "sys/files.h"
#include "sys/memory.h"

/* As large as a chunk gets before a message goes in several, as on UNIX streams. */
#define SOCKET_CHUNK 65536

int socket_told(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		/* The kernel gave up; of a deadline of ours that says nothing. */
	case -EHOSTDOWN:
	case -ENONET:
	case -ENOPROTOOPT:
	case -EOPNOTSUPP:
	case -EPROTO:
		/* Each is a reason of ICMP's (icmp_err_convert in the kernel), for routers and firewalls to pick. */
		return -EHOSTUNREACH;
	case -ECONNABORTED:
		/* An administrator ended it (ss -K). */
		return -ECONNRESET;
	default:
		return error;
	}
}

static inline ssize_t socket_result(ssize_t size)
{
	return size < 0 ? socket_told((int)size) : size;
}

static ssize_t socket_stream_read(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	const int flags = how & STREAM_MAY_BLOCK ? 0 : MSG_DONTWAIT;
	struct msghdr message;

	if (count == 1)
		return socket_result(sys_receive_bytes(stream->fd, vector->iov_base, vector->iov_len, flags));
	message = (struct msghdr){.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
	return socket_result(sys_receive(stream->fd, &message, flags));
}

static ssize_t socket_stream_write(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	const int flags = how & STREAM_MAY_BLOCK ? 0 : MSG_DONTWAIT;
	struct msghdr message;

	if (count == 1)
		return socket_result(sys_send_bytes(stream->fd, vector->iov_base, vector->iov_len, flags));
	message = (struct msghdr){.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
	return socket_result(sys_send(stream->fd, &message, flags));
}

static const struct stream_carrier socket_carrier = {
	.read = socket_stream_read,
	.write = socket_stream_write,
	.chunk_limit = SOCKET_CHUNK,
};

static int socket_waitable_arm(struct nonet_waitable *waitable)
{
	return nonet_socket_arm(container_of(waitable, struct nonet_socket, waitable));
}

void socket_init(struct nonet_socket *socket, int fd, enum nonet_socket_type type, sa_family_t family,
		 uint64_t message_size)
{
	const uint64_t most = family == AF_INET ? SOCKET_PACKET_IPV4 : SOCKET_PACKET_IPV6;

	if (type != NONET_SOCKET_TCP && (message_size == 0 || message_size > most))
		message_size = most;
	stream_init(&socket->stream, &socket_carrier, fd, message_size);
	waitable_init(&socket->waitable, fd, socket_waitable_arm);
	socket->type = type;
	socket->family = family;
}

int socket_make(int fd, enum nonet_socket_type type, sa_family_t family, uint64_t message_size,
		struct nonet_socket **ret_socket, struct nonet_error *reterr)
{
	struct nonet_socket *socket = sys_allocate(sizeof(*socket));

	if (!socket)
		return error_set(reterr, -ENOMEM, "no memory for a socket's handle");
	socket_init(socket, fd, type, family, message_size);
	*ret_socket = socket;
	return 0;
}

static int socket_get_int(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return sys_get_option(fd, SOL_SOCKET, option, ret_value, &size);
}

/* What a descriptor of somebody else's is: -ENOTSUP with a sentence unless we can talk over it. */
static int socket_look(int fd, enum nonet_socket_type *ret_type, sa_family_t *ret_family, bool *ret_connected,
		       struct nonet_error *reterr)
{
	union sys_address peer;
	socklen_t size = sizeof(peer);
	int domain;
	int kind;
	int protocol;
	int listens;
	int error = socket_get_int(fd, SO_DOMAIN, &domain);

	if (error == 0)
		error = socket_get_int(fd, SO_TYPE, &kind);
	if (error == 0)
		error = socket_get_int(fd, SO_PROTOCOL, &protocol);
	if (error == 0)
		error = socket_get_int(fd, SO_ACCEPTCONN, &listens);
	if (error == -ENOTSOCK)
		return error_set(reterr, -ENOTSUP, "descriptor %d isn't a socket", fd);
	if (error < 0)
		return error_set(reterr, error, "can't use descriptor %d: %s", fd, error_reason(error));
	if ((domain != AF_INET && domain != AF_INET6) ||
	    !(kind == SOCK_STREAM ? protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP
				  : kind == SOCK_DGRAM && protocol == IPPROTO_UDP))
		return error_set(reterr, -ENOTSUP, "descriptor %d is a socket, but not of TCP or UDP", fd);
	if (listens)
		return error_set(reterr, -ENOTSUP, "descriptor %d is a socket, but it listens for connections", fd);
	error = sys_peer_name(fd, &peer.any, &size);
	if (error == -ENOTCONN && kind == SOCK_STREAM)
		return error_set(reterr, -ENOTSUP, "descriptor %d is a TCP socket that isn't connected", fd);
	if (error < 0 && error != -ENOTCONN)
		return error_set(reterr, error, "can't use descriptor %d: %s", fd, error_reason(error));
	*ret_connected = error == 0;
	*ret_type = kind == SOCK_STREAM ? NONET_SOCKET_TCP : NONET_SOCKET_UDP;
	*ret_family = (sa_family_t)domain;
	return 0;
}

int nonet_socket_take_fd(int *fd, const struct nonet_socket_options *options, struct nonet_socket **ret_socket,
			 struct nonet_error *reterr)
{
	enum nonet_socket_type type = NONET_SOCKET_TCP;
	sa_family_t family = AF_INET;
	struct nonet_socket *socket;
	bool connected = false;
	int error = socket_check_options(options, reterr);

	if (error == 0)
		error = socket_look(*fd, &type, &family, &connected, reterr);
	if (error < 0)
		return error;
	error = socket_set_options(*fd, type, options);
	if (error < 0)
		return error_set(reterr, error, "can't set up descriptor %d: %s", *fd, error_reason(error));
	error = socket_make(*fd, type, family, options ? options->message_size : 0, &socket, reterr);
	if (error < 0)
		return error;
	error = sys_set_cloexec(*fd);
	if (error < 0) {
		socket->stream.fd = -1;
		nonet_socket_close(socket);
		return error_set(reterr, error, "can't let descriptor %d be closed at exec: %s", *fd,
				 error_reason(error));
	}
	socket->connected = connected;
	*ret_socket = socket;
	*fd = -1;
	return 0;
}

struct nonet_socket *nonet_socket_close(struct nonet_socket *socket)
{
	if (!socket)
		return NULL;
	waitable_done(&socket->waitable);
	packet_done(&socket->packet);
	stream_done(&socket->stream);
	sys_close(&socket->stream.fd);
	return sys_free(socket);
}

FLAT int nonet_socket_send(struct nonet_socket *socket, const void *message, size_t size, nonet_time deadline)
{
	if (socket->type != NONET_SOCKET_TCP)
		return socket_packet_send(socket, NULL, message, size, deadline);
	return stream_send(&socket_carrier, &socket->stream, message, size, deadline);
}

int nonet_socket_send_to(struct nonet_socket *socket, const struct nonet_socket_name *to, const void *message,
			 size_t size, nonet_time deadline)
{
	union sys_address address;
	int error;

	if (socket->type != NONET_SOCKET_UDP)
		return -EOPNOTSUPP;
	error = socket_name_read(to, socket->family, &address);
	if (error < 0)
		return error;
	return socket_packet_send(socket, &address, message, size, deadline);
}

/* What a call read ahead, the descriptor doesn't show any more. */
static int socket_touch(struct nonet_socket *socket, int result)
{
	if (nonet_socket_arm(socket))
		waitable_touch(&socket->waitable);
	return result;
}

FLAT int nonet_socket_receive(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
			      size_t *ret_size)
{
	uint8_t announced;

	if (socket->type == NONET_SOCKET_TCP)
		return socket_touch(socket,
				    stream_receive(&socket->stream, buffer, capacity, deadline, ret_size, &announced));
	return socket_touch(socket, socket_packet_receive(socket, buffer, capacity, deadline, NULL, ret_size));
}

FLAT int nonet_socket_receive_from(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
				   struct nonet_socket_name *ret_from, size_t *ret_size)
{
	if (socket->type != NONET_SOCKET_UDP)
		return -EOPNOTSUPP;
	return socket_touch(socket, socket_packet_receive(socket, buffer, capacity, deadline, ret_from, ret_size));
}

int nonet_socket_message_size(struct nonet_socket *socket, nonet_time deadline, size_t *ret_size)
{
	uint8_t announced;

	if (socket->type == NONET_SOCKET_TCP)
		return socket_touch(socket, stream_peek(&socket->stream, deadline, ret_size, &announced));
	return socket_touch(socket, socket_packet_peek(socket, deadline, ret_size));
}

FLAT int nonet_socket_read(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
			   size_t *ret_size)
{
	if (socket->type != NONET_SOCKET_TCP)
		return -EOPNOTSUPP;
	return socket_touch(socket,
			    stream_read(&socket_carrier, &socket->stream, buffer, capacity, deadline, ret_size));
}

FLAT int nonet_socket_read_exactly(struct nonet_socket *socket, void *buffer, size_t size, nonet_time deadline,
				   size_t *done)
{
	if (socket->type != NONET_SOCKET_TCP)
		return -EOPNOTSUPP;
	return socket_touch(socket,
			    stream_read_exactly(&socket_carrier, &socket->stream, buffer, size, deadline, done));
}

FLAT int nonet_socket_write(struct nonet_socket *socket, const void *bytes, size_t size, nonet_time deadline,
			    size_t *done)
{
	if (socket->type != NONET_SOCKET_TCP)
		return -EOPNOTSUPP;
	return stream_write(&socket_carrier, &socket->stream, bytes, size, deadline, done);
}

int nonet_socket_finish(struct nonet_socket *socket)
{
	int settled;
	int error;

	if (socket->type != NONET_SOCKET_TCP)
		return -EOPNOTSUPP;
	settled = stream_settle(&socket->stream, NONET_NOW);
	error = sys_shutdown(socket->stream.fd, SHUT_WR);
	if (error < 0)
		return error;
	return settled < 0 ? -EBADMSG : 0;
}

int nonet_socket_fd(struct nonet_socket *socket)
{
	return socket->stream.fd;
}

enum nonet_socket_type nonet_socket_get_type(struct nonet_socket *socket)
{
	return socket->type;
}

int nonet_socket_arm(struct nonet_socket *socket)
{
	return socket->type == NONET_SOCKET_TCP ? stream_arm(&socket->stream) : packet_is_held(&socket->packet);
}

struct nonet_waitable *nonet_socket_waitable(struct nonet_socket *socket)
{
	return &socket->waitable;
}
