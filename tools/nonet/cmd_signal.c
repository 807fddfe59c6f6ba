/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <nonet/signal.h>

#include "find.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet signal [OPTION]... pid:N|NAME SIGNAL\n"
	"  or:  nonet signal --wait [OPTION]... SIGNAL...\n"
	"\n"
	"Send a signal to a process, or wait for signals to this command and print who sent them. A "
	"signal is TERM, SIGTERM,\n"
	"15, RTMIN+3... A name is the kernel's for the process, or the last part of its argv[0]; if "
	"it means several, they\n"
	"are listed, and nothing is done without --all.\n"
	"\n"
	"      --value N        send the number N with it\n"
	"      --all            to every process of that name\n"
	"      --name           it is a name, even if it looks like a number or has a colon\n"
	"      --wait           wait for one of the signals\n"
	"      --ready-fd N     --wait: once they can be sent, write pid:N, where to, to descriptor N\n"
	"  -n, --count N        --wait: for N of them; 1 by default\n"
	"  -t, --timeout TIME   --wait: give up after so long: 250ms, 1.5s, 2 (seconds)\n"
	"      --json           print what was sent, or came, as lines of JSON\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet signal pid:4711 RTMIN+1 --value 7\n";

enum {
	OPTION_ALL = PARSE_LONG,
	OPTION_COUNT,
	OPTION_JSON,
	OPTION_NAME,
	OPTION_READY_FD,
	OPTION_TIMEOUT,
	OPTION_VALUE,
	OPTION_WAIT,
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"name", no_argument, NULL, OPTION_NAME},
	{"ready-fd", required_argument, NULL, OPTION_READY_FD},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"value", required_argument, NULL, OPTION_VALUE},
	{"wait", no_argument, NULL, OPTION_WAIT},
	{NULL, 0, NULL, 0},
};

struct request {
	int how; /* FIND_* */
	int json, wait, timed;
	int value_given, value;
	int ready;      /* a descriptor; -1: not given */
	uint64_t count; /* 0: not given */
	nonet_time deadline;
};

static int parse_signal(const char *text, int *ret_number)
{
	int number = nonet_signal_number(text);

	if (number < 0)
		return say_usage("\"%s\" is no signal: they are TERM, SIGTERM, 15, RTMIN+3 and so on", text);
	*ret_number = number;
	return 0;
}

static int send_one(const struct request *request, const struct found *found, int number)
{
	struct nonet_error error;
	int r;

	r = nonet_process_signal(found->process, number, request->value_given ? &request->value : NULL);
	if (r < 0) {
		nonet_process_explain(found->process, r, &error);
		say_error(&error, NULL);
		/* A full queue isn't a timeout. */
		return STATUS_FAILED;
	}
	if (!request->json)
		return STATUS_DONE;
	return output_json_line(json_pack("{s:i, s:s, s:i}", "pid", (int)found->pid, "signal",
					  nonet_signal_name(number), "number", number));
}

/* To each, also if one of them can't be signalled. */
static int send_all(const struct request *request, const char *who, int number)
{
	struct found_list list;
	int r, one;
	size_t i;

	r = find_processes(who, request->how, &list);
	if (r)
		return r;
	for (i = 0; i < list.count; i++) {
		one = send_one(request, &list.items[i], number);
		if (r == STATUS_DONE)
			r = one;
	}
	find_free(&list);
	return r;
}

static const char *how_name(int how)
{
	static const char *const names[] = {
		[NONET_SIGNAL_OTHER] = "other", [NONET_SIGNAL_USER] = "user",     [NONET_SIGNAL_THREAD] = "thread",
		[NONET_SIGNAL_QUEUE] = "queue", [NONET_SIGNAL_KERNEL] = "kernel", [NONET_SIGNAL_CHILD] = "child",
		[NONET_SIGNAL_TIMER] = "timer",
	};

	return names[how];
}

static int print_received(const struct request *request, const struct nonet_signal_info *info)
{
	if (request->json)
		return output_json_line(json_pack("{s:s, s:i, s:i, s:I, s:i, s:s}", "signal",
						  nonet_signal_name(info->number), "number", info->number, "pid",
						  info->pid, "uid", (json_int_t)info->uid, "value", info->value, "how",
						  how_name(info->how)));
	printf("%s from pid:%d, uid %u, value %d\n", nonet_signal_name(info->number), info->pid, info->uid,
	       info->value);
	return output_finish_stdio(STATUS_DONE);
}

static int receive_all(const struct request *request, struct nonet_signal *signal)
{
	const uint64_t wanted = request->count ? request->count : 1;
	struct nonet_signal_info info;
	struct nonet_error error;
	uint64_t i;
	int r;

	for (i = 0; i < wanted; i++) {
		r = nonet_signal_receive(signal, request->deadline, &info);
		if (r < 0) {
			nonet_signal_explain(signal, r, &error);
			return say_error(&error, NULL);
		}
		r = print_received(request, &info);
		if (r)
			return r;
	}
	return STATUS_DONE;
}

/* Whoever gave us the descriptor sees its end, too, but of those that we use ourselves. */
static int tell_ready(int fd)
{
	char text[32];
	int r;

	if (fd < 0)
		return 0;
	snprintf(text, sizeof(text), "pid:%d\n", (int)getpid());
	r = output_write_to(fd, text);
	if (r < 0)
		return say_failure("can't tell descriptor %d that signals are waited for: %s", fd, strerror(-r));
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

static int wait_for(const struct request *request, size_t count, char *names[])
{
	int *numbers = calloc(count, sizeof(*numbers));
	struct nonet_signal *signal = NULL;
	struct nonet_error error;
	int r = numbers ? 0 : say_failure("no memory is left");
	size_t i;

	for (i = 0; i < count && r == 0; i++)
		r = parse_signal(names[i], &numbers[i]);
	if (r == 0 && nonet_signal_open(numbers, count, NULL, &signal, &error) < 0) {
		say_error(&error, NULL);
		r = STATUS_USAGE;
	}
	if (r == 0)
		r = tell_ready(request->ready);
	if (r == 0)
		r = receive_all(request, signal);
	/* Those that came since are still pending, and would now do to us what they do to whoever doesn't wait for
	 * them. */
	for (i = 0; i < count && signal; i++)
		(void)!sigaction(numbers[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	nonet_signal_close(signal);
	free(numbers);
	return r;
}

static int act(const struct request *request, int argc, char *argv[])
{
	int number = 0, r;

	if (request->wait && (request->how || request->value_given))
		return say_usage("--wait sends nothing, so that it has no use for --%s", request->how & FIND_ALL ? "all"
											 : request->how & FIND_NAME
												 ? "name"
												 : "value");
	if (!request->wait && (request->count || request->timed || request->ready >= 0))
		return say_usage("--%s is for --wait", request->count   ? "count"
						       : request->timed ? "timeout"
									: "ready-fd");
	if (request->wait && argc == 0)
		return say_usage("needs a signal to wait for: nonet signal --wait SIGNAL...");
	if (request->wait)
		return wait_for(request, (size_t)argc, argv);
	if (argc < 2)
		return say_usage(
			"needs a process and a signal, for example pid:4711 TERM: nonet signal pid:N|NAME SIGNAL");
	if (argc > 2)
		return say_usage("takes one process and one signal: \"%s\" is one too many", argv[2]);
	if (nonet_signal_number(argv[1]) < 0 && nonet_signal_number(argv[0]) > 0)
		return say_usage("the process comes first, then the signal: nonet signal %s %s", argv[1], argv[0]);
	r = parse_signal(argv[1], &number);
	return r ? r : send_all(request, argv[0], number);
}

/* Looked at before we open anything that could have its number. */
static int parse_ready(struct request *request)
{
	int r = parse_integer("--ready-fd", optarg, &request->ready);

	if (r == 0 && (request->ready < 0 || fcntl(request->ready, F_GETFD) < 0))
		return say_usage("--ready-fd takes the number of a descriptor that is open, as 3 is after 3>file, not "
				 "\"%s\"",
				 optarg);
	return r;
}

static int take_option(int option, void *argument)
{
	struct request *request = argument;
	nonet_time timeout = 0;
	int r;

	switch (option) {
	case OPTION_ALL:
		request->how |= FIND_ALL;
		return 0;
	case OPTION_NAME:
		request->how |= FIND_NAME;
		return 0;
	case OPTION_JSON:
		request->json = 1;
		return 0;
	case OPTION_WAIT:
		request->wait = 1;
		return 0;
	case OPTION_VALUE:
		request->value_given = 1;
		return parse_integer("--value", optarg, &request->value);
	case OPTION_READY_FD:
		return parse_ready(request);
	case 'n':
	case OPTION_COUNT:
		return parse_count("--count", optarg, &request->count);
	default:
		r = parse_duration("--timeout", optarg, &timeout);
		request->deadline = parse_deadline(timeout);
		request->timed = 1;
		return r;
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":hn:t:", .table = options, .take = take_option};
	struct request request = {.ready = -1, .deadline = NONET_FOREVER};
	int status;

	/* As kill(1) has it, and no option of ours. */
	if (argc > 1 && argv[1][0] == '-' && nonet_signal_number(argv[1] + 1) > 0)
		return say_usage("the signal comes after the process, without a dash: nonet signal pid:N %s",
				 argv[1] + 1);
	if (!verb_read_options(&verb_signal, &all, argc, argv, &request, &status))
		return status;
	return act(&request, argc - optind, argv + optind);
}

const struct verb verb_signal = {
	.name = "signal",
	.summary = "send a signal to a process, or wait for signals",
	.help = help,
	.run = run,
};
