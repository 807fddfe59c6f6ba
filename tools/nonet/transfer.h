/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_TRANSFER_H
#define NONET_TOOL_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/endpoint.h>
#include <nonet/time.h>

/* What send and recv have in common: their options, and how an address becomes an endpoint. */

enum transfer_format {
	TRANSFER_LINES = 0,
	TRANSFER_NULL,
	TRANSFER_WHOLE,
	TRANSFER_BYTES,
};

struct transfer_options {
	const char *address;
	enum transfer_format format;
	int duplex;        /* send only */
	int no_half_close; /* with duplex only */
	int listen;
	int json;
	int history, end;      /* recv only */
	int priority;          /* 0: not given */
	int type;              /* 0: not given */
	uint32_t mode;         /* 0: not given */
	nonet_time timeout;    /* a duration */
	uint64_t count;        /* 0: not given */
	uint64_t message_size; /* 0: not given */
};

/* The library's own limit when --max-size isn't given, and the highest that may be given. */
#define TRANSFER_SIZE_DEFAULT ((uint64_t)16 << 20)
#define TRANSFER_SIZE_MAX     ((uint64_t)1 << 30)

/* Reads the options of verb_send or verb_recv. Return: as verb_read_options(). */
struct verb;
int transfer_parse(const struct verb *verb, int argc, char *argv[], struct transfer_options *ret_options,
		   int *ret_status);

/*
 * Opens the address; signals are caught from here on if there is something to clean up.
 * @flags: NONET_ENDPOINT_SEND, RECEIVE or both.
 * Return: 0; or as struct verb's run(), having said why.
 */
int transfer_open(const struct transfer_options *options, uint32_t flags, struct nonet_endpoint **ret_endpoint);

/* Says why a call on the endpoint failed. Return: the exit status that it means. */
int transfer_failed(const struct transfer_options *options, struct nonet_endpoint *endpoint, int code);

/* A buffer for messages that grows. */
struct space {
	char *bytes;
	size_t capacity;
};

typedef int transfer_take(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
			  struct nonet_queue_message *ret_message);

/* A transfer_take, as nonet_endpoint_receive_message() is, by nonet_endpoint_read(). */
int transfer_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		  struct nonet_queue_message *ret_message);

/*
 * One message or chunk, by nonet_endpoint_receive_message() or transfer_read(), if it is there now.
 * Return: as those, but never -EMSGSIZE for want of space. -EAGAIN also if another receiver took it meanwhile: there
 * may be a next one, and a wait says so.
 */
int transfer_take_now(struct nonet_endpoint *endpoint, transfer_take *take, struct space *space,
		      struct nonet_queue_message *ret_message);

#endif
