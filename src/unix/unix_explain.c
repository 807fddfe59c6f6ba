/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "unix/unix.h"

void nonet_unix_explain(struct nonet_unix *socket, int code, struct nonet_error *ret_error)
{
	const bool stream = socket->type == NONET_UNIX_STREAM;

	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "nothing to receive from the UNIX socket now, or no room to send");
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code,
			  "the other side of the UNIX socket sent nothing, or took nothing, before the deadline");
		return;
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
	case -EBADMSG:
		if (stream && !socket->stream.receiver.broken)
			error_set(ret_error, code,
				  "the other side of the UNIX socket went away in the middle of a message, which is "
				  "lost");
		else
			error_set(
				ret_error, code,
				"what came from the UNIX socket isn't a message of nonet's: the other side uses plain "
				"bytes, has a larger message size, or is damaged");
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
	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "nobody is waiting to connect to %s now", listener->name);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "nobody connected to %s before the deadline", listener->name);
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "this process has no descriptor left for a connection to %s: raise its RLIMIT_NOFILE (ulimit "
			  "-n), or close some",
			  listener->name);
		return;
	default:
		error_set(ret_error, code, "can't accept a connection to %s: %s", listener->name, error_reason(code));
		return;
	}
}
