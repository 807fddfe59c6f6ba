/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

#include "sys/fork.h"

static int tell_generation(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report_number(side, sys_generation());
	test_check_equal(sys_generation(), sys_generation());
	return 0;
}

/* Its child is made before it has asked for its own number, and by a fork that no library sees. */
static int tell_both(struct test_child_side *side, void *argument)
{
	int status = -1;
	pid_t pid;

	(void)argument;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	test_must(pid);
	if (pid == 0) {
		test_report_number(side, sys_generation());
		_exit(0);
	}
	test_must(waitpid(pid, &status, 0));
	test_check_equal(status, 0);
	test_report_number(side, sys_generation());
	return 0;
}

static void every_process_has_a_generation_of_its_own(void **state)
{
	const unsigned ours = sys_generation();
	struct test_child *child;
	int64_t first;
	int64_t second;

	(void)state;
	assert_int_not_equal(ours, 0);
	for (int i = 0; i < 3; i++) {
		child = test_child_start(tell_generation, NULL);
		assert_int_not_equal(test_child_number(child), ours);
		test_child_join(child);
		assert_int_equal(sys_generation(), ours);
	}
	child = test_child_start(tell_both, NULL);
	first = test_child_number(child);
	second = test_child_number(child);
	test_child_join(child);
	assert_int_not_equal(first, ours);
	assert_int_not_equal(second, ours);
}

static int descend(struct test_child_side *side, void *argument)
{
	unsigned *seen = argument;
	unsigned depth = 0;
	int status;
	pid_t pid;

	while (depth < 5) {
		seen[depth++] = sys_generation();
		for (unsigned i = 0; i + 1 < depth; i++)
			test_check(seen[i] != seen[depth - 1]);
		pid = fork();
		test_must(pid);
		if (pid > 0) {
			test_must(waitpid(pid, &status, 0));
			_exit(status != 0);
		}
	}
	test_report(side, "at the end of the line");
	_exit(0);
}

static void every_generation_of_a_line_differs_from_those_before(void **state)
{
	unsigned seen[5] = {0};
	struct test_child *child = test_child_start(descend, seen);

	(void)state;
	test_child_wait_state(child, "at the end of the line");
	assert_int_equal(test_child_join(child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_process_has_a_generation_of_its_own),
		test_case(every_generation_of_a_line_differs_from_those_before),
	};

	return test_main(tests);
}
