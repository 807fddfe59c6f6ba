/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "socket/socket.h"
#include "stream/explain.h"

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

	if (stream_explain(&socket->stream, kind, code, ret_error))
		return;
	switch (code) {
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
	stream_explain_accept(listener->name, code, ret_error);
}
