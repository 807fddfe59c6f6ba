/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include "fold.h"
#include "output.h"
#include "play.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet tour [--json]\n"
	"\n"
	"Have two real processes play each mechanism on this host, and print what they exchanged, how long a message "
	"of\n"
	"64 bytes took one way, how many came per second, and what nonet's rules showed; and, with a +, what is "
	"nonet's own.\n"
	"Takes a few seconds.\n"
	"\n"
	"      --json           print a JSON array, of the nine mechanisms of the kernel\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet tour\n";

struct player {
	const char *mechanism;
	play_function *play;
};

static const struct player players[] = {
	{"signals", play_signals},       {"pipes", play_pipes},
	{"message queues", play_queues}, {"semaphores", play_semaphores},
	{"shared memory", play_memory},  {"sockets", play_sockets},
	{"file locks", play_filelocks},  {"memory-mapped files", play_mapfiles},
	{"UNIX sockets", play_unix},     {"+ mutual exclusion", play_mutexes},
};

#define PLAYERS (sizeof(players) / sizeof(players[0]))

/* The kernel's mechanisms come first. The JSON has these alone: who reads it counts on the nine. */
#define KERNELS 9

/* What a player found. */
struct result {
	struct score score;
	int ok;
};

static void play_one(const struct player *player, struct result *ret_result)
{
	struct score score = {.p50 = -1, .p99 = -1, .messages_per_s = -1};

	ret_result->ok = player->play(&score) == 0;
	ret_result->score = score;
}

static json_t *integer_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer((json_int_t)value);
}

static json_t *result_json(const struct player *player, const struct result *result)
{
	const struct score *score = &result->score;
	char notes[sizeof(score->exchanged) + sizeof(score->rules)] = "", detail[2 * sizeof(notes)], *to = detail;
	const char *from;

	if (score->exchanged[0])
		play_note(notes, sizeof(notes), "%s", score->exchanged);
	play_note(notes, sizeof(notes), "%s", score->rules);
	for (from = notes; *from; from++) {
		if (*from == '\n') {
			*to++ = ';';
			*to++ = ' ';
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:s}", "mechanism", player->mechanism, "ok", result->ok, "p50_ns",
			 integer_or_null(score->p50), "p99_ns", integer_or_null(score->p99), "messages_per_s",
			 integer_or_null((int64_t)score->messages_per_s), "detail", detail);
}

static int print_json(const struct result *results)
{
	json_t *list = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < KERNELS && r == 0; i++)
		r = json_array_append_new(list, result_json(&players[i], &results[i]));
	if (r < 0) {
		json_decref(list);
		list = NULL;
	}
	return output_json(list);
}

enum column {
	COLUMN_MECHANISM,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_RATE,
	COLUMN_EXCHANGED,
	COLUMN_RULES,
	COLUMNS,
};

static const struct {
	const char *name;
	double width; /* as scols_table_new_column() wants it */
	int flags;
} columns[COLUMNS] = {
	[COLUMN_MECHANISM] = {"MECHANISM", 0, 0},
	[COLUMN_P50] = {"P50", 0, SCOLS_FL_RIGHT},
	[COLUMN_P99] = {"P99", 0, SCOLS_FL_RIGHT},
	[COLUMN_RATE] = {"MESSAGES/S", 0, SCOLS_FL_RIGHT},
	[COLUMN_EXCHANGED] = {"EXCHANGED", 0, SCOLS_FL_WRAP},
	[COLUMN_RULES] = {"WHAT THE RULES SHOWED", 0, SCOLS_FL_WRAP},
};

/* What the columns of figures take, with a blank behind each. */
#define FIGURES_WIDTH 47

/*
 * How wide the one column is to be that has the notes of both, where a terminal is too narrow for two; else 0. The
 * second of the two isn't there then.
 */
static size_t narrow_width(const struct libscols_table *table, const struct result *results)
{
	size_t width = scols_table_get_termwidth(table), exchanged = 0, rules = 0, i;

	for (i = 0; i < PLAYERS; i++) {
		const struct score *score = &results[i].score;

		exchanged = fold_width(score->exchanged) > exchanged ? fold_width(score->exchanged) : exchanged;
		rules = fold_width(score->rules) > rules ? fold_width(score->rules) : rules;
	}
	if (!isatty(STDOUT_FILENO) || FIGURES_WIDTH + exchanged + 1 + rules <= width)
		return 0;
	return width > FIGURES_WIDTH + 20 ? width - FIGURES_WIDTH : 20;
}

static int add_columns(struct libscols_table *table, size_t narrow)
{
	struct libscols_column *column;
	size_t i;

	for (i = 0; i < COLUMNS - (narrow > 0); i++) {
		column = scols_table_new_column(
			table, narrow && i == COLUMN_EXCHANGED ? "EXCHANGED, AND THE RULES" : columns[i].name,
			columns[i].width, columns[i].flags);
		if (!column)
			return -1;
		if (!(columns[i].flags & SCOLS_FL_WRAP))
			continue;
		/* between the notes, instead of in the middle of a word */
		if (scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL) < 0 ||
		    scols_column_set_safechars(column, "\n") < 0)
			return -1;
	}
	return 0;
}

static int add_notes(struct libscols_line *line, const struct score *score, size_t narrow)
{
	char notes[sizeof(score->exchanged) + sizeof(score->rules)] = "", folded[2 * sizeof(notes)];
	int r;

	if (narrow > 0) {
		if (score->exchanged[0])
			play_note(notes, sizeof(notes), "%s", score->exchanged);
		play_note(notes, sizeof(notes), "%s", score->rules);
		fold_text(notes, narrow, folded, sizeof(folded));
		return scols_line_set_data(line, COLUMN_EXCHANGED, folded);
	}
	r = scols_line_set_data(line, COLUMN_EXCHANGED, score->exchanged);
	return r == 0 ? scols_line_set_data(line, COLUMN_RULES, score->rules) : r;
}

static int add_line(struct libscols_table *table, const struct player *player, const struct result *result,
		    size_t narrow)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const struct score *score = &result->score;
	char rate[32];
	int r;

	if (!line)
		return -1;
	r = scols_line_set_data(line, COLUMN_MECHANISM, player->mechanism);
	if (r == 0 && score->p50 >= 0)
		r = scols_line_set_data(line, COLUMN_P50, PLAY_DURATION(score->p50));
	if (r == 0 && score->p99 >= 0)
		r = scols_line_set_data(line, COLUMN_P99, PLAY_DURATION(score->p99));
	snprintf(rate, sizeof(rate), "%.0f", score->messages_per_s);
	if (r == 0 && score->messages_per_s >= 0)
		r = scols_line_set_data(line, COLUMN_RATE, rate);
	if (r == 0)
		r = add_notes(line, score, narrow);
	if (r == 0 && say_in_color(STDOUT_FILENO))
		r = scols_line_set_color(line, result->ok ? NULL : "\033[31m");
	return r;
}

static int print_table(const struct result *results)
{
	struct libscols_table *table = scols_new_table();
	const size_t narrow = table ? narrow_width(table, results) : 0;
	size_t i;
	int r;

	r = table ? add_columns(table, narrow) : -1;
	for (i = 0; i < PLAYERS && r == 0; i++)
		r = add_line(table, &players[i], &results[i], narrow);
	if (r == 0 && say_in_color(STDOUT_FILENO))
		r = scols_table_enable_colors(table, 1);
	if (r == 0)
		r = output_table(table);
	scols_unref_table(table);
	return r < 0 ? say_failure("no memory is left") : STATUS_DONE;
}

static int tour(int json)
{
	struct result results[PLAYERS];
	int status, failed = 0;
	size_t i;

	for (i = 0; i < (json ? KERNELS : PLAYERS); i++) {
		play_one(&players[i], &results[i]);
		failed |= !results[i].ok;
	}
	status = output_finish_stdio(json ? print_json(results) : print_table(results));
	return status == STATUS_DONE && failed ? STATUS_FAILED : status;
}

static int run(int argc, char *argv[])
{
	int json = 0, status;

	if (!verb_read_options(&verb_tour, &verb_options_json, argc, argv, &json, &status))
		return status;
	if (optind < argc)
		return say_usage("takes no argument: \"%s\" is one too many", argv[optind]);
	return tour(json);
}

const struct verb verb_tour = {
	.name = "tour",
	.summary = "have real processes play every mechanism on this host",
	.help = help,
	.run = run,
};
