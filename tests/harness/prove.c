/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/prove.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/fail.h"

void test_prove_at(const char *file, int line, const char *operation, int row, uint64_t points, uint64_t failures)
{
	const char *path = getenv("NONET_PROVE_JSON");
	char text[256];
	int size;

	test_note("row %d: %s: %llu points, %llu failures", row, operation, (unsigned long long)points,
		  (unsigned long long)failures);
	if (path && *path) {
		/* One write to the end: several tests may do it at once. */
		const int fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));

		size = snprintf(text, sizeof(text),
				"{\"operation\": \"%s\", \"row\": %d, \"points\": %llu, \"failures\": %llu}\n",
				operation, row, (unsigned long long)points, (unsigned long long)failures);
		test_check_equal(test_must(write(fd, text, (size_t)size)), size);
		test_must(close(fd));
	}
	if (failures)
		test_fail_at(file, line, "row %d, %s: %llu of %llu points weren't borne", row, operation,
			     (unsigned long long)failures, (unsigned long long)points);
	if (points == 0)
		test_fail_at(file, line, "row %d, %s: nothing was tried", row, operation);
}
