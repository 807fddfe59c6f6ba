/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "message_json.h"
#include "output.h"
#include "parse.h"
#include "progress.h"
#include "say.h"
#include "transfer.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet recv [OPTION]... ADDRESS\n"
	"\n"
	"Receive messages from ADDRESS until the other side ends, and print each with a newline after it.\n"
	"\n"
	"  -0, --null           a NUL byte after each message instead of a newline\n"
	"      --whole          nothing after a message\n"
	"      --bytes          no messages: the bytes as they come, from a program that isn't nonet\n"
	"  -l, --listen         be the side that makes the name, and wait for the other\n"
	"      --mode OCTAL     permissions of that name (default 0600)\n"
	"  -t, --timeout TIME   give up when the other side isn't there, or no message comes, for so long:\n"
	"                       250ms, 1.5s, 2 (seconds); without it a socket must be there already\n"
	"  -n, --count N        stop after N messages\n"
	"      --max-size SIZE  largest message: 4096, 64K, 16M (the default), 1G\n"
	"      --type N         sysvmsg: only messages of type N; with -N those up to N, the lowest first\n"
	"      --history        channel: first what was published before, as far as it is still there\n"
	"      --end            channel: end once nobody is left who publishes\n"
	"      --json           print each message as a line of JSON\n"
	"  -h, --help           print this\n"
	"\n"
	"ADDRESS is fifo:PATH, unix:PATH, unix:@NAME, unix-seqpacket:, unix-dgram:, tcp:HOST:PORT, udp:HOST:PORT,\n"
	"posixmq:/NAME, sysvmsg:KEY, channel:NAME or fd:N; nonet(7) tells of each. Messages of a channel that it was "
	"too\n"
	"slow for, if its policy is drop, are counted on standard error.\n"
	"\n"
	"Example: nonet recv --listen unix:/tmp/hello\n";

struct receiver {
	const struct transfer_options *options;
	struct nonet_endpoint *endpoint;
	struct nonet_wait_set *set;
	struct output output;
	struct space space;
	uint64_t lost; /* of a channel, in all */
};

/* Return: what message_json_write() calls the label of a message, or NULL. */
static const char *label_of(struct receiver *receiver, const struct nonet_queue_message *message, int64_t *ret_value)
{
	static const char sorted[] = "posixmq:";

	if (message->type > 0) {
		*ret_value = message->type;
		return "type";
	}
	*ret_value = message->priority;
	if (receiver->options->format == TRANSFER_BYTES ||
	    strncmp(nonet_endpoint_address(receiver->endpoint), sorted, strlen(sorted)) != 0)
		return NULL;
	return "priority";
}

/* Said where it happened, between what was printed before and what comes. Return: 0, or as output_flush(). */
static int say_what_is_lost(struct receiver *receiver)
{
	const uint64_t lost = nonet_endpoint_lost(receiver->endpoint);
	int r = 0;

	if (lost != receiver->lost) {
		r = output_flush(&receiver->output);
		progress_erase();
		say_failure("%" PRIu64 " message%s lost: they were published faster than they were read here",
			    lost - receiver->lost, lost - receiver->lost == 1 ? " was" : "s were");
		receiver->lost = lost;
	}
	return r;
}

static int print_message(struct receiver *receiver, const struct nonet_queue_message *message)
{
	static const char separators[] = {[TRANSFER_LINES] = '\n', [TRANSFER_NULL] = '\0'};
	enum transfer_format format = receiver->options->format;
	const size_t size = (size_t)message->size;
	int r = say_what_is_lost(receiver);

	if (r < 0)
		return r;
	if (receiver->options->json) {
		int64_t value;
		const char *label = label_of(receiver, message, &value);

		r = message_json_write(&receiver->output, receiver->space.bytes, size, label, value);
	} else {
		r = output_write(&receiver->output, receiver->space.bytes, size);
		if (r == 0 && (format == TRANSFER_LINES || format == TRANSFER_NULL))
			r = output_write(&receiver->output, &separators[format], 1);
	}
	return r < 0 ? r : output_end_message(&receiver->output);
}

/* Return: 0 once something may be there or a signal came, -ETIMEDOUT, -EAGAIN, or another errno. */
static int wait_for_more(struct receiver *receiver, nonet_time deadline)
{
	struct nonet_wait_event event;
	size_t count;

	return nonet_wait(receiver->set, &event, 1, deadline, &count);
}

/* Return: a message in @ret_message and 0; or a negative errno. Prints what was gathered before it sleeps. */
static int next_message(struct receiver *receiver, struct nonet_queue_message *ret_message, int *ret_output_result)
{
	transfer_take *take =
		receiver->options->format == TRANSFER_BYTES ? transfer_read : nonet_endpoint_receive_message;
	nonet_time timeout = receiver->options->timeout, deadline = NONET_FOREVER;
	int r, waited = 0;

	*ret_output_result = 0;
	for (;;) {
		r = transfer_take_now(receiver->endpoint, take, &receiver->space, ret_message);
		if (r != -EAGAIN || interrupt_signal())
			return r;
		*ret_output_result = output_flush(&receiver->output);
		if (*ret_output_result < 0)
			return r;
		if (!waited++ && timeout >= 0)
			deadline = parse_deadline(timeout);
		r = wait_for_more(receiver, deadline);
		if (r < 0)
			return r;
	}
}

static int receive_all(struct receiver *receiver)
{
	uint64_t left = receiver->options->count ? receiver->options->count : UINT64_MAX;
	struct nonet_queue_message message;
	int r = 0, output_result;

	progress_start(STDOUT_FILENO);
	for (; left > 0 && !interrupt_signal(); left--) {
		r = next_message(receiver, &message, &output_result);
		if (output_result < 0)
			return output_failed(output_result);
		if (r < 0)
			break;
		/* also if a signal has come: it is taken, and nobody else will have it */
		output_result = print_message(receiver, &message);
		if (output_result < 0)
			return output_failed(output_result);
		progress_add((size_t)message.size);
	}
	progress_erase();
	output_result = output_flush(&receiver->output);
	if (output_result < 0)
		return output_failed(output_result);
	if (left == 0)
		return STATUS_DONE;
	if (interrupt_signal())
		return -interrupt_signal();
	return r == -EPIPE ? STATUS_DONE : transfer_failed(receiver->options, receiver->endpoint, r);
}

static int prepare(struct receiver *receiver)
{
	struct nonet_error error;
	int r;

	if (output_open(&receiver->output) < 0)
		return say_failure("no memory is left");
	r = interrupt_catch(INTERRUPT_WAITS);
	if (r)
		return r;
	r = nonet_wait_set_new(&receiver->set, &error);
	if (r < 0)
		return say_error(&error, NULL);
	r = nonet_wait_set_add(receiver->set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait_set_add(receiver->set, nonet_endpoint_waitable(receiver->endpoint), NONET_WAIT_RECEIVE,
				       NULL);
	output_watch(receiver->set);
	return r < 0 ? say_failure("can't wait for messages: %s", nonet_error_name(r)) : 0;
}

static int run(int argc, char *argv[])
{
	struct transfer_options options;
	struct receiver receiver = {.options = &options};
	int r;

	if (!transfer_parse(&verb_recv, argc, argv, &options, &r))
		return r;
	r = transfer_open(&options, NONET_ENDPOINT_RECEIVE, &receiver.endpoint);
	if (r)
		return r;
	r = prepare(&receiver);
	if (r == 0)
		r = receive_all(&receiver);
	nonet_wait_set_free(receiver.set);
	nonet_endpoint_close(receiver.endpoint);
	output_close(&receiver.output);
	free(receiver.space.bytes);
	return r;
}

const struct verb verb_recv = {
	.name = "recv",
	.summary = "receive messages from an address, and print each",
	.help = help,
	.run = run,
};
