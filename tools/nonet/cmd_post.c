/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include <nonet/address.h>
#include <nonet/event.h>
#include <nonet/semaphore.h>

#include "lock.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet post [OPTION]... ADDRESS [N]\n"
	"\n"
	"Give a semaphore N permits, 1 by default, or set an event: whoever waits for it goes on, and so does whoever\n"
	"comes, until it is cleared. It isn't undone at our end.\n"
	"\n"
	"      --pulse          event: whoever waits goes on, who comes waits for the next time\n"
	"      --clear          event: who comes from now on waits\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet post posixsem:/printers 2\n";

enum {
	OPTION_PULSE = PARSE_LONG,
	OPTION_CLEAR,
};

static const struct option options[] = {
	{"clear", no_argument, NULL, OPTION_CLEAR},
	{"help", no_argument, NULL, PARSE_HELP},
	{"pulse", no_argument, NULL, OPTION_PULSE},
	{NULL, 0, NULL, 0},
};

struct wish {
	const char *given;
	const char *count; /* of permits, as it was given; NULL: it wasn't */
	uint32_t permits;
	int pulse, clear;
};

static int post_permits(const struct wish *wish)
{
	struct nonet_semaphore *semaphore;
	struct nonet_error error;
	int r = lock_open_semaphore(wish->given, NONET_FOREVER, &semaphore, &error);

	if (r < 0)
		return say_error(&error, wish->given);
	r = nonet_semaphore_post(semaphore, wish->permits, 0);
	if (r < 0)
		nonet_semaphore_explain(semaphore, r, &error);
	/* What is said to a program isn't what a person can do, whose every command is another process. */
	if (r == -EPERM)
		snprintf(error.text, sizeof(error.text),
			 "%s isn't posted to: each of its permits is of whoever took it, and comes back when he ends; "
			 "\"nonet create --signal\" makes one that is",
			 wish->given);
	nonet_semaphore_close(semaphore);
	return r < 0 ? say_error(&error, NULL) : STATUS_DONE;
}

static int post_event(const struct wish *wish)
{
	struct nonet_event *event;
	struct nonet_error error;
	int r = nonet_event_open(wish->given, &event, &error);

	if (r < 0)
		return say_error(&error, wish->given);
	r = wish->clear ? nonet_event_clear(event) : wish->pulse ? nonet_event_pulse(event) : nonet_event_set(event);
	if (r < 0)
		nonet_event_explain(event, r, &error);
	nonet_event_close(event);
	return r < 0 ? say_error(&error, NULL) : STATUS_DONE;
}

static int post(const struct wish *wish)
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_POSIXSEM, NONET_SCHEME_SYSVSEM, NONET_SCHEME_SEMAPHORE,
						  NONET_SCHEME_EVENT, 0};
	enum nonet_scheme scheme;
	struct nonet_address *address;
	struct nonet_error error;

	if (suggest_parse(wish->given, takes, &address, &error) < 0)
		return say_error(&error, wish->given);
	scheme = nonet_address_scheme(address);
	nonet_address_free(address);
	switch (scheme) {
	case NONET_SCHEME_EVENT:
		if (wish->count)
			return say_usage("an event takes no number: \"%s\" is one too many", wish->count);
		return post_event(wish);
	case NONET_SCHEME_POSIXSEM:
	case NONET_SCHEME_SYSVSEM:
	case NONET_SCHEME_SEMAPHORE:
		if (wish->pulse || wish->clear)
			return say_usage("--%s is for an event, not for %s:", wish->pulse ? "pulse" : "clear",
					 nonet_scheme_name(scheme));
		return post_permits(wish);
	default:
		return say_usage("nothing can be posted to %s: write event:NAME, semaphore:NAME, posixsem:/NAME or "
				 "sysvsem:KEY[N]",
				 wish->given);
	}
}

static int take_option(int option, void *request)
{
	struct wish *wish = request;

	if (option == OPTION_PULSE)
		wish->pulse = 1;
	else
		wish->clear = 1;
	if (wish->pulse && wish->clear)
		return say_usage("--pulse clears the event too: write one of --pulse and --clear");
	return 0;
}

static int run(int argc, char *argv[])
{
	static const struct verb_options read = {":h", options, take_option};
	struct wish wish = {0};
	uint64_t permits = 1;
	int status;

	if (!verb_read_options(&verb_post, &read, argc, argv, &wish, &status))
		return status;
	if (optind == argc)
		return say_usage("needs the address of a semaphore or event, for example posixsem:/NAME: nonet post "
				 "ADDRESS [N]");
	if (argc - optind > 2)
		return say_usage("takes an address and a number: \"%s\" is one too many", argv[optind + 2]);
	wish.given = argv[optind];
	wish.count = argc - optind == 2 ? argv[optind + 1] : NULL;
	if (wish.count && parse_count("N", wish.count, &permits))
		return STATUS_USAGE;
	if (permits > UINT32_MAX)
		return say_usage("%s permits are more than any semaphore can hold", wish.count);
	wish.permits = (uint32_t)permits;
	return post(&wish);
}

const struct verb verb_post = {
	.name = "post",
	.summary = "give permits to a semaphore, or set an event",
	.help = help,
	.run = run,
};
