/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/call.h>
#include <nonet/pipe.h>
#include <nonet/process.h>

#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet reply [OPTION]... ADDRESS [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Be the server of channel:NAME: run a command for each request, which it has on its standard input, one at a\n"
	"time. What it prints on standard output is the reply. If it exits with another status than 0, or can't be\n"
	"run, or takes too long, the caller is told so by nonet call. The channel is made if there is none, and "
	"stays.\n"
	"\n"
	"  -n, --count N        end after N requests\n"
	"  -t, --timeout TIME   how long the command may take for each: 250ms, 1.5s, 2 (seconds); forever by default\n"
	"      --clients N      of a new channel: how many may call at once, 1 to 63; 16 by default\n"
	"      --lane SIZE      of a new channel: a request or reply has at most half of it: 64K, 1M (the default), "
	"16M\n"
	"      --mode OCTAL     of a new channel: permissions (default 0600)\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet reply channel:sums -- bc\n";

enum {
	OPTION_CLIENTS = PARSE_LONG,
	OPTION_COUNT,
	OPTION_LANE,
	OPTION_MODE,
	OPTION_TIMEOUT,
};

static const struct option options[] = {
	{"clients", required_argument, NULL, OPTION_CLIENTS},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"help", no_argument, NULL, PARSE_HELP},
	{"lane", required_argument, NULL, OPTION_LANE},
	{"mode", required_argument, NULL, OPTION_MODE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{NULL, 0, NULL, 0},
};

/* Codes of replies, above what a command exits with as a shell tells it. */
enum {
	CODE_TIMEOUT = 124,
	CODE_FAILED = 125,
	CODE_NOT_RUN = 126,
	CODE_NOT_FOUND = 127,
	CODE_SIGNAL = 128,
};

/* How long a command that took too long may take to end, and a client to read what is in its lane. */
#define GRACE   NONET_S(1)
#define PATIENT NONET_S(1)

struct request {
	const char *address;
	char *const *command;
	uint64_t clients, count, lane;
	uint32_t mode;
	nonet_time timeout;
};

/* What a command has printed. */
struct printed {
	char *bytes;
	size_t size;
	size_t capacity; /* the largest reply, and one byte more, by which it shows that it was too large */
};

static int take_option(int option, void *argument)
{
	struct request *request = argument;

	switch (option) {
	case OPTION_CLIENTS:
		return parse_count("--clients", optarg, &request->clients);
	case 'n':
	case OPTION_COUNT:
		return parse_count("--count", optarg, &request->count);
	case OPTION_LANE:
		return parse_size("--lane", optarg, (uint64_t)1 << 40, &request->lane);
	case OPTION_MODE:
		return parse_mode("--mode", optarg, &request->mode);
	default:
		return parse_duration("--timeout", optarg, &request->timeout);
	}
}

/* A file that nobody else has, with the message in it: a command that doesn't read it hangs nobody. */
static int as_input(const struct nonet_message *message, int *ret_fd)
{
	const char *bytes = message->data;
	size_t done = 0;
	int fd = memfd_create("nonet-request", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (done < message->size) {
		const ssize_t count = write(fd, bytes + done, message->size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			const int error = -errno;

			close(fd);
			return error;
		}
		done += (size_t)count;
	}
	(void)lseek(fd, 0, SEEK_SET);
	*ret_fd = fd;
	return 0;
}

/* Until the command ends its output. Return: 0, -ETIMEDOUT, or -EMSGSIZE. */
static int read_output(struct nonet_process *process, nonet_time deadline, struct printed *printed)
{
	size_t size;
	int r = 0;

	printed->size = 0;
	while (r == 0) {
		r = nonet_pipe_read(nonet_process_output(process), printed->bytes + printed->size,
				    printed->capacity - printed->size, deadline, &size);
		if (r == 0) {
			printed->size += size;
			if (printed->size == printed->capacity)
				r = -EMSGSIZE;
		}
	}
	return r == -EPIPE ? 0 : r;
}

/* Run to its end, or ended. Return: the code of the reply. */
static int32_t finish(const struct request *request, struct nonet_process *process, nonet_time deadline,
		      struct printed *printed)
{
	struct nonet_process_status status = {.how = 0};
	int r = read_output(process, deadline, printed);
	int stopped;

	if (r == 0)
		r = nonet_process_wait(process, deadline, &status);
	if (r < 0) {
		printed->size = 0;
		say_failure(r == -EMSGSIZE ? "%s printed more than a reply of %s takes, and is stopped"
					   : "%s took too long for a request of %s, and is stopped",
			    request->command[0], request->address);
		stopped = nonet_process_stop(process, nonet_after(GRACE), nonet_after(2 * GRACE), NULL);
		if (stopped < 0)
			say_failure("%s doesn't end, and goes on", request->command[0]);
		return r == -EMSGSIZE ? CODE_FAILED : CODE_TIMEOUT;
	}
	return status.how == NONET_PROCESS_KILLED ? CODE_SIGNAL + status.code : status.code;
}

/* Return: the code of the reply, which is in @printed. */
static int32_t run_command(const struct request *request, const struct nonet_message *message, struct printed *printed)
{
	const nonet_time deadline = parse_deadline(request->timeout);
	struct nonet_process_options with = {
		.size = sizeof(with),
		.input.kind = NONET_PROCESS_DESCRIPTOR,
		.output.kind = NONET_PROCESS_PIPE,
		/* Who kills us ends what we had begun; a reply to nobody is no use. */
		.death_signal = SIGTERM,
	};
	struct nonet_process *process;
	struct nonet_error error;
	int32_t code;
	int fd = -1;
	int r = as_input(message, &fd);

	printed->size = 0;
	if (r < 0) {
		say_failure("can't hand a request over: %s", strerror(-r));
		return CODE_FAILED;
	}
	with.input.descriptor = fd;
	r = nonet_process_spawn((const char *const *)request->command, &with, &process, &error);
	close(fd);
	if (r < 0) {
		say_error(&error, NULL);
		return r == -ENOENT || r == -ENOTDIR ? CODE_NOT_FOUND : CODE_NOT_RUN;
	}
	code = finish(request, process, deadline, printed);
	nonet_process_close(process);
	return code;
}

static int failed(struct nonet_server *server, int code)
{
	struct nonet_error error;

	nonet_server_explain(server, code, &error);
	return say_error(&error, NULL);
}

static int serve(const struct request *request, struct nonet_server *server, struct printed *printed)
{
	uint64_t left = request->count ? request->count : UINT64_MAX;
	struct nonet_message message;
	int32_t code;
	int r;

	for (; left > 0; left--) {
		r = nonet_server_next(server, NONET_FOREVER, &message);
		if (r < 0)
			return failed(server, r);
		code = run_command(request, &message, printed);
		r = nonet_server_reply(server, &message, code, printed->bytes, printed->size, nonet_after(PATIENT));
		if (r == 0)
			continue;
		/* One client that doesn't read is no reason to leave the others. */
		if (r != -ETIMEDOUT)
			return failed(server, r);
		failed(server, r);
		(void)nonet_server_drop(server, &message);
	}
	return STATUS_DONE;
}

static int open_and_serve(const struct request *request)
{
	const struct nonet_channel_options channel = {
		.size = sizeof(channel),
		.flags = NONET_CHANNEL_MAY_EXIST | NONET_CHANNEL_CALLS,
		.mode = request->mode,
		.publishers = (uint32_t)request->clients,
		.lane = request->lane,
	};
	struct nonet_server *server;
	struct nonet_error error;
	struct printed printed;
	int r;

	if (nonet_channel_create(request->address, &channel, &error) < 0 ||
	    nonet_server_open(request->address, NULL, &server, &error) < 0)
		return say_error(&error, request->address);
	printed = (struct printed){.capacity = nonet_server_limit(server) + 1};
	printed.bytes = malloc(printed.capacity);
	r = printed.bytes ? serve(request, server, &printed) : say_failure("no memory is left");
	free(printed.bytes);
	nonet_server_close(server);
	return r;
}

static int run(int argc, char *argv[])
{
	/* The + ends options at the address: what follows the command is the command's. */
	static const struct verb_options all = {.letters = "+:hn:t:", .table = options, .take = take_option};
	struct request request = {.timeout = NONET_FOREVER};
	int status;

	if (!verb_read_options(&verb_reply, &all, argc, argv, &request, &status))
		return status;
	if (optind == argc)
		return say_usage("needs an address and a command: nonet reply channel:NAME -- COMMAND");
	request.address = argv[optind];
	/* Options may stand behind the address as well, up to the command. */
	argc -= optind;
	argv += optind;
	optind = 0;
	if (!verb_read_options(&verb_reply, &all, argc, argv, &request, &status))
		return status;
	if (optind == argc)
		return say_usage("needs a command to run: nonet reply %s -- COMMAND", request.address);
	if (request.clients > 63)
		return say_usage("a channel takes up to 63 clients at once, not %llu",
				 (unsigned long long)request.clients);
	request.command = argv + optind;
	return open_and_serve(&request);
}

const struct verb verb_reply = {
	.name = "reply",
	.summary = "run a command for each request, and send back what it prints",
	.help = help,
	.run = run,
};
