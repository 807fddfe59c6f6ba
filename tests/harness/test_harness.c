/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/run.h"
#include "harness/sanitizer.h"
#include "harness/test.h"

/* Runs each row of must_fail.h twice: with its fault it has to fail with the expected sentence, without it to pass. */

static const char *program;

static void run_row(const char *name, const char *mode, bool short_of_time, struct test_result *ret_result)
{
	const char *const argv[] = {program, name, mode, NULL};

	/* A sanitizer's slowness comes on top, if not all of it: what is planted doesn't end sooner for waiting longer.
	 */
	if (TEST_SANITIZED && strcmp(mode, "planted") == 0)
		setenv("NONET_TEST_SLOW", "3", 1);
	if (short_of_time) {
		setenv("NONET_TEST_DEADLINE", "500", 1);
		setenv("NONET_TEST_WATCHDOG_MS", strncmp(name, "hang", 4) == 0 ? "500" : "30000", 1);
	}
	test_run(argv, NULL, 0, test_after(NONET_S(50)), ret_result);
	unsetenv("NONET_TEST_SLOW");
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
		if (!test_leak_sees_queues() && strcmp(line, "posix-queue") == 0)
			continue;
		if (!test_sees_lost_memory() && strncmp(line, "lost-memory", 11) == 0)
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

static void work_scales_and_is_never_none(void **state)
{
	(void)state;
	setenv("NONET_SCALE", "0.5", 1);
	assert_int_equal(test_scaled(1000), 500);
	assert_int_equal(test_scaled(1), 1);
	setenv("NONET_SCALE", "nonsense", 1);
	assert_int_equal(test_scaled(1000), 100);
	unsetenv("NONET_SCALE");
}

static void a_seed_repeats_and_its_streams_differ(void **state)
{
	struct test_random one = test_random_init(7, 1);
	struct test_random again = test_random_init(7, 1);
	struct test_random other = test_random_init(7, 2);
	int same = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = test_random_between(&one, 10, 19);

		assert_in_range(value, 10, 19);
		assert_int_equal(test_random_between(&again, 10, 19), value);
		same += test_random_between(&other, 10, 19) == value;
	}
	/* 100 are expected; 200 would be ten standard deviations away. */
	assert_true(same < 200);
}

/* The filter of test.c: cmocka alone says "not ok". */
static void a_skip_is_no_failure_and_says_why(void **state)
{
	const char *const argv[] = {program, "skip", "healthy", NULL};
	struct test_result result;

	(void)state;
	test_run(argv, NULL, 0, test_deadline(), &result);
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out, "\nok 1 # SKIP skip: needs wings: it has to fly\n"));
	test_run_free(&result);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case(work_scales_and_is_never_none),
		test_case(a_seed_repeats_and_its_streams_differ),
		test_case(a_skip_is_no_failure_and_says_why),
		test_case(what_must_fail_fails_and_its_twin_passes),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test-harness MUST-FAIL-PROGRAM\n");
		return 2;
	}
	program = argv[1];
	return test_main(tests);
}
