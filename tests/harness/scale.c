/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/scale.h"

#include <stdlib.h>

#define DEFAULT_SCALE 0.1

uint64_t test_scaled(uint64_t count)
{
	const char *given = getenv("NONET_SCALE");
	double scale = given ? strtod(given, NULL) : DEFAULT_SCALE;
	double scaled;

	if (!(scale > 0))
		scale = DEFAULT_SCALE;
	scaled = (double)count * scale;
	if (scaled < 1)
		return 1;
	return scaled < (double)(UINT64_MAX / 2) ? (uint64_t)scaled : UINT64_MAX / 2;
}
