/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_histogram.h"

#include <stddef.h>

/*
 * A duration's highest bit says which power of two it is of; the bits below it, which part. Below 2 * HISTOGRAM_PARTS
 * that is the duration itself.
 */
static size_t cell_of(uint64_t duration)
{
	unsigned int power;

	if (duration < HISTOGRAM_PARTS)
		return (size_t)duration;
	power = 63u - (unsigned int)__builtin_clzll(duration);
	if (power >= HISTOGRAM_MOST)
		return HISTOGRAM_CELLS - 1;
	return (size_t)((power - HISTOGRAM_BITS) * HISTOGRAM_PARTS + (duration >> (power - HISTOGRAM_BITS)));
}

/* The longest duration of a cell. */
static uint64_t end_of(size_t cell)
{
	const unsigned int power = (unsigned int)(cell / HISTOGRAM_PARTS);

	if (power < 2)
		return cell;
	return (((uint64_t)HISTOGRAM_PARTS + cell % HISTOGRAM_PARTS + 1) << (power - 1)) - 1;
}

void histogram_add(struct bench_histogram *histogram, int64_t duration)
{
	const uint64_t value = duration > 0 ? (uint64_t)duration : 0;

	histogram->cells[cell_of(value)]++;
	histogram->count++;
	if (value > histogram->max)
		histogram->max = value;
}

void histogram_merge(struct bench_histogram *histogram, const struct bench_histogram *other)
{
	size_t i;

	for (i = 0; i < HISTOGRAM_CELLS; i++)
		histogram->cells[i] += other->cells[i];
	histogram->count += other->count;
	if (other->max > histogram->max)
		histogram->max = other->max;
}

uint64_t histogram_at(const struct bench_histogram *histogram, double part)
{
	const double wanted = part * (double)histogram->count;
	uint64_t seen = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_CELLS; i++) {
		seen += histogram->cells[i];
		if (seen > 0 && (double)seen >= wanted)
			return i == HISTOGRAM_CELLS - 1 || end_of(i) > histogram->max ? histogram->max : end_of(i);
	}
	return 0;
}
