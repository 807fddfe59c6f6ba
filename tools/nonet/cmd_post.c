/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include <nonet/semaphore.h>

#include "lock.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

static const char help[] = "Usage: nonet post [OPTION]... ADDRESS [N]\n"
			   "\n"
			   "Give a semaphore N permits, 1 by default. The kernel doesn't undo that at our end.\n"
			   "\n"
			   "  -h, --help   print this\n"
			   "\n"
			   "Example: nonet post posixsem:/printers 2\n";

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int post(const char *given, uint32_t permits)
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_POSIXSEM, NONET_SCHEME_SYSVSEM, NONET_SCHEME_SEMAPHORE,
						  0};
	struct nonet_address *address;
	struct nonet_semaphore *semaphore;
	struct nonet_error error;
	int r;

	r = suggest_parse(given, takes, &address, &error);
	if (r < 0)
		return say_error(&error, given);
	nonet_address_free(address);
	r = lock_open_semaphore(given, NONET_FOREVER, &semaphore, &error);
	if (r < 0)
		return say_error(&error, given);
	r = nonet_semaphore_post(semaphore, permits, 0);
	if (r < 0)
		nonet_semaphore_explain(semaphore, r, &error);
	nonet_semaphore_close(semaphore);
	return r < 0 ? say_error(&error, NULL) : STATUS_DONE;
}

static int run(int argc, char *argv[])
{
	uint64_t permits = 1;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option != 'h')
			return parse_complain(option, argv, options);
		fputs(help, stdout);
		return output_finish_stdio(STATUS_DONE);
	}
	if (optind == argc)
		return say_usage(
			"needs the address of a semaphore, for example posixsem:/NAME: nonet post ADDRESS [N]");
	if (argc - optind > 2)
		return say_usage("takes an address and a number: \"%s\" is one too many", argv[optind + 2]);
	if (argc - optind == 2 && parse_count("N", argv[optind + 1], &permits))
		return STATUS_USAGE;
	if (permits > UINT32_MAX)
		return say_usage("%s permits are more than any semaphore can hold", argv[optind + 1]);
	return post(argv[optind], (uint32_t)permits);
}

const struct verb verb_post = {
	.name = "post",
	.summary = "give permits to a semaphore",
	.help = help,
	.run = run,
};
