/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "endpoint/endpoint.h"
#include "sys/clock.h"

static void pipe_close(struct nonet_endpoint *endpoint)
{
	endpoint->with.pipe = nonet_pipe_close(endpoint->with.pipe);
}

static int pipe_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	return nonet_pipe_send(endpoint->with.pipe, message, size, deadline);
}

static int pipe_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			size_t *ret_size)
{
	return nonet_pipe_receive(endpoint->with.pipe, buffer, capacity, deadline, ret_size);
}

static int pipe_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	return nonet_pipe_message_size(endpoint->with.pipe, deadline, ret_size);
}

static int pipe_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		     size_t *ret_size)
{
	return nonet_pipe_read(endpoint->with.pipe, buffer, capacity, deadline, ret_size);
}

static int pipe_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
		      size_t *done)
{
	return nonet_pipe_write(endpoint->with.pipe, bytes, size, deadline, done);
}

static int pipe_finish(struct nonet_endpoint *endpoint)
{
	/* A pipe ends when its last descriptor is closed; there is no other way to say it. */
	(void)endpoint;
	return -EOPNOTSUPP;
}

static struct nonet_waitable *pipe_waitable(struct nonet_endpoint *endpoint)
{
	return nonet_pipe_waitable(endpoint->with.pipe);
}

static void pipe_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	nonet_pipe_explain(endpoint->with.pipe, code, ret_error);
}

static const struct endpoint_carrier pipe_endpoint_carrier = {
	.close = pipe_close,
	.send = pipe_send,
	.receive = pipe_receive,
	.message_size = pipe_message_size,
	.read = pipe_read,
	.write = pipe_write,
	.finish = pipe_finish,
	.waitable = pipe_waitable,
	.explain = pipe_explain,
};

static struct nonet_pipe_options pipe_options(const struct nonet_endpoint_options *options)
{
	return (struct nonet_pipe_options){
		.size = sizeof(struct nonet_pipe_options),
		.message_size = options->message_size,
	};
}

/* As nonet_pipe_open(), and with @wait also until the name is there. */
static int fifo_open(const char *path, enum nonet_pipe_end end, const struct nonet_pipe_options *options, bool wait,
		     nonet_time deadline, struct nonet_pipe **ret_pipe, struct nonet_error *reterr)
{
	struct sys_retry retry = {0};
	int error;
	int slept;

	for (;;) {
		error = nonet_pipe_open(path, end, options, deadline, ret_pipe, reterr);
		if (error != -ENOENT || !wait)
			return error;
		slept = sys_retry_sleep(&retry, deadline);
		if (slept < 0)
			return error_set(reterr, slept, "there is no FIFO %s %s", path,
					 slept == -EAGAIN ? "yet" : "before the deadline");
	}
}

int endpoint_open_fifo(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
		       nonet_time deadline, struct nonet_error *reterr)
{
	const char *path = nonet_address_name(endpoint->address, NULL);
	struct nonet_pipe_options pipe = pipe_options(options);
	enum nonet_pipe_end end;
	int error;

	if (endpoint->flags == NONET_ENDPOINT_SEND)
		end = NONET_PIPE_WRITER;
	else if (endpoint->flags == NONET_ENDPOINT_RECEIVE)
		end = NONET_PIPE_READER;
	else
		return error_set(reterr, -EINVAL, "the FIFO %s goes one way: open it either to send or to receive",
				 path);
	if (options->flags & NONET_ENDPOINT_LISTEN) {
		error = nonet_pipe_create(path, options->mode, reterr);
		if (error < 0 && error != -EEXIST)
			return error;
	}
	error = fifo_open(path, end, &pipe, options->flags & NONET_ENDPOINT_WAIT, deadline, &endpoint->with.pipe,
			  reterr);
	if (error == 0)
		endpoint->carrier = &pipe_endpoint_carrier;
	return error;
}

int endpoint_take_pipe(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
		       struct nonet_error *reterr)
{
	struct nonet_pipe_options pipe = pipe_options(options);
	int64_t number = -1;
	uint32_t can;
	int error = nonet_pipe_take_fd(fd, &pipe, &endpoint->with.pipe, reterr);

	if (error < 0)
		return error;
	can = nonet_pipe_get_end(endpoint->with.pipe) == NONET_PIPE_READER ? NONET_ENDPOINT_RECEIVE
									   : NONET_ENDPOINT_SEND;
	if (endpoint->flags & ~can) {
		if (nonet_address_number(endpoint->address, NONET_ADDRESS_DESCRIPTOR, &number) < 0)
			number = -1;
		pipe_close(endpoint);
		return error_set(reterr, -EBADF, "descriptor %d is the end of a pipe that only %s", (int)number,
				 can == NONET_ENDPOINT_RECEIVE ? "reads" : "writes");
	}
	endpoint->carrier = &pipe_endpoint_carrier;
	endpoint->flags = can;
	return 0;
}
