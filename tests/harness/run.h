/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_RUN_H
#define HARNESS_RUN_H

#include <stddef.h>

#include <nonet/time.h>

#include "harness/fail.h"

/* What a command left: strings (a NUL behind the last byte), and how it ended. */
struct test_result {
	int status; /* exit status, or -N if signal N ended it */
	char *out;
	size_t out_size;
	char *err;
	size_t err_size;
};

/*
 * test_run(argv, input, input_size, deadline, ret_result) - run a command to its end
 * @argv:      ended by NULL; argv[0] is looked up in PATH; a failure to execute is status 127 with the reason in err
 * @input:     its stdin, @input_size bytes; what it doesn't read is dropped
 * @deadline:  test_after(NONET_S(5)), test_deadline(); past it the command is killed and the test fails
 * @ret_result: to be freed with test_run_free()
 *
 * What it wrote is complete when it has ended; what its own children write later is not waited for.
 */
#define test_run(...) test_run_at(TEST_HERE, __VA_ARGS__)
void test_run_at(const char *file, int line, const char *const argv[], const void *input, size_t input_size,
		 nonet_time deadline, struct test_result *ret_result);

void test_run_free(struct test_result *result);

#endif
