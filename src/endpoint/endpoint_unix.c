/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "endpoint/endpoint.h"

static void unix_close(struct nonet_endpoint *endpoint)
{
	endpoint->with.socket = nonet_unix_close(endpoint->with.socket);
}

static int unix_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	return nonet_unix_send(endpoint->with.socket, message, size, deadline);
}

static int unix_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			size_t *ret_size)
{
	return nonet_unix_receive(endpoint->with.socket, buffer, capacity, deadline, ret_size);
}

static int unix_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	return nonet_unix_message_size(endpoint->with.socket, deadline, ret_size);
}

static int unix_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		     size_t *ret_size)
{
	return nonet_unix_read(endpoint->with.socket, buffer, capacity, deadline, ret_size);
}

static int unix_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
		      size_t *done)
{
	return nonet_unix_write(endpoint->with.socket, bytes, size, deadline, done);
}

static int unix_finish(struct nonet_endpoint *endpoint)
{
	return nonet_unix_finish(endpoint->with.socket);
}

static struct nonet_waitable *unix_waitable(struct nonet_endpoint *endpoint)
{
	return nonet_unix_waitable(endpoint->with.socket);
}

static void unix_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	nonet_unix_explain(endpoint->with.socket, code, ret_error);
}

/* Packets and datagrams keep their bounds, so plain bytes are one of them. */
static int unix_write_packet(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
			     size_t *done)
{
	const size_t begun = done ? *done : 0;
	int error = nonet_unix_send(endpoint->with.socket, (const char *)bytes + begun, size - begun, deadline);

	if (error == 0 && done)
		*done = size;
	return error;
}

static int unix_finish_datagram(struct nonet_endpoint *endpoint)
{
	(void)endpoint;
	return -EOPNOTSUPP;
}

static const struct endpoint_carrier unix_stream_endpoint_carrier = {
	.close = unix_close,
	.send = unix_send,
	.receive = unix_receive,
	.message_size = unix_message_size,
	.read = unix_read,
	.write = unix_write,
	.finish = unix_finish,
	.waitable = unix_waitable,
	.explain = unix_explain,
};

static const struct endpoint_carrier unix_packet_endpoint_carrier = {
	.close = unix_close,
	.send = unix_send,
	.receive = unix_receive,
	.message_size = unix_message_size,
	.read = unix_receive,
	.write = unix_write_packet,
	.finish = unix_finish,
	.waitable = unix_waitable,
	.explain = unix_explain,
};

static const struct endpoint_carrier unix_datagram_endpoint_carrier = {
	.close = unix_close,
	.send = unix_send,
	.receive = unix_receive,
	.message_size = unix_message_size,
	.read = unix_receive,
	.write = unix_write_packet,
	.finish = unix_finish_datagram,
	.waitable = unix_waitable,
	.explain = unix_explain,
};

static const struct endpoint_carrier *unix_carrier(enum nonet_unix_type type)
{
	if (type == NONET_UNIX_STREAM)
		return &unix_stream_endpoint_carrier;
	return type == NONET_UNIX_SEQPACKET ? &unix_packet_endpoint_carrier : &unix_datagram_endpoint_carrier;
}

/* Listen until one has connected; the name is free for others after that. */
static int unix_accept_one(const char *name, enum nonet_unix_type type, const struct nonet_unix_options *options,
			   nonet_time deadline, struct nonet_unix **ret_socket, struct nonet_error *reterr)
{
	struct nonet_unix_listener *listener;
	int error = nonet_unix_listen(name, type, options, deadline, &listener, reterr);

	if (error < 0)
		return error;
	error = nonet_unix_accept(listener, deadline, ret_socket);
	if (error < 0 && reterr)
		nonet_unix_listener_explain(listener, error, reterr);
	nonet_unix_listener_close(listener);
	return error;
}

int endpoint_open_unix(struct nonet_endpoint *endpoint, enum nonet_unix_type type,
		       const struct nonet_endpoint_options *options, nonet_time deadline, struct nonet_error *reterr)
{
	const bool abstract = nonet_address_is_abstract(endpoint->address);
	const bool listen = options->flags & NONET_ENDPOINT_LISTEN;
	const bool wait = options->flags & NONET_ENDPOINT_WAIT;
	struct nonet_unix_options unix_options = {
		.size = sizeof(unix_options),
		.flags = wait ? NONET_UNIX_WAIT_LISTENER : 0,
		.mode = options->mode,
		.message_size = options->message_size,
	};
	size_t size;
	const char *rest = nonet_address_name(endpoint->address, &size);
	/* unix.h takes what begins with @ for an abstract name; unix:%40x is a path all the same. */
	const char *before = abstract ? "@" : *rest == '@' ? "./" : "";
	const size_t before_size = strlen(before);
	char name[128];
	int error;

	/* The address module allows no longer names than the kernel does. */
	if (before_size + size >= sizeof(name))
		return error_set(reterr, -ENAMETOOLONG, "the UNIX socket's name %s is too long", rest);
	memcpy(name, before, before_size);
	memcpy(name + before_size, rest, size);
	name[before_size + size] = 0;
	unix_options.name_size = (uint32_t)(before_size + size);

	if (type == NONET_UNIX_DATAGRAM) {
		if (endpoint->flags == 0)
			endpoint->flags = listen ? NONET_ENDPOINT_RECEIVE : NONET_ENDPOINT_SEND;
		if (!listen && endpoint->flags & NONET_ENDPOINT_RECEIVE)
			return error_set(
				reterr, -EINVAL,
				"datagrams are received by whoever makes the name %s: listen, or open it only to send",
				name);
	} else if (endpoint->flags == 0) {
		endpoint->flags = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	}
	if (!listen)
		error = nonet_unix_connect(name, type, &unix_options, deadline, &endpoint->with.socket, reterr);
	else if (type == NONET_UNIX_DATAGRAM)
		error = nonet_unix_bind(name, &unix_options, deadline, &endpoint->with.socket, reterr);
	else
		error = unix_accept_one(name, type, &unix_options, deadline, &endpoint->with.socket, reterr);
	if (error == 0)
		endpoint->carrier = unix_carrier(type);
	return error;
}

int endpoint_take_unix(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
		       struct nonet_error *reterr)
{
	struct nonet_unix_options unix_options = {
		.size = sizeof(unix_options),
		.message_size = options->message_size,
	};
	enum nonet_unix_type type;
	int error = nonet_unix_take_fd(fd, &unix_options, &endpoint->with.socket, reterr);

	if (error < 0)
		return error;
	type = nonet_unix_get_type(endpoint->with.socket);
	endpoint->carrier = unix_carrier(type);
	if (endpoint->flags == 0)
		endpoint->flags = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	return 0;
}
