/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <nonet/signal.h>

#include "process/test_process.h"

static void stops(struct nonet_process *process, nonet_time grace, int expected, enum nonet_process_how how, int code)
{
	struct nonet_process_status status = {.how = 0};

	test_check_equal(nonet_process_stop(process, grace, test_deadline(), &status), expected);
	test_check_equal(status.how, (int)how);
	test_check_equal(status.code, code);
}

static void one_that_obeys_ends_by_itself(void **state)
{
	struct nonet_process *process = SPAWN(&piped, "cat");

	(void)state;
	stops(process, test_deadline() - NONET_S(1), 0, NONET_PROCESS_KILLED, SIGTERM);
	/* Again is fine. */
	stops(process, NONET_NOW, 0, NONET_PROCESS_KILLED, SIGTERM);
	nonet_process_close(process);

	process = SHELL(&piped, "trap 'exit 5' TERM; echo ready; while :; do read x; done");
	reads_line(process, "ready");
	stops(process, test_deadline() - NONET_S(1), 0, NONET_PROCESS_EXITED, 5);
	nonet_process_close(process);
}

static void one_that_ignores_sigterm_is_killed_after_the_grace(void **state)
{
	struct nonet_process *process = SHELL(&piped, "trap '' TERM; echo ready; read x");
	const nonet_time grace = nonet_after(NONET_MS(50));

	(void)state;
	reads_line(process, "ready");
	stops(process, grace, 1, NONET_PROCESS_KILLED, SIGKILL);
	test_check(nonet_clock() >= grace);
	/* This call needed no force. */
	stops(process, grace, 0, NONET_PROCESS_KILLED, SIGKILL);
	nonet_process_close(process);
}

static void no_force_is_used_where_the_deadline_comes_first(void **state)
{
	struct nonet_process *process = SHELL(&piped, "trap '' TERM; echo ready; read x; exit 6");
	const nonet_time deadline = nonet_after(NONET_MS(30));
	struct nonet_process_status status = {.how = 99};

	(void)state;
	reads_line(process, "ready");
	test_check_equal(nonet_process_stop(process, NONET_FOREVER, NONET_NOW, &status), -EAGAIN);
	test_check_equal(nonet_process_stop(process, deadline, deadline, &status), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check_equal(status.how, 99);
	nonet_process_finish_input(process);
	ends_with(process, NONET_PROCESS_EXITED, 6);
	nonet_process_close(process);
}

static void a_stopped_one_gets_its_sigterm(void **state)
{
	struct nonet_process *process = SHELL(&piped, "trap 'exit 5' TERM; echo ready; while :; do read x; done");
	siginfo_t info;

	(void)state;
	reads_line(process, "ready");
	test_check_equal(nonet_process_signal(process, SIGSTOP, NULL), 0);
	test_must(waitid(P_PID, (id_t)nonet_process_pid(process), &info, WSTOPPED | WNOWAIT));
	stops(process, test_deadline() - NONET_S(1), 0, NONET_PROCESS_EXITED, 5);
	nonet_process_close(process);
}

static int ignore_sigterm(struct test_child_side *side, void *argument)
{
	(void)argument;
	signal(SIGTERM, SIG_IGN);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static void anothers_process_is_stopped_too(void **state)
{
	struct test_child *child = test_child_until(ignore_sigterm, NULL);
	struct nonet_process *process;

	(void)state;
	test_check_equal(nonet_process_open(test_child_pid(child), &process, NULL), 0);
	stops(process, nonet_after(NONET_MS(20)), 1, NONET_PROCESS_ENDED, 0);
	test_check_equal(test_child_join(child), -SIGKILL);
	nonet_process_close(process);
}

static int stop_roots(struct test_child_side *side, void *argument)
{
	struct nonet_process *process = argument;
	struct nonet_error error;

	(void)side;
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_process_stop(process, NONET_NOW, NONET_FOREVER, NULL), -EPERM);
	nonet_process_explain(process, -EPERM, &error);
	test_check(strstr(error.text, "another user"));
	return 0;
}

static void another_users_process_is_left_alone(void **state)
{
	struct nonet_process *process;

	(void)state;
	test_skip_unless_root("to become another user");
	process = SPAWN(&piped, "cat");
	test_check_equal(test_child_join(test_child_start(stop_roots, process)), 0);
	test_check_equal(nonet_process_wait(process, NONET_NOW, NULL), -EAGAIN);
	nonet_process_finish_input(process);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
}

/* What clone3(2) takes, up to what we use; older headers don't have all of it. */
struct clone3_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
		cgroup;
};

/* A child with a number of our choice, which does nothing until it is killed. */
static pid_t start_with_number(pid_t number)
{
	const pid_t wanted[] = {number};
	struct clone3_arguments arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)wanted,
		.set_tid_size = 1,
	};
	const pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return (pid_t)test_must(pid);
}

static void a_number_that_was_given_to_another_is_not_signalled(void **state)
{
	struct nonet_process *process;
	pid_t number, second;
	int status;

	(void)state;
	test_skip_unless_root("to give a process the number of one that ended (clone3 with set_tid)");
	process = SPAWN(&piped, "cat");
	number = nonet_process_pid(process);
	nonet_process_finish_input(process);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	second = start_with_number(number);
	test_check_equal(second, number);
	/* The handle means the first, whoever has its number. */
	test_check_equal(nonet_process_signal(process, SIGKILL, NULL), -ESRCH);
	test_check_equal(nonet_process_stop(process, NONET_NOW, NONET_NOW, NULL), 0);
	test_check_equal(waitpid(second, &status, WNOHANG), 0);
	/* By its number the second is hit. */
	test_check_equal(nonet_signal_send(number, SIGTERM, NULL, NULL), 0);
	test_check_equal(test_must(waitpid(second, &status, 0)), second);
	test_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	nonet_process_close(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_that_obeys_ends_by_itself),
		test_case(one_that_ignores_sigterm_is_killed_after_the_grace),
		test_case(no_force_is_used_where_the_deadline_comes_first),
		test_case(a_stopped_one_gets_its_sigterm),
		test_case(anothers_process_is_stopped_too),
		test_case(another_users_process_is_left_alone),
		test_case(a_number_that_was_given_to_another_is_not_signalled),
	};

	return test_main(tests);
}
