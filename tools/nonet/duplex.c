/* SPDX-License-Identifier: Apache-2.0 */
#include "duplex.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "input.h"
#include "interrupt.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

struct duplex {
	const struct transfer_options *options;
	struct nonet_endpoint *endpoint;
	struct nonet_wait_set *set;
	struct input input;
	struct output output;
	struct space space;
	const char *pending; /* what was read from standard input and isn't written yet */
	size_t pending_size, pending_done;
	int input_ended;
	int input_watched; /* standard input is in the set */
	int refused;       /* why the other side takes no more, or 0 */
	int status;        /* once it has ended */
};

static int ended_with(struct duplex *duplex, int status)
{
	duplex->status = status;
	return -ECANCELED;
}

static int input_ready(void)
{
	struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&ready, 1, 0) != 0; /* an error counts: read(2) will say which */
}

/* One step of standard input to the endpoint. Return: 1 if something moved, 0 if not, -ECANCELED at the end. */
static int step_out(struct duplex *duplex)
{
	int r;

	if (duplex->pending_size == 0) {
		if (duplex->input_ended || !input_ready())
			return 0;
		r = input_chunk(&duplex->input, &duplex->pending, &duplex->pending_size);
		if (r < 0)
			return ended_with(duplex, say_failure("can't read standard input: %s", strerror(-r)));
		duplex->pending_done = 0;
		if (r == 0) {
			duplex->input_ended = 1;
			/* a carrier that can't half-close doesn't tell the other side that no more comes */
			r = duplex->options->no_half_close ? 0 : nonet_endpoint_finish(duplex->endpoint);
			if (r < 0 && r != -EOPNOTSUPP)
				duplex->refused = r;
			return 1;
		}
	}
	r = nonet_endpoint_write(duplex->endpoint, duplex->pending, duplex->pending_size, NONET_NOW,
				 &duplex->pending_done);
	if (r == -EAGAIN)
		return 0;
	if (r < 0) { /* what it sent before may still be on its way here */
		duplex->refused = r;
		duplex->input_ended = 1;
	}
	duplex->pending_size = 0;
	return 1;
}

/* One step of the endpoint to standard output. Return: as step_out(). */
static int step_in(struct duplex *duplex)
{
	struct nonet_queue_message message;
	int r;

	r = transfer_take_now(duplex->endpoint, transfer_read, &duplex->space, &message);
	if (r == -EAGAIN)
		return 0;
	if (r == -EPIPE && duplex->refused)
		r = duplex->refused;
	else if (r == -EPIPE)
		return ended_with(duplex, STATUS_DONE);
	if (r < 0)
		return ended_with(duplex, transfer_failed(duplex->options, duplex->endpoint, r));
	r = output_write(&duplex->output, duplex->space.bytes, (size_t)message.size);
	if (r == 0)
		r = output_end_message(&duplex->output);
	return r < 0 ? ended_with(duplex, output_failed(r)) : 1;
}

/* Sleeps until there may be something to do. Return: 0, -ETIMEDOUT, -EAGAIN, or another errno. */
static int sleep_until(struct duplex *duplex, nonet_time deadline)
{
	struct nonet_wait_event event;
	int r, want_input = !duplex->input_ended && duplex->pending_size == 0;
	uint32_t events = NONET_WAIT_RECEIVE | (duplex->pending_size > 0 ? NONET_WAIT_SEND : 0);
	size_t count;

	r = nonet_wait_set_change(duplex->set, nonet_endpoint_waitable(duplex->endpoint), events);
	if (r == 0 && want_input && !duplex->input_watched) {
		r = nonet_wait_set_add_fd(duplex->set, STDIN_FILENO, NONET_WAIT_RECEIVE, NULL);
		duplex->input_watched = r == 0;
	} else if (r == 0 && !want_input && duplex->input_watched) {
		duplex->input_watched = 0;
		r = nonet_wait_set_remove_fd(duplex->set, STDIN_FILENO);
	}
	return r < 0 ? r : nonet_wait(duplex->set, &event, 1, deadline, &count);
}

static int move_all(struct duplex *duplex)
{
	nonet_time timeout = duplex->options->timeout, deadline = NONET_FOREVER;
	int r, out, in, idle = 0;

	for (;;) {
		out = step_out(duplex);
		in = out < 0 ? out : step_in(duplex);
		if (interrupt_signal())
			return -interrupt_signal();
		if (in < 0)
			return duplex->status;
		r = in ? 0 : output_flush(&duplex->output);
		if (r < 0)
			return output_failed(r);
		if (out || in) {
			idle = 0;
			continue;
		}
		if (!idle++) {
			deadline = NONET_FOREVER;
			if (timeout >= 0 && (duplex->input_ended || duplex->pending_size > 0))
				deadline = parse_deadline(timeout);
		}
		r = sleep_until(duplex, deadline);
		if (r < 0)
			return transfer_failed(duplex->options, duplex->endpoint, r);
	}
}

static int prepare(struct duplex *duplex)
{
	struct nonet_error error;
	int r;

	if (output_open(&duplex->output) < 0 ||
	    input_open(&duplex->input, duplex->options->message_size ? duplex->options->message_size : SIZE_MAX) < 0)
		return say_failure("no memory is left");
	r = interrupt_catch(INTERRUPT_WAITS);
	if (r)
		return r;
	r = nonet_wait_set_new(&duplex->set, &error);
	if (r < 0)
		return say_error(&error, NULL);
	r = nonet_wait_set_add(duplex->set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait_set_add(duplex->set, nonet_endpoint_waitable(duplex->endpoint), NONET_WAIT_RECEIVE,
				       NULL);
	return r < 0 ? say_failure("can't wait for the other side: %s", nonet_error_name(r)) : 0;
}

int duplex(const struct transfer_options *options, struct nonet_endpoint *endpoint)
{
	struct duplex duplex = {.options = options, .endpoint = endpoint};
	int r, flushed;

	r = prepare(&duplex);
	if (r == 0) {
		r = move_all(&duplex);
		flushed = output_flush(&duplex.output);
		if (flushed < 0 && r == STATUS_DONE)
			r = output_failed(flushed);
	}
	nonet_wait_set_free(duplex.set);
	output_close(&duplex.output);
	input_close(&duplex.input);
	free(duplex.space.bytes);
	return r;
}
