/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_keep.h"
#include "bench_machine.h"
#include "bench_print.h"
#include "interrupt.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet bench [OPTION]... [WHAT]...\n"
	"\n"
	"Measure how fast messages go on this machine: nonet's channel, the kernel's mechanisms, and the limits that\n"
	"the hardware sets; and how near to the limits the channel comes. Two processes on two CPUs of their own play\n"
	"each row, for some three minutes in all. Without WHAT everything is measured; else of\n"
	"\n"
	"  line copy memcpy futex ring                    the limits\n"
	"  pipe unix posix-queue sysv-queue eventfd       the kernel's mechanisms\n"
	"  channel                                        nonet's own\n"
	"\n"
	"      --json           print a JSON array\n"
	"      --plot FILE      draw it, as SVG; needs gnuplot\n"
	"      --quick          rough figures, in some seconds\n"
	"      --seconds N      measure each row for about N seconds (1.5)\n"
	"  -h, --help           print this\n"
	"\n"
	"The results are kept in $XDG_STATE_HOME/nonet/bench.json, or ~/.local/state/nonet/bench.json.\n"
	"\n"
	"Example: nonet bench --quick channel\n";

enum {
	OPTION_JSON = PARSE_LONG,
	OPTION_PLOT,
	OPTION_QUICK,
	OPTION_SECONDS,
};

static const struct option options[] = {
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"plot", required_argument, NULL, OPTION_PLOT},
	{"quick", no_argument, NULL, OPTION_QUICK},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{NULL, 0, NULL, 0},
};

/* How often each row is measured, and for how long. */
#define RUNS         9
#define LENGTH       NONET_MS(1500)
#define QUICK_RUNS   3
#define QUICK_LENGTH NONET_MS(60)
#define QUICK_SLICES 2
#define LENGTH_LEAST NONET_MS(10)
#define LENGTH_MOST  NONET_S(60)

struct request {
	const char *plot;
	nonet_time length; /* 0: not given */
	int json, quick;
};

static int is_named(const struct bench_row *row, char *names[])
{
	size_t i;

	for (i = 0; names[i]; i++)
		if (strcmp(names[i], row->group) == 0 || strcmp(names[i], row->subject.what) == 0)
			return 1;
	return i == 0;
}

/* Whether each name is of something. Return: 0, or STATUS_USAGE after it said which isn't. */
static int check_names(const struct bench_row *rows, size_t count, char *names[])
{
	const char *known[128], *nearest;
	size_t i, j, all = 0;

	for (i = 0; i < count && all + 2 < sizeof(known) / sizeof(known[0]); i++) {
		if (i == 0 || strcmp(rows[i - 1].group, rows[i].group) != 0)
			known[all++] = rows[i].group;
		if (i == 0 || strcmp(rows[i - 1].subject.what, rows[i].subject.what) != 0)
			known[all++] = rows[i].subject.what;
	}
	known[all] = NULL;
	for (i = 0; names[i]; i++) {
		for (j = 0; known[j] && strcmp(known[j], names[i]) != 0; j++)
			;
		if (known[j])
			continue;
		nearest = verb_nearest(names[i], known);
		if (nearest)
			return say_usage("nothing is called \"%s\": did you mean \"%s\"?", names[i], nearest);
		return say_usage("nothing is called \"%s\": \"nonet help bench\" lists what is", names[i]);
	}
	return 0;
}

/* What is measured now, on a terminal. */
static void show_progress(const struct bench_row *row, size_t number, size_t count)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%zu of %zu: %s, %s, %zu bytes", number, count, row->subject.what,
		bench_mode_name(row->subject.mode), row->subject.size);
	fflush(stderr);
}

static void erase_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* Return: 0, or what the verb is to return. */
static int measure(const struct bench_options *how, struct bench_found *found, size_t count)
{
	size_t i;
	int r = interrupt_catch(INTERRUPT_WAITS);

	for (i = 0; i < count && r == 0; i++) {
		show_progress(found[i].row, i + 1, count);
		r = bench_run(found[i].row, how, &found[i].result);
	}
	erase_progress();
	return r;
}

/* Keeps, draws and prints what was found. */
static int tell(const struct request *request, const struct bench_found *found, size_t count,
		const struct bench_machine *machine)
{
	json_t *results = bench_json(found, count);
	int plotted = STATUS_DONE, printed;

	if (!results)
		return say_failure("no memory is left");
	bench_keep(results, machine, request->quick);
	if (request->plot)
		plotted = bench_plot(request->plot, found, count, machine);
	if (request->json) {
		printed = output_json(results);
	} else {
		printed = bench_print_table(found, count, machine);
		json_decref(results);
	}
	return printed == STATUS_DONE ? plotted : printed;
}

static int bench(const struct request *request, char *names[])
{
	struct bench_options how = {
		.length = request->length  ? request->length
			  : request->quick ? QUICK_LENGTH
					   : LENGTH,
		.runs = request->quick ? QUICK_RUNS : RUNS,
		.slices = request->quick ? QUICK_SLICES : BENCH_SLICES,
	};
	const struct bench_row *rows;
	struct bench_machine machine;
	struct bench_found *found;
	size_t i, all, count = 0;
	int status;

	rows = bench_rows(&all);
	status = check_names(rows, all, names);
	if (status != 0)
		return status;
	how.cpus_count = machine_cpus(how.cpus, sizeof(how.cpus) / sizeof(how.cpus[0]));
	if (how.cpus_count < 2)
		return say_failure("it takes two processors, and this process may use only one: run it where there are "
				   "more, or allow it another with taskset(1) or the container's cpuset");
	machine_describe(how.cpus, how.cpus_count, &machine);
	found = calloc(all, sizeof(*found));
	if (!found)
		return say_failure("no memory is left");
	for (i = 0; i < all; i++)
		if (is_named(&rows[i], names))
			found[count++].row = &rows[i];
	status = measure(&how, found, count);
	if (status == 0)
		status = output_finish_stdio(tell(request, found, count, &machine));
	free(found);
	return status;
}

static int take_option(int option, void *argument)
{
	struct request *request = argument;
	int status;

	switch (option) {
	case OPTION_JSON:
		request->json = 1;
		return 0;
	case OPTION_PLOT:
		request->plot = optarg;
		return 0;
	case OPTION_QUICK:
		request->quick = 1;
		return 0;
	default:
		status = parse_duration("--seconds", optarg, &request->length);
		if (status == 0 && (request->length < LENGTH_LEAST || request->length > LENGTH_MOST))
			return say_usage("--seconds takes 0.01 to 60, not \"%s\"", optarg);
		return status;
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":h", .table = options, .take = take_option};
	struct request request = {.plot = NULL};
	int status;

	if (!verb_read_options(&verb_bench, &all, argc, argv, &request, &status))
		return status;
	return bench(&request, argv + optind);
}

const struct verb verb_bench = {
	.name = "bench",
	.summary = "measure how fast messages go on this machine, beside the limits",
	.help = help,
	.run = run,
};
