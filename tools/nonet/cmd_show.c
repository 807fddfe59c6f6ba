/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>

#include <jansson.h>

#include <nonet/address.h>
#include <nonet/inspect.h>
#include <nonet/semaphore.h>

#include "objects.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "show_channel.h"
#include "show_lock.h"
#include "show_own.h"
#include "suggest.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet show [OPTION]... ADDRESS\n"
	"\n"
	"Print what can be known of one object of interprocess communication without using it: owner, mode, size, "
	"what is\n"
	"queued, how many permits, whether it is set, who has it open, holds it or waits, age; of a channel how much "
	"was\n"
	"published in each lane and how fast, and how far behind each subscriber is.\n"
	"\n"
	"      --interval TIME  channel: between the two looks of which rates are made (200ms by default); 0: look "
	"once\n"
	"      --json           print a JSON object\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet show sysvmsg:0x4e01\n";

/* What an address says an object's is: its key or its id, or else its canonical spelling. */
struct wanted {
	struct nonet_address *address;
	char text[64]; /* instead of the address's own: by the key that PATH#PROJ gives, and without [N] */
	int64_t id;    /* -1: not by the id */
	int64_t index; /* the one of a set; -1: all of it */
};

static int is_wanted(const struct wanted *wanted, const struct nonet_inspect_object *object)
{
	if (wanted->id >= 0)
		return (object->known & NONET_INSPECT_ID) && object->id == wanted->id;
	return strcmp(object->address, wanted->text[0] ? wanted->text : nonet_address_text(wanted->address)) == 0;
}

/* Return: 0, or the exit status. */
static int want(const char *text, struct wanted *ret_wanted)
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_FIFO,      NONET_SCHEME_UNIX,      NONET_SCHEME_POSIXMQ,
						  NONET_SCHEME_POSIXSEM,  NONET_SCHEME_POSIXSHM,  NONET_SCHEME_SYSVMSG,
						  NONET_SCHEME_SYSVSEM,   NONET_SCHEME_SYSVSHM,   NONET_SCHEME_FLOCK,
						  NONET_SCHEME_OFDLOCK,   NONET_SCHEME_POSIXLOCK, NONET_SCHEME_MUTEX,
						  NONET_SCHEME_RWLOCK,    NONET_SCHEME_CONDITION, NONET_SCHEME_EVENT,
						  NONET_SCHEME_SEMAPHORE, NONET_SCHEME_CHANNEL,   0};
	struct wanted wanted = {.id = -1, .index = -1};
	struct nonet_error error;
	const char *scheme;
	int64_t key, project;

	if (suggest_parse(text, takes, &wanted.address, &error) < 0)
		return say_error(&error, text);
	scheme = nonet_scheme_name(nonet_address_scheme(wanted.address));
	(void)!nonet_address_number(wanted.address, NONET_ADDRESS_ID, &wanted.id);
	(void)!nonet_address_number(wanted.address, NONET_ADDRESS_INDEX, &wanted.index);
	if (nonet_address_number(wanted.address, NONET_ADDRESS_PROJECT, &project) == 0) {
		const key_t made = ftok(nonet_address_name(wanted.address, NULL), (int)project);

		if (made == -1) {
			int status = say_failure("there is no %s, of which the key of %s is made",
						 nonet_address_name(wanted.address, NULL), text);

			nonet_address_free(wanted.address);
			return status;
		}
		snprintf(wanted.text, sizeof(wanted.text), "%s:0x%08x", scheme, (unsigned int)made);
	} else if (nonet_address_number(wanted.address, NONET_ADDRESS_KEY, &key) == 0) {
		snprintf(wanted.text, sizeof(wanted.text), "%s:0x%08x", scheme, (unsigned int)key);
	}
	*ret_wanted = wanted;
	return 0;
}

/* The permits of one of a System V set, which is looked at, not used. Return: 0, or -errno. */
static int read_permits(const struct nonet_inspect_object *set, uint64_t index, uint32_t *ret_value)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = NONET_SEMAPHORE_UNFINISHED,
	};
	struct nonet_semaphore *semaphore;
	char address[64];
	int r;

	snprintf(address, sizeof(address), "sysvsem:id=%d[%" PRIu64 "]", set->id, index);
	r = nonet_semaphore_open(address, &options, NONET_NOW, &semaphore, NULL);
	if (r < 0)
		return r;
	r = nonet_semaphore_value(semaphore, ret_value);
	nonet_semaphore_close(semaphore);
	return r;
}

/* Of a large set a person sees the first ones. */
#define PERMITS_SHOWN 16

/* Where they may not be read, there is no row. */
static void print_permits(const struct wanted *wanted, const struct nonet_inspect_object *set)
{
	const uint64_t first = wanted->index < 0 ? 0 : (uint64_t)wanted->index;
	const uint64_t end = wanted->index < 0 ? set->room : first + 1;
	uint32_t value;
	uint64_t i;

	for (i = first; i < end && i < first + PERMITS_SHOWN; i++) {
		if (read_permits(set, i, &value) < 0)
			break;
		printf(i == first ? "%-8s%" PRIu32 : "%s %" PRIu32, i == first ? "permits" : "", value);
	}
	if (i > first)
		printf("%s\n", i < end ? " ..." : "");
}

/* "values" of a set, or "index" and "value" of one. @json is taken. Return: it, or NULL without memory. */
static json_t *add_permits(json_t *json, const struct wanted *wanted, const struct nonet_inspect_object *set)
{
	json_t *values = json && wanted->index < 0 ? json_array() : NULL;
	uint32_t value;
	uint64_t i;
	int r = 0;

	if (!json)
		return NULL;
	if (wanted->index >= 0) {
		r = json_object_set_new(json, "index", json_integer(wanted->index));
		if (r == 0 && read_permits(set, (uint64_t)wanted->index, &value) == 0)
			r = json_object_set_new(json, "value", json_integer(value));
	} else {
		for (i = 0; r == 0 && i < set->room && read_permits(set, i, &value) == 0; i++)
			r = json_array_append_new(values, json_integer(value));
		/* All, or none: one was removed meanwhile, or may not be read. */
		if (r == 0 && i == set->room)
			r = json_object_set(json, "values", values);
	}
	json_decref(values);
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static int print_text(const struct wanted *wanted, const struct nonet_inspect_object *object)
{
	print_object(object);
	if (object->scheme == NONET_SCHEME_SYSVSEM)
		print_permits(wanted, object);
	return STATUS_DONE;
}

static int absent(const struct wanted *wanted, const struct nonet_inspect_list *list)
{
	const enum nonet_scheme scheme = nonet_address_scheme(wanted->address);

	if (scheme == NONET_SCHEME_POSIXMQ && nonet_inspect_get_coverage(list)->no_queues)
		return say_failure("can't look at %s: POSIX queues are shown only where they are mounted (mount -t "
				   "mqueue none /dev/mqueue), or to root",
				   nonet_address_text(wanted->address));
	return say_failure("there is no %s; \"nonet ls %s\" lists those that are", nonet_address_text(wanted->address),
			   nonet_scheme_name(scheme));
}

static int show_object(const struct wanted *wanted, const struct nonet_inspect_object *object, int json)
{
	json_t *told;

	if (wanted->index >= 0 && (uint64_t)wanted->index >= object->room)
		return say_failure("there is no %s: the set has %" PRIu64 " semaphore%s, the last is [%" PRIu64 "]",
				   nonet_address_text(wanted->address), object->room, object->room == 1 ? "" : "s",
				   object->room - 1);
	if (!json)
		return print_text(wanted, object);
	told = object_json(object);
	return output_json(object->scheme == NONET_SCHEME_SYSVSEM ? add_permits(told, wanted, object) : told);
}

struct request {
	int json;
	nonet_time interval; /* a duration; -1: not given */
};

static int show_wanted(const struct wanted *wanted, const struct request *request)
{
	const int json = request->json;
	const enum nonet_scheme scheme = nonet_address_scheme(wanted->address);
	const struct nonet_inspect_object *object;
	struct nonet_inspect_list *list;
	struct nonet_error error;
	int status;
	size_t i;

	if (!object_kinds(nonet_scheme_name(scheme)))
		return say_usage("%s can't be shown: queues, semaphores, nonet's own objects, memory, FIFOs, UNIX "
				 "sockets and locks can",
				 nonet_address_text(wanted->address));
	if (scheme == NONET_SCHEME_CHANNEL)
		return show_channel(wanted->address, json,
				    request->interval < 0 ? SHOW_CHANNEL_INTERVAL : request->interval);
	if (request->interval >= 0)
		return say_usage("--interval is for channel:, not for %s:", nonet_scheme_name(scheme));
	if (object_kinds("domains") & NONET_INSPECT_SCHEME(scheme))
		return show_own(wanted->address, json);
	if (scheme == NONET_SCHEME_OFDLOCK || scheme == NONET_SCHEME_POSIXLOCK || scheme == NONET_SCHEME_FLOCK)
		return show_lock(wanted->address, json);
	if (nonet_inspect_objects(NONET_INSPECT_SCHEME(scheme), nonet_after(OBJECTS_PATIENCE), &list, &error) < 0)
		return say_error(&error, NULL);
	for (i = 0; (object = nonet_inspect_get(list, i)) && !is_wanted(wanted, object); i++)
		;
	if (!object)
		status = absent(wanted, list);
	else
		status = output_finish_stdio(show_object(wanted, object, json));
	nonet_inspect_free(list);
	return status;
}

enum {
	OPTION_INTERVAL = PARSE_LONG,
	OPTION_JSON,
};

static const struct option options[] = {
	{"help", no_argument, NULL, PARSE_HELP},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"json", no_argument, NULL, OPTION_JSON},
	{NULL, 0, NULL, 0},
};

static int take_option(int option, void *argument)
{
	struct request *request = argument;

	if (option == OPTION_INTERVAL)
		return parse_duration("--interval", optarg, &request->interval);
	request->json = 1;
	return 0;
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":h", .table = options, .take = take_option};
	struct request request = {.interval = -1};
	struct wanted wanted;
	int status;

	if (!verb_read_options(&verb_show, &all, argc, argv, &request, &status))
		return status;
	if (optind + 1 != argc)
		return say_usage("needs one address, for example posixshm:/frames: nonet show ADDRESS");
	status = want(argv[optind], &wanted);
	if (status)
		return status;
	status = show_wanted(&wanted, &request);
	nonet_address_free(wanted.address);
	return status;
}

const struct verb verb_show = {
	.name = "show",
	.summary = "show one object: owner, mode, size, what is queued, age",
	.help = help,
	.run = run,
};
