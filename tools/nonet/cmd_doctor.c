/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "doctor_print.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet doctor [OPTION]... [CHECK]...\n"
	"\n"
	"Look for limits, mounts and permissions of this machine that will bite a program, and for features that its\n"
	"kernel lacks. Each finding says what is there, what that means, and the command that mends it. Nothing is\n"
	"changed. Without CHECK, the name of a check or of a group of them, all are made.\n"
	"\n"
	"      --all            tell what is fine too\n"
	"      --json           print a JSON array\n"
	"      --list           list the checks instead of making them\n"
	"      --sysroot DIR    read the files of a machine that are below DIR, and try nothing\n"
	"  -h, --help           print this\n"
	"\n"
	"Exit status: 0 no problem, though perhaps something to note; 3 a problem; 1 failed; 2 wrong usage.\n"
	"\n"
	"Example: nonet doctor memory open-files\n";

enum {
	OPTION_ALL = PARSE_LONG,
	OPTION_JSON,
	OPTION_LIST,
	OPTION_SYSROOT,
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"list", no_argument, NULL, OPTION_LIST},
	{"sysroot", required_argument, NULL, OPTION_SYSROOT},
	{NULL, 0, NULL, 0},
};

static const struct doctor_group groups[] = {
	{"limits", doctor_limits}, {"pipes", doctor_pipes},   {"posix-queues", doctor_posix_queues},
	{"sysv", doctor_sysv},     {"memory", doctor_memory}, {"sockets", doctor_sockets},
	{"access", doctor_access}, {"kernel", doctor_kernel}, {"own", doctor_own},
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

/* More than there are checks. */
#define RESULTS_MAX 128

struct results {
	struct doctor_result of[RESULTS_MAX];
	size_t count;
};

static int is_named(const struct doctor_group *group, const struct doctor_check *check, char *names[])
{
	size_t i;

	for (i = 0; names[i]; i++)
		if (strcmp(names[i], check->name) == 0 || strcmp(names[i], group->name) == 0)
			return 1;
	return i == 0;
}

/* Those that are named, or all; not looked at yet. */
static void select_checks(struct results *results, char *names[])
{
	const struct doctor_check *check;
	size_t i;

	for (i = 0; i < GROUPS; i++)
		for (check = groups[i].checks; check->name && results->count < RESULTS_MAX; check++)
			if (is_named(&groups[i], check, names))
				results->of[results->count++] =
					(struct doctor_result){.group = groups[i].name, .check = check};
}

/* Whether every name is that of a check or group. Return: 0, or STATUS_USAGE after it said which isn't. */
static int check_names(char *names[])
{
	const char *known[RESULTS_MAX + GROUPS + 1], *nearest;
	const struct doctor_check *check;
	size_t i, j, count = 0;

	for (i = 0; i < GROUPS; i++) {
		known[count++] = groups[i].name;
		for (check = groups[i].checks; check->name && count < RESULTS_MAX + GROUPS; check++)
			known[count++] = check->name;
	}
	known[count] = NULL;
	for (i = 0; names[i]; i++) {
		for (j = 0; known[j] && strcmp(known[j], names[i]) != 0; j++)
			;
		if (known[j])
			continue;
		nearest = verb_nearest(names[i], known);
		if (nearest)
			return say_usage("there is no check \"%s\": did you mean \"%s\"?", names[i], nearest);
		return say_usage("there is no check \"%s\": \"nonet doctor --list\" has them all", names[i]);
	}
	return 0;
}

/* The worst first; else in the order of the tables. */
static int by_level(const void *a, const void *b)
{
	const struct doctor_result *one = a, *other = b;

	if (one->finding.level != other->finding.level)
		return one->finding.level < other->finding.level ? 1 : -1;
	return (one->place > other->place) - (one->place < other->place);
}

static int make_checks(struct results *results, const char *root, int all, int json)
{
	struct doctor doctor;
	size_t i, shown;
	int status;

	if (root[0] && access(root, X_OK) < 0)
		return say_failure("can't look at a machine at %s: %s", root, strerror(errno));
	doctor_init(&doctor, root);
	for (i = 0; i < results->count; i++) {
		results->of[i].place = i;
		results->of[i].check->look(&doctor, &results->of[i].finding);
	}
	qsort(results->of, results->count, sizeof(results->of[0]), by_level);
	for (shown = 0; shown < results->count; shown++)
		if (!all && results->of[shown].finding.level == DOCTOR_OK)
			break;
	if (json)
		status = doctor_print_json(results->of, shown);
	else
		status = doctor_print_table(results->of, shown, results->count);
	status = output_finish_stdio(status);
	if (status == STATUS_DONE && results->of[0].finding.level == DOCTOR_PROBLEM)
		return STATUS_FOUND;
	return status;
}

struct request {
	const char *root;
	int all, json, list;
};

static int take_option(int option, void *argument)
{
	struct request *request = argument;

	switch (option) {
	case OPTION_ALL:
		request->all = 1;
		return 0;
	case OPTION_JSON:
		request->json = 1;
		return 0;
	case OPTION_LIST:
		request->list = 1;
		return 0;
	default:
		request->root = optarg;
		if (!optarg[0])
			return say_usage("--sysroot takes a folder that has proc, sys and etc of a machine");
		return 0;
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options read = {.letters = ":h", .table = options, .take = take_option};
	static struct results results; /* too large for the stack */
	struct request request = {.root = ""};
	int status;

	if (!verb_read_options(&verb_doctor, &read, argc, argv, &request, &status))
		return status;
	status = check_names(argv + optind);
	if (status)
		return status;
	select_checks(&results, argv + optind);
	if (request.list)
		return output_finish_stdio(doctor_print_list(results.of, results.count, request.json));
	return make_checks(&results, request.root, request.all, request.json);
}

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "find limits, mounts and permissions that will bite",
	.help = help,
	.run = run,
};
