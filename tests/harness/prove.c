/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/prove.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/fail.h"

static void tell(const char *text, int size)
{
	const char *path = getenv("NONET_PROVE_JSON");
	int fd;

	if (!path || !*path)
		return;
	/* One write to the end: several tests may do it at once. */
	fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
	test_check_equal(test_must(write(fd, text, (size_t)size)), size);
	test_must(close(fd));
}

void test_prove_note(const char *operation, int row, uint64_t points, uint64_t failures)
{
	char text[256];

	tell(text, snprintf(text, sizeof(text),
			    "{\"operation\": \"%s\", \"row\": %d, \"points\": %llu, \"failures\": %llu}\n", operation,
			    row, (unsigned long long)points, (unsigned long long)failures));
}

void test_prove_at(const char *file, int line, const char *operation, int row, uint64_t points, uint64_t failures)
{
	test_note("row %d: %s: %llu points, %llu failures", row, operation, (unsigned long long)points,
		  (unsigned long long)failures);
	test_prove_note(operation, row, points, failures);
	if (failures)
		test_fail_at(file, line, "row %d, %s: %llu of %llu points weren't borne", row, operation,
			     (unsigned long long)failures, (unsigned long long)points);
	if (points == 0)
		test_fail_at(file, line, "row %d, %s: nothing was tried", row, operation);
}

void test_prove_not(const char *operation, int row, const char *why)
{
	char text[256];

	test_note("row %d: %s: not tried: %s", row, operation, why);
	tell(text,
	     snprintf(text, sizeof(text),
		      "{\"operation\": \"%s\", \"row\": %d, \"points\": 0, \"failures\": 0, \"untried\": \"%s\"}\n",
		      operation, row, why));
}
