/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/endpoint.h"

#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "stream/stream.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "waitable/waitable.h"

static int endpoint_check_options(const struct nonet_endpoint_options *options, struct nonet_error *reterr)
{
	const uint32_t known = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN |
			       NONET_ENDPOINT_WAIT | NONET_ENDPOINT_HISTORY | NONET_ENDPOINT_END;

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the endpoint options' size is %u, but this library's are of %zu bytes", options->size,
				 sizeof(*options));
	if (options->flags & ~known || options->reserved)
		return error_set(reterr, -EINVAL, "the endpoint options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o has more than permission bits", options->mode);
	if (options->type == INT64_MIN || options->priority > 32767)
		return error_set(reterr, -EINVAL, "the type %lld or the priority %u of messages is out of range",
				 (long long)options->type, options->priority);
	/* The carrier would say so too, but only when a FIFO has been made. */
	if (options->message_size > STREAM_MESSAGE_LIMIT)
		return error_set(reterr, -EINVAL, "a message size of %llu is over the limit of 1 GiB",
				 (unsigned long long)options->message_size);
	return 0;
}

/* fd:N, duplicated: a pipe's end, a UNIX socket, or one of TCP or UDP. */
static int endpoint_open_fd(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
			    struct nonet_error *reterr)
{
	int64_t number;
	int error = nonet_address_number(endpoint->address, NONET_ADDRESS_DESCRIPTOR, &number);
	int fd;

	if (error < 0)
		return error;
	if (options->flags & NONET_ENDPOINT_LISTEN)
		return error_set(reterr, -EINVAL, "descriptor %d is open already: nothing to listen for", (int)number);
	fd = sys_duplicate((int)number);
	if (fd < 0)
		return error_set(reterr, fd, "can't use descriptor %d: %s", (int)number, error_reason(fd));
	error = endpoint_take_unix(endpoint, &fd, options, reterr);
	if (error == -ENOTSUP)
		error = endpoint_take_socket(endpoint, &fd, options, reterr);
	if (error == -ENOTSUP)
		error = endpoint_take_pipe(endpoint, &fd, options, reterr);
	if (error == -ENOTSUP)
		error_set(reterr, error,
			  "descriptor %d is neither one end of a pipe nor a connected socket of UNIX, TCP or UDP, and "
			  "can't carry messages",
			  (int)number);
	sys_close(&fd);
	return error;
}

static int endpoint_open_carrier(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
				 nonet_time deadline, struct nonet_error *reterr)
{
	const enum nonet_scheme scheme = nonet_address_scheme(endpoint->address);
	const bool queue = scheme == NONET_SCHEME_POSIXMQ || scheme == NONET_SCHEME_SYSVMSG;

	if (!queue && (options->type || options->priority))
		return error_set(reterr, -EOPNOTSUPP,
				 "messages of %s: have neither type nor priority: those of sysvmsg: have a type, those "
				 "of posixmq: a priority",
				 nonet_scheme_name(scheme));
	if (scheme != NONET_SCHEME_CHANNEL && options->flags & (NONET_ENDPOINT_HISTORY | NONET_ENDPOINT_END))
		return error_set(reterr, -EOPNOTSUPP,
				 "%s: keeps no history, and tells its end unasked if it has one: those flags are for "
				 "channel:",
				 nonet_scheme_name(scheme));
	switch (scheme) {
	case NONET_SCHEME_FIFO:
		return endpoint_open_fifo(endpoint, options, deadline, reterr);
	case NONET_SCHEME_FD:
		return endpoint_open_fd(endpoint, options, reterr);
	case NONET_SCHEME_UNIX:
		return endpoint_open_unix(endpoint, NONET_UNIX_STREAM, options, deadline, reterr);
	case NONET_SCHEME_UNIX_SEQPACKET:
		return endpoint_open_unix(endpoint, NONET_UNIX_SEQPACKET, options, deadline, reterr);
	case NONET_SCHEME_UNIX_DGRAM:
		return endpoint_open_unix(endpoint, NONET_UNIX_DATAGRAM, options, deadline, reterr);
	case NONET_SCHEME_TCP:
		return endpoint_open_socket(endpoint, NONET_SOCKET_TCP, options, deadline, reterr);
	case NONET_SCHEME_UDP:
		return endpoint_open_socket(endpoint, NONET_SOCKET_UDP, options, deadline, reterr);
	case NONET_SCHEME_ICMP:
		return endpoint_open_socket(endpoint, NONET_SOCKET_ICMP, options, deadline, reterr);
	case NONET_SCHEME_POSIXMQ:
	case NONET_SCHEME_SYSVMSG:
		return endpoint_open_queue(endpoint, options, deadline, reterr);
	case NONET_SCHEME_CHANNEL:
		return endpoint_open_channel(endpoint, options, deadline, reterr);
	case NONET_SCHEME_QUEUE:
		return error_set_at(
			reterr, -EOPNOTSUPP, 0,
			"this version of nonet can't send or receive over %s: yet; it can over fifo:, unix:, "
			"unix-seqpacket:, unix-dgram:, tcp:, udp:, icmp:, posixmq:, sysvmsg:, channel: and fd:",
			nonet_scheme_name(scheme));
	default:
		return error_set_at(
			reterr, -EOPNOTSUPP, 0,
			"%s: names something that carries no messages; fifo:, unix:, unix-seqpacket:, unix-dgram:, "
			"tcp:, udp:, icmp:, posixmq:, sysvmsg:, channel: and fd: do",
			nonet_scheme_name(scheme));
	}
}

int nonet_endpoint_open(const char *address, const struct nonet_endpoint_options *options, nonet_time deadline,
			struct nonet_endpoint **ret_endpoint, struct nonet_error *reterr)
{
	const struct nonet_endpoint_options defaults = {.size = sizeof(defaults)};
	/* Steps on the way may fail and say so, although the call then succeeds: a FIFO that is there already... */
	struct nonet_error why = {.position = -1};
	struct nonet_endpoint *endpoint;
	int error;

	if (!options)
		options = &defaults;
	error = endpoint_check_options(options, reterr);
	if (error < 0)
		return error;
	endpoint = sys_allocate(sizeof(*endpoint));
	if (!endpoint)
		return error_set(reterr, -ENOMEM, "no memory for an endpoint's handle");
	endpoint->flags = options->flags & (NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE);
	endpoint->priority = options->priority;
	endpoint->type = options->type;
	error = nonet_address_parse(address, &endpoint->address, &why);
	if (error == 0)
		error = endpoint_open_carrier(endpoint, options, deadline, &why);
	if (error < 0) {
		if (reterr)
			*reterr = why;
		nonet_address_free(endpoint->address);
		sys_free(endpoint);
		return error;
	}
	*ret_endpoint = endpoint;
	return 0;
}

struct nonet_endpoint *nonet_endpoint_close(struct nonet_endpoint *endpoint)
{
	if (!endpoint)
		return NULL;
	endpoint->carrier->close(endpoint);
	nonet_address_free(endpoint->address);
	return sys_free(endpoint);
}

int nonet_endpoint_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	if (!(endpoint->flags & NONET_ENDPOINT_SEND))
		return -EBADF;
	return endpoint->carrier->send(endpoint, message, size, deadline);
}

int nonet_endpoint_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			   size_t *ret_size)
{
	if (!(endpoint->flags & NONET_ENDPOINT_RECEIVE))
		return -EBADF;
	return endpoint->carrier->receive(endpoint, buffer, capacity, deadline, ret_size);
}

int nonet_endpoint_receive_message(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
				   struct nonet_queue_message *ret_message)
{
	size_t size;
	int error;

	if (!(endpoint->flags & NONET_ENDPOINT_RECEIVE))
		return -EBADF;
	if (endpoint->carrier->receive_message)
		return endpoint->carrier->receive_message(endpoint, buffer, capacity, deadline, ret_message);
	error = endpoint->carrier->receive(endpoint, buffer, capacity, deadline, &size);
	if (error == 0)
		*ret_message = (struct nonet_queue_message){.size = size};
	return error;
}

int nonet_endpoint_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	if (!(endpoint->flags & NONET_ENDPOINT_RECEIVE))
		return -EBADF;
	return endpoint->carrier->message_size(endpoint, deadline, ret_size);
}

int nonet_endpoint_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			size_t *ret_size)
{
	if (!(endpoint->flags & NONET_ENDPOINT_RECEIVE))
		return -EBADF;
	return endpoint->carrier->read(endpoint, buffer, capacity, deadline, ret_size);
}

int nonet_endpoint_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
			 size_t *done)
{
	if (!(endpoint->flags & NONET_ENDPOINT_SEND))
		return -EBADF;
	if (done && *done > size)
		return -EINVAL;
	return endpoint->carrier->write(endpoint, bytes, size, deadline, done);
}

int nonet_endpoint_finish(struct nonet_endpoint *endpoint)
{
	if (!(endpoint->flags & NONET_ENDPOINT_SEND))
		return -EBADF;
	return endpoint->carrier->finish(endpoint);
}

struct nonet_waitable *nonet_endpoint_waitable(struct nonet_endpoint *endpoint)
{
	return endpoint->carrier->waitable(endpoint);
}

int nonet_endpoint_fd(struct nonet_endpoint *endpoint)
{
	return nonet_endpoint_waitable(endpoint)->fd;
}

int nonet_endpoint_arm(struct nonet_endpoint *endpoint)
{
	return waitable_arm(nonet_endpoint_waitable(endpoint));
}

const char *nonet_endpoint_address(struct nonet_endpoint *endpoint)
{
	return nonet_address_text(endpoint->address);
}

void nonet_endpoint_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	const bool both = endpoint->flags == (NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE);

	if (code == -EBADF && !both)
		error_set(ret_error, code, "%s was opened only to %s", nonet_endpoint_address(endpoint),
			  endpoint->flags & NONET_ENDPOINT_SEND ? "send" : "receive");
	else
		endpoint->carrier->explain(endpoint, code, ret_error);
}
