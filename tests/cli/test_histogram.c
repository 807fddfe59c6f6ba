/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_histogram.h"

#include <stdlib.h>

#include "harness/test.h"

/* The histogram of nonet bench: what it says of durations, and what they were. */

#define DURATIONS 20000

static int compare(const void *left, const void *right)
{
	const int64_t a = *(const int64_t *)left;
	const int64_t b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* Above by at most a cell, never below, and exact where a cell has one value. */
static void check_value(uint64_t found, uint64_t wanted)
{
	assert_in_range(found, wanted, wanted + wanted / 64);
}

static void each_duration_is_found_again(void **state)
{
	static struct bench_histogram histogram;

	(void)state;
	for (unsigned power = 0; power < 40; power++) {
		for (int64_t step = -2; step <= 2; step++) {
			const int64_t value = (int64_t)(UINT64_C(1) << power) + step;
			const uint64_t wanted = value > 0 ? (uint64_t)value : 0;

			memset(&histogram, 0, sizeof(histogram));
			histogram_add(&histogram, value);
			/* One alone is the longest, which is kept exactly. */
			assert_int_equal(histogram_at(&histogram, 0.5), wanted);
			histogram_add(&histogram, INT64_C(1) << 50);
			check_value(histogram_at(&histogram, 0.5), wanted);
			assert_int_equal(histogram.max, UINT64_C(1) << 50);
			assert_int_equal(histogram_at(&histogram, 1), UINT64_C(1) << 50);
		}
	}
}

static void percentiles_are_those_of_the_sorted_durations(void **state)
{
	static const double parts[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	static struct bench_histogram histogram;
	static struct bench_histogram whole;
	static int64_t durations[DURATIONS];
	struct test_random random = test_random_init(test_seed(), 1);

	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	memset(&whole, 0, sizeof(whole));
	for (size_t i = 0; i < DURATIONS; i++) {
		durations[i] = (int64_t)(test_random_next(&random) >> test_random_between(&random, 25, 62));
		histogram_add(i % 2 ? &histogram : &whole, durations[i]);
	}
	histogram_merge(&whole, &histogram);
	qsort(durations, DURATIONS, sizeof(durations[0]), compare);
	assert_int_equal(whole.count, DURATIONS);
	assert_int_equal(whole.max, durations[DURATIONS - 1]);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t rank = (size_t)(parts[i] * DURATIONS + 0.5);

		check_value(histogram_at(&whole, parts[i]), (uint64_t)durations[rank - 1]);
	}
}

static void of_none_there_is_no_percentile(void **state)
{
	static struct bench_histogram histogram;

	(void)state;
	assert_int_equal(histogram_at(&histogram, 0.5), 0);
	histogram_add(&histogram, -5);
	assert_int_equal(histogram.count, 1);
	assert_int_equal(histogram_at(&histogram, 0.99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(each_duration_is_found_again),
		test_case(percentiles_are_those_of_the_sorted_durations),
		test_case(of_none_there_is_no_percentile),
	};

	return test_main(tests);
}
