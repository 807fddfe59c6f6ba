/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stddef.h>

/* All sort @values in place; @count is at least 1. @part is 0 to 1, e.g. 0.99. */
double statistics_median(double *values, size_t count);
double statistics_percentile(double *values, size_t count, double part);
/* The mean of the middle half. */
double statistics_middle(double *values, size_t count);

#endif
