/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nonet/error.h>

#include "../machine.h"
#include "builtin.h"
#include "figures.h"

enum {
	EXIT_MEASURED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INTERRUPTED = 130,
};

#define MODULE(name) (PEERS_DIRECTORY "/peer-" name ".so")

static const struct session_entry main_entries[] = {
	{"line", NULL, "a cache line, handed over", &peer_line, NULL},
	{"ring", NULL, "a bare ring", &peer_ring, NULL},
	{"nonet", NULL, "nonet's channel", &peer_channel, NULL},
	{"pipe", NULL, "pipes", &peer_pipe, NULL},
	{"ck", "libck-dev", "Concurrency Kit's ring", NULL, MODULE("ck")},
	{"dpdk", "libdpdk-dev", "DPDK's ring", NULL, MODULE("dpdk")},
	{"libqb", "libqb-dev", "libqb's ring buffer", NULL, MODULE("libqb")},
	{"boost", "libboost-dev", "Boost.Interprocess, message_queue", NULL, MODULE("boost")},
	{"iceoryx", "libiceoryx-posh-dev", "iceoryx", NULL, MODULE("iceoryx")},
	{"cyclonedds", "cyclonedds-dev", "Cyclone DDS", NULL, MODULE("cyclonedds")},
	{"zeromq", "libzmq3-dev", "ZeroMQ", NULL, MODULE("zeromq")},
	{"nng", "libnng-dev", "nng", NULL, MODULE("nng")},
	{"nanomsg", "libnanomsg-dev", "nanomsg", NULL, MODULE("nanomsg")},
};

#define MAIN_ENTRIES (sizeof(main_entries) / sizeof(*main_entries))
#define MAIN_PEERS   32

static const size_t main_sizes[FIGURES_SIZES] = {8, 64, 1024, 65536, 1048576};

static const char main_help[] =
	"usage: nonet-bench-peers [OPTION...] [PEER...]\n"
	"What it costs to move a message between two processes by nonet's channel, by other libraries, and by nothing "
	"but\n"
	"memory that both see.\n\n"
	"  --runs N         runs that count, of latency and of throughput each (5)\n"
	"  --size BYTES     only messages of this size, instead of 8, 64, 1024, 65536 and 1048576\n"
	"  --quick          one short run: rough figures\n"
	"  --cpus A,B       where to pin the two processes (the first two that we may run on)\n"
	"  --module FILE    a peer that isn't in the list: a shared module with a nonet_peer (bench/peers/peer.h)\n"
	"  --patience S     how many seconds a peer may take at one size (60)\n"
	"  --json           for programs\n"
	"  --list           the peers, and the Debian packages of those that need one\n"
	"  --help           this text\n\n"
	"Exit status: 0 measured, but for what isn't here; 1 a peer failed; 2 wrong usage or no way to measure.\n";

struct main_options {
	struct session_options session;
	size_t size; /* 0: all */
	bool json;
	bool list;
	struct session_entry wanted[MAIN_PEERS];
	size_t wanted_count;
};

static int main_number(const char *text, long least, long most, long *ret_number)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < least || number > most)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int main_want(struct main_options *options, const struct session_entry *entry)
{
	if (options->wanted_count == MAIN_PEERS)
		return -EINVAL;
	options->wanted[options->wanted_count++] = *entry;
	return 0;
}

static int main_want_name(struct main_options *options, const char *name)
{
	for (size_t i = 0; i < MAIN_ENTRIES; i++) {
		if (strcmp(main_entries[i].name, name) == 0)
			return main_want(options, &main_entries[i]);
	}
	return -EINVAL;
}

static int main_want_module(struct main_options *options, const char *path)
{
	const char *slash = strrchr(path, '/');

	return main_want(options, &(struct session_entry){slash ? slash + 1 : path, NULL, "a module", NULL, path});
}

static int main_cpus(const char *text, int ret_cpus[2])
{
	int used = 0;

	if (sscanf(text, "%d,%d%n", &ret_cpus[0], &ret_cpus[1], &used) != 2 || text[used] || ret_cpus[0] < 0 ||
	    ret_cpus[1] < 0)
		return -EINVAL;
	return 0;
}

/* Return: 0, or -1 after having said what is wrong. */
static int main_option(struct main_options *options, int option, const char *argument)
{
	long number;
	int error = -EINVAL;

	switch (option) {
	case 'r':
		error = main_number(argument, 1, SESSION_RUNS, &number);
		if (!error)
			options->session.runs = (int)number;
		break;
	case 's':
		error = main_number(argument, 8, 1048576, &number);
		if (!error && number % 8 == 0)
			options->size = (size_t)number;
		else
			error = -EINVAL;
		break;
	case 'q':
		options->session.runs = 1;
		options->session.slice = NONET_MS(2);
		options->session.samples = 16;
		return 0;
	case 'c':
		error = main_cpus(argument, options->session.cpus);
		break;
	case 'm':
		error = main_want_module(options, argument);
		break;
	case 'p':
		error = main_number(argument, 1, 3600, &number);
		if (!error)
			options->session.patience = NONET_S(number);
		break;
	case 'j':
		options->json = true;
		return 0;
	case 'l':
		options->list = true;
		return 0;
	default:
		fputs(main_help, stderr);
		return -1;
	}
	if (error < 0)
		fprintf(stderr, "nonet-bench-peers: bad argument: %s\n", argument);
	return error < 0 ? -1 : 0;
}

static int main_parse(struct main_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"runs", required_argument, NULL, 'r'},   {"size", required_argument, NULL, 's'},
		{"quick", no_argument, NULL, 'q'},        {"cpus", required_argument, NULL, 'c'},
		{"module", required_argument, NULL, 'm'}, {"patience", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},         {"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
		if (option == 'h') {
			fputs(main_help, stdout);
			exit(EXIT_MEASURED);
		}
		if (main_option(options, option, optarg) < 0)
			return -1;
	}
	for (; optind < argc; optind++) {
		if (main_want_name(options, argv[optind]) < 0) {
			fprintf(stderr, "nonet-bench-peers: there is no peer %s; --list has them\n", argv[optind]);
			return -1;
		}
	}
	if (options->wanted_count == 0) {
		for (size_t i = 0; i < MAIN_ENTRIES; i++)
			(void)main_want(options, &main_entries[i]);
	}
	return 0;
}

static int main_list(void)
{
	for (size_t i = 0; i < MAIN_ENTRIES; i++)
		printf("%s\t%s\t%s\n", main_entries[i].name, main_entries[i].package ? main_entries[i].package : "-",
		       main_entries[i].what);
	return EXIT_MEASURED;
}

static void main_progress(const struct main_options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What is being measured, where somebody looks on. */
static void main_progress(const struct main_options *options, const char *format, ...)
{
	va_list arguments;

	if (options->json || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

/* All sizes of one peer. Return: 0 or -EINTR. */
static int main_peer(const struct main_options *options, struct figures *figures, struct figures_peer *peer)
{
	static struct session_outcome outcome;

	if (!peer->entry->peer && access(peer->entry->module, R_OK) < 0) {
		peer->status = peer->entry->package ? FIGURES_SKIPPED : FIGURES_FAILED;
		if (peer->entry->package)
			snprintf(peer->why, sizeof(peer->why),
				 "it wasn't built, as %s wasn't here, or without -Dpeers=true", peer->entry->package);
		else
			snprintf(peer->why, sizeof(peer->why), "there is no %s", peer->entry->module);
		return 0;
	}
	for (size_t i = 0; i < (options->size ? 1 : FIGURES_SIZES); i++) {
		size_t size = options->size ? options->size : main_sizes[i];
		int error;

		main_progress(options, "%s %zu", peer->entry->name, size);
		error = session_run(peer->entry, size, &options->session, &outcome);
		main_progress(options, "%s", "");
		if (error < 0)
			return error;
		memcpy(peer->mode, outcome.mode, sizeof(peer->mode));
		memcpy(peer->version, outcome.version, sizeof(peer->version));
		if (!outcome.error) {
			figures_add(figures, peer->entry->name, size, &outcome);
			continue;
		}
		peer->status = FIGURES_FAILED;
		snprintf(peer->why, sizeof(peer->why), "%zu bytes: %s", size, outcome.why);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct main_options options = {
		.session = {.runs = 5, .slice = NONET_MS(20), .samples = 200, .patience = NONET_S(60)},
	};
	static struct figures_row rows[MAIN_PEERS * 2 * FIGURES_SIZES];
	static struct figures_peer peers[MAIN_PEERS];
	struct figures figures = {.options = &options.session, .peers = peers, .rows = rows};
	int status = EXIT_MEASURED;
	int error = machine_cpus(options.session.cpus);

	if (main_parse(&options, argc, argv) < 0)
		return EXIT_USAGE;
	if (options.list)
		return main_list();
	if (error < 0 || options.session.cpus[0] == options.session.cpus[1]) {
		fputs("nonet-bench-peers: this takes two CPUs: on one, each would wait for the other to be moved off\n",
		      stderr);
		return EXIT_USAGE;
	}
	session_catch();
	(void)machine_others(options.session.cpus);
	for (size_t i = 0; i < options.wanted_count; i++) {
		struct figures_peer *peer = &peers[figures.peer_count++];

		peer->entry = &options.wanted[i];
		if (main_peer(&options, &figures, peer) < 0)
			return EXIT_INTERRUPTED;
		if (peer->status == FIGURES_FAILED)
			status = EXIT_FAILED;
	}
	figures.others = machine_others(options.session.cpus);
	error = options.json ? figures_json(&figures) : figures_text(&figures);
	return error < 0 ? EXIT_USAGE : status;
}
