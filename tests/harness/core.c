/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/core.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/fail.h"
#include "harness/process.h"
#include "harness/sanitizer.h"
#include "harness/test.h"

bool test_cores_are_files(void)
{
	struct rlimit limit;
	char pattern[128];

	/* Who may not raise it may have none. */
	test_must(getrlimit(RLIMIT_CORE, &limit));
	if (limit.rlim_max == 0 || TEST_SANITIZED)
		return false;
	test_read_file("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
	return strcmp(pattern, "core") == 0;
}

void test_core_in(const char *directory)
{
	struct rlimit limit;

	test_must(getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max;
	test_must(setrlimit(RLIMIT_CORE, &limit));
	test_must(prctl(PR_SET_DUMPABLE, 1));
	signal(SIGABRT, SIG_DFL);
	/* "core" is a name in the working directory. */
	test_must(chdir(directory));
}

void test_core_end(struct test_child *child, const char *directory)
{
	(void)kill(test_child_pid(child), SIGKILL);
	(void)test_child_join(child);
	(void)unlink(test_path(directory, "core"));
}
