/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/watchdog.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"
#include "harness/process.h"

/* Shared with the watched process: it sets the timer (one open file, two processes), the watchdog polls it. */
static struct watched {
	char test[256];
} * watched;
static int timer = -1;

void test_watchdog_extend(nonet_time duration)
{
	nonet_time end = test_after(duration);
	struct itimerspec when = {.it_value = {.tv_sec = end / NONET_S(1), .tv_nsec = end % NONET_S(1)}};

	if (timer >= 0)
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void test_watchdog_begin(const char *name, nonet_time duration)
{
	const char *milliseconds = getenv("NONET_TEST_WATCHDOG_MS");

	if (watched)
		snprintf(watched->test, sizeof(watched->test), "%s", name);
	if (duration == 0)
		duration = milliseconds && atoi(milliseconds) > 0 ? NONET_MS(atoi(milliseconds)) : TEST_TIME;
	test_watchdog_extend(duration);
}

void test_watchdog_end(void)
{
	struct itimerspec never = {0};

	if (timer >= 0)
		timerfd_settime(timer, 0, &never, NULL);
}

/* Abort a process, for its core and its sanitizer's report, and make sure of it. */
static void put_down(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	syscall(SYS_pidfd_send_signal, pidfd, SIGABRT, NULL, 0);
	/* A stopped one wouldn't even see it. */
	syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
	if (test_poll(&ended, 1, test_after(NONET_S(2))) == 0)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/*
 * Processes that lost their parent come to us (we are their subreaper). One that is being killed by its parent's death
 * may need a moment; any other is a leak. Return: how many leaked.
 */
static int clear_orphans(bool quietly)
{
	pid_t pids[64];
	struct pollfd ended = {.events = POLLIN};
	int leaked = 0;
	size_t count;

	while ((count = test_process_children(getpid(), pids, 64)) > 0) {
		for (size_t i = 0; i < count && i < 64; i++) {
			ended.fd = test_pidfd_open(pids[i]);
			if (ended.fd < 0)
				continue;
			if (test_poll(&ended, 1, test_after(quietly ? 0 : NONET_S(1))) == 0) {
				if (!quietly) {
					fprintf(stderr, "process %d outlived the tests that started it:\n",
						(int)pids[i]);
					test_describe_process(pids[i], stderr);
				}
				leaked++;
				syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0);
			}
			test_reap(ended.fd, pids[i]);
			close(ended.fd);
		}
	}
	return leaked;
}

static int watch(pid_t pid, int pidfd)
{
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
	bool hung = false;
	int status;

	/* For ever: whoever runs the tests has a limit for the whole program. */
	while (test_poll(fds, 2, test_clock() + NONET_S(3600)) == 0)
		;
	if (!(fds[0].revents & POLLIN)) {
		hung = true;
		printf("Bail out! watchdog: test %s hangs\n", watched->test);
		fprintf(stderr, "watchdog: test %s hangs; what its processes are doing:\n", watched->test);
		fflush(stdout);
		test_describe_process(pid, stderr);
		put_down(pidfd);
	}
	status = test_reap(pidfd, pid);
	if (status < 0 && !hung) {
		printf("Bail out! signal %d (%s) ended the tests at %s\n", -status, strsignal(-status), watched->test);
		fprintf(stderr, "signal %d (%s) ended the tests at %s\n", -status, strsignal(-status), watched->test);
	}
	if (clear_orphans(hung || status != 0) > 0 || status < 0)
		return 1;
	return status;
}

int test_watchdog_run(int (*body)(void *argument), void *argument)
{
	const char *wanted = getenv("NONET_TEST_WATCHDOG");
	pid_t parent = getpid();
	int pidfd;
	pid_t pid;

	if (wanted && strcmp(wanted, "0") == 0)
		return body(argument);
	watched = mmap(NULL, sizeof(*watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watched == MAP_FAILED || timer < 0)
		test_fail("no watchdog: %s", strerror(errno));
	strcpy(watched->test, "(before the first)");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid < 0)
		test_fail("no process for the tests: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(TEST_STATUS_ORPHAN);
		/* exit(): a sanitizer's last checks run there. */
		exit(body(argument));
	}
	pidfd = test_pidfd_open(pid);
	if (pidfd < 0)
		test_fail("no pidfd: %s", strerror(errno));
	return watch(pid, pidfd);
}
