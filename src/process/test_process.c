/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/storm.h"
#include "process/test_process.h"

static void the_status_is_told_as_often_as_it_is_asked_for(void **state)
{
	struct nonet_process *process = SPAWN(NULL, "false");

	(void)state;
	for (int i = 0; i < 3; i++)
		ends_with(process, NONET_PROCESS_EXITED, 1);
	test_check_equal(nonet_process_wait(process, NONET_NOW, NULL), 0);
	test_check_equal(nonet_process_signal(process, SIGTERM, NULL), -ESRCH);
	nonet_process_close(process);

	process = SHELL(NULL, "kill -USR2 $$");
	ends_with(process, NONET_PROCESS_KILLED, SIGUSR2);
	nonet_process_close(process);
}

static void a_process_that_runs_is_waited_for_until_the_deadline(void **state)
{
	struct nonet_process_status status = {.how = 99};
	struct nonet_process *process = SPAWN(&piped, "cat");
	nonet_time deadline = nonet_after(NONET_MS(30));
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_error error;
	size_t count;

	(void)state;
	test_check_equal(nonet_process_wait(process, NONET_NOW, &status), -EAGAIN);
	test_check_equal(nonet_process_wait(process, deadline, &status), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check_equal(status.how, 99);
	nonet_process_explain(process, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "deadline"));

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_process_waitable(process), NONET_WAIT_RECEIVE, process), 0);
	test_check_equal(nonet_process_arm(process), 0);
	test_check_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	test_check_equal(nonet_process_signal(process, SIGINT, NULL), 0);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check(event.data == process);
	ends_with(process, NONET_PROCESS_KILLED, SIGINT);
	nonet_process_close(process);
	nonet_wait_set_free(set);
}

static int wait_to_be_told(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	test_await(side, "end");
	return 3;
}

static void of_others_processes_the_end_is_told_and_the_status_left(void **state)
{
	struct test_child *child = test_child_until(wait_to_be_told, NULL);
	struct nonet_process *process;
	struct nonet_process *taken;
	int fd = (int)test_must(syscall(SYS_pidfd_open, test_child_pid(child), 0));

	(void)state;
	test_check_equal(nonet_process_open(test_child_pid(child), &process, NULL), 0);
	test_check_equal(nonet_process_take_pidfd(&fd, &taken, NULL), 0);
	test_check_equal(fd, -1);
	test_check_equal(nonet_process_pid(process), test_child_pid(child));
	test_check_equal(nonet_process_pid(taken), test_child_pid(child));
	test_check_equal(nonet_process_wait(process, NONET_NOW, NULL), -EAGAIN);
	test_check_equal(nonet_process_wait(taken, nonet_after(NONET_MS(5)), NULL), -ETIMEDOUT);
	test_child_tell(child, "end");
	ends_with(process, NONET_PROCESS_ENDED, 0);
	ends_with(taken, NONET_PROCESS_ENDED, 0);
	/* Reaped by whose child it is, with its status. */
	test_check_equal(test_child_join(child), 3);
	ends_with(process, NONET_PROCESS_ENDED, 0);
	nonet_process_close(process);
	nonet_process_close(taken);
}

struct other_thread {
	sem_t told, end;
	pid_t id;
};

static void *tell_own_number(void *argument)
{
	struct other_thread *other = argument;

	other->id = (pid_t)syscall(SYS_gettid);
	sem_post(&other->told);
	sem_wait(&other->end);
	return NULL;
}

static void what_is_no_process_is_refused(void **state)
{
	struct nonet_process *process = (void *)&process;
	struct nonet_error error;
	struct other_thread other;
	pthread_t thread;
	int fd;

	(void)state;
	test_check_equal(nonet_process_open(0, &process, &error), -EINVAL);
	test_check_equal(nonet_process_open(-7, &process, &error), -EINVAL);
	test_check_equal(nonet_process_open(1 << 30, &process, &error), -ESRCH);
	test_check(strstr(error.text, "1073741824"));
	sem_init(&other.told, 0, 0);
	sem_init(&other.end, 0, 0);
	test_check_equal(pthread_create(&thread, NULL, tell_own_number, &other), 0);
	sem_wait(&other.told);
	test_check_equal(nonet_process_open(other.id, &process, &error), -EINVAL);
	test_check(strstr(error.text, "thread"));
	sem_post(&other.end);
	pthread_join(thread, NULL);
	fd = -1;
	test_check_equal(nonet_process_take_pidfd(&fd, &process, &error), -EBADF);
	fd = STDERR_FILENO;
	test_check_equal(nonet_process_take_pidfd(&fd, &process, &error), -EBADF);
	test_check(strstr(error.text, "isn't a pidfd"));
	test_check_equal(fd, STDERR_FILENO);
	/* Which some system calls take for a pidfd, but which is always readable. */
	fd = (int)test_must(open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	test_check_equal(nonet_process_take_pidfd(&fd, &process, &error), -EBADF);
	test_must(close(fd));
	test_check(process == (void *)&process);
	test_check(nonet_process_close(NULL) == NULL);
}

/* The flag is Linux 6.9's; it would be told to have ended with that thread, though its process goes on. */
static void the_pidfd_of_a_thread_is_refused(void **state)
{
	struct nonet_process *process = (void *)&process;
	struct nonet_error error = {0};
	int fd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);

	(void)state;
	if (fd < 0)
		test_skip("PIDFD_THREAD", "this kernel doesn't have it");
	test_check_equal(nonet_process_take_pidfd(&fd, &process, &error), -EINVAL);
	test_check(strstr(error.text, "PIDFD_THREAD"));
	test_check(process == (void *)&process);
	test_must(close(fd));
}

/* As the first of a new namespace, under the /proc of the old one. */
static int ask_for_a_number(void)
{
	int fd = (int)test_must(syscall(SYS_pidfd_open, getpid(), 0));
	struct nonet_process *process;

	test_check_equal(getpid(), 1);
	test_check_equal(nonet_process_take_pidfd(&fd, &process, NULL), 0);
	test_check_equal(nonet_process_pid(process), 0);
	nonet_process_close(process);
	return 0;
}

static int enter_a_namespace(struct test_child_side *side, void *argument)
{
	int status;
	pid_t pid;

	(void)side;
	(void)argument;
	test_must(unshare(CLONE_NEWPID));
	pid = (pid_t)test_must(fork());
	if (pid == 0)
		_exit(ask_for_a_number());
	test_must(waitpid(pid, &status, 0));
	return status == 0 ? 0 : 1;
}

static void the_proc_of_another_namespace_tells_no_number(void **state)
{
	(void)state;
	test_skip_unless_root("to make a PID namespace");
	test_check_equal(test_child_join(test_child_start(enter_a_namespace, NULL)), 0);
}

static void one_that_was_reaped_elsewhere_has_ended_all_the_same(void **state)
{
	struct nonet_process *process = SPAWN(NULL, "true");

	(void)state;
	test_check_equal(test_must(waitpid(nonet_process_pid(process), NULL, 0)), nonet_process_pid(process));
	ends_with(process, NONET_PROCESS_ENDED, 0);
	nonet_process_close(process);
}

static int ignore_children(struct test_child_side *side, void *argument)
{
	struct nonet_process *process;

	(void)side;
	(void)argument;
	signal(SIGCHLD, SIG_IGN);
	process = SPAWN(NULL, "false");
	ends_with(process, NONET_PROCESS_ENDED, 0);
	nonet_process_close(process);
	/* The one that couldn't begin was reaped by the kernel too. */
	return nonet_process_spawn((const char *const[]){"/nonexistent", NULL}, NULL, &process, NULL) == -ENOENT ? 0
														 : 1;
}

static void where_sigchld_is_ignored_only_the_end_is_known(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(ignore_children, NULL)), 0);
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_process *process = argument;

	(void)side;
	test_check_equal(nonet_process_wait(process, NONET_NOW, NULL), -EAGAIN);
	test_check_equal(nonet_process_signal(process, SIGKILL, NULL), 0);
	ends_with(process, NONET_PROCESS_ENDED, 0);
	nonet_process_close(process);
	return 0;
}

static void a_forked_child_holds_its_parents_as_anothers(void **state)
{
	struct nonet_process *process = SPAWN(&piped, "cat");

	(void)state;
	test_check_equal(test_child_join(test_child_start(use_the_parents, process)), 0);
	ends_with(process, NONET_PROCESS_KILLED, SIGKILL);
	nonet_process_close(process);
}

static void one_that_still_runs_goes_on_after_the_close(void **state)
{
	struct nonet_process *process = SHELL(&piped, "read x; exit 9");
	const pid_t pid = nonet_process_pid(process);
	int status;

	(void)state;
	/* With our end of its pipe it finds the end of its input, and ends. */
	nonet_process_close(process);
	test_check_equal(test_must(waitpid(pid, &status, 0)), pid);
	test_check(WIFEXITED(status) && WEXITSTATUS(status) == 9);

	process = SPAWN(NULL, "true");
	test_check_equal(
		test_poll(&(struct pollfd){.fd = nonet_process_fd(process), .events = POLLIN}, 1, test_deadline()), 1);
	nonet_process_close(process);
	/* That one was reaped. */
	test_check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void a_storm_of_signals_disturbs_neither_spawn_nor_wait(void **state)
{
	struct nonet_process *lasting = SPAWN(&piped, "cat");
	struct nonet_process *process;
	struct test_storm *storm;
	nonet_time deadline;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(30));
	for (int i = 0; i < 100; i++) {
		process = SHELL(NULL, "exit 3");
		ends_with(process, NONET_PROCESS_EXITED, 3);
		nonet_process_close(process);
	}
	for (int i = 0; i < 10; i++) {
		deadline = nonet_after(NONET_MS(20));
		test_check_equal(nonet_process_wait(lasting, deadline, NULL), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline);
		test_check(nonet_clock() < deadline + NONET_MS(500) * test_slowness());
	}
	test_check_equal(nonet_process_stop(lasting, test_deadline() - NONET_S(1), test_deadline(), NULL), 0);
	test_check(test_storm_stop(storm) > 0 && test_storm_received() > 0);
	nonet_process_close(lasting);
}

/* Nobody has the number 0, and no sentence may name it. */
static void one_whose_number_is_not_known_is_not_called_0(void **state)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -ESRCH, -EPERM, -EINVAL, -ENOMEM};
	struct nonet_process *process;
	struct nonet_error error;
	const pid_t child = (pid_t)test_must(fork());
	int fd;

	(void)state;
	if (child == 0)
		_exit(0);
	fd = (int)test_must(syscall(SYS_pidfd_open, child, 0));
	test_must(waitpid(child, NULL, 0));
	test_check_equal(nonet_process_take_pidfd(&fd, &process, NULL), 0);
	test_check_equal(nonet_process_pid(process), 0);
	test_check_equal(nonet_process_signal(process, SIGTERM, NULL), -ESRCH);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		nonet_process_explain(process, codes[i], &error);
		if (strstr(error.text, " 0") || !strstr(error.text, "the process"))
			test_fail("%s", error.text);
	}
	nonet_process_close(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(the_status_is_told_as_often_as_it_is_asked_for),
		test_case(a_process_that_runs_is_waited_for_until_the_deadline),
		test_case(of_others_processes_the_end_is_told_and_the_status_left),
		test_case(what_is_no_process_is_refused),
		test_case(one_whose_number_is_not_known_is_not_called_0),
		test_case(the_pidfd_of_a_thread_is_refused),
		test_case(the_proc_of_another_namespace_tells_no_number),
		test_case(one_that_was_reaped_elsewhere_has_ended_all_the_same),
		test_case(where_sigchld_is_ignored_only_the_end_is_known),
		test_case(a_forked_child_holds_its_parents_as_anothers),
		test_case(one_that_still_runs_goes_on_after_the_close),
		test_case(a_storm_of_signals_disturbs_neither_spawn_nor_wait),
	};

	return test_main(tests);
}
