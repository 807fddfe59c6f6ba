/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_print.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include <nonet/error.h>
#include <nonet/version.h>

#include "output.h"
#include "say.h"
#include "verb.h"

enum column {
	COLUMN_WHAT,
	COLUMN_MODE,
	COLUMN_SIZE,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_P999,
	COLUMN_MAX,
	COLUMN_MESSAGES,
	COLUMN_BYTES,
	COLUMN_LIMIT,
	COLUMN_RATIO,
	COLUMN_GOAL,
	COLUMN_HOLDS,
	COLUMNS,
};

static const struct {
	const char *name;
	int flags;
} columns[COLUMNS] = {
	[COLUMN_WHAT] = {"WHAT", 0},
	[COLUMN_MODE] = {"MODE", 0},
	[COLUMN_SIZE] = {"SIZE", SCOLS_FL_RIGHT},
	[COLUMN_P50] = {"P50", SCOLS_FL_RIGHT},
	[COLUMN_P99] = {"P99", SCOLS_FL_RIGHT},
	[COLUMN_P999] = {"P99.9", SCOLS_FL_RIGHT},
	[COLUMN_MAX] = {"MAX", SCOLS_FL_RIGHT},
	[COLUMN_MESSAGES] = {"M/S", SCOLS_FL_RIGHT},
	[COLUMN_BYTES] = {"GB/S", SCOLS_FL_RIGHT},
	[COLUMN_LIMIT] = {"LIMIT", SCOLS_FL_RIGHT},
	[COLUMN_RATIO] = {"RATIO", SCOLS_FL_RIGHT},
	[COLUMN_GOAL] = {"GOAL", SCOLS_FL_RIGHT},
	[COLUMN_HOLDS] = {"HOLDS", 0},
};

static int put(struct libscols_line *line, enum column column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int put(struct libscols_line *line, enum column column, const char *format, ...)
{
	char text[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return scols_line_set_data(line, (size_t)column, text);
}

static int put_time(struct libscols_line *line, enum column column, double time)
{
	if (time < 0)
		return 0;
	if (time < 100)
		return put(line, column, "%.1f ns", time);
	if (time < 1e4)
		return put(line, column, "%.0f ns", time);
	if (time < 1e5)
		return put(line, column, "%.1f us", time / 1e3);
	if (time < 1e7)
		return put(line, column, "%.0f us", time / 1e3);
	return put(line, column, "%.0f ms", time / 1e6);
}

/* Millions a second of what takes so long each. */
static int put_rate(struct libscols_line *line, enum column column, double each)
{
	const double rate = 1e3 / each;

	return put(line, column, "%.*f", rate < 0.1 ? 4 : rate < 1 ? 3 : rate < 10 ? 2 : 1, rate);
}

static int put_size(struct libscols_line *line, size_t size)
{
	if (size >= 1024 * 1024)
		return put(line, COLUMN_SIZE, "%zu MiB", size / (1024 * 1024));
	if (size >= 1024)
		return put(line, COLUMN_SIZE, "%zu KiB", size / 1024);
	return put(line, COLUMN_SIZE, "%zu B", size);
}

static int put_figures(struct libscols_line *line, const struct bench_found *found)
{
	const struct bench_result *result = &found->result;
	int r;

	if (result->code < 0)
		return put(line, COLUMN_P50, "%s", nonet_error_name(result->code));
	if (bench_is_rate(found->row)) {
		r = put_rate(line, COLUMN_MESSAGES, result->each);
		if (r == 0 && bench_has_bytes(found->row))
			r = put(line, COLUMN_BYTES, "%.2f", (double)found->row->subject.size / result->each);
		return r;
	}
	r = put_time(line, COLUMN_P50, result->each);
	if (r == 0)
		r = put_time(line, COLUMN_P99, result->p99);
	if (r == 0)
		r = put_time(line, COLUMN_P999, result->p999);
	return r == 0 ? put_time(line, COLUMN_MAX, result->max) : r;
}

/* The limit, and how far from it. */
static int put_ratio(struct libscols_line *line, const struct bench_found *found)
{
	const struct bench_result *result = &found->result;
	const double goal = bench_goal(found->row, result);
	int r;

	if (result->code < 0 || result->limit <= 0)
		return 0;
	if (bench_is_rate(found->row))
		r = put_rate(line, COLUMN_LIMIT, result->limit);
	else
		r = put_time(line, COLUMN_LIMIT, result->limit);
	if (r == 0)
		r = put(line, COLUMN_RATIO, "%.2f", result->ratio);
	if (r == 0 && goal > 0)
		r = put(line, COLUMN_GOAL, "%s%.2f", bench_is_rate(found->row) ? ">=" : "<=", goal);
	if (r == 0 && goal > 0)
		r = put(line, COLUMN_HOLDS, "%s", bench_holds(found->row, result) ? "yes" : "NO");
	if (r == 0 && goal > 0 && !bench_holds(found->row, result) && say_in_color(STDOUT_FILENO))
		r = scols_line_set_color(line, "\033[31m");
	return r;
}

static int add_line(struct libscols_table *table, const struct bench_found *found)
{
	const struct bench_case *what = &found->row->subject;
	struct libscols_line *line = scols_table_new_line(table, NULL);
	int r;

	if (!line)
		return -1;
	r = scols_line_set_data(line, COLUMN_WHAT, what->what);
	if (r == 0)
		r = scols_line_set_data(line, COLUMN_MODE, bench_mode_name(what->mode));
	if (r == 0)
		r = put_size(line, what->size);
	if (r == 0)
		r = put_figures(line, found);
	return r == 0 ? put_ratio(line, found) : r;
}

/* A row's processes lose their CPUs a few times to the kernel itself; more often only where others want them too. */
#define PREEMPTED 100

/* How often a row's processes did, of all that have ended. */
static double preempted(size_t rows)
{
	struct rusage usage;

	if (getrusage(RUSAGE_CHILDREN, &usage) < 0)
		return 0;
	return (double)usage.ru_nivcsw / (double)rows;
}

/* How many are judged and hold; which runs count. */
static void print_summary(const struct bench_found *found, size_t count)
{
	size_t i, judged = 0, held = 0, far = 0, measured = 0;
	unsigned int runs = 0, discarded = 0;
	double line = 0;

	for (i = 0; i < count; i++) {
		const struct bench_result *result = &found[i].result;

		if (result->code < 0)
			continue;
		measured++;
		judged += bench_goal(found[i].row, result) > 0;
		held += bench_goal(found[i].row, result) > 0 && bench_holds(found[i].row, result);
		far += result->far != 0;
		runs += result->runs;
		discarded += result->discarded;
		line = result->line;
	}
	if (measured == 0)
		return;
	printf("\nThe cores were %s: a cache line takes %.0f ns.",
	       far == 0          ? "near each other"
	       : far == measured ? "far from each other"
				 : "now near, now far",
	       line);
	printf(" %u run%s counted, %u thrown away since the cores were moved.\n", runs, runs == 1 ? "" : "s",
	       discarded);
	if (preempted(count) > PREEMPTED)
		printf("Others used these CPUs meanwhile: rough figures. As root, chrt -f 2 nonet bench keeps them "
		       "out.\n");
	if (judged > 0)
		printf("%zu of %zu goals hold\n", held, judged);
}

int bench_print_table(const struct bench_found *found, size_t count, const struct bench_machine *machine)
{
	struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -1;
	size_t i;

	for (i = 0; i < COLUMNS && r == 0; i++)
		r = scols_table_new_column(table, columns[i].name, 0, columns[i].flags) ? 0 : -1;
	for (i = 0; i < count && r == 0; i++)
		r = add_line(table, &found[i]);
	if (r == 0 && say_in_color(STDOUT_FILENO))
		r = scols_table_enable_colors(table, 1);
	if (r == 0) {
		printf("%s%s, Linux %s, nonet %s; CPUs %s\n", machine->cpu, machine->is_virtual ? " (virtual)" : "",
		       machine->kernel, nonet_version(), machine->cpus);
		r = output_table(table);
	}
	scols_unref_table(table);
	if (r < 0)
		return say_failure("no memory is left");
	print_summary(found, count);
	return STATUS_DONE;
}

static json_t *real_or_null(int there, double value)
{
	return there ? json_real(value) : json_null();
}

static json_t *found_json(const struct bench_found *found)
{
	const struct bench_row *row = found->row;
	const struct bench_result *result = &found->result;
	const int ok = result->code == 0, rate = bench_is_rate(row), limited = ok && result->limit > 0;
	const double goal = bench_goal(row, result);
	json_t *object = json_pack("{s:s, s:s, s:I}", "what", row->subject.what, "mode",
				   bench_mode_name(row->subject.mode), "size", (json_int_t)row->subject.size);
	const double limit = !limited ? 0 : rate ? 1e9 / result->limit : result->limit;
	json_t *rest;

	rest = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "p50_ns",
			 real_or_null(ok && !rate, result->each), "p99_ns",
			 real_or_null(ok && !rate && result->p99 >= 0, result->p99), "p999_ns",
			 real_or_null(ok && !rate && result->p999 >= 0, result->p999), "max_ns",
			 real_or_null(ok && !rate && result->max >= 0, result->max), "messages_per_s",
			 real_or_null(ok && rate, 1e9 / result->each), "gb_per_s",
			 real_or_null(ok && rate && bench_has_bytes(row), (double)row->subject.size / result->each),
			 "limit", real_or_null(limited, limit), "ratio", real_or_null(limited, result->ratio), "goal",
			 real_or_null(goal > 0, goal), "holds",
			 ok && goal > 0 ? json_boolean(bench_holds(row, result)) : json_null());
	if (json_object_update_new(object, rest) < 0)
		goto failed;
	rest = json_pack("{s:o, s:o, s:i, s:i, s:o}", "where",
			 ok ? json_string(result->far ? "far" : "near") : json_null(), "limit_what",
			 limited ? json_string(row->limits[result->best].what) : json_null(), "runs", (int)result->runs,
			 "discarded", (int)result->discarded, "error",
			 ok ? json_null() : json_string(nonet_error_name(result->code)));
	if (json_object_update_new(object, rest) == 0)
		return object;
failed:
	json_decref(object);
	return NULL;
}

json_t *bench_json(const struct bench_found *found, size_t count)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_array_append_new(list, found_json(&found[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
