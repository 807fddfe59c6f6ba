/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "stream/explain.h"
#include "unix/unix.h"

void nonet_unix_explain(struct nonet_unix *socket, int code, struct nonet_error *ret_error)
{
	const bool stream = socket->type == NONET_UNIX_STREAM;

	if (stream_explain(&socket->stream, "UNIX socket", code, ret_error))
		return;
	switch (code) {
	case -EPIPE:
		error_set(ret_error, code,
			  "the other side of the UNIX socket has gone; everything it sent was taken, and nothing more "
			  "can "
			  "be sent to it");
		return;
	case -ECONNRESET:
		error_set(ret_error, code,
			  "the other side of the UNIX socket has gone without reading all that was sent to it");
		return;
	case -ECONNREFUSED:
		error_set(ret_error, code, "nobody receives under the UNIX socket's name any more: connect anew");
		return;
	case -EMSGSIZE:
		error_set(ret_error, code,
			  "the message is larger than the buffer to receive it, brings more descriptors than there is "
			  "room "
			  "for, or is over the %u bytes of this socket's message size%s",
			  socket->stream.message_size,
			  stream ? "" : " or what the kernel's socket buffer lets one packet be (SO_SNDBUF)");
		return;
	case -EMFILE:
		error_set(
			ret_error, code,
			"this process has no room for the descriptors that came: raise its RLIMIT_NOFILE (ulimit -n)");
		return;
	case -EBADF:
		error_set(ret_error, code, "one of the descriptors to send over the UNIX socket isn't open");
		return;
	case -EOPNOTSUPP:
		error_set(ret_error, code,
			  stream ? "a stream has no names to send to"
				 : "packets aren't plain bytes: use "
				   "send and receive");
		return;
	default:
		error_set(ret_error, code, "the UNIX socket: %s", error_reason(code));
		return;
	}
}

void nonet_unix_listener_explain(struct nonet_unix_listener *listener, int code, struct nonet_error *ret_error)
{
	stream_explain_accept(listener->name, code, ret_error);
}
