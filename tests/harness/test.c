/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/inventory.h"
#include "harness/sanitizer.h"

static struct test_case *current;
static struct test_leak *leak;

int test_setup(void **state)
{
	current = *state;
	*state = NULL;
	test_watchdog_begin(current->name, current->fixture ? current->fixture->time : 0);
	leak = test_leak_begin();
	return current->fixture && current->fixture->setup ? current->fixture->setup(state) : 0;
}

int test_teardown(void **state)
{
	char text[4096] = "";
	FILE *out;
	int result = 0;
	int count;

	if (current->fixture && current->fixture->teardown)
		result = current->fixture->teardown(state);
	out = fmemopen(text, sizeof(text) - 1, "w");
	if (!out)
		abort();
	count = test_leak_check(leak, out);
	fclose(out);
	leak = NULL;
	test_directories_abandon();
	test_watchdog_end();
	if (count > 0)
		print_error("%s left %d behind:\n%s", current->name, count, text);
	return count > 0 ? -1 : result;
}

/*
 * cmocka 1.1.5 writes a skipped test as "not ok N # SKIP NAME", which TAP calls a failure. Its output goes through
 * here, line by line, to be put right, with the reason of the skip added.
 */
static struct {
	char line[4096];
	size_t filled;
} tap;

static void tap_write(const char *bytes, size_t size)
{
	ssize_t step;

	for (; size > 0; bytes += step, size -= (size_t)step) {
		step = write(STDOUT_FILENO, bytes, size);
		if (step < 0 && errno != EINTR)
			return;
		if (step < 0)
			step = 0;
	}
}

static void tap_line(void)
{
	const char *line = tap.line;
	const char *reason = test_reason_not_run();
	bool skipped = strstr(line, "# SKIP") != NULL;

	if (skipped && strncmp(line, "not ok", 6) == 0)
		line += 4;
	tap_write(line, strlen(line));
	if (skipped && reason) {
		tap_write(": ", 2);
		tap_write(reason, strlen(reason));
	}
	tap_write("\n", 1);
}

static ssize_t tap_filter(void *cookie, const char *bytes, size_t size)
{
	(void)cookie;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n' && bytes[i] != '\0' && tap.filled < sizeof(tap.line) - 1) {
			tap.line[tap.filled++] = bytes[i];
		} else if (bytes[i] == '\n') {
			tap.line[tap.filled] = '\0';
			tap.filled = 0;
			tap_line();
		}
	}
	return (ssize_t)size;
}

struct group {
	const char *name;
	const struct CMUnitTest *tests;
	size_t count;
};

static void *nothing(void *argument)
{
	return argument;
}

/* ThreadSanitizer starts a thread of its own with the first one of ours: before a test could be blamed for it. */
static void start_machinery(void)
{
	pthread_t thread;

	if (TEST_SANITIZED && pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static int run(void *argument)
{
	const struct group *group = argument;
	const char *only = getenv("NONET_TEST_ONLY");
	FILE *filtered = fopencookie(NULL, "w", (cookie_io_functions_t){.write = tap_filter});

	if (!filtered)
		abort();
	setvbuf(filtered, NULL, _IOLBF, 0);
	stdout = filtered;
	inventory_keep_malloc_in_heap();
	test_crash_handlers_save();
	start_machinery();
	test_note("seed: NONET_TEST_SEED=%" PRIu64, test_seed());
	if (!test_leak_sees_mappings())
		test_note("mappings are not checked for leaks: a sanitizer or valgrind has its own");
	if (only)
		cmocka_set_test_filter(only);
	return _cmocka_run_group_tests(group->name, group->tests, group->count, NULL, NULL) == 0 ? 0 : 1;
}

int test_main_run(const char *file, const struct CMUnitTest *tests, size_t count)
{
	const char *slash = strrchr(file, '/');
	struct group group = {.name = slash ? slash + 1 : file, .tests = tests, .count = count};

	(void)test_program();
	return test_watchdog_run(run, &group);
}
