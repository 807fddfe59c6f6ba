/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/call.h>

#include "input.h"
#include "message_json.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet call [OPTION]... ADDRESS [MESSAGE]\n"
	"\n"
	"Send a request to the server of channel:NAME, and print its reply as it is. The request is MESSAGE, or what\n"
	"stands on standard input up to its end. If the server says that something went wrong, the reply is printed\n"
	"too, and the exit status is 1.\n"
	"\n"
	"  -t, --timeout TIME   give up after so long: 250ms, 1.5s, 2 (seconds), 0; forever by default\n"
	"  -w, --wait           if there is no server, or it ends, wait for the next one, which gets the request "
	"again\n"
	"      --json           print the reply as a line of JSON\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: echo 2+2 | nonet call --timeout 2s channel:sums\n";

enum {
	OPTION_JSON = PARSE_LONG,
	OPTION_TIMEOUT,
	OPTION_WAIT,
};

static const struct option options[] = {
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"wait", no_argument, NULL, OPTION_WAIT},
	{NULL, 0, NULL, 0},
};

struct request {
	const char *address;
	const char *message;
	size_t size;
	int json, wait;
	nonet_time timeout;
};

static int take_option(int option, void *argument)
{
	struct request *request = argument;

	switch (option) {
	case OPTION_JSON:
		request->json = 1;
		return 0;
	case 'w':
	case OPTION_WAIT:
		request->wait = 1;
		return 0;
	default:
		return parse_duration("--timeout", optarg, &request->timeout);
	}
}

static int print_reply(const struct request *request, const struct nonet_reply *reply)
{
	struct output output;
	int r;

	if (output_open(&output) < 0)
		return say_failure("no memory is left");
	if (request->json)
		r = message_json_write(&output, reply->data, reply->size, "code", reply->code);
	else
		r = output_write(&output, reply->data, reply->size);
	if (r == 0)
		r = output_flush(&output);
	output_close(&output);
	if (r < 0)
		return output_failed(r);
	if (reply->code == 0)
		return STATUS_DONE;
	return say_failure("the server of %s says that the request failed, with code %d", request->address,
			   (int)reply->code);
}

static int call(const struct request *request, struct nonet_client *client, nonet_time deadline)
{
	struct nonet_reply reply;
	struct nonet_error error;
	int r = nonet_client_call(client, request->message, request->size, deadline, &reply);

	if (r < 0) {
		nonet_client_explain(client, r, &error);
		return say_error(&error, NULL);
	}
	r = print_reply(request, &reply);
	(void)nonet_client_release(client, &reply);
	return r;
}

static int open_and_call(const struct request *request)
{
	const struct nonet_call_options with = {.size = sizeof(with), .flags = request->wait ? NONET_CALL_WAIT : 0};
	const nonet_time deadline = parse_deadline(request->timeout);
	struct nonet_client *client;
	struct nonet_error error;
	int r;

	if (nonet_client_open(request->address, &with, &client, &error) < 0)
		return say_error(&error, request->address);
	r = call(request, client, deadline);
	nonet_client_close(client);
	return r;
}

/* What is on standard input is the request. */
static int read_and_call(struct request *request)
{
	struct input input;
	int r = input_open(&input, (size_t)1 << 30);

	if (r == 0)
		r = input_whole(&input, &request->message, &request->size);
	/* input_whole() gives an empty message for an empty input. */
	if (r < 0)
		r = say_failure("can't read standard input: %s", strerror(-r));
	else
		r = open_and_call(request);
	input_close(&input);
	return r;
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":ht:w", .table = options, .take = take_option};
	struct request request = {.timeout = NONET_FOREVER};
	int status;

	if (!verb_read_options(&verb_call, &all, argc, argv, &request, &status))
		return status;
	if (optind == argc)
		return say_usage("needs an address, for example channel:sums: nonet call ADDRESS [MESSAGE]");
	if (argc - optind > 2)
		return say_usage("takes one message: \"%s\" is one too many; quote it if it has blanks",
				 argv[optind + 2]);
	request.address = argv[optind];
	if (argc - optind == 1)
		return read_and_call(&request);
	request.message = argv[optind + 1];
	request.size = strlen(request.message);
	return open_and_call(&request);
}

const struct verb verb_call = {
	.name = "call",
	.summary = "send a request to a server, and print its reply",
	.help = help,
	.run = run,
};
