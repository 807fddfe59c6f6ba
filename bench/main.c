/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <nonet/error.h>

#include "machine.h"

enum {
	EXIT_HOLDS = 0,
	EXIT_MISSED = 1,
	EXIT_USAGE = 2,
};

/* Longer than the deadline of the calls: only a naked one can get stuck. */
#define MAIN_WATCHDOG 60

#define MAIN_RESULTS 256

static const struct bench_case *const main_tables[] = {
	pipe_cases,      unix_cases,     connect_cases, socket_cases,    queue_cases,
	semaphore_cases, mutex_cases,    sync_cases,    condition_cases, memory_cases,
	mapfile_cases,   filelock_cases, wait_cases,    signal_cases,    endpoint_cases,
};

static const char main_help[] =
	"usage: nonet-bench-wrappers [OPTION...]\n"
	"What nonet's calls cost over the shortest bare sequence of system calls with the same guarantees.\n\n"
	"  --filter REGEX   only cases whose \"WHAT SIZE\" matches, e.g. 'pipe messages 64$'\n"
	"  --metric NAME    only call, latency, throughput, herd or once\n"
	"  --runs N         paired runs (9)\n"
	"  --goal RATIO     what holds, where a case has no goal of its own (1.03)\n"
	"  --quick          3 short runs: rough figures\n"
	"  --cpus A,B       where to pin the two processes; the same twice: they share it, which gives the steadiest "
	"ratios\n"
	"  --json           for programs\n"
	"  --list           the cases\n"
	"  --loop WAY       only WAY's calls (nonet, bare, naked) of the first case, for 5 s: to run under a profiler\n"
	"  --help           this text\n\n"
	"call: one process puts and takes. latency: two processes sleep in turns, round trip / 2. throughput: one "
	"way.\nherd: as many processes as the size says want one thing. once: from one event to another.\n"
	"Where others use the CPUs too, `chrt -f 5` before the command keeps them out of the figures.\n"
	"Exit status: 0 all that is judged holds, 1 something doesn't, 2 wrong usage or no way to measure.\n";

struct main_options {
	struct bench_options bench;
	regex_t filter;
	bool filtered;
	bool json;
	bool list;
	int loop; /* enum bench_way_index, or -1 */
};

static bool main_matches(const struct main_options *options, const struct bench_case *item, size_t size)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %zu", item->what, size);
	return !options->filtered || regexec(&options->filter, text, 0, NULL, 0) == 0;
}

static int main_way(const char *name)
{
	static const char *const names[WAYS] = {"nonet", "bare", "naked"};

	for (int way = 0; way < WAYS; way++) {
		if (strcmp(name, names[way]) == 0)
			return way;
	}
	return -1;
}

static int main_number(const char *text, int least, int most, int *ret_number)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < least || number > most)
		return -EINVAL;
	*ret_number = (int)number;
	return 0;
}

static int main_pair(const char *text, int ret_cpus[2])
{
	char *comma = strchr(text, ',');
	char first[16];

	if (!comma || (size_t)(comma - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(comma - text));
	first[comma - text] = 0;
	if (main_number(first, 0, 1023, &ret_cpus[0]) < 0)
		return -EINVAL;
	return main_number(comma + 1, 0, 1023, &ret_cpus[1]);
}

/* Return: 0 to go on, or -1 after having said what is wrong. */
static int main_option(struct main_options *options, int option, const char *argument)
{
	char *end;

	switch (option) {
	case 'f':
		if (options->filtered)
			regfree(&options->filter);
		options->filtered = regcomp(&options->filter, argument, REG_EXTENDED | REG_NOSUB) == 0;
		if (options->filtered)
			return 0;
		break;
	case 'm':
		for (int metric = 0; metric < METRICS; metric++) {
			if (strcmp(argument, bench_metric_name((enum bench_metric)metric)) == 0) {
				options->bench.metrics = BIT(metric);
				return 0;
			}
		}
		break;
	case 'r':
		if (main_number(argument, 1, 64, &options->bench.runs) == 0)
			return 0;
		break;
	case 'g':
		options->bench.goal = strtod(argument, &end);
		if (end != argument && !*end && options->bench.goal > 0)
			return 0;
		break;
	case 'q':
		options->bench.runs = 3;
		options->bench.slices = 5;
		options->bench.slice = NONET_MS(4);
		return 0;
	case 'c':
		if (main_pair(argument, options->bench.cpus) == 0)
			return 0;
		break;
	case 'j':
		options->json = true;
		return 0;
	case 'l':
		options->list = true;
		return 0;
	case 'o':
		options->loop = main_way(argument);
		if (options->loop >= 0)
			return 0;
		break;
	default:
		fputs(main_help, stderr);
		return -1;
	}
	fprintf(stderr, "nonet-bench-wrappers: bad argument: %s\n", argument);
	return -1;
}

static int main_parse(struct main_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"filter", required_argument, NULL, 'f'},
		{"runs", required_argument, NULL, 'r'},
		{"goal", required_argument, NULL, 'g'},
		{"quick", no_argument, NULL, 'q'},
		{"cpus", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"list", no_argument, NULL, 'l'},
		{"loop", required_argument, NULL, 'o'},
		{"metric", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
		if (option == 'h') {
			fputs(main_help, stdout);
			exit(EXIT_HOLDS);
		}
		if (main_option(options, option, optarg) < 0)
			return -1;
	}
	if (optind < argc) {
		fprintf(stderr, "nonet-bench-wrappers: unexpected argument: %s\n", argv[optind]);
		return -1;
	}
	return 0;
}

static void main_stuck(int number)
{
	static const char text[] = "nonet-bench-wrappers: a call doesn't come back\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)number;
	(void)ignored;
	_exit(EXIT_USAGE);
}

/* Room for wait sets of 1000, three times. */
static void main_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* All cases that match: how many results. */
static size_t main_measure(const struct main_options *options, struct bench_result *results)
{
	size_t count = 0;

	for (size_t table = 0; table < sizeof(main_tables) / sizeof(*main_tables); table++) {
		for (const struct bench_case *item = main_tables[table]; item->what; item++) {
			for (const size_t *size = item->sizes; *size && count + METRICS <= MAIN_RESULTS; size++) {
				if (!main_matches(options, item, *size))
					continue;
				if (!options->json && isatty(STDERR_FILENO))
					fprintf(stderr, "\r\033[K%s %zu", item->what, *size);
				alarm(MAIN_WATCHDOG * (unsigned)METRICS);
				count += (size_t)bench_run(item, *size, &options->bench, results + count);
			}
		}
	}
	alarm(0);
	if (!options->json && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return count;
}

/* --list and --loop. */
static int main_other(const struct main_options *options)
{
	for (size_t table = 0; table < sizeof(main_tables) / sizeof(*main_tables); table++) {
		for (const struct bench_case *item = main_tables[table]; item->what; item++) {
			for (const size_t *size = item->sizes; *size; size++) {
				int error;

				if (!main_matches(options, item, *size))
					continue;
				printf("%s %zu\n", item->what, *size);
				if (options->list)
					continue;
				error = bench_loop(item, *size, (enum bench_way_index)options->loop, NONET_S(5));
				if (error < 0)
					fprintf(stderr, "nonet-bench-wrappers: %s\n", nonet_error_name(error));
				return error < 0 ? EXIT_USAGE : EXIT_HOLDS;
			}
		}
	}
	return options->list ? EXIT_HOLDS : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct bench_result results[MAIN_RESULTS];
	struct main_options options = {
		.bench = {.runs = 9, .slices = 60, .slice = NONET_MS(3), .goal = 1.03, .metrics = BIT(METRICS) - 1},
		.loop = -1,
	};
	size_t count;
	int status = EXIT_HOLDS;
	int error = machine_cpus(options.bench.cpus);

	if (main_parse(&options, argc, argv) < 0)
		return EXIT_USAGE;
	if (error < 0) {
		fprintf(stderr, "nonet-bench-wrappers: can't tell where to run: %s\n", nonet_error_name(error));
		return EXIT_USAGE;
	}
	main_raise_limits();
	if (options.list || options.loop >= 0)
		return main_other(&options);
	signal(SIGALRM, main_stuck);
	(void)machine_others(options.bench.cpus);
	count = main_measure(&options, results);
	options.bench.others = machine_others(options.bench.cpus);
	if (count == 0) {
		fputs("nonet-bench-wrappers: no case matches\n", stderr);
		return EXIT_USAGE;
	}
	error = options.json ? report_json(results, count, &options.bench)
			     : report_text(results, count, &options.bench);
	for (size_t i = 0; i < count; i++) {
		if (results[i].judged && !report_holds(&results[i]))
			status = EXIT_MISSED;
	}
	if (options.filtered)
		regfree(&options.filter);
	return error < 0 ? EXIT_USAGE : status;
}
