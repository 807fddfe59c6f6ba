/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>

void prove_table_add(json_t *list, const char *operation, int row, const struct prove_tally *tally, nonet_time time)
{
	json_t *entry;

	entry = json_pack("{s:s, s:i, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "operation", operation, "row",
			  row, "points", (json_int_t)atomic_load(&tally->points), "failures",
			  (json_int_t)atomic_load(&tally->failures), "mutants", 0, "mutants_caught", 0, "states",
			  (json_int_t)atomic_load(&tally->states), "instructions",
			  (json_int_t)atomic_load(&tally->instructions), "distinct",
			  (json_int_t)atomic_load(&tally->distinct), "astray", (json_int_t)atomic_load(&tally->astray),
			  "worst_us", (json_int_t)(atomic_load(&tally->worst) / NONET_US(1)), "milliseconds",
			  (json_int_t)(time / NONET_MS(1)));
	if (!entry || json_array_append_new(list, entry) < 0)
		prove_broken("no memory");
}

/* A number of the entry; a row that another program told has only some. */
static void cell(struct libscols_line *line, size_t column, const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);
	char text[32];

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "-");
	if (scols_line_set_data(line, column, text) < 0)
		prove_broken("no memory");
}

static void mutants(struct libscols_line *line, size_t column, const json_t *entry)
{
	char text[64];
	long long planted = json_integer_value(json_object_get(entry, "mutants"));
	long long caught = json_integer_value(json_object_get(entry, "mutants_caught"));

	if (planted)
		snprintf(text, sizeof(text), "%lld of %lld", caught, planted);
	else
		snprintf(text, sizeof(text), "-");
	if (scols_line_set_data(line, column, text) < 0)
		prove_broken("no memory");
}

int prove_table_print(json_t *list)
{
	static const char *const keys[] = {"row",    "states",   "instructions", "distinct",
					   "points", "failures", "worst_us",     "milliseconds"};
	static const char *const titles[] = {"ROW",    "STATES",   "INSTRUCTIONS", "DISTINCT",
					     "POINTS", "FAILURES", "WORST-US",     "MS"};
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	struct libscols_table *table;
	struct libscols_line *line;
	const char *name;
	json_t *entry;
	size_t index;

	if (!json_is_array(list))
		return -1;
	scols_init_debug(0);
	table = scols_new_table();
	if (!table || !scols_table_new_column(table, "OPERATION", 0, 0))
		prove_broken("no memory");
	for (size_t i = 0; i < count; i++)
		if (!scols_table_new_column(table, titles[i], 0, SCOLS_FL_RIGHT))
			prove_broken("no memory");
	if (!scols_table_new_column(table, "MUTANTS", 0, SCOLS_FL_RIGHT))
		prove_broken("no memory");
	json_array_foreach(list, index, entry)
	{
		line = scols_table_new_line(table, NULL);
		name = json_string_value(json_object_get(entry, "operation"));
		if (!line || scols_line_set_data(line, 0, name ? name : "?") < 0)
			prove_broken("no memory");
		for (size_t i = 0; i < count; i++)
			cell(line, i + 1, entry, keys[i]);
		mutants(line, count + 1, entry);
	}
	scols_print_table(table);
	scols_unref_table(table);
	return 0;
}
