/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* The sending half of bare_stream.c. */

/* Zeros and the verdict that are owed. */
static int bare_stream_settle(struct bare_stream *stream, nonet_time deadline)
{
	static const char zeros[4096];

	while (stream->owed > 0) {
		size_t size = stream->owed < sizeof(zeros) ? stream->owed : sizeof(zeros);
		ssize_t sent = send(stream->fd, zeros, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int error = 0;

		if (sent >= 0)
			stream->owed -= (size_t)sent;
		else if (errno == EAGAIN)
			error = bare_wait(stream->fd, POLLOUT, deadline);
		else if (errno != EINTR)
			error = -errno;
		if (error < 0)
			return error;
	}
	return 0;
}

static void bare_advance(struct iovec **vector, size_t *count, size_t size)
{
	while (*count > 0 && size >= (*vector)->iov_len) {
		size -= (*vector)->iov_len;
		(*vector)++;
		(*count)--;
	}
	if (*count > 0) {
		(*vector)->iov_base = (char *)(*vector)->iov_base + size;
		(*vector)->iov_len -= size;
	}
}

int bare_stream_send(struct bare_stream *stream, const void *message, size_t size, int descriptor, nonet_time deadline)
{
	struct bare_header header = {.magic = BARE_MAGIC, .piece = (uint32_t)size, .total = (uint32_t)size};
	char verdict = STREAM_WHOLE;
	struct iovec vector[3] = {{&header, sizeof(header)}, {(void *)message, size}, {&verdict, 1}};
	const size_t total = sizeof(header) + size + 1;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = vector, .msg_iovlen = 3};
	size_t done = 0;
	int error = stream->owed ? bare_stream_settle(stream, deadline) : 0;

	if (descriptor >= 0) {
		header.descriptors = 1;
		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&packet) = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&packet)), &descriptor, sizeof(int));
	}
	while (!error) {
		ssize_t sent = sendmsg(stream->fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			done += (size_t)sent;
			if (done == total)
				return 0;
			/* They went with the first byte. */
			packet.msg_control = NULL;
			packet.msg_controllen = 0;
			bare_advance(&packet.msg_iov, &packet.msg_iovlen, (size_t)sent);
		} else if (errno == EAGAIN) {
			error = bare_wait(stream->fd, POLLOUT, deadline);
		} else if (errno != EINTR) {
			error = -errno;
		}
	}
	if (done > 0)
		stream->owed = total - done;
	return error;
}
