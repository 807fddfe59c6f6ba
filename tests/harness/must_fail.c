/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/must_fail.h"

#include <stdio.h>

#include "harness/test.h"

bool planted;

static const struct must_fail *const groups[] = {must_fail_child, must_fail_fault, must_fail_leak};

static const struct must_fail *find(const char *name)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (const struct must_fail *row = groups[i]; row->name; row++)
			if (strcmp(row->name, name) == 0)
				return row;
	return NULL;
}

/* Without arguments: the list, "NAME<tab>TIME<tab>SENTENCE". With NAME planted|healthy: that test alone. */
int main(int argc, char **argv)
{
	struct CMUnitTest tests[1] = {{.setup_func = test_setup, .teardown_func = test_teardown}};
	struct test_case test = {0};
	const struct must_fail *row;

	if (argc == 1) {
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
			for (row = groups[i]; row->name; row++)
				printf("%s\t%s\t%s\n", row->name, row->short_of_time ? "short" : "-", row->sentence);
		return 0;
	}
	row = argc == 3 ? find(argv[1]) : NULL;
	if (!row) {
		fprintf(stderr, "usage: must-fail [NAME planted|healthy]\n");
		return 2;
	}
	planted = strcmp(argv[2], "planted") == 0;
	test.name = row->name;
	tests[0].name = row->name;
	tests[0].test_func = row->test;
	tests[0].initial_state = &test;
	return test_main(tests);
}
