/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics.h"

#include <stdlib.h>

static int statistics_compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

double statistics_percentile(double *values, size_t count, double part)
{
	qsort(values, count, sizeof(*values), statistics_compare);
	return values[(size_t)((double)(count - 1) * part + 0.5)];
}

double statistics_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), statistics_compare);
	if (count % 2)
		return values[count / 2];
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

double statistics_middle(double *values, size_t count)
{
	size_t skip = count / 4;
	double sum = 0;

	qsort(values, count, sizeof(*values), statistics_compare);
	for (size_t i = skip; i < count - skip; i++)
		sum += values[i];
	return sum / (double)(count - 2 * skip);
}
