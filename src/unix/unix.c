/* SPDX-License-Identifier: Apache-2.0 */
#include "unix/unix.h"

#include <errno.h>

#include "base/error.h"
#include "stream/hot.h"
#include "sys/files.h"
#include "sys/memory.h"

/* What the system's default buffers let a packet be, rounded up. */
#define UNIX_PACKET_DEFAULT 262144

/* As large as a chunk gets before a message goes in several; a UNIX stream's default buffer holds three. */
#define UNIX_CHUNK 65536

/* Here, so that the calls below know its functions: see stream/hot.h. */
static const struct stream_carrier unix_carrier = {
	.read = unix_stream_read,
	.write = unix_stream_write,
	.drop_descriptors = unix_stream_drop_set,
	.chunk_limit = UNIX_CHUNK,
};

static int unix_waitable_arm(struct nonet_waitable *waitable)
{
	return nonet_unix_arm(container_of(waitable, struct nonet_unix, waitable));
}

int unix_check_options(const struct nonet_unix_options *options, struct nonet_error *reterr)
{
	const uint32_t known = NONET_UNIX_WAIT_LISTENER | NONET_UNIX_KEEP_PATH;

	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the socket options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~known || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the socket options have unknown flags or a reserved field set");
	if (options->message_size > STREAM_MESSAGE_LIMIT)
		return error_set(reterr, -EINVAL, "a message size of %llu is over the limit of 1 GiB",
				 (unsigned long long)options->message_size);
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a socket has more than permission bits",
				 options->mode);
	if (options->backlog > INT32_MAX || options->buffer_size > INT32_MAX / 2)
		return error_set(reterr, -EINVAL,
				 "a backlog of %u or a buffer of %u bytes is more than the kernel takes",
				 options->backlog, options->buffer_size);
	return 0;
}

int unix_socket_type(enum nonet_unix_type type, struct nonet_error *reterr)
{
	switch (type) {
	case NONET_UNIX_STREAM:
		return SOCK_STREAM;
	case NONET_UNIX_SEQPACKET:
		return SOCK_SEQPACKET;
	case NONET_UNIX_DATAGRAM:
		return SOCK_DGRAM;
	}
	return error_set(reterr, -EINVAL, "%d is no type of UNIX socket", (int)type);
}

int unix_init(struct nonet_unix *socket, int fd, enum nonet_unix_type type, bool ours, uint64_t message_size,
	      uint32_t buffer_size, struct nonet_error *reterr)
{
	const int on = 1;
	int error = 0;

	if (message_size == 0 && type != NONET_UNIX_STREAM)
		message_size = UNIX_PACKET_DEFAULT;
	if (buffer_size) {
		const int value = (int)buffer_size;

		error = sys_set_option(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value));
	}
	/*
	 * recvmsg(2) returns 0 for an empty packet and for the end of the connection alike. With time stamps on, each
	 * packet comes with one, and the end without. (SO_PASSCRED would do too, but gives the socket a name.)
	 */
	if (error == 0 && ours && type == NONET_UNIX_SEQPACKET)
		error = sys_set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (error < 0)
		return error_set(reterr, error, "can't set up a UNIX socket: %s", error_reason(error));
	stream_init(&socket->stream, &unix_carrier, fd, message_size);
	waitable_init(&socket->waitable, fd, unix_waitable_arm);
	socket->type = type;
	socket->marks_packets = ours && type == NONET_UNIX_SEQPACKET;
	socket->path.directory = -1;
	return 0;
}

int unix_make(int fd, enum nonet_unix_type type, bool ours, uint64_t message_size, uint32_t buffer_size,
	      struct nonet_unix **ret_socket, struct nonet_error *reterr)
{
	struct nonet_unix *socket = sys_allocate(sizeof(*socket));
	int error;

	if (!socket)
		return error_set(reterr, -ENOMEM, "no memory for a socket's handle");
	error = unix_init(socket, fd, type, ours, message_size, buffer_size, reterr);
	if (error < 0) {
		sys_free(socket);
		return error;
	}
	*ret_socket = socket;
	return 0;
}

int nonet_unix_pair(enum nonet_unix_type type, const struct nonet_unix_options *options, struct nonet_unix **ret_a,
		    struct nonet_unix **ret_b, struct nonet_error *reterr)
{
	const uint64_t message_size = options ? options->message_size : 0;
	const uint32_t buffer_size = options ? options->buffer_size : 0;
	struct nonet_unix *a = NULL;
	struct nonet_unix *b = NULL;
	int fds[2];
	int error = unix_check_options(options, reterr);
	int kind = unix_socket_type(type, reterr);

	if (error < 0)
		return error;
	if (kind < 0)
		return kind;
	error = sys_socketpair(AF_UNIX, kind, fds);
	if (error < 0)
		return error_set(reterr, error, "can't make a pair of UNIX sockets: %s", error_reason(error));
	error = unix_make(fds[0], type, true, message_size, buffer_size, &a, reterr);
	if (error == 0)
		error = unix_make(fds[1], type, true, message_size, buffer_size, &b, reterr);
	if (error < 0) {
		if (a)
			nonet_unix_close(a);
		else
			sys_close(&fds[0]);
		sys_close(&fds[1]);
		return error;
	}
	*ret_a = a;
	*ret_b = b;
	return 0;
}

static int unix_get_int(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return sys_get_option(fd, SOL_SOCKET, option, ret_value, &size);
}

/* Of a stream or packets: 1, 0, or an error. A peer that has gone was one. */
static int unix_is_connected(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int error = sys_get_option(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);

	return error < 0 ? error : peer.uid != (uid_t)-1;
}

int nonet_unix_take_fd(int *fd, const struct nonet_unix_options *options, struct nonet_unix **ret_unix,
		       struct nonet_error *reterr)
{
	struct nonet_unix *socket;
	enum nonet_unix_type type;
	int domain;
	int kind;
	int listens;
	int error = unix_check_options(options, reterr);

	if (error < 0)
		return error;
	error = unix_get_int(*fd, SO_DOMAIN, &domain);
	if (error == 0)
		error = unix_get_int(*fd, SO_TYPE, &kind);
	if (error == 0)
		error = unix_get_int(*fd, SO_ACCEPTCONN, &listens);
	if (error == -ENOTSOCK)
		return error_set(reterr, -ENOTSUP, "descriptor %d isn't a UNIX socket", *fd);
	if (error < 0)
		return error_set(reterr, error, "can't use descriptor %d: %s", *fd, error_reason(error));
	if (domain != AF_UNIX || listens)
		return error_set(reterr, -ENOTSUP, "descriptor %d is a socket, but %s", *fd,
				 listens ? "it listens for connections" : "not a UNIX socket");
	type = kind == SOCK_STREAM  ? NONET_UNIX_STREAM
	       : kind == SOCK_DGRAM ? NONET_UNIX_DATAGRAM
				    : NONET_UNIX_SEQPACKET;
	error = type == NONET_UNIX_DATAGRAM ? 1 : unix_is_connected(*fd);
	if (error < 0)
		return error_set(reterr, error, "can't use descriptor %d: %s", *fd, error_reason(error));
	if (error == 0)
		return error_set(reterr, -ENOTSUP, "descriptor %d is a UNIX socket that isn't connected", *fd);
	error = unix_make(*fd, type, false, options ? options->message_size : 0, options ? options->buffer_size : 0,
			  &socket, reterr);
	if (error < 0)
		return error;
	error = sys_set_cloexec(*fd);
	if (error < 0) {
		socket->stream.fd = -1;
		nonet_unix_close(socket);
		return error_set(reterr, error, "can't let descriptor %d be closed at exec: %s", *fd,
				 error_reason(error));
	}
	*ret_unix = socket;
	*fd = -1;
	return 0;
}

struct nonet_unix *nonet_unix_close(struct nonet_unix *socket)
{
	if (!socket)
		return NULL;
	waitable_done(&socket->waitable);
	unix_path_remove(&socket->path);
	unix_stream_done(socket);
	unix_packet_done(socket);
	stream_done(&socket->stream);
	sys_close(&socket->stream.fd);
	return sys_free(socket);
}

FLAT int nonet_unix_send(struct nonet_unix *socket, const void *message, size_t size, nonet_time deadline)
{
	if (socket->type != NONET_UNIX_STREAM)
		return unix_packet_send(socket, NULL, 0, message, size, NULL, 0, deadline);
	return stream_send(&unix_carrier, &socket->stream, message, size, deadline);
}

FLAT int nonet_unix_send_descriptors(struct nonet_unix *socket, const void *message, size_t size,
				     const int *descriptors, size_t count, nonet_time deadline)
{
	int error;

	if (count > NONET_UNIX_DESCRIPTORS_MAX)
		return -EINVAL;
	if (socket->type != NONET_UNIX_STREAM)
		return unix_packet_send(socket, NULL, 0, message, size, descriptors, count, deadline);
	/* What is owed goes first and alone, or the descriptors would go with it. */
	error = stream_settle(&socket->stream, deadline);
	if (error < 0)
		return error;
	socket->sending = descriptors;
	socket->sending_count = count;
	socket->stream.sender.descriptors = (uint8_t)count;
	error = stream_send(&unix_carrier, &socket->stream, message, size, deadline);
	socket->stream.sender.descriptors = 0;
	socket->sending_count = 0;
	return error;
}

int nonet_unix_send_to(struct nonet_unix *socket, const char *name, size_t name_size, const void *message, size_t size,
		       nonet_time deadline)
{
	struct sockaddr_un address;
	socklen_t address_size;
	int error;

	if (socket->type != NONET_UNIX_DATAGRAM)
		return -EOPNOTSUPP;
	error = unix_name_set(name, name_size, &address, &address_size, NULL);
	if (error < 0)
		return error;
	return unix_packet_send(socket, &address, address_size, message, size, NULL, 0, deadline);
}

/* What a call read ahead, the descriptor doesn't show any more. */
static int unix_touch(struct nonet_unix *socket, int result)
{
	/* Nothing will be received any more that they could be of. */
	if (socket->stream.receiver.broken)
		unix_stream_done(socket);
	if (nonet_unix_arm(socket))
		waitable_touch(&socket->waitable);
	return result;
}

static int unix_receive(struct nonet_unix *socket, void *buffer, size_t capacity,
			struct nonet_unix_ancillary *ancillary, nonet_time deadline, size_t *ret_size)
{
	if (socket->type == NONET_UNIX_STREAM)
		return unix_touch(socket, unix_stream_receive(socket, buffer, capacity, deadline, ancillary, ret_size));
	return unix_touch(socket, unix_packet_receive(socket, buffer, capacity, deadline, ancillary, ret_size));
}

FLAT int nonet_unix_receive(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			    size_t *ret_size)
{
	return unix_receive(socket, buffer, capacity, NULL, deadline, ret_size);
}

FLAT int nonet_unix_receive_with(struct nonet_unix *socket, void *buffer, size_t capacity,
				 struct nonet_unix_ancillary *ancillary, nonet_time deadline, size_t *ret_size)
{
	if (!ancillary || ancillary->size != sizeof(*ancillary))
		return -EINVAL;
	if (!ancillary->descriptors && ancillary->descriptors_capacity > 0)
		return -EINVAL;
	return unix_receive(socket, buffer, capacity, ancillary, deadline, ret_size);
}

int nonet_unix_message_size(struct nonet_unix *socket, nonet_time deadline, size_t *ret_size)
{
	uint8_t announced;

	if (socket->type == NONET_UNIX_STREAM)
		return unix_touch(socket, stream_peek(&socket->stream, deadline, ret_size, &announced));
	return unix_touch(socket, unix_packet_peek(socket, deadline, ret_size));
}

FLAT int nonet_unix_read(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			 size_t *ret_size)
{
	int error;

	if (socket->type != NONET_UNIX_STREAM)
		return -EOPNOTSUPP;
	error = stream_read(&unix_carrier, &socket->stream, buffer, capacity, deadline, ret_size);
	/* Plain bytes announce no descriptors, so those that came are nobody's. */
	unix_stream_done(socket);
	return unix_touch(socket, error);
}

FLAT int nonet_unix_read_exactly(struct nonet_unix *socket, void *buffer, size_t size, nonet_time deadline,
				 size_t *done)
{
	int error;

	if (socket->type != NONET_UNIX_STREAM)
		return -EOPNOTSUPP;
	error = stream_read_exactly(&unix_carrier, &socket->stream, buffer, size, deadline, done);
	unix_stream_done(socket);
	return unix_touch(socket, error);
}

FLAT int nonet_unix_write(struct nonet_unix *socket, const void *bytes, size_t size, nonet_time deadline, size_t *done)
{
	if (socket->type != NONET_UNIX_STREAM)
		return -EOPNOTSUPP;
	return stream_write(&unix_carrier, &socket->stream, bytes, size, deadline, done);
}

int nonet_unix_finish(struct nonet_unix *socket)
{
	int settled = 0;
	int error;

	/* The kernel would shut our side down, and tell nobody. */
	if (socket->type == NONET_UNIX_DATAGRAM)
		return -EOPNOTSUPP;
	if (socket->type == NONET_UNIX_STREAM)
		settled = stream_settle(&socket->stream, NONET_NOW);
	error = sys_shutdown(socket->stream.fd, SHUT_WR);
	if (error < 0)
		return error;
	return settled < 0 ? -EBADMSG : 0;
}

int nonet_unix_fd(struct nonet_unix *socket)
{
	return socket->stream.fd;
}

enum nonet_unix_type nonet_unix_get_type(struct nonet_unix *socket)
{
	return socket->type;
}

int nonet_unix_arm(struct nonet_unix *socket)
{
	return socket->type == NONET_UNIX_STREAM ? stream_arm(&socket->stream) : packet_is_held(&socket->packet);
}

struct nonet_waitable *nonet_unix_waitable(struct nonet_unix *socket)
{
	return &socket->waitable;
}
