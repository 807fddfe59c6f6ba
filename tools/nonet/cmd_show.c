/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>

#include <jansson.h>

#include <nonet/address.h>
#include <nonet/inspect.h>

#include "objects.h"
#include "output.h"
#include "say.h"
#include "show_lock.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet show [--json] ADDRESS\n"
	"\n"
	"Print what can be known of one object of interprocess communication without using it: owner, mode, size, "
	"what is\n"
	"queued, who has it open or holds it, age.\n"
	"\n"
	"      --json           print a JSON object\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet show sysvmsg:0x4e01\n";

/* What an address says an object's is: its key or its id, or else its canonical spelling. */
struct wanted {
	struct nonet_address *address;
	char text[64]; /* instead of the address's own: by the key that PATH#PROJ gives, and without [N] */
	int64_t id;    /* -1: not by the id */
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
	struct wanted wanted = {.id = -1};
	struct nonet_error error;
	const char *scheme;
	int64_t key, project;

	if (nonet_address_parse(text, &wanted.address, &error) < 0)
		return say_error(&error, text);
	scheme = nonet_scheme_name(nonet_address_scheme(wanted.address));
	(void)!nonet_address_number(wanted.address, NONET_ADDRESS_ID, &wanted.id);
	if (nonet_address_number(wanted.address, NONET_ADDRESS_PROJECT, &project) == 0) {
		const key_t made = ftok(nonet_address_name(wanted.address, NULL), (int)project);

		if (made == -1) {
			int status = say_failure("there is no %s, of which the key of %s is made",
						 nonet_address_name(wanted.address, NULL), text);

			nonet_address_free(wanted.address);
			return status;
		}
		snprintf(wanted.text, sizeof(wanted.text), "%s:%u", scheme, (unsigned int)made);
	} else if (nonet_address_number(wanted.address, NONET_ADDRESS_KEY, &key) == 0) {
		snprintf(wanted.text, sizeof(wanted.text), "%s:%u", scheme, (unsigned int)key);
	}
	*ret_wanted = wanted;
	return 0;
}

static const struct {
	const char *name;
	const char *(*text)(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
} rows[] = {
	{"owner", object_owner},   {"mode", object_mode}, {"size", object_size},
	{"queued", object_queued}, {"age", object_age},   {"notes", object_notes},
};

static int print_object(const struct nonet_inspect_object *object)
{
	char text[OBJECT_TEXT];
	size_t i;

	printf("%-8s%s\n", "address", object->address);
	if (object->known & NONET_INSPECT_ID)
		printf("%-8s%d\n", "id", object->id);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (*rows[i].text(object, text))
			printf("%-8s%s\n", rows[i].name, text);
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

static int show_wanted(const struct wanted *wanted, int json)
{
	const enum nonet_scheme scheme = nonet_address_scheme(wanted->address);
	const struct nonet_inspect_object *object;
	struct nonet_inspect_list *list;
	struct nonet_error error;
	int status;
	size_t i;

	if (!object_kinds(nonet_scheme_name(scheme)))
		return say_failure("%s isn't something that is listed: \"nonet help ls\" says what is",
				   nonet_address_text(wanted->address));
	if (scheme == NONET_SCHEME_OFDLOCK || scheme == NONET_SCHEME_POSIXLOCK || scheme == NONET_SCHEME_FLOCK)
		return show_lock(wanted->address, json);
	if (nonet_inspect_objects(NONET_INSPECT_SCHEME(scheme), nonet_after(OBJECTS_PATIENCE), &list, &error) < 0)
		return say_error(&error, NULL);
	for (i = 0; (object = nonet_inspect_get(list, i)) && !is_wanted(wanted, object); i++)
		;
	if (!object)
		status = absent(wanted, list);
	else
		status = output_finish_stdio(json ? output_json(object_json(object)) : print_object(object));
	nonet_inspect_free(list);
	return status;
}

static int run(int argc, char *argv[])
{
	struct wanted wanted;
	int status, json = 0;

	if (!verb_read_options(&verb_show, &verb_options_json, argc, argv, &json, &status))
		return status;
	if (optind + 1 != argc)
		return say_usage("needs one address, for example posixshm:/frames: nonet show ADDRESS");
	status = want(argv[optind], &wanted);
	if (status)
		return status;
	status = show_wanted(&wanted, json);
	nonet_address_free(wanted.address);
	return status;
}

const struct verb verb_show = {
	.name = "show",
	.summary = "show one object: owner, mode, size, what is queued, age",
	.help = help,
	.run = run,
};
