/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_TEST_PROCESS_H
#define PROCESS_TEST_PROCESS_H

#include <nonet/process.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/test.h"

/* What the tests of processes share. */

static const struct nonet_process_options piped = {
	.size = sizeof(piped),
	.input = {.kind = NONET_PROCESS_PIPE},
	.output = {.kind = NONET_PROCESS_PIPE},
};

static inline struct nonet_process *spawn_with(const struct nonet_process_options *options,
					       const char *const *arguments)
{
	struct nonet_process *process = NULL;
	struct nonet_error error;

	if (nonet_process_spawn(arguments, options, &process, &error) < 0)
		test_fail("%s", error.text);
	return process;
}

#define SPAWN(options, ...)    spawn_with((options), (const char *const[]){__VA_ARGS__, NULL})
#define SHELL(options, script) SPAWN((options), "sh", "-c", (script))

static inline void ends_with(struct nonet_process *process, enum nonet_process_how how, int code)
{
	struct nonet_process_status status = {.how = 0};

	test_check_equal(nonet_process_wait(process, test_deadline(), &status), 0);
	test_check_equal(status.how, (int)how);
	test_check_equal(status.code, code);
}

/* A line, without its end, that the child writes. */
static inline void reads_line(struct nonet_process *process, const char *expected)
{
	char line[256];
	size_t size = strlen(expected) + 1;

	test_check(size <= sizeof(line));
	test_check_equal(nonet_pipe_read_exactly(nonet_process_output(process), line, size, test_deadline(), NULL), 0);
	line[size - 1] = 0;
	if (strcmp(line, expected) != 0)
		test_fail("\"%s\" came instead of \"%s\"", line, expected);
}

#endif
