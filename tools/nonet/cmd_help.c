/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "say.h"
#include "verb.h"

static const char help[] = "Usage: nonet help [VERB]\n"
			   "\n"
			   "Say how to use nonet, or one of its verbs.\n"
			   "\n"
			   "Example: nonet help send\n";

static void print_overview(void)
{
	size_t i;

	fputs("Usage: nonet VERB [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Interprocess communication on Linux: nine mechanisms under one set of rules.\n"
	      "\n",
	      stdout);
	for (i = 0; verbs[i]; i++)
		printf("  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n"
	      "\"nonet help VERB\" tells more. Addresses are scheme:rest: fifo:PATH, unix:PATH, unix:@NAME,\n"
	      "unix-seqpacket:PATH, unix-dgram:PATH, tcp:HOST:PORT, udp:HOST:PORT, fd:N, pid:N; nonet(7) has all of "
	      "them.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 found something, 124 timed out.\n"
	      "\n"
	      "Example: nonet recv --listen unix:/tmp/hello & echo hello | nonet send --timeout 1s unix:/tmp/hello\n",
	      stdout);
}

static int run(int argc, char *argv[])
{
	const struct verb *verb;

	if (argc > 2)
		return say_usage("takes one verb: \"%s\" is one too many", argv[2]);
	if (argc < 2) {
		print_overview();
		return output_finish_stdio(STATUS_DONE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		verb = &verb_help;
	else
		verb = verb_find(argv[1]);
	if (!verb)
		return verb_unknown(argv[1]);
	fputs(verb->help, stdout);
	return output_finish_stdio(STATUS_DONE);
}

const struct verb verb_help = {
	.name = "help",
	.summary = "say how to use a verb",
	.help = help,
	.run = run,
};
