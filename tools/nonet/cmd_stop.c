/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <nonet/wait.h>

#include "find.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] = "Usage: nonet stop [OPTION]... pid:N|NAME\n"
			   "\n"
			   "Have a process end: SIGTERM, and SIGCONT in case it is stopped; SIGKILL if it is still "
			   "there after a grace. Returns\n"
			   "once it has ended, and prints how. A name is the kernel's for the process, or the last "
			   "part of its argv[0]; if it\n"
			   "means several, they are listed, and nothing is done without --all.\n"
			   "\n"
			   "      --all            every process of that name, all at the same time\n"
			   "      --name           it is a name, even if it looks like a number or has a colon\n"
			   "      --grace TIME     how long it may take to end by itself; 10s by default\n"
			   "  -t, --timeout TIME   give up after so long: the grace and 5s by default\n"
			   "      --json           print how each ended as a line of JSON\n"
			   "  -h, --help           print this\n"
			   "\n"
			   "Example: nonet stop pid:4711 --grace 5s\n";

enum {
	OPTION_ALL = PARSE_LONG,
	OPTION_GRACE,
	OPTION_JSON,
	OPTION_NAME,
	OPTION_TIMEOUT,
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"grace", required_argument, NULL, OPTION_GRACE},
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"name", no_argument, NULL, OPTION_NAME},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{NULL, 0, NULL, 0},
};

/* What is left to the kernel after SIGKILL. */
#define AFTER_GRACE NONET_S(5)

struct request {
	int how; /* FIND_* */
	int json;
	nonet_time grace, timeout; /* as given; -1: not at all */
	nonet_time until, deadline;
};

/* Those that are left are in the set; the others have ended, or can't be stopped, and their process is NULL. */
struct stopping {
	const struct request *request;
	struct found_list list;
	struct nonet_wait_set *set;
	int *forced; /* of each of the list: whether SIGKILL was sent */
	size_t left;
	int status; /* the first that isn't STATUS_DONE */
};

static int print_end(const struct request *request, const struct found *found, int forced)
{
	if (request->json)
		return output_json_line(json_pack("{s:i, s:b}", "pid", (int)found->pid, "killed", forced));
	printf("pid:%d %s\n", (int)found->pid, forced ? "was killed" : "ended by itself");
	return output_finish_stdio(STATUS_DONE);
}

static int failed(const struct found *found, int code)
{
	struct nonet_error error;

	nonet_process_explain(found->process, code, &error);
	return say_error(&error, NULL);
}

/* Is done with one, which ended (0) or can't be stopped. */
static void leave(struct stopping *stopping, struct found *found, int code)
{
	int status;

	if (code < 0)
		status = failed(found, code);
	else
		status = print_end(stopping->request, found, stopping->forced[found - stopping->list.items]);
	if (stopping->status == STATUS_DONE)
		stopping->status = status;
	found->process = nonet_process_close(found->process);
	stopping->left--;
}

/* All are asked before any is waited for, so that they share one grace. Each is asked once: some take a second SIGTERM
 * for impatience. */
static int ask(const struct found *found)
{
	int r = nonet_process_stop(found->process, NONET_FOREVER, NONET_NOW, NULL);

	return r == -EAGAIN ? 0 : r;
}

/* Tells of each when it ends: one that doesn't holds up no other. Return: 0, or the exit status. */
static int wait_for_all(struct stopping *stopping, nonet_time until)
{
	struct nonet_wait_event event;
	size_t count;
	int r;

	while (stopping->left > 0) {
		r = nonet_wait(stopping->set, &event, 1, until, &count);
		if (r == -ETIMEDOUT || r == -EAGAIN)
			return 0;
		if (r == 0)
			r = nonet_process_wait(((struct found *)event.data)->process, NONET_NOW, NULL);
		if (r == 0)
			leave(stopping, event.data, 0);
		else if (r != -EAGAIN)
			return say_failure("can't wait: %s", nonet_error_name(r));
	}
	return 0;
}

/* One that doesn't end mustn't keep the others from being asked, or from SIGKILL: all go through each step together. */
static int stop_found(struct stopping *stopping)
{
	const struct request *request = stopping->request;
	struct found *found;
	size_t i;
	int r;

	for (i = 0; i < stopping->list.count; i++) {
		found = &stopping->list.items[i];
		r = ask(found);
		/* The others can be stopped all the same. */
		if (r < 0)
			leave(stopping, found, r);
	}
	r = 0;
	if (request->until < request->deadline) {
		r = wait_for_all(stopping, request->until);
		for (i = 0; i < stopping->list.count && r == 0; i++)
			if (stopping->list.items[i].process)
				stopping->forced[i] =
					nonet_process_signal(stopping->list.items[i].process, SIGKILL, NULL) == 0;
	}
	if (r == 0)
		r = wait_for_all(stopping, request->deadline);
	for (i = 0; i < stopping->list.count && r == 0; i++)
		if (stopping->list.items[i].process)
			leave(stopping, &stopping->list.items[i], -ETIMEDOUT);
	return r ? r : stopping->status;
}

static int prepare(struct stopping *stopping)
{
	struct nonet_error error;
	size_t i;
	int r;

	stopping->forced = calloc(stopping->list.count, sizeof(*stopping->forced));
	if (!stopping->forced)
		return say_failure("no memory is left");
	r = nonet_wait_set_new(&stopping->set, &error);
	if (r < 0)
		return say_error(&error, NULL);
	for (i = 0; i < stopping->list.count; i++) {
		r = nonet_wait_set_add(stopping->set, nonet_process_waitable(stopping->list.items[i].process),
				       NONET_WAIT_RECEIVE, &stopping->list.items[i]);
		if (r < 0)
			return say_failure("can't wait for pid:%d: %s", (int)stopping->list.items[i].pid,
					   nonet_error_name(r));
	}
	stopping->left = stopping->list.count;
	return 0;
}

static int stop_all(const struct request *request, const char *who)
{
	struct stopping stopping = {.request = request};
	int r;

	r = find_processes(who, request->how, &stopping.list);
	if (r)
		return r;
	r = prepare(&stopping);
	if (r == 0)
		r = stop_found(&stopping);
	free(stopping.forced);
	find_free(&stopping.list);
	nonet_wait_set_free(stopping.set);
	return r;
}

static nonet_time sum(nonet_time a, nonet_time b)
{
	return a > NONET_FOREVER - b ? NONET_FOREVER : a + b;
}

static int take_option(int option, void *argument)
{
	struct request *request = argument;

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
	case OPTION_GRACE:
		return parse_duration("--grace", optarg, &request->grace);
	default:
		return parse_duration("--timeout", optarg, &request->timeout);
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":ht:", .table = options, .take = take_option};
	struct request request = {.grace = NONET_S(10), .timeout = -1};
	int status;

	if (!verb_read_options(&verb_stop, &all, argc, argv, &request, &status))
		return status;
	if (optind == argc)
		return say_usage("needs a process, for example pid:4711: nonet stop pid:N|NAME");
	if (argc - optind > 1)
		return say_usage("takes one process: \"%s\" is one too many", argv[optind + 1]);
	request.until = parse_deadline(request.grace);
	request.deadline = parse_deadline(request.timeout < 0 ? sum(request.grace, AFTER_GRACE) : request.timeout);
	return stop_all(&request, argv[optind]);
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "have a process end, by force if need be",
	.help = help,
	.run = run,
};
