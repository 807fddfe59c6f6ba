/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "sys/sockets.h"
#include "unix/unix.h"

/* Bytes, and the descriptors that come with them. */
static ssize_t unix_read_framed(struct nonet_unix *socket, const struct iovec *vector, int count, int flags)
{
	struct unix_control control;
	struct msghdr message = {
		.msg_iov = (struct iovec *)vector,
		.msg_iovlen = (size_t)count,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t size = sys_receive(socket->stream.fd, &message, flags);
	struct unix_rights *set = &socket->sets[socket->sets_count];
	bool stamped;

	if (size < 0 || (message.msg_controllen == 0 && !(message.msg_flags & MSG_CTRUNC)))
		return size;
	unix_ancillary_take(&message, set, &stamped);
	if (set->count == 0 && !set->truncated)
		return size;
	if (socket->sets_count == UNIX_SETS) {
		/* Nobody who frames messages as we do sends descriptors that no message announces. */
		unix_rights_close(set);
		socket->stream.receiver.broken = true;
		return -EBADMSG;
	}
	socket->sets_count++;
	return size;
}

ssize_t unix_stream_read(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	const int flags = how & STREAM_MAY_BLOCK ? 0 : MSG_DONTWAIT;

	if (how & STREAM_PLAIN)
		return sys_receive_bytes(stream->fd, vector->iov_base, vector->iov_len, flags);
	return unix_read_framed((struct nonet_unix *)stream, vector, count, flags);
}

/* Bytes, and the descriptors that go with the first of them, whatever becomes of the others. */
static ssize_t unix_write_descriptors(struct nonet_unix *socket, const struct iovec *vector, int count, int flags)
{
	struct unix_control control;
	struct msghdr message = {
		.msg_iov = (struct iovec *)vector,
		.msg_iovlen = (size_t)count,
		.msg_control = control.bytes,
		.msg_controllen = unix_ancillary_build(control.bytes, socket->sending, socket->sending_count),
	};
	ssize_t size = sys_send(socket->stream.fd, &message, flags);

	if (size > 0)
		socket->sending_count = 0;
	return size;
}

ssize_t unix_stream_write(struct stream *stream, const struct iovec *vector, int count, unsigned how)
{
	const int flags = how & STREAM_MAY_BLOCK ? 0 : MSG_DONTWAIT;
	struct nonet_unix *socket = (struct nonet_unix *)stream;
	struct msghdr message;

	if (socket->sending_count > 0)
		return unix_write_descriptors(socket, vector, count, flags);
	if (count == 1)
		return sys_send_bytes(stream->fd, vector->iov_base, vector->iov_len, flags);
	message = (struct msghdr){.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
	return sys_send(stream->fd, &message, flags);
}

/* The first set in hand is done with: what is left of it is closed. */
void unix_stream_drop_set(struct stream *stream)
{
	struct nonet_unix *socket = (struct nonet_unix *)stream;

	if (socket->sets_count == 0)
		return;
	unix_rights_close(&socket->sets[0]);
	/* A set is a kilobyte, and hardly ever more than a few numbers of it are in use. */
	if (--socket->sets_count > 0)
		unix_rights_move(&socket->sets[0], &socket->sets[1]);
}

/*
 * Whether the sets in hand are those that the messages announce, once one was received. One more may be there, of the
 * message that is read ahead: a read ends with the bytes that descriptors came with. Others came with nothing.
 */
static bool stream_sets_fit(const struct nonet_unix *socket, uint8_t announced)
{
	const struct unix_rights *set = &socket->sets[0];
	const int expected = announced > 0;

	if (expected && (socket->sets_count == 0 || (!set->truncated && set->count != announced)))
		return false;
	return socket->sets_count - expected <= (stream_ahead(&socket->stream) > 0);
}

int unix_stream_receive(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			struct nonet_unix_ancillary *ancillary, size_t *ret_size)
{
	struct unix_rights *set = &socket->sets[0];
	uint8_t announced = 0;
	size_t size;
	int error;

	/* A message stays if its descriptors don't fit. */
	socket->stream.receiver.descriptors_room = FRAME_DESCRIPTORS_MAX;
	if (ancillary && ancillary->descriptors_capacity < FRAME_DESCRIPTORS_MAX)
		socket->stream.receiver.descriptors_room = (uint8_t)ancillary->descriptors_capacity;
	error = stream_receive(&socket->stream, buffer, capacity, deadline, &size, &announced);
	if (error < 0)
		return error;
	if (!stream_sets_fit(socket, announced)) {
		socket->stream.receiver.broken = true;
		stream_update(&socket->stream);
		return -EBADMSG;
	}
	/* Who doesn't want them doesn't mind how many there would have been. */
	if (announced > 0 && ancillary && set->truncated)
		error = -EMFILE;
	if (error == 0 && ancillary) {
		ancillary->descriptors_count = announced;
		for (uint32_t i = 0; i < announced; i++)
			ancillary->descriptors[i] = set->fds[i];
		if (announced > 0)
			set->count = 0;
		ancillary->sender_size = 0;
		ancillary->sender[0] = 0;
	}
	if (announced > 0)
		unix_stream_drop_set(&socket->stream);
	if (error < 0)
		return error;
	*ret_size = size;
	return 0;
}

void unix_stream_done(struct nonet_unix *socket)
{
	while (socket->sets_count > 0)
		unix_stream_drop_set(&socket->stream);
}
