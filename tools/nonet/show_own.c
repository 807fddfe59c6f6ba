/* SPDX-License-Identifier: Apache-2.0 */
#include "show_own.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include <nonet/inspect.h>

#include "objects.h"
#include "output.h"
#include "say.h"
#include "verb.h"

/* A process calls itself what it likes. */
const char *show_name(const char name[SHOW_NAME], char text[SHOW_NAME])
{
	size_t i;

	for (i = 0; i + 1 < SHOW_NAME && name[i]; i++)
		text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	text[i] = '\0';
	return text;
}

static const char *what(const struct nonet_inspect_member *member)
{
	return member->flags & NONET_INSPECT_HOLDS ? "holder" : member->flags & NONET_INSPECT_WAITS ? "waiter" : "open";
}

static void print_member(const struct nonet_inspect_member *member)
{
	char name[SHOW_NAME], age[OBJECT_TEXT];

	printf("%-8s", what(member));
	if (member->flags & NONET_INSPECT_DEAD && member->permits) {
		printf("the dead: %" PRIu32 " permit%s, free for whoever asks\n", member->permits,
		       member->permits == 1 ? "" : "s");
		return;
	}
	if (member->flags & NONET_INSPECT_DEAD) {
		printf("one who died: the next to lock it is told\n");
		return;
	}
	if (!member->pid)
		printf("a process of another PID namespace");
	else if (member->thread && member->thread != member->pid)
		printf("process %" PRId32 ", thread %" PRId32, member->pid, member->thread);
	else
		printf("process %" PRId32, member->pid);
	printf(" (%s)", show_name(member->name, name));
	if (member->permits)
		printf(", %" PRIu32 " permit%s", member->permits, member->permits == 1 ? "" : "s");
	if (member->since)
		printf(member->flags & NONET_INSPECT_HOLDS   ? ", for %s or longer"
		       : member->flags & NONET_INSPECT_WAITS ? ", for %s"
							     : ", in the domain for %s",
		       age_text(member->since, age));
	putchar('\n');
}

/* To the microsecond, for who compares it with a log. */
static void print_operation(const struct nonet_inspect_operation *operation)
{
	const time_t seconds = (time_t)(operation->when / NONET_S(1));
	char text[32] = "?";
	struct tm parts;

	if (localtime_r(&seconds, &parts))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
	printf("%-8s%s.%06" PRId64 " process %" PRId32 " %s\n", "did", text, operation->when % NONET_S(1) / NONET_US(1),
	       operation->pid, operation->what);
}

static json_t *member_json(const struct nonet_inspect_member *member)
{
	char name[SHOW_NAME];
	json_t *json = json_pack("{s:s}", "what", what(member));
	int r = json ? 0 : -1;

	if (r == 0 && member->flags & NONET_INSPECT_DEAD)
		r = json_object_set_new(json, "dead", json_true());
	else if (r == 0)
		r = json_object_set_new(json, "name", json_string(show_name(member->name, name))) |
		    json_object_set_new(json, "member", json_integer(member->member));
	if (r == 0 && member->pid)
		r = json_object_set_new(json, "pid", json_integer(member->pid));
	if (r == 0 && member->thread)
		r = json_object_set_new(json, "thread", json_integer(member->thread));
	if (r == 0 && member->permits)
		r = json_object_set_new(json, "permits", json_integer(member->permits));
	if (r == 0 && member->since)
		r = json_object_set_new(json, "since", time_json(member->since));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *operation_json(const struct nonet_inspect_operation *operation)
{
	return json_pack("{s:o, s:I, s:i, s:s}", "when", time_json(operation->when), "when_ns",
			 (json_int_t)operation->when, "pid", operation->pid, "what", operation->what);
}

json_t *show_state_json(const struct nonet_inspect_state *state)
{
	const struct nonet_inspect_member *member;
	const struct nonet_inspect_operation *operation;
	json_t *json = object_json(nonet_inspect_state_object(state)), *members = json_array(), *did = json_array();
	int r = json ? 0 : -1;
	size_t i;

	for (i = 0; r == 0 && (member = nonet_inspect_state_member(state, i)); i++)
		r = json_array_append_new(members, member_json(member));
	for (i = 0; r == 0 && (operation = nonet_inspect_state_operation(state, i)); i++)
		r = json_array_append_new(did, operation_json(operation));
	if (r == 0)
		r = json_object_set(json, "members", members) | json_object_set(json, "trace", did) |
		    json_object_set_new(json, "coverage", coverage_json(nonet_inspect_state_coverage(state)));
	json_decref(members);
	json_decref(did);
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

/* Whether somebody can hold it. */
static int is_held(const struct nonet_inspect_object *object)
{
	return object->scheme == NONET_SCHEME_MUTEX || object->scheme == NONET_SCHEME_RWLOCK ||
	       (object->scheme == NONET_SCHEME_SEMAPHORE && !(object->flags & NONET_INSPECT_SIGNALS));
}

void show_members(const struct nonet_inspect_state *state)
{
	const struct nonet_inspect_object *object = nonet_inspect_state_object(state);
	const struct nonet_inspect_member *member;
	size_t i;

	for (i = 0; (member = nonet_inspect_state_member(state, i)); i++) {
		if (i == 0 && is_held(object) && !(member->flags & NONET_INSPECT_HOLDS))
			printf("%-8snobody\n", "holder");
		print_member(member);
	}
}

static int print_text(const struct nonet_inspect_state *state)
{
	const struct nonet_inspect_operation *operation;
	size_t i;

	print_object(nonet_inspect_state_object(state));
	show_members(state);
	for (i = 0; (operation = nonet_inspect_state_operation(state, i)); i++)
		print_operation(operation);
	print_coverage(nonet_inspect_state_coverage(state));
	return STATUS_DONE;
}

int show_own(const struct nonet_address *address, int json)
{
	struct nonet_inspect_state *state;
	struct nonet_error error;
	int status;

	if (nonet_inspect_state(nonet_address_text(address), NULL, nonet_after(OBJECTS_PATIENCE), &state, &error) < 0)
		return say_error(&error, NULL);
	status = output_finish_stdio(json ? output_json(show_state_json(state)) : print_text(state));
	nonet_inspect_state_free(state);
	return status;
}
