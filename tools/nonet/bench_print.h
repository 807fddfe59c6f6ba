/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_PRINT_H
#define NONET_TOOL_BENCH_PRINT_H

#include <jansson.h>

#include "bench.h"
#include "bench_machine.h"

/* A row, and what came of it. */
struct bench_found {
	const struct bench_row *row;
	struct bench_result result;
};

/* Prints the table and what is to be said of it. Return: STATUS_DONE, or STATUS_FAILED after saying why. */
int bench_print_table(const struct bench_found *found, size_t count, const struct bench_machine *machine);

/* The documented array, or NULL: no memory. */
json_t *bench_json(const struct bench_found *found, size_t count);

#endif
