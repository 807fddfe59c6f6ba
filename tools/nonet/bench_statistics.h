/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_STATISTICS_H
#define NONET_TOOL_BENCH_STATISTICS_H

#include <stddef.h>

/* Sorts @values in place; @count is at least 1. */
double statistics_median(double *values, size_t count);

#endif
