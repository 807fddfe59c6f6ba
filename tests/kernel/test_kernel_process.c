/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of processes and signals. None of nonet's own code is called. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

#define BY_PIDFD ((idtype_t)3)

/* What clone3(2) takes, up to what we use; older headers don't have all of it. */
struct clone3_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
		cgroup;
};

/* A child that does nothing until it is killed; with a number of our choice, or 0. */
static pid_t start(pid_t number)
{
	const pid_t wanted[] = {number};
	struct clone3_arguments arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = number ? (uintptr_t)wanted : 0,
		.set_tid_size = number ? 1 : 0,
	};
	const pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return (pid_t)test_must(pid);
}

static int open_pidfd(pid_t pid)
{
	return (int)test_must(syscall(SYS_pidfd_open, pid, 0));
}

static int send_by(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? errno : 0;
}

static void end(pid_t pid)
{
	int status;

	test_must(kill(pid, SIGKILL));
	test_check_equal(test_must(waitpid(pid, &status, 0)), pid);
	test_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_number_is_given_to_another_and_a_pidfd_is_not(void **state)
{
	const pid_t first = start(0);
	const int pidfd = open_pidfd(first);
	struct pollfd item = {.fd = pidfd, .events = POLLIN};
	int status;

	(void)state;
	if (geteuid() != 0) {
		end(first);
		close(pidfd);
		test_skip("root", "to give a process the number of one that ended (clone3 with set_tid)");
	}
	end(first);
	test_check_equal(start(first), first);
	/* Who remembers the number hits the second. */
	test_check_equal(send_by(pidfd, SIGTERM), ESRCH);
	test_check_equal(test_must(poll(&item, 1, 0)), 1);
	test_check_equal(waitpid(first, &status, WNOHANG), 0);
	test_must(kill(first, SIGTERM));
	test_check_equal(test_must(waitpid(first, &status, 0)), first);
	test_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	close(pidfd);
}

static void a_pidfd_is_readable_from_the_end_on_and_takes_signals_until_it_is_reaped(void **state)
{
	const pid_t pid = start(0);
	const int pidfd = open_pidfd(pid);
	struct pollfd item = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {.si_pid = 0};

	(void)state;
	test_check_equal(test_must(poll(&item, 1, 0)), 0);
	test_check_equal(send_by(pidfd, 0), 0);
	test_must(waitid(BY_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG));
	test_check_equal(info.si_pid, 0);
	test_must(kill(pid, SIGKILL));
	test_check_equal(test_poll(&item, 1, test_deadline()), 1);
	test_check_equal(send_by(pidfd, SIGTERM), 0);
	test_must(waitid(BY_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG));
	test_check_equal(info.si_pid, pid);
	test_check_equal(info.si_code, CLD_KILLED);
	test_check_equal(send_by(pidfd, SIGTERM), ESRCH);
	test_check(waitid(BY_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 && errno == ECHILD);
	test_check_equal(test_must(poll(&item, 1, 0)), 1);
	close(pidfd);
}

static void what_is_no_pidfd_is_ebadf(void **state)
{
	int ends[2];

	(void)state;
	test_must(pipe(ends));
	test_check_equal(send_by(ends[0], 0), EBADF);
	test_check_equal(send_by(-1, 0), EBADF);
	close(ends[0]);
	close(ends[1]);
}

static ssize_t queue(int number, int code, int value)
{
	siginfo_t info = {.si_signo = number, .si_code = code};

	info.si_pid = 1;
	info.si_uid = 1;
	info.si_value.sival_int = value;
	return syscall(SYS_rt_sigqueueinfo, getpid(), number, &info) < 0 ? -errno : 0;
}

/* How kill(2) loses real-time signals, and the queue doesn't; and that a queued sender is who it says it is. */
static int fill_the_queue(struct test_child_side *side, void *argument)
{
	struct rlimit none = {0, 0};
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	(void)side;
	(void)argument;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGTERM);
	test_must(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = (int)test_must(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));

	test_check_equal(queue(SIGRTMIN, SI_QUEUE, 7), 0);
	test_check_equal(read(fd, &info, sizeof(info)), sizeof(info));
	test_check_equal(info.ssi_int, 7);
	/* So we lied, and the kernel passed it on. */
	test_check_equal(info.ssi_pid, 1);

	test_must(setrlimit(RLIMIT_SIGPENDING, &none));
	test_check_equal(queue(SIGRTMIN, SI_QUEUE, 7), -EAGAIN);
	test_check(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	/* Two are sent, both are success, and one comes, from nobody. */
	test_must(kill(getpid(), SIGRTMIN));
	test_must(kill(getpid(), SIGRTMIN));
	test_check_equal(read(fd, &info, sizeof(info)), sizeof(info));
	test_check_equal(info.ssi_pid, 0);
	test_check(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	/* An ordinary one always gets through, without what it carried. */
	test_check_equal(queue(SIGTERM, SI_QUEUE, 7), 0);
	test_check_equal(read(fd, &info, sizeof(info)), sizeof(info));
	test_check_equal(info.ssi_int, 0);
	close(fd);
	return 0;
}

static void only_a_queued_real_time_signal_tells_that_there_is_no_room(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(fill_the_queue, NULL)), 0);
}

static int ignore_and_block(struct test_child_side *side, void *argument)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	(void)side;
	(void)argument;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	signal(SIGTERM, SIG_IGN);
	test_must(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = (int)test_must(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	test_must(kill(getpid(), SIGTERM));
	test_check_equal(read(fd, &info, sizeof(info)), sizeof(info));
	close(fd);
	return 0;
}

static void a_blocked_signal_is_received_even_where_it_is_ignored(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(ignore_and_block, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_number_is_given_to_another_and_a_pidfd_is_not),
		test_case(a_pidfd_is_readable_from_the_end_on_and_takes_signals_until_it_is_reaped),
		test_case(what_is_no_pidfd_is_ebadf),
		test_case(only_a_queued_real_time_signal_tells_that_there_is_no_room),
		test_case(a_blocked_signal_is_received_even_where_it_is_ignored),
	};

	return test_main(tests);
}
