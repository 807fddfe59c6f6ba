/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include <jansson.h>

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
			   "      --grace TIME     how long it may take to end by itself; 10s by default\n"
			   "  -t, --timeout TIME   give up after so long: the grace and 5s by default\n"
			   "      --json           print how each ended as a line of JSON\n"
			   "  -h, --help           print this\n"
			   "\n"
			   "Example: nonet stop pid:4711 --grace 5s\n";

enum {
	OPTION_ALL = PARSE_LONG,
	OPTION_GRACE,
	OPTION_HELP,
	OPTION_JSON,
	OPTION_TIMEOUT,
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"grace", required_argument, NULL, OPTION_GRACE},
	{"help", no_argument, NULL, OPTION_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{NULL, 0, NULL, 0},
};

/* What is left to the kernel after SIGKILL. */
#define AFTER_GRACE NONET_S(5)

struct request {
	int all, json;
	nonet_time grace, deadline;
};

static int print_end(const struct request *request, const struct found *found, int forced)
{
	json_t *line;

	if (!request->json) {
		printf("pid:%d %s\n", (int)found->pid, forced ? "was killed" : "ended by itself");
	} else {
		line = json_pack("{s:i, s:b}", "pid", (int)found->pid, "killed", forced);
		if (!line)
			return say_failure("no memory is left");
		json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(line);
	}
	return output_finish_stdio(STATUS_DONE);
}

static int failed(const struct found *found, int code)
{
	struct nonet_error error;

	nonet_process_explain(found->process, code, &error);
	return say_error(&error, NULL);
}

/* All are asked before any is waited for, so that they share one grace. Each is asked once: some take a second SIGTERM
 * for impatience. */
static int ask(const struct found *found)
{
	int r = nonet_process_stop(found->process, NONET_FOREVER, NONET_NOW, NULL);

	return r == -EAGAIN ? 0 : r;
}

/* Waits for all that are left; those that have ended are printed, and left out from then on. Return: @status or worse.
 */
static int wait_for_all(const struct request *request, struct found_list *list, const int *forced, nonet_time until,
			int status)
{
	size_t i;
	int r;

	for (i = 0; i < list->count; i++) {
		if (!list->items[i].process)
			continue;
		r = nonet_process_wait(list->items[i].process, until, NULL);
		if ((r == -ETIMEDOUT || r == -EAGAIN) && until < request->deadline)
			continue;
		r = r < 0 ? failed(&list->items[i], r) : print_end(request, &list->items[i], forced[i]);
		list->items[i].process = nonet_process_close(list->items[i].process);
		status = status == STATUS_DONE ? r : status;
	}
	return status;
}

/* One that doesn't end mustn't keep the others from being asked, or from SIGKILL: all go through each step together. */
static int stop_found(const struct request *request, struct found_list *list, int *forced)
{
	int r, status = STATUS_DONE;
	size_t i;

	for (i = 0; i < list->count; i++) {
		r = ask(&list->items[i]);
		if (r == 0)
			continue;
		if (r < 0)
			status = failed(&list->items[i], r);
		/* The others can be stopped all the same. */
		list->items[i].process = r < 0 ? nonet_process_close(list->items[i].process) : list->items[i].process;
	}
	if (request->grace < request->deadline) {
		status = wait_for_all(request, list, forced, request->grace, status);
		for (i = 0; i < list->count; i++)
			if (list->items[i].process)
				forced[i] = nonet_process_signal(list->items[i].process, SIGKILL, NULL) == 0;
	}
	return wait_for_all(request, list, forced, request->deadline, status);
}

static int stop_all(const struct request *request, const char *who)
{
	struct found_list list;
	int *forced, r;

	r = find_processes(who, request->all, &list);
	if (r)
		return r;
	forced = calloc(list.count, sizeof(*forced));
	r = forced ? stop_found(request, &list, forced) : say_failure("no memory is left");
	free(forced);
	find_free(&list);
	return r;
}

static nonet_time sum(nonet_time a, nonet_time b)
{
	return a > NONET_FOREVER - b ? NONET_FOREVER : a + b;
}

static int run(int argc, char *argv[])
{
	nonet_time grace = NONET_S(10), timeout = -1;
	struct request request = {0};
	int option, r = 0;

	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":ht:", options, NULL)) != -1) {
		switch (option) {
		case OPTION_ALL:
			request.all = 1;
			break;
		case OPTION_GRACE:
			r = parse_duration("--grace", optarg, &grace);
			break;
		case OPTION_JSON:
			request.json = 1;
			break;
		case 't':
		case OPTION_TIMEOUT:
			r = parse_duration("--timeout", optarg, &timeout);
			break;
		case 'h':
		case OPTION_HELP:
			fputs(help, stdout);
			return output_finish_stdio(STATUS_DONE);
		default:
			return parse_complain(option, argv, options);
		}
	}
	if (r)
		return r;
	if (optind == argc)
		return say_usage("needs a process, for example pid:4711: nonet stop pid:N|NAME");
	if (argc - optind > 1)
		return say_usage("takes one process: \"%s\" is one too many", argv[optind + 1]);
	request.grace = parse_deadline(grace);
	request.deadline = parse_deadline(timeout < 0 ? sum(grace, AFTER_GRACE) : timeout);
	return stop_all(&request, argv[optind]);
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "have a process end, by force if need be",
	.help = help,
	.run = run,
};
