/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "endpoint/endpoint.h"

static void socket_close(struct nonet_endpoint *endpoint)
{
	endpoint->with.network = nonet_socket_close(endpoint->with.network);
}

static int socket_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	return nonet_socket_send(endpoint->with.network, message, size, deadline);
}

static int socket_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			  size_t *ret_size)
{
	return nonet_socket_receive(endpoint->with.network, buffer, capacity, deadline, ret_size);
}

static int socket_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	return nonet_socket_message_size(endpoint->with.network, deadline, ret_size);
}

static int socket_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		       size_t *ret_size)
{
	return nonet_socket_read(endpoint->with.network, buffer, capacity, deadline, ret_size);
}

static int socket_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
			size_t *done)
{
	return nonet_socket_write(endpoint->with.network, bytes, size, deadline, done);
}

static int socket_finish(struct nonet_endpoint *endpoint)
{
	return nonet_socket_finish(endpoint->with.network);
}

static struct nonet_waitable *socket_waitable(struct nonet_endpoint *endpoint)
{
	return nonet_socket_waitable(endpoint->with.network);
}

static void socket_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	nonet_socket_explain(endpoint->with.network, code, ret_error);
}

/* Datagrams keep their bounds, so plain bytes are one of them. */
static int socket_write_datagram(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
				 size_t *done)
{
	const size_t begun = done ? *done : 0;
	int error = nonet_socket_send(endpoint->with.network, (const char *)bytes + begun, size - begun, deadline);

	if (error == 0 && done)
		*done = size;
	return error;
}

static const struct endpoint_carrier socket_stream_endpoint_carrier = {
	.close = socket_close,
	.send = socket_send,
	.receive = socket_receive,
	.message_size = socket_message_size,
	.read = socket_read,
	.write = socket_write,
	.finish = socket_finish,
	.waitable = socket_waitable,
	.explain = socket_explain,
};

static const struct endpoint_carrier socket_datagram_endpoint_carrier = {
	.close = socket_close,
	.send = socket_send,
	.receive = socket_receive,
	.message_size = socket_message_size,
	.read = socket_receive,
	.write = socket_write_datagram,
	.finish = socket_finish,
	.waitable = socket_waitable,
	.explain = socket_explain,
};

static const struct endpoint_carrier *socket_carrier(enum nonet_socket_type type)
{
	return type == NONET_SOCKET_TCP ? &socket_stream_endpoint_carrier : &socket_datagram_endpoint_carrier;
}

/* Listen until one has connected; the port is free for others after that. */
static int socket_accept_one(const char *host, const char *port, const struct nonet_socket_options *options,
			     nonet_time deadline, struct nonet_socket **ret_socket, struct nonet_error *reterr)
{
	struct nonet_socket_listener *listener;
	int error = nonet_socket_listen(host, port, options, deadline, &listener, reterr);

	if (error < 0)
		return error;
	error = nonet_socket_accept(listener, deadline, ret_socket);
	if (error < 0 && reterr)
		nonet_socket_listener_explain(listener, error, reterr);
	nonet_socket_listener_close(listener);
	return error;
}

/* Which ways it can go. */
static int socket_ways(struct nonet_endpoint *endpoint, enum nonet_socket_type type, bool listen,
		       struct nonet_error *reterr)
{
	const uint32_t both = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	const char *address = nonet_endpoint_address(endpoint);

	if (type == NONET_SOCKET_ICMP && listen)
		return error_set(reterr, -EINVAL, "%s: a ping is answered by the host's kernel: nothing to listen for",
				 address);
	if (type == NONET_SOCKET_UDP && listen) {
		if (endpoint->flags & NONET_ENDPOINT_SEND)
			return error_set(reterr, -EINVAL,
					 "%s: who listens for datagrams takes anybody's, and has nobody to send to: "
					 "open it only to receive",
					 address);
		endpoint->flags = NONET_ENDPOINT_RECEIVE;
	}
	if (endpoint->flags == 0)
		endpoint->flags = both;
	return 0;
}

int endpoint_open_socket(struct nonet_endpoint *endpoint, enum nonet_socket_type type,
			 const struct nonet_endpoint_options *options, nonet_time deadline, struct nonet_error *reterr)
{
	const bool listen = options->flags & NONET_ENDPOINT_LISTEN;
	const struct nonet_socket_options socket_options = {
		.size = sizeof(socket_options),
		.flags = options->flags & NONET_ENDPOINT_WAIT ? NONET_SOCKET_WAIT_LISTENER : 0,
		.message_size = options->message_size,
	};
	const char *host = nonet_address_name(endpoint->address, NULL);
	struct nonet_socket **socket = &endpoint->with.network;
	int64_t number = 0;
	char port[8];
	int error = socket_ways(endpoint, type, listen, reterr);

	if (error == 0 && type != NONET_SOCKET_ICMP)
		error = nonet_address_number(endpoint->address, NONET_ADDRESS_PORT, &number);
	if (error < 0)
		return error;
	if (listen && options->mode)
		return error_set(reterr, -EINVAL,
				 "%s: a port has no mode: anybody who can reach it may connect, or send to it",
				 nonet_endpoint_address(endpoint));
	if (listen && number == 0)
		return error_set(reterr, -EINVAL, "%s: nobody would know which port was taken: give one",
				 nonet_endpoint_address(endpoint));
	snprintf(port, sizeof(port), "%d", (int)number);
	if (!listen)
		error = nonet_socket_connect(host, type == NONET_SOCKET_ICMP ? NULL : port, type, &socket_options,
					     deadline, socket, reterr);
	else if (type == NONET_SOCKET_UDP)
		error = nonet_socket_bind(host, port, &socket_options, deadline, socket, reterr);
	else
		error = socket_accept_one(host, port, &socket_options, deadline, socket, reterr);
	if (error == 0)
		endpoint->carrier = socket_carrier(type);
	return error;
}

int endpoint_take_socket(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
			 struct nonet_error *reterr)
{
	const struct nonet_socket_options socket_options = {
		.size = sizeof(socket_options),
		.message_size = options->message_size,
	};
	int error = nonet_socket_take_fd(fd, &socket_options, &endpoint->with.network, reterr);

	if (error < 0)
		return error;
	endpoint->carrier = socket_carrier(nonet_socket_get_type(endpoint->with.network));
	if (endpoint->flags == 0)
		endpoint->flags = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	return 0;
}
