/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nonet/address.h>
#include <nonet/channel.h>
#include <nonet/wait.h>

#include "interrupt.h"
#include "message_json.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet tap [OPTION]... ADDRESS\n"
	"\n"
	"Print what is published in a channel, a line each: when it was seen, lane, number in the lane, publisher, "
	"size,\n"
	"and the message; until it is interrupted. It only looks on: it takes no place in the channel, no publisher "
	"waits\n"
	"for it, and to be allowed to read the channel is all that it needs. What it was too slow for is counted.\n"
	"\n"
	"      --format FORMAT  the message as text (the default; what can't be printed as \\xNN), hex, or none\n"
	"      --history        first what was published before, as far as it is still there\n"
	"      --end            end once nobody is left who publishes\n"
	"  -n, --count N        stop after N messages\n"
	"      --json           print each message as a line of JSON\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet tap --history channel:news\n";

enum format {
	FORMAT_TEXT,
	FORMAT_HEX,
	FORMAT_NONE,
};

static const char *const formats[] = {[FORMAT_TEXT] = "text", [FORMAT_HEX] = "hex", [FORMAT_NONE] = "none"};

struct tap {
	const char *address;
	int format, json;
	uint32_t flags;
	uint64_t count; /* 0: not given */

	struct nonet_subscriber *subscriber;
	struct nonet_wait_set *set;
	struct output output;
	char *buffer;
	size_t capacity;
	uint64_t messages, bytes, lost;
	nonet_time start;
};

/* With microseconds, for who compares it with a log. */
static void time_text(char *text, size_t size)
{
	struct timespec now;
	struct tm parts;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	used = strftime(text, size, "%H:%M:%S", &parts);
	snprintf(text + used, size - used, ".%06ld", now.tv_nsec / 1000);
}

static int print_bytes(struct tap *tap, size_t size)
{
	char piece[8];
	size_t i;
	int r = output_write(&tap->output, " ", 1);

	for (i = 0; i < size && r == 0; i++) {
		const unsigned char byte = (unsigned char)tap->buffer[i];

		if (tap->format == FORMAT_HEX)
			snprintf(piece, sizeof(piece), "%02x", byte);
		else if (byte >= ' ' && byte <= '~' && byte != '\\')
			snprintf(piece, sizeof(piece), "%c", byte);
		else
			snprintf(piece, sizeof(piece), "\\x%02x", byte);
		r = output_write(&tap->output, piece, strlen(piece));
	}
	return r;
}

static int print_line(struct tap *tap, const struct nonet_message *message)
{
	char when[32], line[160];
	int r = 0;

	time_text(when, sizeof(when));
	if (message->lost > 0) {
		snprintf(line, sizeof(line), "%s lane %" PRIu32 " lost %" PRIu64 "\n", when, message->lane,
			 message->lost);
		r = output_write(&tap->output, line, strlen(line));
	}
	snprintf(line, sizeof(line), "%s lane %" PRIu32 " #%" PRIu64 " publisher %" PRIu64 " %zu byte%s", when,
		 message->lane, message->sequence, message->publisher, message->size, message->size == 1 ? "" : "s");
	if (r == 0)
		r = output_write(&tap->output, line, strlen(line));
	if (r == 0 && tap->format != FORMAT_NONE)
		r = print_bytes(tap, message->size);
	return r < 0 ? r : output_write(&tap->output, "\n", 1);
}

static int print_json(struct tap *tap, const struct nonet_message *message)
{
	struct timespec now;
	char head[256];
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(head, sizeof(head),
		 "{\"time_ns\":%" PRId64 ",\"lane\":%" PRIu32 ",\"sequence\":%" PRIu64 ",\"publisher\":%" PRIu64
		 ",\"lost\":%" PRIu64 ",\"message\":",
		 (int64_t)now.tv_sec * NONET_S(1) + now.tv_nsec, message->lane, message->sequence, message->publisher,
		 message->lost);
	r = output_write(&tap->output, head, strlen(head));
	if (r == 0)
		r = message_json_object(&tap->output, tap->buffer, message->size);
	return r < 0 ? r : output_write(&tap->output, "}\n", 2);
}

/* Return: 0 with a message in the buffer, -EAGAIN, or what the library says. */
static int take_now(struct tap *tap, struct nonet_message *ret_message)
{
	size_t needed = 0;
	char *larger;
	int r;

	for (;;) {
		r = nonet_subscriber_receive(tap->subscriber, tap->buffer, tap->capacity, NONET_NOW, ret_message);
		if (r != -EMSGSIZE)
			return r < 0 ? r : 0;
		r = nonet_subscriber_message_size(tap->subscriber, NONET_NOW, &needed);
		if (r < 0)
			return r;
		if (needed <= tap->capacity)
			continue;
		larger = realloc(tap->buffer, needed);
		if (!larger)
			return -ENOMEM;
		tap->buffer = larger;
		tap->capacity = needed;
	}
}

/* Return: 0 with a message; an errno of the library; or *@ret_status below 0: what was printed isn't out. */
static int next_message(struct tap *tap, struct nonet_message *ret_message, int *ret_output)
{
	struct nonet_wait_event event;
	size_t count;
	int r;

	*ret_output = 0;
	for (;;) {
		r = take_now(tap, ret_message);
		if (r != -EAGAIN || interrupt_signal())
			return r;
		*ret_output = output_flush(&tap->output);
		if (*ret_output < 0)
			return r;
		r = nonet_wait(tap->set, &event, 1, NONET_FOREVER, &count);
		if (r < 0)
			return r;
	}
}

static void say_summary(const struct tap *tap)
{
	say_failure("%" PRIu64 " message%s of %" PRIu64 " bytes seen, %" PRIu64 " lost, in %.1f s", tap->messages,
		    tap->messages == 1 ? "" : "s", tap->bytes, tap->lost, (double)(nonet_clock() - tap->start) / 1e9);
}

static int print_all(struct tap *tap)
{
	struct nonet_message message;
	struct nonet_error error;
	int r = 0, output = 0;

	while ((!tap->count || tap->messages < tap->count) && !interrupt_signal()) {
		r = next_message(tap, &message, &output);
		if (r < 0 || output < 0)
			break;
		tap->messages++;
		tap->bytes += message.size;
		tap->lost += message.lost;
		output = tap->json ? print_json(tap, &message) : print_line(tap, &message);
		if (output == 0)
			output = output_end_message(&tap->output);
		if (output < 0)
			break;
	}
	if (output == 0)
		output = output_flush(&tap->output);
	if (output < 0)
		return output_failed(output);
	if (!tap->json)
		say_summary(tap);
	if (interrupt_signal())
		return -interrupt_signal();
	if (r == 0 || r == -EPIPE)
		return STATUS_DONE;
	nonet_subscriber_explain(tap->subscriber, r, &error);
	return say_error(&error, NULL);
}

static int prepare(struct tap *tap)
{
	struct nonet_error error;
	int r;

	if (output_open(&tap->output) < 0)
		return say_failure("no memory is left");
	r = interrupt_catch(INTERRUPT_WAITS);
	if (r)
		return r;
	if (nonet_wait_set_new(&tap->set, &error) < 0)
		return say_error(&error, NULL);
	r = nonet_wait_set_add(tap->set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait_set_add(tap->set, nonet_subscriber_waitable(tap->subscriber), NONET_WAIT_RECEIVE, NULL);
	output_watch(tap->set);
	return r < 0 ? say_failure("can't wait for messages: %s", nonet_error_name(r)) : 0;
}

static int tap_channel(struct tap *tap)
{
	const struct nonet_subscriber_options options = {
		.size = sizeof(options),
		.flags = NONET_SUBSCRIBER_TAP | tap->flags,
	};
	static const enum nonet_scheme takes[] = {NONET_SCHEME_CHANNEL, 0};
	struct nonet_address *address;
	struct nonet_error error;
	int r;

	if (suggest_parse(tap->address, takes, &address, &error) < 0)
		return say_error(&error, tap->address);
	r = nonet_address_scheme(address) != NONET_SCHEME_CHANNEL;
	nonet_address_free(address);
	if (r)
		return say_usage("only channel: can be tapped: what others take from %s wouldn't be there for them",
				 tap->address);
	if (nonet_subscriber_open(tap->address, &options, &tap->subscriber, &error) < 0)
		return say_error(&error, tap->address);
	r = prepare(tap);
	if (r == 0)
		r = print_all(tap);
	nonet_wait_set_free(tap->set);
	nonet_subscriber_close(tap->subscriber);
	output_close(&tap->output);
	free(tap->buffer);
	return r;
}

enum {
	OPTION_COUNT = PARSE_LONG,
	OPTION_END,
	OPTION_FORMAT,
	OPTION_HISTORY,
	OPTION_JSON,
};

static const struct option options[] = {
	{"count", required_argument, NULL, OPTION_COUNT},
	{"end", no_argument, NULL, OPTION_END},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"help", no_argument, NULL, PARSE_HELP},
	{"history", no_argument, NULL, OPTION_HISTORY},
	{"json", no_argument, NULL, OPTION_JSON},
	{NULL, 0, NULL, 0},
};

static int take_format(struct tap *tap)
{
	for (tap->format = FORMAT_TEXT; tap->format <= FORMAT_NONE; tap->format++)
		if (strcmp(formats[tap->format], optarg) == 0)
			return 0;
	return say_usage("--format is text, hex or none, not \"%s\"", optarg);
}

static int take_option(int option, void *argument)
{
	struct tap *tap = argument;

	switch (option) {
	case OPTION_END:
		tap->flags |= NONET_SUBSCRIBER_END;
		return 0;
	case OPTION_HISTORY:
		tap->flags |= NONET_SUBSCRIBER_HISTORY;
		return 0;
	case OPTION_JSON:
		tap->json = 1;
		return 0;
	case OPTION_FORMAT:
		return take_format(tap);
	default:
		return parse_count("--count", optarg, &tap->count);
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":hn:", .table = options, .take = take_option};
	struct tap tap = {.start = nonet_clock()};
	int status;

	if (!verb_read_options(&verb_tap, &all, argc, argv, &tap, &status))
		return status;
	if (optind + 1 != argc)
		return say_usage("needs one address, for example channel:news: nonet tap ADDRESS");
	tap.address = argv[optind];
	return tap_channel(&tap);
}

const struct verb verb_tap = {
	.name = "tap",
	.summary = "print what is published in a channel, without taking part",
	.help = help,
	.run = run,
};
