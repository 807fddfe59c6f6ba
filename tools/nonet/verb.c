/* SPDX-License-Identifier: Apache-2.0 */
#include "verb.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "parse.h"
#include "say.h"

const struct verb *const verbs[] = {
	&verb_tour, &verb_send,   &verb_recv,   &verb_tap,     &verb_call,   &verb_reply,  &verb_wait,
	&verb_lock, &verb_post,   &verb_signal, &verb_stop,    &verb_create, &verb_remove, &verb_ls,
	&verb_show, &verb_doctor, &verb_bench,  &verb_version, &verb_help,   NULL,
};

int verb_sigpipe_was_ignored;

/* Words longer than this are nobody's slip of the finger. */
#define WORD_MAX 31

const struct verb *verb_find(const char *name)
{
	size_t i;

	for (i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* The edit distance of Levenshtein, and a swap of neighbours counts as one: "sned" is as near to "send" as "sen". */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t i, j, a_size = strlen(a), b_size = strlen(b);

	if (a_size > WORD_MAX || b_size > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= b_size; j++)
		above[j] = j;
	for (i = 1; i <= a_size; i++) {
		row[0] = i;
		for (j = 1; j <= b_size; j++) {
			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_size];
}

const char *verb_nearest(const char *word, const char *const *candidates)
{
	const char *nearest = NULL;
	size_t i, d, best = 3; /* from three slips on it's another word */

	for (i = 0; candidates[i]; i++) {
		if (word[0] && strncmp(candidates[i], word, strlen(word)) == 0)
			return candidates[i];
		d = distance(word, candidates[i]);
		if (d < best && d < strlen(candidates[i])) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}

int verb_unknown(const char *name)
{
	const char *names[sizeof(verbs) / sizeof(verbs[0])], *nearest;
	size_t i;

	for (i = 0; verbs[i]; i++)
		names[i] = verbs[i]->name;
	names[i] = NULL;
	nearest = verb_nearest(name, names);
	if (nearest)
		return say_usage("there is no verb \"%s\": did you mean \"%s\"?", name, nearest);
	return say_usage("there is no verb \"%s\": \"nonet help\" lists them", name);
}

int verb_read_options(const struct verb *verb, const struct verb_options *options, int argc, char *argv[],
		      void *request, int *ret_status)
{
	int option, status = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, options->letters, options->table, NULL)) != -1) {
		if (option == 'h' || option == PARSE_HELP) {
			fputs(verb->help, stdout);
			*ret_status = output_finish_stdio(STATUS_DONE);
			return 0;
		}
		if (option == '?' || option == ':')
			status = parse_complain(option, argv, options->table);
		else
			status = options->take(option, request);
		if (status) {
			*ret_status = status;
			return 0;
		}
	}
	return 1;
}

static const struct option only_json[] = {
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, PARSE_LONG},
	{NULL, 0, NULL, 0},
};

static int take_json(int option, void *request)
{
	(void)option;
	*(int *)request = 1;
	return 0;
}

const struct verb_options verb_options_json = {.letters = ":h", .table = only_json, .take = take_json};
