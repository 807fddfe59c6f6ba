/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <nonet/address.h>

#include "duplex.h"
#include "input.h"
#include "interrupt.h"
#include "output.h"
#include "parse.h"
#include "progress.h"
#include "say.h"
#include "transfer.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet send [OPTION]... ADDRESS\n"
	"\n"
	"Send standard input to ADDRESS, a message a line (the newline isn't part of it).\n"
	"\n"
	"  -0, --null           a message ends with a NUL byte instead of a newline\n"
	"      --whole          all of standard input is one message\n"
	"      --bytes          no messages: the bytes as they are, for a program that isn't nonet\n"
	"      --duplex         as --bytes, and what comes back goes to standard output until the other side ends\n"
	"      --no-half-close  with --duplex: don't tell the other side that standard input has ended\n"
	"  -l, --listen         be the side that makes the name, and wait for the other\n"
	"      --mode OCTAL     permissions of that name (default 0600)\n"
	"  -t, --timeout TIME   give up when the other side isn't there, or takes no message, for so long:\n"
	"                       250ms, 1.5s, 2 (seconds); without it a socket must be there already\n"
	"  -n, --count N        stop after N messages\n"
	"      --max-size SIZE  largest message: 4096, 64K, 16M (the default), 1G\n"
	"      --priority N     posixmq: that of each message, 0 to 32767: the highest is received first\n"
	"      --type N         sysvmsg: that of each message (default 1): receivers choose by it\n"
	"      --json           print a summary at the end\n"
	"  -h, --help           print this\n"
	"\n"
	"ADDRESS is fifo:PATH, unix:PATH, unix:@NAME, unix-seqpacket:, unix-dgram:, tcp:HOST:PORT, udp:HOST:PORT,\n"
	"icmp:HOST, posixmq:/NAME, sysvmsg:KEY, channel:NAME or fd:N; nonet(7) tells of each. In a channel it "
	"publishes\n"
	"whether anybody reads or not; with --timeout once somebody does.\n"
	"\n"
	"Example: echo hello | nonet send unix:/tmp/hello\n"
	"         printf 'PING\\r\\nQUIT\\r\\n' | nonet send --duplex --no-half-close unix:/run/redis/redis.sock\n";

struct sender {
	const struct transfer_options *options;
	struct nonet_endpoint *endpoint;
	struct input input;
	uint64_t messages;
	uint64_t bytes;
};

static int next_message(struct sender *sender, const char **ret_message, size_t *ret_size)
{
	switch (sender->options->format) {
	case TRANSFER_LINES:
		return input_record(&sender->input, '\n', ret_message, ret_size);
	case TRANSFER_NULL:
		return input_record(&sender->input, '\0', ret_message, ret_size);
	case TRANSFER_WHOLE:
		return input_whole(&sender->input, ret_message, ret_size);
	case TRANSFER_BYTES:
		return input_chunk(&sender->input, ret_message, ret_size);
	}
	return -EINVAL;
}

static int input_failed(const struct sender *sender, int code)
{
	unsigned long long limit = sender->input.limit, number = sender->messages + 1;

	if (code != -EMSGSIZE)
		return say_failure("can't read standard input: %s", strerror(-code));
	switch (sender->options->format) {
	case TRANSFER_LINES:
		return say_failure("line %llu is longer than a message may be, %llu bytes: see --max-size", number,
				   limit);
	case TRANSFER_NULL:
		return say_failure("message %llu is longer than a message may be, %llu bytes: see --max-size", number,
				   limit);
	default:
		return say_failure("standard input is longer than a message may be, %llu bytes: see --max-size", limit);
	}
}

static int send_failed(const struct sender *sender, size_t size, int code)
{
	unsigned long long number = sender->messages + 1, bytes = size;
	struct nonet_error error;
	const char *what;

	what = sender->options->format == TRANSFER_LINES ? "line" : "message";
	nonet_endpoint_explain(sender->endpoint, code, &error);
	if (code != -EMSGSIZE) {
		/* So that whoever mends it can go on from there. */
		if (number > 1 && sender->options->format != TRANSFER_BYTES)
			say_failure("%s %llu and what follows wasn't sent: %s", what, number, error.text);
		else
			say_failure("%s", error.text);
		/* Where nobody set a time a channel whose policy it is has refused it. */
		return code == -EAGAIN && sender->options->timeout < 0 ? STATUS_FAILED : say_status(code);
	}
	if (sender->options->format == TRANSFER_WHOLE)
		return say_failure("standard input (%llu bytes) doesn't fit: %s", bytes, error.text);
	return say_failure("%s %llu (%llu bytes) doesn't fit: %s", what, number, bytes, error.text);
}

static nonet_time send_deadline(const struct transfer_options *options)
{
	return options->timeout < 0 ? NONET_FOREVER : parse_deadline(options->timeout);
}

static int send_all(struct sender *sender)
{
	const struct transfer_options *options = sender->options;
	const char *message;
	size_t size;
	int r;

	progress_start(STDIN_FILENO);
	while (!options->count || sender->messages < options->count) {
		r = next_message(sender, &message, &size);
		if (r < 0)
			return input_failed(sender, r);
		if (r == 0)
			break;
		if (options->format == TRANSFER_BYTES)
			r = nonet_endpoint_write(sender->endpoint, message, size, send_deadline(options), NULL);
		else
			r = nonet_endpoint_send(sender->endpoint, message, size, send_deadline(options));
		if (r < 0)
			return send_failed(sender, size, r);
		sender->messages++;
		sender->bytes += size;
		progress_add(size);
	}
	progress_erase();
	return STATUS_DONE;
}

static int print_summary(const struct sender *sender, nonet_time took)
{
	json_t *messages, *summary;
	struct nonet_address *address;
	int r;

	/* not the endpoint's address: that of one that was listened for is a descriptor's */
	if (nonet_address_parse(sender->options->address, &address, NULL) < 0)
		return say_failure("no memory is left");
	messages = sender->options->format == TRANSFER_BYTES ? json_null() : json_integer((json_int_t)sender->messages);
	summary = json_pack("{s:s, s:o, s:I, s:f}", "address", nonet_address_text(address), "messages", messages,
			    "bytes", (json_int_t)sender->bytes, "seconds", (double)took / 1e9);
	nonet_address_free(address);
	if (!summary)
		return say_failure("no memory is left");
	r = json_dumpf(summary, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	json_decref(summary);
	putchar('\n');
	return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int send_input(const struct transfer_options *options, struct nonet_endpoint *endpoint)
{
	struct sender sender = {.options = options, .endpoint = endpoint};
	nonet_time start = nonet_clock();
	int status;

	status = interrupt_catch(INTERRUPT_DIES);
	if (status)
		return status;
	if (input_open(&sender.input, options->message_size ? options->message_size : TRANSFER_SIZE_DEFAULT) < 0)
		return say_failure("no memory is left");
	status = send_all(&sender);
	input_close(&sender.input);
	if (options->json && print_summary(&sender, nonet_clock() - start) != STATUS_DONE && status == STATUS_DONE)
		status = STATUS_FAILED;
	return options->json ? output_finish_stdio(status) : status;
}

static int run(int argc, char *argv[])
{
	struct transfer_options options;
	struct nonet_endpoint *endpoint;
	uint32_t flags = NONET_ENDPOINT_SEND;
	int r;

	if (!transfer_parse(&verb_send, argc, argv, &options, &r))
		return r;
	if (options.duplex)
		flags |= NONET_ENDPOINT_RECEIVE;
	r = transfer_open(&options, flags, &endpoint);
	if (r)
		return r;
	r = options.duplex ? duplex(&options, endpoint) : send_input(&options, endpoint);
	nonet_endpoint_close(endpoint);
	return r;
}

const struct verb verb_send = {
	.name = "send",
	.summary = "send standard input to an address, a message a line",
	.help = help,
	.run = run,
};
