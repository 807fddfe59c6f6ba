/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#define BARE_STACK 65536

/* put starts /bin/true; take waits for its end by the deadline, and reaps it. */
struct bare_process {
	int pidfd;
	pid_t pid;
	int error;
	char *stack;
};

static char bare_name[] = "/bin/true";
static char *const bare_program[] = {bare_name, NULL};

static int bare_process_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_process *own = calloc(1, sizeof(*own));

	(void)size;
	if (!own)
		return -ENOMEM;
	own->stack = aligned_alloc(4096, BARE_STACK);
	own->pidfd = -1;
	*ret_a = *ret_b = own;
	return own->stack ? 0 : -ENOMEM;
}

/* Our handlers gone, no descriptor of ours but the streams, no signal blocked; a failure is told by a store. */
static int bare_process_run(void *argument)
{
	struct bare_process *own = argument;
	struct sigaction action;
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &action) < 0 || action.sa_handler == SIG_DFL)
			continue;
		if (action.sa_handler == SIG_IGN && number != SIGPIPE)
			continue;
		action.sa_handler = SIG_DFL;
		sigaction(number, &action, NULL);
	}
	syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(bare_program[0], bare_program, environ);
	own->error = -errno;
	return 127;
}

static int bare_process_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_process *own = end;
	sigset_t all, before;

	(void)message;
	(void)size;
	(void)deadline;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	own->error = 0;
	own->pid = clone(bare_process_run, own->stack + BARE_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, own,
			 &own->pidfd);
	if (own->pid < 0)
		own->error = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return own->error;
}

static int bare_process_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_process *own = end;
	siginfo_t info = {.si_pid = 0};
	int error;

	(void)buffer;
	(void)size;
	for (;;) {
		if (waitid((idtype_t)3, (id_t)own->pidfd, &info, WEXITED | WNOHANG) < 0)
			return -errno;
		if (info.si_pid)
			break;
		error = bare_wait(own->pidfd, POLLIN, deadline);
		if (error < 0)
			return error;
	}
	close(own->pidfd);
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : -EPROTO;
}

static void bare_process_close(void *end)
{
	struct bare_process *own = end;

	if (own)
		free(own->stack);
	free(own);
}

static int naked_process_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_process *own = end;

	(void)message;
	(void)size;
	(void)deadline;
	return -posix_spawn(&own->pid, bare_program[0], NULL, NULL, bare_program, environ);
}

static int naked_process_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_process *own = end;

	(void)buffer;
	(void)size;
	(void)deadline;
	return waitpid(own->pid, NULL, 0) < 0 ? -errno : 0;
}

const struct bench_way bare_process = {bare_process_open, bare_process_put, bare_process_take, bare_process_close};
const struct bench_way naked_process = {bare_process_open, naked_process_put, naked_process_take, bare_process_close};
