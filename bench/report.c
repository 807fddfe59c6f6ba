/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include <nonet/error.h>
#include <nonet/version.h>

#include "machine.h"

#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown"
#endif

/* Above this share of the CPUs, what others did is told. */
#define REPORT_BUSY 0.03

enum report_column {
	COLUMN_WHAT,
	COLUMN_SIZE,
	COLUMN_METRIC,
	COLUMN_NONET,
	COLUMN_BARE,
	COLUMN_NAKED,
	COLUMN_UNIT,
	COLUMN_RATIO,
	COLUMN_RANGE,
	COLUMN_GOAL,
	COLUMN_HOLDS,
	COLUMN_CLASS,
	COLUMNS,
};

static const struct {
	const char *name;
	int flags;
} report_columns[COLUMNS] = {
	[COLUMN_WHAT] = {"WHAT", 0},
	[COLUMN_SIZE] = {"SIZE", SCOLS_FL_RIGHT},
	[COLUMN_METRIC] = {"METRIC", 0},
	[COLUMN_NONET] = {"NONET", SCOLS_FL_RIGHT},
	[COLUMN_BARE] = {"BARE", SCOLS_FL_RIGHT},
	[COLUMN_NAKED] = {"NAKED", SCOLS_FL_RIGHT},
	[COLUMN_UNIT] = {"UNIT", 0},
	[COLUMN_RATIO] = {"RATIO", SCOLS_FL_RIGHT},
	[COLUMN_RANGE] = {"MIN-MAX", SCOLS_FL_RIGHT},
	[COLUMN_GOAL] = {"GOAL", SCOLS_FL_RIGHT},
	[COLUMN_HOLDS] = {"HOLDS", 0},
	[COLUMN_CLASS] = {"CORES", 0},
};

bool report_holds(const struct bench_result *result)
{
	if (result->error)
		return false;
	return result->limit > 0 ? result->value[WAY_NONET] <= result->limit : result->ratio <= result->goal;
}

static int report_set(struct libscols_line *line, enum report_column column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int report_set(struct libscols_line *line, enum report_column column, const char *format, ...)
{
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return scols_line_set_data(line, (size_t)column, text);
}

static int report_line(struct libscols_line *line, const struct bench_result *result)
{
	const bool rate = result->metric == METRIC_THROUGHPUT || result->metric == METRIC_HERD;
	int error = report_set(line, COLUMN_WHAT, "%s", result->what);

	error |= report_set(line, COLUMN_SIZE, "%zu", result->size);
	error |= report_set(line, COLUMN_METRIC, "%s", bench_metric_name(result->metric));
	if (result->error) {
		error |= report_set(line, COLUMN_NONET, "%s", nonet_error_name(result->error));
		error |= report_set(line, COLUMN_HOLDS, result->judged ? "NO" : "");
		return error ? -ENOMEM : 0;
	}
	for (int way = 0; way < WAYS; way++) {
		enum report_column column = (enum report_column)(COLUMN_NONET + way);

		if (rate)
			error |= report_set(line, column, "%.1f", result->value[way] / 1000);
		else
			error |= report_set(line, column, "%.0f", result->value[way]);
	}
	error |= report_set(line, COLUMN_UNIT, rate ? "k/s" : "ns");
	error |= report_set(line, COLUMN_RATIO, "%.3f", result->ratio);
	error |= report_set(line, COLUMN_RANGE, "%.3f-%.3f", result->ratio_min, result->ratio_max);
	if (result->limit > 0)
		error |= report_set(line, COLUMN_GOAL, "%.0f us", result->limit / 1000);
	else
		error |= report_set(line, COLUMN_GOAL, "%.2f", result->goal);
	/* In brackets: only reported. */
	error |= report_set(line, COLUMN_HOLDS, result->judged ? "%s" : "(%s)", report_holds(result) ? "yes" : "NO");
	error |= report_set(line, COLUMN_CLASS, "%s", result->class);
	return error ? -ENOMEM : 0;
}

static int report_table(const struct bench_result *results, size_t count)
{
	struct libscols_table *table = scols_new_table();
	int error = table ? 0 : -ENOMEM;

	for (int column = 0; column < COLUMNS && !error; column++) {
		if (!scols_table_new_column(table, report_columns[column].name, 0, report_columns[column].flags))
			error = -ENOMEM;
	}
	for (size_t i = 0; i < count && !error; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		error = line ? report_line(line, &results[i]) : -ENOMEM;
	}
	if (!error && scols_print_table(table) != 0)
		error = -EIO;
	scols_unref_table(table);
	return error;
}

/* Of the herds: whether somebody gets next to nothing. */
static void report_least(const struct bench_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (results[i].metric == METRIC_HERD && !results[i].error)
			printf("%s %zu: the least-served process had %.2f of an even share; bare %.2f, naked %.2f\n",
			       results[i].what, results[i].size, results[i].tail[WAY_NONET], results[i].tail[WAY_BARE],
			       results[i].tail[WAY_NAKED]);
	}
}

int report_text(const struct bench_result *results, size_t count, const struct bench_options *options)
{
	struct machine machine;
	size_t judged = 0;
	size_t held = 0;
	double line = 0;
	int error;

	machine_describe(&machine);
	printf("%s%s, %ld cores, Linux %s; nonet %s (%s), load %.2f\n", machine.cpu,
	       machine.virtual ? " (virtual)" : "", machine.cores, machine.kernel, nonet_version(), BENCH_FLAGS,
	       machine.load);
	if (options->cpus[0] == options->cpus[1])
		printf("one core: both processes share CPU %d\n", options->cpus[0]);
	else
		printf("pinned to CPUs %d and %d\n", options->cpus[0], options->cpus[1]);
	printf("ratio: time of nonet / time of bare, median of %d paired runs; goal: the largest ratio, or time of "
	       "nonet\n\n",
	       options->runs);
	error = report_table(results, count);
	for (size_t i = 0; i < count; i++) {
		judged += results[i].judged;
		held += results[i].judged && report_holds(&results[i]);
		line = results[i].line > 0 ? results[i].line : line;
	}
	report_least(results, count);
	if (line > 0)
		printf("\nraw line: %.0f ns for a hand-over\n", line);
	if (options->others > REPORT_BUSY)
		printf("%sothers used %.0f %% of these CPUs meanwhile: rough figures\n", line > 0 ? "" : "\n",
		       options->others * 100);
	printf("%s%zu of %zu hold\n", line > 0 || options->others > REPORT_BUSY ? "" : "\n", held, judged);
	return error;
}

static json_t *report_object(const struct bench_result *result)
{
	static const char *const tails[METRICS] = {[METRIC_LATENCY] = "p99", [METRIC_HERD] = "least_served"};
	json_t *object = json_pack("{ss sI ss sb}", "what", result->what, "size", (json_int_t)result->size, "metric",
				   bench_metric_name(result->metric), "judged", result->judged);

	if (result->error) {
		json_object_set_new(object, "error", json_string(nonet_error_name(result->error)));
		json_object_set_new(object, "holds", json_false());
		return object;
	}
	json_object_update_new(object,
			       json_pack("{sf sf sf ss sf sf sf sf sb ss sf si}", "nonet", result->value[WAY_NONET],
					 "bare", result->value[WAY_BARE], "naked", result->value[WAY_NAKED], "unit",
					 bench_metric_unit(result->metric), "ratio", result->ratio, "ratio_min",
					 result->ratio_min, "ratio_max", result->ratio_max, "goal", result->goal,
					 "holds", report_holds(result), "class", result->class, "line_ns", result->line,
					 "discarded", result->discarded));
	if (result->limit > 0)
		json_object_set_new(object, "limit_ns", json_real(result->limit));
	if (tails[result->metric])
		json_object_update_new(object, json_pack("{s{sf sf sf}}", tails[result->metric], "nonet",
							 result->tail[WAY_NONET], "bare", result->tail[WAY_BARE],
							 "naked", result->tail[WAY_NAKED]));
	return object;
}

int report_json(const struct bench_result *results, size_t count, const struct bench_options *options)
{
	struct machine machine;
	json_t *list = json_array();
	json_t *whole;
	int error = 0;

	machine_describe(&machine);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, report_object(&results[i]));
	whole = json_pack("{s{ss ss sI sb sf sf s[ii]} s{ss ss} sI so}", "machine", "cpu", machine.cpu, "kernel",
			  machine.kernel, "cores", (json_int_t)machine.cores, "virtual", machine.virtual, "load",
			  machine.load, "others", options->others, "pinned", options->cpus[0], options->cpus[1],
			  "library", "version", nonet_version(), "flags", BENCH_FLAGS, "runs",
			  (json_int_t)options->runs, "results", list);
	if (!whole)
		return -ENOMEM;
	if (json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) < 0)
		error = -EIO;
	putchar('\n');
	json_decref(whole);
	return error;
}
