/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_HISTOGRAM_H
#define NONET_TOOL_BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * How often each duration came, in nanoseconds: exact below 128, and to 1 in 64 above, up to 2^40 (18 minutes). Each
 * power of two is divided into 64 equal parts.
 */
#define HISTOGRAM_BITS  6u
#define HISTOGRAM_PARTS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_MOST  40u
#define HISTOGRAM_CELLS ((HISTOGRAM_MOST - HISTOGRAM_BITS + 1) * HISTOGRAM_PARTS)

struct bench_histogram {
	uint64_t count;
	uint64_t max;
	uint64_t cells[HISTOGRAM_CELLS];
};

/* All zero: empty. */
void histogram_add(struct bench_histogram *histogram, int64_t duration);

/* All of @other too. */
void histogram_merge(struct bench_histogram *histogram, const struct bench_histogram *other);

/*
 * The duration that @part (0 to 1) of all are not above: the upper end of its cell, at most the longest that came.
 * 0 where there are none.
 */
uint64_t histogram_at(const struct bench_histogram *histogram, double part);

#endif
