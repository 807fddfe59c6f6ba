/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/random.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "harness/deadline.h"

uint64_t test_seed(void)
{
	static uint64_t seed;
	static int known;
	const char *given = getenv("NONET_TEST_SEED");

	if (known)
		return seed;
	if (given && *given)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)test_clock();
	known = 1;
	return seed;
}

struct test_random test_random_init(uint64_t seed, uint64_t stream)
{
	struct test_random random = {.state = seed};

	/* One step in between, or neighbouring streams would be one sequence shifted. */
	random.state = test_random_next(&random) ^ stream;
	return random;
}

uint64_t test_random_next(struct test_random *random)
{
	uint64_t value;

	random->state += 0x9e3779b97f4a7c15U;
	value = random->state;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
	return value ^ (value >> 31);
}

uint64_t test_random_between(struct test_random *random, uint64_t minimum, uint64_t maximum)
{
	uint64_t span = maximum - minimum + 1;
	uint64_t value;
	uint64_t limit;

	if (span == 0)
		return test_random_next(random);
	/* What lies above the last whole span would favour small values. */
	limit = UINT64_MAX - UINT64_MAX % span;
	do {
		value = test_random_next(random);
	} while (value >= limit);
	return minimum + value % span;
}

void test_random_bytes(struct test_random *random, void *ret_bytes, size_t size)
{
	unsigned char *bytes = ret_bytes;
	uint64_t value;
	size_t step;

	for (; size > 0; bytes += step, size -= step) {
		step = size < sizeof(value) ? size : sizeof(value);
		value = test_random_next(random);
		memcpy(bytes, &value, step);
	}
}
