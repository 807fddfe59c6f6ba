/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor_print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include "fold.h"
#include "output.h"
#include "say.h"
#include "verb.h"

static const char *const levels[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_UNKNOWN] = "unknown",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_PROBLEM] = "problem",
};

/* Lines are for reading: no wider than that, and no narrower than what is left beside the names of checks. */
#define WIDTH_DEFAULT 80
#define WIDTH_MAX     100
#define TEXT_MIN      30

static size_t width_of_output(const struct libscols_table *table)
{
	size_t width = isatty(STDOUT_FILENO) ? scols_table_get_termwidth(table) : WIDTH_DEFAULT;

	return width < WIDTH_MAX ? width : WIDTH_MAX;
}

/*
 * How much of a command goes on a line of at most @width columns: it ends at a blank, but not inside of quotes, where a
 * shell would keep what is put in. Where there is none, all up to the first.
 */
static size_t line_of(const char *command, size_t width)
{
	size_t at, last = 0;
	char quote = '\0';

	if (strlen(command) <= width)
		return strlen(command);
	for (at = 0; command[at] && (at <= width || last == 0); at++) {
		if (quote && command[at] == quote)
			quote = '\0';
		else if (!quote && (command[at] == '\'' || command[at] == '"'))
			quote = command[at];
		else if (!quote && command[at] == ' ')
			last = at;
	}
	return last > 0 ? last : at;
}

/*
 * Unlike fold_text(): all lines but the last end with the backslash that makes a shell take them for one, so that what
 * is copied from the table is the command.
 */
static void print_command(FILE *file, const char *command, size_t width)
{
	static const char mend[] = "mend: ";
	size_t size, room = width - strlen(mend);

	fprintf(file, "\n%s", mend);
	for (;;) {
		size = line_of(command, strlen(command) > room ? room - strlen(" \\") : room);
		fwrite(command, 1, size, file);
		command += size;
		command += strspn(command, " ");
		if (!*command)
			return;
		fprintf(file, " \\\n%*s", (int)strlen(mend), "");
	}
}

/* What was found, what it means, and what mends it, each from a new line on. The caller frees it; NULL: no memory. */
static char *text_of(const struct doctor_finding *finding, size_t width, int is_last)
{
	char sentences[sizeof(finding->found) + sizeof(finding->means) + 2], folded[2 * sizeof(sentences)],
		*text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	snprintf(sentences, sizeof(sentences), "%s.%s%s", finding->found, finding->means[0] ? "\n" : "",
		 finding->means);
	fold_text(sentences, width, folded, sizeof(folded));
	fputs(folded, file);
	if (finding->mend[0])
		print_command(file, finding->mend, width);
	if (!is_last && finding->means[0])
		fputs("\n ", file); /* space between them; an empty line would be dropped */
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

enum column {
	COLUMN_LEVEL,
	COLUMN_CHECK,
	COLUMN_TEXT,
	COLUMNS,
};

static int add_columns(struct libscols_table *table)
{
	static const char *const names[COLUMNS] = {"LEVEL", "CHECK", "FOUND, WHAT IT MEANS, WHAT MENDS IT"};
	struct libscols_column *column = NULL;
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		column = scols_table_new_column(table, names[i], 0, i == COLUMN_TEXT ? SCOLS_FL_WRAP : 0);
		if (!column)
			return -1;
	}
	if (scols_column_set_wrapfunc(column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL) < 0)
		return -1;
	return scols_column_set_safechars(column, "\n");
}

static int add_line(struct libscols_table *table, const struct doctor_result *result, size_t width, int is_last)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	enum doctor_level level = result->finding.level;
	char *text;
	int r;

	if (!line)
		return -1;
	r = scols_line_set_data(line, COLUMN_LEVEL, levels[level]);
	if (r == 0)
		r = scols_line_set_data(line, COLUMN_CHECK, result->check->name);
	text = text_of(&result->finding, width, is_last);
	if (r == 0)
		r = text ? scols_line_refer_data(line, COLUMN_TEXT, text) : -1;
	if (r < 0)
		free(text);
	else if (say_in_color(STDOUT_FILENO) && level != DOCTOR_NOTE)
		r = scols_line_set_color(line, level == DOCTOR_PROBLEM ? "\033[31m" : "\033[2m");
	return r;
}

static size_t count_level(const struct doctor_result *results, size_t count, enum doctor_level level)
{
	size_t i, found = 0;

	for (i = 0; i < count; i++)
		found += results[i].finding.level == level;
	return found;
}

static void print_count(const struct doctor_result *results, size_t shown, size_t count)
{
	size_t problems = count_level(results, count, DOCTOR_PROBLEM), notes = count_level(results, count, DOCTOR_NOTE);
	size_t unknown = count_level(results, count, DOCTOR_UNKNOWN), fine = count_level(results, count, DOCTOR_OK);

	printf("%s%zu problem%s, %zu note%s, ", shown ? "\n" : "", problems, problems == 1 ? "" : "s", notes,
	       notes == 1 ? "" : "s");
	if (unknown)
		printf("%zu couldn't be looked at, ", unknown);
	printf("%zu fine%s\n", fine, shown < count ? " (--all shows them)" : "");
}

/* The columns before the text: the widest cell of each, and a blank. */
static size_t width_before(const struct doctor_result *results, size_t count)
{
	size_t i, level = strlen("LEVEL"), check = strlen("CHECK"), size;

	for (i = 0; i < count; i++) {
		size = strlen(levels[results[i].finding.level]);
		level = size > level ? size : level;
		size = strlen(results[i].check->name);
		check = size > check ? size : check;
	}
	return level + 1 + check + 1;
}

int doctor_print_table(const struct doctor_result *results, size_t shown, size_t count)
{
	struct libscols_table *table = scols_new_table();
	size_t i, before = width_before(results, shown), width = table ? width_of_output(table) : 0;
	int r;

	width = width > before + TEXT_MIN ? width - before : TEXT_MIN;
	r = table ? add_columns(table) : -1;
	for (i = 0; i < shown && r == 0; i++)
		r = add_line(table, &results[i], width, i + 1 == shown);
	if (r == 0 && say_in_color(STDOUT_FILENO))
		r = scols_table_enable_colors(table, 1);
	if (r == 0 && shown > 0)
		r = output_table(table);
	scols_unref_table(table);
	if (r < 0)
		return say_failure("no memory is left");
	print_count(results, shown, count);
	return STATUS_DONE;
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* Takes @list. */
static int print_list(json_t *list, int r)
{
	if (r < 0) {
		json_decref(list);
		list = NULL;
	}
	return output_json(list);
}

int doctor_print_json(const struct doctor_result *results, size_t count)
{
	json_t *list = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < count && r == 0; i++)
		r = json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "check", results[i].check->name, "group",
					results[i].group, "level", levels[results[i].finding.level], "found",
					results[i].finding.found, "means", text_or_null(results[i].finding.means),
					"mend", text_or_null(results[i].finding.mend)));
	return print_list(list, r);
}

static int print_list_json(const struct doctor_result *results, size_t count)
{
	json_t *list = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < count && r == 0; i++)
		r = json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "check", results[i].check->name, "group",
							  results[i].group, "about", results[i].check->about));
	return print_list(list, r);
}

int doctor_print_list(const struct doctor_result *results, size_t count, int json)
{
	static const char *const names[] = {"GROUP", "CHECK", "LOOKS AT"};
	struct libscols_table *table;
	struct libscols_line *line;
	size_t i;
	int r;

	if (json)
		return print_list_json(results, count);
	table = scols_new_table();
	r = table ? 0 : -1;
	for (i = 0; i < 3 && r == 0; i++)
		r = scols_table_new_column(table, names[i], 0, 0) ? 0 : -1;
	for (i = 0; i < count && r == 0; i++) {
		line = scols_table_new_line(table, NULL);
		r = line ? scols_line_set_data(line, 0, results[i].group) : -1;
		if (r == 0)
			r = scols_line_set_data(line, 1, results[i].check->name);
		if (r == 0)
			r = scols_line_set_data(line, 2, results[i].check->about);
	}
	if (r == 0)
		r = output_table(table);
	scols_unref_table(table);
	return r < 0 ? say_failure("no memory is left") : STATUS_DONE;
}
