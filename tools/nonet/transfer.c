/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nonet/address.h>
#include <nonet/unix.h>

#include "interrupt.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

/* Between two looks at whether a signal came, during calls of the library that a signal doesn't end. */
#define SLICE NONET_MS(100)

/* Space for messages at the beginning. */
#define SPACE_SIZE ((size_t)64 * 1024)

static nonet_time opening_deadline(const struct transfer_options *options)
{
	return options->timeout < 0 ? NONET_FOREVER : parse_deadline(options->timeout);
}

/* The deadline of one slice of waiting. */
static nonet_time slice(nonet_time deadline)
{
	nonet_time soon = nonet_after(SLICE);

	return deadline < soon ? deadline : soon;
}

/* Whether a call that was made with a slice as its deadline is to be made again. */
static int once_more(int code, nonet_time deadline)
{
	return code == -ETIMEDOUT && !interrupt_signal() && deadline > nonet_clock();
}

static int listen_by_slices(const char *name, size_t name_size, enum nonet_unix_type type,
			    const struct nonet_endpoint_options *options, nonet_time deadline,
			    struct nonet_unix_listener **ret_listener, struct nonet_error *reterr)
{
	struct nonet_unix_options unix_options = {
		.size = sizeof(unix_options),
		.name_size = (uint32_t)name_size,
		.mode = options->mode,
		.message_size = options->message_size,
	};
	int r;

	do
		r = nonet_unix_listen(name, type, &unix_options, slice(deadline), ret_listener, reterr);
	while (once_more(r, deadline));
	return r;
}

/* Waits for a client or a signal. Return: 0; -EINTR; -ETIMEDOUT, -EAGAIN; or another errno. */
static int accept_or_signal(struct nonet_unix_listener *listener, nonet_time deadline, struct nonet_unix **ret_unix,
			    struct nonet_error *reterr)
{
	struct nonet_wait_set *set;
	struct nonet_wait_event event;
	size_t count;
	int r;

	r = nonet_wait_set_new(&set, reterr);
	if (r < 0)
		return r;
	r = nonet_wait_set_add(set, nonet_unix_listener_waitable(listener), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait_set_add(set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL);
	while (r == 0) {
		r = nonet_unix_accept(listener, NONET_NOW, ret_unix);
		if (r != -EAGAIN)
			break;
		r = nonet_wait(set, &event, 1, deadline, &count);
		if (interrupt_signal())
			r = -EINTR;
	}
	if (r < 0 && r != -EINTR)
		nonet_unix_listener_explain(listener, r, reterr);
	nonet_wait_set_free(set);
	return r;
}

/*
 * Instead of nonet_endpoint_open() with NONET_ENDPOINT_LISTEN, which no signal could end while it waits for a client:
 * then the socket's path would stay behind. It is removed as soon as the one client has come.
 */
static int open_as_listener(const struct nonet_address *address, const struct nonet_endpoint_options *options,
			    nonet_time deadline, struct nonet_endpoint **ret_endpoint, struct nonet_error *reterr)
{
	struct nonet_endpoint_options of_fd = {
		.size = sizeof(of_fd),
		.flags = options->flags & (NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE),
		.message_size = options->message_size,
	};
	enum nonet_unix_type type = NONET_UNIX_STREAM;
	struct nonet_unix_listener *listener;
	struct nonet_unix *client;
	char *name, number[32];
	const char *bare, *before;
	size_t size;
	int r;

	bare = nonet_address_name(address, &size);
	/* unix.h takes what begins with @ for an abstract name; unix:%40x is a path all the same */
	before = nonet_address_is_abstract(address) ? "@" : *bare == '@' ? "./" : "";
	name = malloc(strlen(before) + size + 1);
	if (!name) {
		*reterr = (struct nonet_error){.code = -ENOMEM, .position = -1, .text = "no memory is left"};
		return -ENOMEM;
	}
	memcpy(stpcpy(name, before), bare, size + 1);
	if (nonet_address_scheme(address) == NONET_SCHEME_UNIX_SEQPACKET)
		type = NONET_UNIX_SEQPACKET;
	r = listen_by_slices(name, strlen(before) + size, type, options, deadline, &listener, reterr);
	free(name);
	if (r < 0)
		return r;
	r = accept_or_signal(listener, deadline, &client, reterr);
	nonet_unix_listener_close(listener);
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "fd:%d", nonet_unix_fd(client));
	r = nonet_endpoint_open(number, &of_fd, deadline, ret_endpoint, reterr);
	nonet_unix_close(client);
	return r;
}

/* A bound datagram socket waits for no client, at most for the directory's lock. */
static int open_by_slices(const char *address, const struct nonet_endpoint_options *options, nonet_time deadline,
			  struct nonet_endpoint **ret_endpoint, struct nonet_error *reterr)
{
	int r;

	do
		r = nonet_endpoint_open(address, options, slice(deadline), ret_endpoint, reterr);
	while (once_more(r, deadline));
	return r;
}

/* An option that means nothing for this scheme isn't passed over in silence. Return: 0, or STATUS_USAGE. */
static int check_options(const struct transfer_options *options, enum nonet_scheme scheme)
{
	const char *name = nonet_scheme_name(scheme);

	if (options->priority && scheme != NONET_SCHEME_POSIXMQ)
		return say_usage("--priority is for posixmq:, not for %s:", name);
	if (options->type && scheme != NONET_SCHEME_SYSVMSG)
		return say_usage("--type is for sysvmsg:, not for %s:", name);
	if ((options->history || options->end) && scheme != NONET_SCHEME_CHANNEL)
		return say_usage("--history and --end are for channel:, not for %s:", name);
	if (options->duplex && (scheme == NONET_SCHEME_FIFO || scheme == NONET_SCHEME_POSIXMQ ||
				scheme == NONET_SCHEME_SYSVMSG || scheme == NONET_SCHEME_CHANNEL))
		return say_usage("--duplex is for what goes both ways, as unix: and tcp: do, not for %s:", name);
	return 0;
}

/* Return: the exit status, once said. */
static int say_why_not_opened(const struct transfer_options *options, const struct nonet_address *address,
			      const struct nonet_error *error)
{
	const enum nonet_scheme scheme = nonet_address_scheme(address);
	const char *path = nonet_address_name(address, NULL);
	int64_t id;

	if (scheme == NONET_SCHEME_CHANNEL && error->code == -ENOENT)
		return say_failure("%s; --listen makes it, and so does \"nonet create %s\"", error->text,
				   options->address);
	/* The kernel gives ids, and PATH#PROJ needs its file: --listen makes no queue of those. */
	if ((scheme == NONET_SCHEME_SYSVMSG && path && access(path, F_OK) < 0) || error->code != -ENOENT ||
	    (scheme != NONET_SCHEME_POSIXMQ && scheme != NONET_SCHEME_SYSVMSG) ||
	    nonet_address_number(address, NONET_ADDRESS_ID, &id) == 0)
		return say_error(error, options->address);
	return say_failure("%s; --listen makes it, and so does \"nonet create %s\"", error->text, options->address);
}

int transfer_open(const struct transfer_options *options, uint32_t flags, struct nonet_endpoint **ret_endpoint)
{
	struct nonet_endpoint_options endpoint_options = {
		.size = sizeof(endpoint_options),
		.flags = flags,
		.mode = options->mode,
		.priority = (uint32_t)options->priority,
		.message_size = options->message_size,
		.type = options->type,
	};
	static const enum nonet_scheme takes[] = {NONET_SCHEME_FIFO,    NONET_SCHEME_UNIX,    NONET_SCHEME_FD,
						  NONET_SCHEME_POSIXMQ, NONET_SCHEME_SYSVMSG, NONET_SCHEME_TCP,
						  NONET_SCHEME_UDP,     NONET_SCHEME_CHANNEL, 0};
	nonet_time deadline = opening_deadline(options);
	struct nonet_address *address;
	enum nonet_scheme scheme;
	struct nonet_error error;
	int r;

	r = suggest_parse(options->address, takes, &address, &error);
	if (r < 0)
		return say_error(&error, options->address);
	if (options->listen)
		endpoint_options.flags |= NONET_ENDPOINT_LISTEN;
	else if (options->timeout >= 0)
		endpoint_options.flags |= NONET_ENDPOINT_WAIT;
	if (options->listen && options->timeout >= 0 && nonet_address_scheme(address) == NONET_SCHEME_CHANNEL)
		endpoint_options.flags |= NONET_ENDPOINT_WAIT;
	if (options->history)
		endpoint_options.flags |= NONET_ENDPOINT_HISTORY;
	if (options->end)
		endpoint_options.flags |= NONET_ENDPOINT_END;
	scheme = nonet_address_scheme(address);
	r = check_options(options, scheme);
	if (r)
		goto out;
	if (options->listen && scheme != NONET_SCHEME_FIFO) {
		r = interrupt_catch(INTERRUPT_WAITS);
		if (r)
			goto out;
	}
	if (options->listen && (scheme == NONET_SCHEME_UNIX || scheme == NONET_SCHEME_UNIX_SEQPACKET))
		r = open_as_listener(address, &endpoint_options, deadline, ret_endpoint, &error);
	else if (options->listen && scheme != NONET_SCHEME_FIFO)
		r = open_by_slices(options->address, &endpoint_options, deadline, ret_endpoint, &error);
	else
		r = nonet_endpoint_open(options->address, &endpoint_options, deadline, ret_endpoint, &error);
	if (interrupt_signal()) {
		if (r == 0)
			nonet_endpoint_close(*ret_endpoint);
		r = -interrupt_signal();
	} else if (r < 0) {
		r = say_why_not_opened(options, address, &error);
	}
out:
	nonet_address_free(address);
	return r;
}

int transfer_failed(const struct transfer_options *options, struct nonet_endpoint *endpoint, int code)
{
	struct nonet_error error;

	nonet_endpoint_explain(endpoint, code, &error);
	return say_error(&error, options->address);
}

int transfer_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity, nonet_time deadline,
		  struct nonet_queue_message *ret_message)
{
	size_t size;
	int r = nonet_endpoint_read(endpoint, buffer, capacity, deadline, &size);

	if (r == 0)
		*ret_message = (struct nonet_queue_message){.size = size};
	return r;
}

/*
 * What is said to be too large, and isn't there when its size is asked for: another receiver took it from a System V
 * queue, which keeps it for them all; any other carrier has dropped it, as being over message_size.
 */
static int code_of_gone(struct nonet_endpoint *endpoint)
{
	const char *shared = nonet_scheme_name(NONET_SCHEME_SYSVMSG);
	const char *address = nonet_endpoint_address(endpoint);
	size_t size = strlen(shared);

	return strncmp(address, shared, size) == 0 && address[size] == ':' ? -EAGAIN : -EMSGSIZE;
}

int transfer_take_now(struct nonet_endpoint *endpoint, transfer_take *take, struct space *space,
		      struct nonet_queue_message *ret_message)
{
	size_t needed = SPACE_SIZE;
	char *bytes;
	int r;

	for (;;) {
		if (needed > space->capacity) {
			bytes = realloc(space->bytes, needed);
			if (!bytes)
				return -ENOMEM;
			space->bytes = bytes;
			space->capacity = needed;
		}
		r = take(endpoint, space->bytes, space->capacity, NONET_NOW, ret_message);
		if (r != -EMSGSIZE)
			return r;
		r = nonet_endpoint_message_size(endpoint, NONET_NOW, &needed);
		if (r == -EAGAIN || r == -EPIPE)
			return code_of_gone(endpoint);
		if (r < 0)
			return r;
		if (needed <= space->capacity) /* the next one */
			return code_of_gone(endpoint);
	}
}
