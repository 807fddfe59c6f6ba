/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "harness/scale.h"
#include "prove/plan.h"
#include "prove/table.h"
#include "prove/workers.h"

/* argv[0]: for the command that repeats a failure. */
const char *prove_program;

static struct prove_task tasks[PROVE_TASKS_MAX];
static size_t task_count;
static size_t operation_count;
static struct prove_board *board;
static struct prove_options options = {
	.failures_max = 3, .sample = 200, .singles = 1, .until = NONET_FOREVER, .patience = NONET_S(3)};

static const char usage[] =
	"usage: prove [OPTION...] [OPERATION...]\n"
	"Kill operations on shared memory at each instruction, and see whether the others go on.\n"
	"\n"
	"  --list            the operations, their functions and states\n"
	"  --row N[,N...]    only these rows of the table of faults\n"
	"  --state S[,S...]  only in these states\n"
	"  --with O[,O...]   only these as the second of a pair\n"
	"  --full            every pair, not a sample\n"
	"  --sample N        about so many doubles and pairs per operation, state and partner (200)\n"
	"  --singles N       rows 1 and 12: of the steps that aren't distinct each N-th (1)\n"
	"  --seconds N       how long row 5 kills at random, in all (100 times NONET_SCALE)\n"
	"  --time SECONDS    begin no run after that; status 3 if some were left\n"
	"  --failures N      give up an operation's row after so many failures (3)\n"
	"  --patience MS     when a process counts as hung (3000)\n"
	"  --seed N          of the sample; printed\n"
	"  --point NAME      one run alone, by the name under which it failed\n"
	"  --workers N       at the same time (one per processor)\n"
	"  --library FILE    refuse to run if the functions come from another file\n"
	"  --json FILE       the results, also as JSON\n"
	"  --show FILE       print the table of such a file, and nothing else\n"
	"Status: 0 no failure, 1 failures, 2 wrong usage, 3 the machine itself can't run here.\n";

static const struct option long_options[] = {
	{"list", no_argument, NULL, 'l'},
	{"row", required_argument, NULL, 'r'},
	{"full", no_argument, NULL, 'F'},
	{"time", required_argument, NULL, 'T'},
	{"state", required_argument, NULL, 'a'},
	{"with", required_argument, NULL, 'i'},
	{"sample", required_argument, NULL, 'n'},
	{"singles", required_argument, NULL, 'g'},
	{"seconds", required_argument, NULL, 't'},
	{"failures", required_argument, NULL, 'f'},
	{"patience", required_argument, NULL, 'p'},
	{"seed", required_argument, NULL, 's'},
	{"point", required_argument, NULL, 'o'},
	{"workers", required_argument, NULL, 'w'},
	{"library", required_argument, NULL, 'L'},
	{"json", required_argument, NULL, 'j'},
	{"show", required_argument, NULL, 'S'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static _Noreturn void wrong(const char *why, const char *what)
{
	fprintf(stderr, "prove: %s%s\n%s", why, what, usage);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-')
		wrong("not a number: ", text);
	return value;
}

static int show(const char *path)
{
	json_error_t error;
	json_t *found = json_load_file(path, 0, &error);
	int result = found ? prove_table_print(found) : -1;

	if (result < 0)
		fprintf(stderr, "prove: %s: %s\n", path, found ? "not a list of results" : error.text);
	json_decref(found);
	return result < 0 ? 2 : 0;
}

/* Where the operation's code is; in which file. */
static uintptr_t find(const struct prove_operation *operation, const char *library)
{
	void *symbol = dlsym(RTLD_DEFAULT, operation->symbol);
	char *wanted, *real;
	Dl_info place;

	if (!symbol || !dladdr(symbol, &place))
		prove_broken("no function %s() for %s", operation->symbol, operation->name);
	if (library) {
		wanted = realpath(library, NULL);
		real = realpath(place.dli_fname, NULL);
		if (!wanted || !real || strcmp(wanted, real) != 0)
			prove_broken("%s() is from %s, not from %s", operation->symbol, place.dli_fname, library);
		free(wanted);
		free(real);
	}
	return (uintptr_t)symbol;
}

static struct prove_tally *tally_of(size_t index)
{
	return &board->tallies[tasks[index].operation * PROVE_ROWS + tasks[index].row];
}

static void play(size_t index, struct prove_played *played, struct prove_scene *scene)
{
	const struct prove_task *task = &tasks[index];
	const nonet_time began = test_clock();
	struct prove_sweep sweep = {
		.options = &options,
		.tally = tally_of(index),
		.played = played,
		.scene = *scene,
		.row = prove_rows[task->row].row,
		.operation = prove_operations[task->operation],
		.other = task->other,
		.state = task->state,
		.bound = prove_operations[task->operation]->bound,
		.random = test_random_init(options.seed, index),
	};

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%zu of %zu: row %d, %s, %s", index + 1, task_count, sweep.row,
			sweep.operation->name, sweep.state);

	if (sweep.bound == 0)
		sweep.bound = PROVE_BOUND;
	sweep.symbol = find(sweep.operation, NULL);
	if (sweep.other)
		sweep.other_symbol = find(sweep.other, NULL);
	/* Else each that is left would still be recorded. */
	if (!prove_enough(&sweep))
		prove_rows[task->row].play(&sweep);
	prove_path_done(&sweep.path);
	*scene = sweep.scene;
	atomic_fetch_add(&board->time[index], test_clock() - began);
}

/* It is to be played again: what of it was played doesn't count. A failure does. */
static void forget(size_t index, const struct prove_played *played)
{
	struct prove_tally *tally = tally_of(index);

	atomic_fetch_sub(&tally->points, atomic_load(&played->points));
	atomic_fetch_sub(&tally->states, atomic_load(&played->states));
}

static uint64_t report(const char *path)
{
	json_t *results = json_array();
	uint64_t failures = 0;
	uint64_t points = 0;
	nonet_time time;

	for (size_t operation = 0; operation < operation_count; operation++)
		for (size_t row = 0; row < PROVE_ROWS; row++) {
			const struct prove_tally *tally = &board->tallies[operation * PROVE_ROWS + row];

			if (tally->points == 0 && tally->failures == 0)
				continue;
			time = 0;
			for (size_t i = 0; i < task_count; i++)
				if (tasks[i].operation == operation && tasks[i].row == row)
					time += board->time[i];
			prove_table_add(results, prove_operations[operation]->name, prove_rows[row].row, tally, time);
			failures += tally->failures;
			points += tally->points;
		}
	prove_table_print(results);
	printf("%llu points, %llu failures, seed %llu\n", (unsigned long long)points, (unsigned long long)failures,
	       (unsigned long long)options.seed);
	if (path && json_dump_file(results, path, JSON_INDENT(1)) < 0)
		prove_broken("%s: can't be written", path);
	json_decref(results);
	/* Nothing played is nothing proved: a point that doesn't exist, an operation without a state. */
	if (points == 0 && failures == 0)
		prove_broken("nothing was played");
	return failures;
}

/* Of the command line, what isn't in options. */
struct command {
	struct prove_wishes wishes;
	const char *json;
	const char *library;
	size_t workers; /* 0: one per processor */
};

static nonet_time seconds(const char *text)
{
	return (nonet_time)number(text) * NONET_S(1);
}

/* Options that say something and end. Return: whether this was one. */
static bool answer(int option, int *ret_status)
{
	*ret_status = 0;
	if (option == 'l')
		prove_plan_list();
	else if (option == 'h')
		fputs(usage, stdout);
	else if (option == 'S')
		*ret_status = show(optarg);
	else
		return false;
	return true;
}

static void take(int option, struct command *command)
{
	switch (option) {
	case 'r':
		command->wishes.rows = optarg;
		break;
	case 'a':
		command->wishes.states = optarg;
		break;
	case 'i':
		command->wishes.partners = optarg;
		break;
	case 'F':
		options.sample = 0;
		break;
	case 'n':
		options.sample = number(optarg);
		break;
	case 'g':
		options.singles = number(optarg);
		if (options.singles == 0)
			wrong("--singles has to be 1 or more", "");
		break;
	case 't':
		options.random = seconds(optarg);
		break;
	case 'T':
		options.until = test_clock() + seconds(optarg);
		break;
	case 'f':
		options.failures_max = number(optarg);
		break;
	case 'p':
		options.patience = (nonet_time)number(optarg) * NONET_MS(1);
		break;
	case 's':
		options.seed = number(optarg);
		break;
	case 'o':
		options.only = optarg;
		command->wishes.point = optarg;
		break;
	case 'w':
		command->workers = number(optarg);
		break;
	case 'L':
		command->library = optarg;
		break;
	case 'j':
		command->json = optarg;
		break;
	default:
		wrong("", "");
	}
}

static void make_board(void)
{
	size_t size = sizeof(*board) + operation_count * PROVE_ROWS * sizeof(board->tallies[0]);

	board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		prove_broken("no memory");
}

static size_t processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < PROVE_WORKERS_MAX ? (size_t)count : PROVE_WORKERS_MAX;
}

int main(int argc, char **argv)
{
	struct command command = {0};
	uint64_t failures;
	int option, status;

	prove_program = argv[0];
	/* What row 12 executes. */
	if (argc == 2 && strcmp(argv[1], "--hold") == 0)
		for (;;)
			pause();
	options.seed = test_seed();
	/* 10 s as a test, an hour as a soak. */
	options.random = NONET_S(1) * (nonet_time)(test_scaled(100) < 100 ? test_scaled(100) : 3600);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		if (answer(option, &status))
			return status;
		take(option, &command);
	}
	while (prove_operations[operation_count])
		operation_count++;
	for (size_t i = 0; i < operation_count; i++)
		find(prove_operations[i], command.library);
	command.wishes.operations = argv + optind;
	command.wishes.full = options.sample == 0;
	task_count = prove_plan(&command.wishes, tasks);
	if (options.until != NONET_FOREVER)
		prove_plan_shuffle(tasks, task_count, options.seed);
	make_board();
	if (command.workers == 0 || command.workers > PROVE_WORKERS_MAX)
		command.workers = processors();
	if (!prove_work_all(&(struct prove_work){
		    .board = board,
		    .tasks = task_count,
		    .workers = command.workers,
		    .patience = options.patience,
		    .play = play,
		    .forget = forget,
	    }))
		return 3;
	failures = report(command.json);
	/* What was found is found, however much wasn't played. */
	if (failures == 0 && test_clock() > options.until)
		prove_broken("the time was up before all was played");
	return failures ? 1 : 0;
}
