/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include <nonet/inspect.h>

#include "objects.h"
#include "output.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet ls [--json] [KIND]...\n"
	"\n"
	"List the objects of interprocess communication on this machine, whoever made them, each by an address that "
	"the\n"
	"other verbs take. KIND: queues, semaphores, memory, fifos, sockets, locks, domains, or a scheme such as "
	"posixmq; "
	"without one\n"
	"all of them. What couldn't be looked at is said below the table.\n"
	"\n"
	"      --json           print a JSON object\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet ls queues\n";

static int print_json(const struct nonet_inspect_list *list)
{
	json_t *objects = json_array(), *all;
	const struct nonet_inspect_object *object;
	size_t i;
	int r = 0;

	for (i = 0; (object = nonet_inspect_get(list, i)) && r == 0; i++)
		r = json_array_append_new(objects, object_json(object));
	all = json_pack("{s:o, s:o, s:o}", "objects", objects, "domains", domains_json(list), "coverage",
			coverage_json(nonet_inspect_get_coverage(list)));
	if (r < 0) {
		json_decref(all);
		all = NULL;
	}
	return output_json(all);
}

static const struct {
	const char *name;
	int flags;
	const char *(*text)(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
} columns[] = {
	{"ADDRESS", SCOLS_FL_NOEXTREMES, NULL},
	{"OWNER", 0, object_owner},
	{"MODE", 0, object_mode},
	{"SIZE", SCOLS_FL_RIGHT, object_size},
	{"QUEUED", SCOLS_FL_RIGHT, object_queued},
	{"AGE", SCOLS_FL_RIGHT, object_age},
	{"NOTES", 0, object_notes},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int add_line(struct libscols_table *table, const struct nonet_inspect_object *object)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[OBJECT_TEXT];
	size_t i;
	int r;

	if (!line)
		return -1;
	r = scols_line_set_data(line, 0, object->address);
	for (i = 1; i < COLUMNS && r == 0; i++)
		r = scols_line_set_data(line, i, columns[i].text(object, text));
	return r;
}

static int print_table(const struct nonet_inspect_list *list, int with_domains)
{
	struct libscols_table *table = scols_new_table();
	const struct nonet_inspect_object *object;
	size_t i;
	int r = table ? 0 : -1;

	/* No blank where the last column is empty. */
	if (r == 0)
		r = scols_table_enable_minout(table, 1);
	for (i = 0; i < COLUMNS && r == 0; i++)
		r = scols_table_new_column(table, columns[i].name, 0, columns[i].flags) ? 0 : -1;
	for (i = 0; r == 0 && (object = nonet_inspect_get(list, i)); i++)
		r = add_line(table, object);
	if (r == 0 && nonet_inspect_count(list) > 0)
		r = output_table(table);
	scols_unref_table(table);
	if (r < 0)
		return say_failure("no memory is left");
	if (nonet_inspect_count(list) == 0)
		printf("there are none\n");
	if (with_domains)
		print_domains(list);
	print_coverage(nonet_inspect_get_coverage(list));
	return STATUS_DONE;
}

static int list_objects(uint64_t kinds, int json)
{
	struct nonet_inspect_list *list;
	struct nonet_error error;
	int status;

	if (nonet_inspect_objects(kinds, nonet_after(OBJECTS_PATIENCE), &list, &error) < 0)
		return say_error(&error, NULL);
	status = output_finish_stdio(json ? print_json(list)
					  : print_table(list, (~kinds & object_kinds("domains")) == 0));
	nonet_inspect_free(list);
	return status;
}

static const char *nearest_scheme(const char *word)
{
	const char *names[NONET_SCHEME_LOG + 1], *name;
	size_t i, count = 0;

	for (i = 1; i <= NONET_SCHEME_LOG && (name = nonet_scheme_name((enum nonet_scheme)i)); i++)
		if (object_kinds(name))
			names[count++] = name;
	names[count] = NULL;
	return verb_nearest(word, names);
}

static int unknown_kind(const char *word)
{
	const char *nearest = verb_nearest(word, object_words);

	if (!nearest)
		nearest = nearest_scheme(word);
	if (nearest)
		return say_usage("there is no kind \"%s\": did you mean \"%s\"?", word, nearest);
	return say_usage("there is no kind \"%s\": write queues, semaphores, memory, fifos, sockets, locks or domains",
			 word);
}

static int run(int argc, char *argv[])
{
	uint64_t kinds = 0;
	int status, json = 0;

	if (!verb_read_options(&verb_ls, &verb_options_json, argc, argv, &json, &status))
		return status;
	for (; optind < argc; optind++) {
		uint64_t kind = object_kinds(argv[optind]);

		if (kind == 0)
			return unknown_kind(argv[optind]);
		kinds |= kind;
	}
	return list_objects(kinds ? kinds : NONET_INSPECT_ALL, json);
}

const struct verb verb_ls = {
	.name = "ls",
	.summary = "list queues, semaphores, memory, FIFOs, sockets and locks",
	.help = help,
	.run = run,
};
