/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

#include <nonet/version.h>

#include "output.h"
#include "say.h"
#include "verb.h"

#define TEXT_OF(number)    #number
#define TEXT(number)       TEXT_OF(number)
#define VERSION_OF_HEADERS TEXT(NONET_VERSION_MAJOR) "." TEXT(NONET_VERSION_MINOR) "." TEXT(NONET_VERSION_PATCH)

static const char help[] = "Usage: nonet version [--json]\n"
			   "\n"
			   "Print the versions of the command and of the library that is loaded.\n"
			   "\n"
			   "      --json           print a JSON object\n"
			   "  -h, --help           print this\n"
			   "\n"
			   "Example: nonet version --json\n";

static int print_json(void)
{
	json_t *versions = json_pack("{s:s, s:s}", "version", VERSION_OF_HEADERS, "library", nonet_version());

	if (!versions)
		return say_failure("no memory is left");
	json_dumpf(versions, stdout, JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(versions);
	return STATUS_DONE;
}

static int run(int argc, char *argv[])
{
	int json = 0, status = STATUS_DONE;

	if (!verb_read_options(&verb_version, &verb_options_json, argc, argv, &json, &status))
		return status;
	if (optind < argc)
		return say_usage("takes no argument: \"%s\" is one too many", argv[optind]);
	if (json)
		status = print_json();
	else
		printf("nonet %s, library %s\n", VERSION_OF_HEADERS, nonet_version());
	return output_finish_stdio(status);
}

const struct verb verb_version = {
	.name = "version",
	.summary = "print the versions of the command and the library",
	.help = help,
	.run = run,
};
