/* SPDX-License-Identifier: Apache-2.0 */
#include "show_lock.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include <nonet/inspect.h>

#include "objects.h"
#include "output.h"
#include "say.h"
#include "verb.h"

/* A process calls itself what it likes. */
#define NAME_TEXT sizeof(((struct nonet_inspect_holder *)NULL)->name)

static const char *name_text(const struct nonet_inspect_holder *holder, char text[NAME_TEXT])
{
	size_t i;

	for (i = 0; holder->name[i]; i++)
		text[i] = holder->name[i] >= ' ' && holder->name[i] <= '~' ? holder->name[i] : '?';
	text[i] = '\0';
	return text;
}

static json_t *name_json(const struct nonet_inspect_holder *holder)
{
	char text[NAME_TEXT];
	json_t *json = json_string(holder->name);

	/* NULL: it isn't UTF-8. */
	return json ? json : json_string(name_text(holder, text));
}

static json_t *holder_json(const struct nonet_inspect_holder *holder)
{
	json_t *json =
		json_pack("{s:s, s:b, s:b, s:I, s:I}", "kind", nonet_scheme_name((enum nonet_scheme)holder->scheme),
			  "waits", holder->waits != 0, "shared", holder->mode == NONET_FILELOCK_SHARED, "start",
			  (json_int_t)holder->start, "length", (json_int_t)holder->length);
	int r = json ? 0 : -1;

	/* Somebody who can't be seen. */
	if (r == 0 && holder->pid != 0)
		r = json_object_set_new(json, "pid", json_integer(holder->pid));
	if (r == 0 && holder->name[0])
		r = json_object_set_new(json, "name", name_json(holder));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static int print_json(const struct nonet_address *address, const struct nonet_inspect_holders *holders)
{
	const struct nonet_inspect_holder *holder;
	json_t *all = json_array();
	size_t i;
	int r = all ? 0 : -1;

	for (i = 0; r == 0 && (holder = nonet_inspect_holders_get(holders, i)); i++)
		r = json_array_append_new(all, holder_json(holder));
	if (r < 0) {
		json_decref(all);
		all = NULL;
	}
	return output_json(json_pack("{s:s, s:s, s:o, s:o}", "address", nonet_address_text(address), "kind",
				     nonet_scheme_name(nonet_address_scheme(address)), "holders", all, "coverage",
				     coverage_json(nonet_inspect_holders_coverage(holders))));
}

static void print_holder(const struct nonet_inspect_holder *holder)
{
	char range[OBJECT_TEXT], name[NAME_TEXT];

	printf("%-8s", holder->waits ? "waiter" : "holder");
	if (holder->pid == 0)
		printf("somebody who can't be seen");
	else
		printf("process %" PRId32, holder->pid);
	if (holder->name[0])
		printf(" (%s)", name_text(holder, name));
	printf(": %s, %s%s\n", nonet_scheme_name((enum nonet_scheme)holder->scheme),
	       holder->mode == NONET_FILELOCK_SHARED ? "shared" : "exclusive",
	       lock_range(holder->start, holder->length, range));
}

static int print_text(const struct nonet_address *address, const struct nonet_inspect_holders *holders)
{
	const struct nonet_inspect_holder *holder;
	size_t i;

	printf("%-8s%s\n", "address", nonet_address_text(address));
	for (i = 0; (holder = nonet_inspect_holders_get(holders, i)); i++)
		print_holder(holder);
	if (i == 0)
		printf(nonet_inspect_holders_coverage(holders)->hidden & NONET_INSPECT_HIDES_OUTSIDE
			       ? "nobody in this PID namespace has it, or waits for it\n"
			       : "nobody has it, or waits for it\n");
	print_coverage(nonet_inspect_holders_coverage(holders));
	return STATUS_DONE;
}

int show_lock(const struct nonet_address *address, int json)
{
	struct nonet_inspect_holders *holders;
	struct nonet_error error;
	int status;

	if (nonet_inspect_holders(nonet_address_text(address), NULL, nonet_after(OBJECTS_PATIENCE), &holders, &error) <
	    0)
		return say_error(&error, NULL);
	status = output_finish_stdio(json ? print_json(address, holders) : print_text(address, holders));
	nonet_inspect_holders_free(holders);
	return status;
}
