/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"

#include <errno.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nonet/version.h>

#include "../machine.h"
#include "../statistics.h"

/* Above this share of the CPUs, what others did is told. */
#define FIGURES_BUSY 0.03

enum figures_column {
	COLUMN_PEER,
	COLUMN_SIZE,
	COLUMN_CLASS,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_LATENCY_RATIO,
	COLUMN_RATE,
	COLUMN_BYTES,
	COLUMN_RATE_RATIO,
	COLUMN_LINE,
	COLUMN_RUNS,
	COLUMNS,
};

static const struct {
	const char *name;
	int flags;
} figures_columns[COLUMNS] = {
	[COLUMN_PEER] = {"PEER", 0},
	[COLUMN_SIZE] = {"SIZE", SCOLS_FL_RIGHT},
	[COLUMN_CLASS] = {"CORES", 0},
	[COLUMN_P50] = {"P50 ns", SCOLS_FL_RIGHT},
	[COLUMN_P99] = {"P99 ns", SCOLS_FL_RIGHT},
	[COLUMN_LATENCY_RATIO] = {"/ LINE", SCOLS_FL_RIGHT},
	[COLUMN_RATE] = {"M/s", SCOLS_FL_RIGHT},
	[COLUMN_BYTES] = {"GB/s", SCOLS_FL_RIGHT},
	[COLUMN_RATE_RATIO] = {"/ RING", SCOLS_FL_RIGHT},
	[COLUMN_LINE] = {"RAW ns", SCOLS_FL_RIGHT},
	[COLUMN_RUNS] = {"RUNS", SCOLS_FL_RIGHT},
};

static const char *const figures_classes[] = {"near", "far"};

/* Of those runs with the cores in @class the medians. Return: how many there are. */
static int figures_sum_up(const struct session_run *runs, int count, struct figures_row *row, bool latency)
{
	double p50[2 * SESSION_RUNS];
	double p99[2 * SESSION_RUNS];
	double rate[2 * SESSION_RUNS];
	double line[2 * SESSION_RUNS];
	size_t found = 0;

	for (int i = 0; i < count; i++) {
		if (strcmp(runs[i].class, row->class) != 0)
			continue;
		p50[found] = runs[i].p50;
		p99[found] = runs[i].p99;
		rate[found] = runs[i].rate;
		line[found++] = runs[i].line;
	}
	if (!found)
		return 0;
	row->line = statistics_median(line, found);
	if (latency) {
		row->p50 = statistics_median(p50, found);
		row->p99 = statistics_median(p99, found);
	} else {
		row->rate = statistics_median(rate, found);
	}
	row->runs = !row->runs || (int)found < row->runs ? (int)found : row->runs;
	return (int)found;
}

void figures_add(struct figures *figures, const char *peer, size_t size, const struct session_outcome *outcome)
{
	for (size_t i = 0; i < 2; i++) {
		struct figures_row row = {
			.peer = peer, .size = size, .class = figures_classes[i], .discarded = outcome->discarded};
		int found = figures_sum_up(outcome->latency, outcome->latencies, &row, true);

		found += figures_sum_up(outcome->stream, outcome->streams, &row, false);
		if (found)
			figures->rows[figures->row_count++] = row;
	}
}

static const struct figures_row *figures_find(const struct figures *figures, const char *peer,
					      const struct figures_row *like)
{
	for (size_t i = 0; i < figures->row_count; i++) {
		const struct figures_row *row = &figures->rows[i];

		if (strcmp(row->peer, peer) == 0 && row->size == like->size && strcmp(row->class, like->class) == 0)
			return row;
	}
	return NULL;
}

/* What every row is of the limits. */
static void figures_compare(struct figures *figures)
{
	for (size_t i = 0; i < figures->row_count; i++) {
		struct figures_row *row = &figures->rows[i];
		const struct figures_row *line = figures_find(figures, "line", row);
		const struct figures_row *ring = figures_find(figures, "ring", row);

		if (line && line->p50 > 0)
			row->latency_ratio = row->p50 / line->p50;
		if (ring && ring->rate > 0)
			row->rate_ratio = row->rate / ring->rate;
	}
}

static int figures_set(struct libscols_line *line, enum figures_column column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int figures_set(struct libscols_line *line, enum figures_column column, const char *format, ...)
{
	char text[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return scols_line_set_data(line, (size_t)column, text);
}

/* Three digits, whatever the scale. */
static int figures_digits(double value)
{
	return value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 4;
}

static int figures_line(struct libscols_line *line, const struct figures_row *row)
{
	const double millions = row->rate / 1e6;
	const double bytes = row->rate * (double)row->size / 1e9;
	int error = figures_set(line, COLUMN_PEER, "%s", row->peer);

	error |= figures_set(line, COLUMN_SIZE, "%zu", row->size);
	error |= figures_set(line, COLUMN_CLASS, "%s", row->class);
	if (row->p50 > 0) {
		error |= figures_set(line, COLUMN_P50, "%.0f", row->p50);
		error |= figures_set(line, COLUMN_P99, "%.0f", row->p99);
	}
	if (row->rate > 0) {
		error |= figures_set(line, COLUMN_RATE, "%.*f", figures_digits(millions), millions);
		error |= figures_set(line, COLUMN_BYTES, "%.*f", figures_digits(bytes), bytes);
	}
	if (row->latency_ratio > 0)
		error |= figures_set(line, COLUMN_LATENCY_RATIO, "%.2f", row->latency_ratio);
	if (row->rate_ratio > 0)
		error |= figures_set(line, COLUMN_RATE_RATIO, "%.3f", row->rate_ratio);
	error |= figures_set(line, COLUMN_LINE, "%.0f", row->line);
	error |= figures_set(line, COLUMN_RUNS, "%d", row->runs);
	return error ? -ENOMEM : 0;
}

static int figures_table(const struct figures *figures)
{
	struct libscols_table *table = scols_new_table();
	int error = table ? 0 : -ENOMEM;

	for (int column = 0; column < COLUMNS && !error; column++) {
		if (!scols_table_new_column(table, figures_columns[column].name, 0, figures_columns[column].flags))
			error = -ENOMEM;
	}
	for (size_t i = 0; i < figures->row_count && !error; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		error = line ? figures_line(line, &figures->rows[i]) : -ENOMEM;
	}
	if (!error && scols_print_table(table) != 0)
		error = -EIO;
	scols_unref_table(table);
	return error;
}

static const char *figures_status_name(enum figures_status status)
{
	static const char *const names[] = {"measured", "skipped", "failed"};

	return names[status];
}

int figures_text(struct figures *figures)
{
	struct machine machine;
	int discarded = 0;
	int error = 0;

	machine_describe(&machine);
	figures_compare(figures);
	printf("%s%s, %ld cores, Linux %s, load %.2f\n", machine.cpu, machine.virtual ? " (virtual)" : "",
	       machine.cores, machine.kernel, machine.load);
	printf("pinned to CPUs %d and %d, with all threads; every byte is read; medians of runs between two equal "
	       "readings of the raw line\n\n",
	       figures->options->cpus[0], figures->options->cpus[1]);
	if (figures->row_count)
		error = figures_table(figures);
	for (size_t i = 0; i < figures->row_count; i++)
		discarded += figures->rows[i].discarded;
	puts("\nP50, P99: round trip / 2. / LINE, / RING: of the limit at this size, with the cores there.\n");
	for (size_t i = 0; i < figures->peer_count; i++) {
		const struct figures_peer *peer = &figures->peers[i];

		if (peer->status != FIGURES_MEASURED)
			printf("%s, %s: %s: %s\n", peer->entry->name, peer->entry->what,
			       figures_status_name(peer->status), peer->why);
		else
			printf("%s, %s: %s; %s\n", peer->entry->name, peer->entry->what, peer->version, peer->mode);
	}
	puts("aeron, iceoryx2, cpp-ipc: not in Debian; compare by ratio to the limit: see bench/peers/README.md");
	if (discarded)
		printf("runs thrown away, since the cores were moved: %d\n", discarded);
	if (figures->others > FIGURES_BUSY)
		printf("others used %.0f %% of these CPUs meanwhile: rough figures\n", figures->others * 100);
	return error;
}

/* null: it wasn't measured. */
static json_t *figures_number(double value)
{
	return value > 0 ? json_real(value) : json_null();
}

static json_t *figures_row(const struct figures_row *row)
{
	return json_pack("{ss sI ss so so so so so so sf si si}", "peer", row->peer, "size", (json_int_t)row->size,
			 "cores", row->class, "p50_ns", figures_number(row->p50), "p99_ns", figures_number(row->p99),
			 "latency_ratio", figures_number(row->latency_ratio), "messages_per_s",
			 figures_number(row->rate), "gb_per_s", figures_number(row->rate * (double)row->size / 1e9),
			 "rate_ratio", figures_number(row->rate_ratio), "line_ns", row->line, "runs", row->runs,
			 "discarded", row->discarded);
}

static json_t *figures_peer(const struct figures_peer *peer)
{
	json_t *object = json_pack("{ss ss ss}", "name", peer->entry->name, "what", peer->entry->what, "status",
				   figures_status_name(peer->status));

	if (peer->version[0])
		json_object_update_new(object, json_pack("{ss ss}", "version", peer->version, "mode", peer->mode));
	if (peer->status != FIGURES_MEASURED)
		json_object_set_new(object, "why", json_string(peer->why));
	return object;
}

int figures_json(struct figures *figures)
{
	json_t *peers = json_array();
	json_t *rows = json_array();
	struct machine machine;
	json_t *whole;
	int error = 0;

	machine_describe(&machine);
	figures_compare(figures);
	for (size_t i = 0; i < figures->peer_count; i++)
		json_array_append_new(peers, figures_peer(&figures->peers[i]));
	for (size_t i = 0; i < figures->row_count; i++)
		json_array_append_new(rows, figures_row(&figures->rows[i]));
	whole = json_pack("{s{ss ss sI sb sf sf s[ii]} so so}", "machine", "cpu", machine.cpu, "kernel", machine.kernel,
			  "cores", (json_int_t)machine.cores, "virtual", machine.virtual, "load", machine.load,
			  "others", figures->others, "pinned", figures->options->cpus[0], figures->options->cpus[1],
			  "peers", peers, "results", rows);
	if (!whole)
		return -ENOMEM;
	if (json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) < 0)
		error = -EIO;
	putchar('\n');
	json_decref(whole);
	return error;
}
