/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/address.h>

#include "lock.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet lock [OPTION]... ADDRESS [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Run a command while holding a mutex, an rwlock, a file lock or a permit of a semaphore, and give it back at\n"
	"the command's end, however it ends. A file to lock is made if there is none.\n"
	"\n"
	"      --shared         with others that share it, too: file locks, and an rwlock, for reading\n"
	"  -t, --timeout TIME   give up after so long: 250ms, 1.5s, 2 (seconds), 0; forever by default\n"
	"      --recover        mutex, rwlock: although its last holder died with it: what it guards needs no mending\n"
	"      --no-recover     mutex, rwlock: don't run the command then; by default it runs, with a warning, and "
	"with\n"
	"                       the address in $NONET_OWNER_DIED; an exit status of 0 says that all is right again\n"
	"  -h, --help           print this\n"
	"\n"
	"Exits as the command does; with 124 if it couldn't have it in time, 125 if it failed otherwise, 126 if the\n"
	"command can't be run, 127 if there is no such command.\n"
	"\n"
	"Example: nonet lock --timeout 5s flock:/run/lock/backup -- rsync -a /srv /mnt\n";

enum {
	OPTION_HELP = PARSE_LONG,
	OPTION_NO_RECOVER,
	OPTION_RECOVER,
	OPTION_SHARED,
	OPTION_TIMEOUT,
};

static const struct option options[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"no-recover", no_argument, NULL, OPTION_NO_RECOVER},
	{"recover", no_argument, NULL, OPTION_RECOVER},
	{"shared", no_argument, NULL, OPTION_SHARED},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{NULL, 0, NULL, 0},
};

int lock_failed(int code, const struct nonet_error *error, const char *address)
{
	say_error(error, address);
	return code == -ETIMEDOUT || code == -EAGAIN ? STATUS_TIMEOUT : LOCK_FAILED;
}

int lock_not_run(int code)
{
	return code == -ENOENT || code == -ENOTDIR ? LOCK_NOT_FOUND : LOCK_NOT_RUN;
}

/* Which options mean something for a kind. */
enum {
	WITH_SHARED = 1,
	WITH_RECOVER = 2,
};

static const struct {
	enum nonet_scheme scheme;
	const struct lock_kind *kind;
	int with;
} kinds[] = {
	{NONET_SCHEME_MUTEX, &lock_mutex, WITH_RECOVER},
	{NONET_SCHEME_RWLOCK, &lock_rwlock, WITH_SHARED | WITH_RECOVER},
	{NONET_SCHEME_OFDLOCK, &lock_file, WITH_SHARED},
	{NONET_SCHEME_POSIXLOCK, &lock_file, WITH_SHARED},
	{NONET_SCHEME_FLOCK, &lock_file, WITH_SHARED},
	{NONET_SCHEME_SEMAPHORE, &lock_own_semaphore, 0},
	{NONET_SCHEME_POSIXSEM, &lock_posix_semaphore, 0},
	{NONET_SCHEME_SYSVSEM, &lock_sysv_semaphore, 0},
};

/* An option that means nothing for this kind isn't passed over in silence. Return: 0, or STATUS_USAGE. */
static int check_options(const struct lock_request *request, enum nonet_scheme scheme, int with)
{
	if (request->has_dead && !(with & WITH_RECOVER))
		return say_usage("--recover and --no-recover are for a mutex or rwlock: of %s: nobody tells that its "
				 "holder died",
				 nonet_scheme_name(scheme));
	if (!request->shared || (with & WITH_SHARED))
		return 0;
	if (scheme == NONET_SCHEME_MUTEX)
		return say_usage("a mutex isn't shared: one at a time holds it; rwlock: is");
	return say_usage("a semaphore isn't shared: as many hold it at once as it has permits");
}

const struct lock_kind *lock_kind(const struct lock_request *request)
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_MUTEX,   NONET_SCHEME_RWLOCK,    NONET_SCHEME_FLOCK,
						  NONET_SCHEME_OFDLOCK, NONET_SCHEME_POSIXLOCK, NONET_SCHEME_POSIXSEM,
						  NONET_SCHEME_SYSVSEM, NONET_SCHEME_SEMAPHORE, 0};
	struct nonet_address *address;
	struct nonet_error error;
	enum nonet_scheme scheme;
	size_t i;

	if (suggest_parse(request->address, takes, &address, &error) < 0) {
		say_error(&error, request->address);
		return NULL;
	}
	scheme = nonet_address_scheme(address);
	nonet_address_free(address);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].scheme == scheme)
			return check_options(request, scheme, kinds[i].with) ? NULL : kinds[i].kind;
	}
	say_usage("can't lock %s: write mutex:NAME, rwlock:NAME, semaphore:NAME, flock:PATH, ofdlock:PATH, "
		  "posixlock:PATH, "
		  "posixsem:/NAME or "
		  "sysvsem:KEY[N]",
		  request->address);
	return NULL;
}

int lock_execute(const struct lock_kind *kind, const struct lock_request *request)
{
	const nonet_time deadline = parse_deadline(request->timeout);
	struct nonet_error error;
	int r;

	r = kind->open(request, deadline, &error);
	if (r == 0) {
		r = kind->take(deadline);
		if (r < 0)
			kind->explain(r, &error);
	}
	if (r < 0)
		return lock_failed(r, &error, r == -EINVAL ? request->address : NULL);
	/* It isn't ours to ignore for others. */
	if (!verb_sigpipe_was_ignored)
		signal(SIGPIPE, SIG_DFL);
	execvp(request->command[0], request->command);
	r = -errno;
	say_failure("can't run %s: %s", request->command[0], strerror(-r));
	return lock_not_run(r);
}

static int parse(int argc, char *argv[], struct lock_request *request, int *ret_help)
{
	int option, r = 0;

	opterr = 0;
	/* The + ends options at the address: what follows the command is the command's. */
	while (r == 0 && (option = getopt_long(argc, argv, "+:ht:", options, NULL)) != -1) {
		switch (option) {
		case OPTION_RECOVER:
		case OPTION_NO_RECOVER:
			request->dead = option == OPTION_RECOVER ? LOCK_DEAD_RECOVERS : LOCK_DEAD_REFUSES;
			request->has_dead = 1;
			break;
		case OPTION_SHARED:
			request->shared = 1;
			break;
		case 't':
		case OPTION_TIMEOUT:
			r = parse_duration("--timeout", optarg, &request->timeout);
			break;
		case 'h':
		case OPTION_HELP:
			*ret_help = 1;
			return 0;
		default:
			return parse_complain(option, argv, options);
		}
	}
	return r;
}

/* Options may stand behind the address as well, up to the command. */
static int parse_all(int argc, char *argv[], struct lock_request *request, int *ret_help)
{
	int r = parse(argc, argv, request, ret_help);

	if (r || *ret_help)
		return r;
	if (optind == argc)
		return say_usage("needs an address and a command: nonet lock ADDRESS -- COMMAND");
	request->address = argv[optind];
	argc -= optind;
	argv += optind;
	optind = 0;
	r = parse(argc, argv, request, ret_help);
	if (r || *ret_help)
		return r;
	if (optind == argc)
		return say_usage("needs a command to run: nonet lock %s -- COMMAND", request->address);
	request->command = argv + optind;
	return 0;
}

static int run(int argc, char *argv[])
{
	struct lock_request request = {.timeout = NONET_FOREVER};
	const struct lock_kind *kind;
	int wants_help = 0;

	/* A command may exit with 2: what is wrong here is told apart from that. */
	if (parse_all(argc, argv, &request, &wants_help))
		return LOCK_FAILED;
	if (wants_help) {
		fputs(help, stdout);
		return output_finish_stdio(STATUS_DONE);
	}
	kind = lock_kind(&request);
	if (!kind)
		return LOCK_FAILED;
	return kind->ends_with_process ? lock_execute(kind, &request) : lock_guarded(kind, &request);
}

const struct verb verb_lock = {
	.name = "lock",
	.summary = "run a command while holding a lock or a permit",
	.help = help,
	.run = run,
};
