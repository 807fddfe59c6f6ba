/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_KEEP_H
#define NONET_TOOL_BENCH_KEEP_H

#include <jansson.h>

#include "bench_print.h"

/*
 * Keeps @results, as bench_json() made them, in $XDG_STATE_HOME/nonet/bench.json, in the place of earlier ones of the
 * same rows; those of other rows stay, if they are of this machine and version. The file is seen whole, or as it was.
 * Says why it couldn't.
 */
void bench_keep(json_t *results, const struct bench_machine *machine, int quick);

/*
 * Has gnuplot(1) draw the results into a file, which is seen whole, or as it was. Return: STATUS_DONE, or STATUS_FAILED
 * after saying why.
 */
int bench_plot(const char *path, const struct bench_found *found, size_t count, const struct bench_machine *machine);

#endif
