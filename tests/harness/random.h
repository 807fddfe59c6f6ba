/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_RANDOM_H
#define HARNESS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Repeatable random numbers (splitmix64). One state per thread; it may be copied. */
struct test_random {
	uint64_t state;
};

/*
 * The seed of this run: NONET_TEST_SEED, or a new one. test_main() prints it, so that a failure can be repeated; a
 * program without test_main() prints it itself.
 */
uint64_t test_seed(void);

/* @stream makes different sequences from one seed: a test's own number, say. */
struct test_random test_random_init(uint64_t seed, uint64_t stream);

uint64_t test_random_next(struct test_random *random);

/* Evenly in [minimum, maximum]. */
uint64_t test_random_between(struct test_random *random, uint64_t minimum, uint64_t maximum);

void test_random_bytes(struct test_random *random, void *ret_bytes, size_t size);

#endif
