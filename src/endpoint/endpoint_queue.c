/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "endpoint/endpoint.h"
#include "sys/clock.h"

static void queue_close(struct nonet_endpoint *endpoint)
{
	endpoint->with.queue = nonet_queue_close(endpoint->with.queue);
}

static int queue_send(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline)
{
	const struct nonet_queue_label label = {
		.size = sizeof(label),
		.priority = endpoint->priority,
		/* A negative one says what is received. */
		.type = endpoint->type > 0 ? endpoint->type : 0,
	};

	return nonet_queue_send(endpoint->with.queue, message, size, &label, deadline);
}

static struct nonet_queue_select queue_select(int64_t type)
{
	struct nonet_queue_select select = {.size = sizeof(select)};

	if (type > 0) {
		select.which = NONET_QUEUE_TYPE;
		select.type = type;
	} else if (type < 0) {
		select.which = NONET_QUEUE_LOWEST;
		select.type = -type;
	}
	return select;
}

static int queue_receive_message(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
				 struct nonet_queue_message *ret_message)
{
	const struct nonet_queue_select select = queue_select(endpoint->type);

	return nonet_queue_receive(endpoint->with.queue, buffer, capacity, &select, deadline, ret_message);
}

static int queue_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			 size_t *ret_size)
{
	struct nonet_queue_message message;
	int error = queue_receive_message(endpoint, buffer, capacity, deadline, &message);

	if (error == 0)
		*ret_size = (size_t)message.size;
	return error;
}

static int queue_message_size(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size)
{
	const struct nonet_queue_select select = queue_select(endpoint->type);

	return nonet_queue_message_size(endpoint->with.queue, &select, deadline, ret_size);
}

/* Messages keep their bounds, so plain bytes are one of them. */
static int queue_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
		       size_t *done)
{
	const size_t begun = done ? *done : 0;
	int error = queue_send(endpoint, (const char *)bytes + begun, size - begun, deadline);

	if (error == 0 && done)
		*done = size;
	return error;
}

static int queue_finish(struct nonet_endpoint *endpoint)
{
	(void)endpoint;
	return -EOPNOTSUPP;
}

static struct nonet_waitable *queue_waitable(struct nonet_endpoint *endpoint)
{
	return nonet_queue_waitable(endpoint->with.queue);
}

static void queue_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error)
{
	nonet_queue_explain(endpoint->with.queue, code, ret_error);
}

static const struct endpoint_carrier queue_endpoint_carrier = {
	.close = queue_close,
	.send = queue_send,
	.receive = queue_receive,
	.receive_message = queue_receive_message,
	.message_size = queue_message_size,
	.read = queue_receive,
	.write = queue_write,
	.finish = queue_finish,
	.waitable = queue_waitable,
	.explain = queue_explain,
};

/* As nonet_queue_open(), and with @wait also until there is one. */
static int queue_open(const char *address, const struct nonet_queue_options *options, bool wait, nonet_time deadline,
		      struct nonet_queue **ret_queue, struct nonet_error *reterr)
{
	struct sys_retry retry = {0};
	int error;
	int slept;

	for (;;) {
		error = nonet_queue_open(address, options, ret_queue, reterr);
		if (error != -ENOENT || !wait)
			return error;
		slept = sys_retry_sleep(&retry, deadline);
		if (slept < 0)
			return error_set(reterr, slept, "there is no queue %s %s", address,
					 slept == -EAGAIN ? "yet" : "before the deadline");
	}
}

int endpoint_open_queue(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
			nonet_time deadline, struct nonet_error *reterr)
{
	const bool typed = nonet_address_scheme(endpoint->address) == NONET_SCHEME_SYSVMSG;
	const char *address = nonet_address_text(endpoint->address);
	const struct nonet_queue_select ready = queue_select(endpoint->type);
	struct nonet_queue_options queue = {.size = sizeof(queue), .ready = &ready};
	int error;

	if (typed ? options->priority != 0 : options->type != 0)
		return error_set(reterr, -EOPNOTSUPP, "messages of %s have no %s: those of %s: do", address,
				 typed ? "priority" : "type", typed ? "posixmq" : "sysvmsg");
	if (endpoint->type < 0 && endpoint->flags != NONET_ENDPOINT_RECEIVE)
		return error_set(reterr, -EINVAL,
				 "the type %lld of %s is below 0, which says what to receive, and can't be sent",
				 (long long)endpoint->type, address);
	if (endpoint->flags == 0)
		endpoint->flags = NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE;
	queue.flags = (endpoint->flags & NONET_ENDPOINT_SEND ? NONET_QUEUE_SEND : 0) |
		      (endpoint->flags & NONET_ENDPOINT_RECEIVE ? NONET_QUEUE_RECEIVE : 0);
	if (options->flags & NONET_ENDPOINT_LISTEN) {
		queue.flags |= NONET_QUEUE_REUSE;
		queue.mode = options->mode;
		queue.message_size = options->message_size;
		error = nonet_queue_create(address, &queue, &endpoint->with.queue, reterr);
	} else {
		error = queue_open(address, &queue, options->flags & NONET_ENDPOINT_WAIT, deadline,
				   &endpoint->with.queue, reterr);
	}
	if (error == 0)
		endpoint->carrier = &queue_endpoint_carrier;
	return error;
}
