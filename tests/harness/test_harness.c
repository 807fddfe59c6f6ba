/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/run.h"
#include "harness/test.h"

/* Runs each row of must_fail.h twice: with its fault it has to fail with the expected sentence, without it to pass. */

static const char *program;

static void run_row(const char *name, const char *mode, bool short_of_time, struct test_result *ret_result)
{
	const char *const argv[] = {program, name, mode, NULL};

	/* A sanitizer's slowness comes on top; a hang is found all the same. */
	if (short_of_time) {
		setenv("NONET_TEST_DEADLINE", "500", 1);
		setenv("NONET_TEST_WATCHDOG_MS", strncmp(name, "hang", 4) == 0 ? "500" : "30000", 1);
	}
	test_run(argv, NULL, 0, test_after(NONET_S(50)), ret_result);
	unsetenv("NONET_TEST_DEADLINE");
	unsetenv("NONET_TEST_WATCHDOG_MS");
}

static bool both_ways(const char *name, bool short_of_time, const char *sentence)
{
	struct test_result planted;
	struct test_result healthy;
	bool good = true;

	run_row(name, "planted", short_of_time, &planted);
	run_row(name, "healthy", false, &healthy);
	if (planted.status == 0) {
		fprintf(stderr, "%s: passed with its planted fault\n", name);
		good = false;
	}
	if (!strstr(planted.out, sentence) && !strstr(planted.err, sentence)) {
		fprintf(stderr, "%s: didn't say \"%s\"\n", name, sentence);
		good = false;
	}
	if (healthy.status != 0) {
		fprintf(stderr, "%s: failed without its planted fault\n", name);
		good = false;
	}
	if (!good)
		fprintf(stderr, "--- planted, status %d\n%s%s--- healthy, status %d\n%s%s---\n", planted.status,
			planted.out, planted.err, healthy.status, healthy.out, healthy.err);
	test_run_free(&planted);
	test_run_free(&healthy);
	return good;
}

static void what_must_fail_fails_and_its_twin_passes(void **state)
{
	const char *const argv[] = {program, NULL};
	struct test_result list;
	char *rest;
	char *line;
	int rows = 0;
	int bad = 0;

	(void)state;
	test_run(argv, NULL, 0, test_deadline(), &list);
	assert_int_equal(list.status, 0);
	for (line = strtok_r(list.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *time = strchr(line, '\t');
		char *sentence = time ? strchr(time + 1, '\t') : NULL;

		assert_non_null(sentence);
		*time++ = '\0';
		*sentence++ = '\0';
		if (!test_leak_sees_mappings() && strncmp(line, "mapping", 7) == 0)
			continue;
		test_watchdog_extend(NONET_S(120));
		rows++;
		bad += !both_ways(line, strcmp(time, "short") == 0, sentence);
	}
	test_run_free(&list);
	test_note("%d planted faults, %d not caught", rows, bad);
	assert_int_equal(bad, 0);
	assert_true(rows >= 30);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case(what_must_fail_fails_and_its_twin_passes),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test-harness MUST-FAIL-PROGRAM\n");
		return 2;
	}
	program = argv[1];
	return test_main(tests);
}
