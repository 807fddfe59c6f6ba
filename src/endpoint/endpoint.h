/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENDPOINT_ENDPOINT_H
#define ENDPOINT_ENDPOINT_H

#include <stdbool.h>

#include <nonet/address.h>
#include <nonet/channel.h>
#include <nonet/endpoint.h>
#include <nonet/pipe.h>
#include <nonet/queue.h>
#include <nonet/socket.h>
#include <nonet/unix.h>

#include "waitable/waitable.h"

struct nonet_endpoint;

/* What a carrier has to offer. The direction was looked at before: what is called is what it was opened for. */
struct endpoint_carrier {
	void (*close)(struct nonet_endpoint *endpoint);
	int (*send)(struct nonet_endpoint *endpoint, const void *message, size_t size, nonet_time deadline);
	int (*receive)(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		       size_t *ret_size);
	/* NULL: nothing is told beside the size. */
	int (*receive_message)(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			       struct nonet_queue_message *ret_message);
	int (*message_size)(struct nonet_endpoint *endpoint, nonet_time deadline, size_t *ret_size);
	int (*read)(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		    size_t *ret_size);
	int (*write)(struct nonet_endpoint *endpoint, const void *bytes, size_t size, nonet_time deadline,
		     size_t *done);
	int (*finish)(struct nonet_endpoint *endpoint);
	struct nonet_waitable *(*waitable)(struct nonet_endpoint *endpoint);
	void (*explain)(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error);
};

/* Of a channel either may be NULL. */
struct endpoint_channel {
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_waitable nothing; /* what one that only sends is waited for by: it can't be */
	uint64_t lost;                 /* messages, since it was opened */
	bool sent;                     /* the last call was one to send */
};

struct nonet_endpoint {
	const struct endpoint_carrier *carrier;
	struct nonet_address *address;
	uint32_t flags; /* NONET_ENDPOINT_SEND, RECEIVE: what it was opened for */
	union {
		struct nonet_pipe *pipe;
		struct nonet_unix *socket;
		struct nonet_socket *network;
		struct nonet_queue *queue;
		struct endpoint_channel channel;
	} with;
	uint32_t priority; /* of a queue's messages: see struct nonet_endpoint_options */
	int64_t type;
};

/* Open by what @endpoint->address says; set carrier and with, and flags where they were left open. */
int endpoint_open_fifo(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
		       nonet_time deadline, struct nonet_error *reterr);
int endpoint_open_unix(struct nonet_endpoint *endpoint, enum nonet_unix_type type,
		       const struct nonet_endpoint_options *options, nonet_time deadline, struct nonet_error *reterr);
int endpoint_open_socket(struct nonet_endpoint *endpoint, enum nonet_socket_type type,
			 const struct nonet_endpoint_options *options, nonet_time deadline, struct nonet_error *reterr);
int endpoint_open_queue(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
			nonet_time deadline, struct nonet_error *reterr);

int endpoint_open_channel(struct nonet_endpoint *endpoint, const struct nonet_endpoint_options *options,
			  nonet_time deadline, struct nonet_error *reterr);

/* Of a descriptor of ours; consumed on success. -ENOTSUP: it isn't one of these. */
int endpoint_take_pipe(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
		       struct nonet_error *reterr);
int endpoint_take_unix(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
		       struct nonet_error *reterr);
int endpoint_take_socket(struct nonet_endpoint *endpoint, int *fd, const struct nonet_endpoint_options *options,
			 struct nonet_error *reterr);

#endif
