/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "parse.h"
#include "say.h"
#include "verb.h"

enum {
	OPTION_BYTES = PARSE_LONG,
	OPTION_COUNT,
	OPTION_JSON,
	OPTION_LISTEN,
	OPTION_MAX_SIZE,
	OPTION_MODE,
	OPTION_NULL,
	OPTION_PRIORITY,
	OPTION_TIMEOUT,
	OPTION_TYPE,
	OPTION_WHOLE,
	OPTION_DUPLEX,
	OPTION_NO_HALF_CLOSE,
	OPTION_HISTORY,
	OPTION_END,
};

/* The highest of a POSIX queue, mq_overview(7). */
#define PRIORITY_MAX 32767

/* What both have, in the middle of each one's table. */
/* clang-format off */
#define COMMON_OPTIONS                                    \
	{"bytes", no_argument, NULL, OPTION_BYTES},       \
	{"count", required_argument, NULL, OPTION_COUNT}, \
	{"help", no_argument, NULL, PARSE_HELP},          \
	{"json", no_argument, NULL, OPTION_JSON},         \
	{"listen", no_argument, NULL, OPTION_LISTEN},     \
	{"max-size", required_argument, NULL, OPTION_MAX_SIZE}, \
	{"mode", required_argument, NULL, OPTION_MODE},   \
	{"null", no_argument, NULL, OPTION_NULL},         \
	{"timeout", required_argument, NULL, OPTION_TIMEOUT}, \
	{"type", required_argument, NULL, OPTION_TYPE},   \
	{"whole", no_argument, NULL, OPTION_WHOLE}
/* clang-format on */

static const struct option send_options[] = {
	{"duplex", no_argument, NULL, OPTION_DUPLEX},
	{"no-half-close", no_argument, NULL, OPTION_NO_HALF_CLOSE},
	{"priority", required_argument, NULL, OPTION_PRIORITY},
	COMMON_OPTIONS,
	{NULL, 0, NULL, 0},
};

static const struct option recv_options[] = {
	{"end", no_argument, NULL, OPTION_END},
	{"history", no_argument, NULL, OPTION_HISTORY},
	COMMON_OPTIONS,
	{NULL, 0, NULL, 0},
};

static int set_format(struct transfer_options *options, enum transfer_format format)
{
	if (options->format != TRANSFER_LINES && options->format != format)
		return say_usage("--null, --whole and --bytes exclude each other: give one of them");
	options->format = format;
	return 0;
}

static int take_option(int option, void *argument)
{
	struct transfer_options *options = argument;

	switch (option) {
	case '0':
	case OPTION_NULL:
		return set_format(options, TRANSFER_NULL);
	case OPTION_WHOLE:
		return set_format(options, TRANSFER_WHOLE);
	case OPTION_BYTES:
		return set_format(options, TRANSFER_BYTES);
	case OPTION_DUPLEX:
		options->duplex = 1;
		return set_format(options, TRANSFER_BYTES);
	case OPTION_NO_HALF_CLOSE:
		options->no_half_close = 1;
		return 0;
	case OPTION_HISTORY:
		options->history = 1;
		return 0;
	case OPTION_END:
		options->end = 1;
		return 0;
	case OPTION_JSON:
		options->json = 1;
		return 0;
	case 'l':
	case OPTION_LISTEN:
		options->listen = 1;
		return 0;
	case OPTION_MAX_SIZE:
		return parse_size("--max-size", optarg, TRANSFER_SIZE_MAX, &options->message_size);
	case OPTION_MODE:
		return parse_mode("--mode", optarg, &options->mode);
	case 'n':
	case OPTION_COUNT:
		return parse_count("--count", optarg, &options->count);
	case OPTION_PRIORITY:
		return parse_integer("--priority", optarg, &options->priority);
	case OPTION_TYPE:
		return parse_integer("--type", optarg, &options->type);
	default:
		return parse_duration("--timeout", optarg, &options->timeout);
	}
}

static int check(const struct transfer_options *options, bool sends)
{
	if (options->mode && !options->listen)
		return say_usage("--mode is for the name that --listen makes: give --listen too");
	if (options->count && options->format == TRANSFER_BYTES)
		return say_usage("--count counts messages, and --bytes has none: leave one of them out");
	if (options->priority < 0 || options->priority > PRIORITY_MAX)
		return say_usage("--priority is a number from 0 to %d, not %d", PRIORITY_MAX, options->priority);
	if (sends && options->type < 0)
		return say_usage("--type of what is sent is above 0, not %d: below 0 it says what to receive",
				 options->type);
	if (options->no_half_close && !options->duplex)
		return say_usage("--no-half-close is for --duplex: give --duplex too");
	if (options->duplex && options->json)
		return say_usage("--duplex writes what comes to standard output, which leaves no room for --json");
	return 0;
}

int transfer_parse(const struct verb *verb, int argc, char *argv[], struct transfer_options *ret_options,
		   int *ret_status)
{
	const struct verb_options read = {
		.letters = ":0hln:t:",
		.table = verb == &verb_send ? send_options : recv_options,
		.take = take_option,
	};
	struct transfer_options options = {.timeout = -1};

	if (!verb_read_options(verb, &read, argc, argv, &options, ret_status))
		return 0;
	if (optind == argc)
		*ret_status = say_usage("needs an address, for example unix:/tmp/x: nonet %s ADDRESS", argv[0]);
	else if (optind + 1 < argc)
		*ret_status = say_usage("takes one address: \"%s\" is one too many", argv[optind + 1]);
	else
		*ret_status = check(&options, verb == &verb_send);
	if (*ret_status)
		return 0;
	options.address = argv[optind];
	*ret_options = options;
	return 1;
}
