/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "socket/socket.h"

static const char *explain_kind(const struct nonet_socket *socket)
{
	static const char *const kinds[] = {"TCP connection", "UDP socket", "ICMP socket"};

	return kinds[socket->type - 1];
}

static void explain_too_large(struct nonet_socket *socket, int code, struct nonet_error *ret_error)
{
	if (socket->type == NONET_SOCKET_TCP)
		error_set(ret_error, code,
			  "the message is larger than the buffer to receive it, or is over the %u bytes of this "
			  "connection's message size",
			  socket->stream.message_size);
	else
		error_set(ret_error, code,
			  "the datagram is larger than the buffer to receive it, or is over the %u bytes that one may "
			  "have here (%d over IPv4, %d over IPv6), or over the way's MTU if it may not be parted",
			  socket->stream.message_size, SOCKET_PACKET_IPV4, SOCKET_PACKET_IPV6);
}

void nonet_socket_explain(struct nonet_socket *socket, int code, struct nonet_error *ret_error)
{
	const char *kind = explain_kind(socket);
	const bool tcp = socket->type == NONET_SOCKET_TCP;

	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "nothing to receive from the %s now, or no room to send", kind);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code,
			  "the other side of the %s sent nothing, or took nothing, before the deadline", kind);
		return;
	case -EPIPE:
		error_set(ret_error, code,
			  tcp ? "the other side of the %s has gone, or is finished; everything it sent was taken"
			      : "receiving from the %s was shut down (shutdown(2)), by whoever has it too",
			  kind);
		return;
	case -ECONNRESET:
		error_set(ret_error, code,
			  "the other side of the %s has gone without reading all that was sent to it, or reset it",
			  kind);
		return;
	case -EHOSTUNREACH:
		error_set(ret_error, code,
			  "the host on the other side of the %s doesn't answer any more, or no way leads there", kind);
		return;
	case -ECONNREFUSED:
		error_set(ret_error, code, "nobody receives at the port that the %s sends to", kind);
		return;
	case -EBADMSG:
		if (!socket->stream.receiver.broken)
			error_set(ret_error, code,
				  "the other side of the %s went away in the middle of a message, which is lost", kind);
		else
			error_set(ret_error, code,
				  "what came from the %s isn't a message of nonet's: the other side uses plain bytes, "
				  "has a larger message size, or is damaged",
				  kind);
		return;
	case -EMSGSIZE:
		explain_too_large(socket, code, ret_error);
		return;
	case -ENOTCONN:
		error_set(ret_error, code,
			  tcp ? "the %s is over" : "the %s isn't connected to anybody: say whom to send to", kind);
		return;
	case -EOPNOTSUPP:
		error_set(ret_error, code,
			  tcp ? "a %s has no names to send to, or receive from"
			      : "datagrams aren't plain bytes, and have no end to tell: use send and receive, of UDP "
				"also send_to and receive_from (this is a %s)",
			  kind);
		return;
	case -EPERM:
	case -EACCES:
		error_set(ret_error, code, "a firewall, or a broadcast address, forbids to send over the %s", kind);
		return;
	default:
		error_set(ret_error, code, "the %s: %s", kind, error_reason(code));
		return;
	}
}

void nonet_socket_listener_explain(struct nonet_socket_listener *listener, int code, struct nonet_error *ret_error)
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
