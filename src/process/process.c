/* SPDX-License-Identifier: Apache-2.0 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include <nonet/signal.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/proc.h"
#include "sys/process.h"
#include "sys/signals.h"

struct nonet_process *process_new(struct nonet_error *reterr)
{
	struct nonet_process *process = sys_allocate(sizeof(*process));

	if (!process)
		error_set(reterr, -ENOMEM, "no memory for a process's handle");
	return process;
}

void process_hold(struct nonet_process *process, int pidfd, pid_t pid, bool child)
{
	process->pidfd = pidfd;
	process->pid = pid;
	process->child = child;
	process->generation = sys_generation();
	waitable_init(&process->waitable, pidfd, NULL);
}

static int process_open_failed(int error, pid_t pid, struct nonet_error *reterr)
{
	switch (error) {
	case -ESRCH:
		return error_set(reterr, error, "there is no process %d, or it has ended", (int)pid);
	case -EINVAL:
	case -ENOENT:
		/* Which of the two depends on the kernel. */
		return error_set(reterr, -EINVAL, "%d is one of several threads of a process: hold the process itself",
				 (int)pid);
	default:
		return error_set(reterr, error, "can't hold process %d: %s", (int)pid, error_reason(error));
	}
}

int nonet_process_open(pid_t pid, struct nonet_process **ret_process, struct nonet_error *reterr)
{
	struct nonet_process *process;
	int fd;

	if (pid <= 0)
		return error_set(reterr, -EINVAL, "%d is no process's number: they are above 0", (int)pid);
	process = process_new(reterr);
	if (!process)
		return -ENOMEM;
	fd = sys_pidfd_open(pid);
	if (fd < 0) {
		sys_free(process);
		return process_open_failed(fd, pid, reterr);
	}
	process_hold(process, fd, pid, false);
	*ret_process = process;
	return 0;
}

int nonet_process_take_pidfd(int *fd, struct nonet_process **ret_process, struct nonet_error *reterr)
{
	struct nonet_process *process;
	int flags;
	pid_t pid;
	int error = sys_pidfd_check(*fd);

	if (error < 0)
		return error_set(reterr, error, "descriptor %d isn't open, or isn't a pidfd", *fd);
	/* How the kernel shows PIDFD_THREAD: ready once that thread has ended, though its process goes on. */
	flags = sys_get_flags(*fd);
	if (flags >= 0 && flags & O_EXCL)
		return error_set(
			reterr, -EINVAL,
			"descriptor %d stands for one thread (PIDFD_THREAD): hold its process by a pidfd without "
			"that flag",
			*fd);
	process = process_new(reterr);
	if (!process)
		return -ENOMEM;
	error = flags < 0 ? flags : sys_set_cloexec(*fd);
	if (error < 0) {
		sys_free(process);
		return error_set(reterr, error, "can't use descriptor %d: %s", *fd, error_reason(error));
	}
	/* Only for people to read, so nothing is lost without /proc. */
	if (sys_pidfd_number(*fd, &pid) < 0)
		pid = 0;
	process_hold(process, *fd, pid, false);
	*fd = -1;
	*ret_process = process;
	return 0;
}

static bool process_is_ours(const struct nonet_process *process)
{
	return process->child && process->generation == sys_generation();
}

static void process_ended(struct nonet_process *process, const siginfo_t *info)
{
	process->ended = true;
	process->status = (struct nonet_process_status){.how = NONET_PROCESS_ENDED};
	if (!info)
		return;
	process->status.how = info->si_code == CLD_EXITED ? NONET_PROCESS_EXITED : NONET_PROCESS_KILLED;
	process->status.code = info->si_status;
	process->status.core_dumped = info->si_code == CLD_DUMPED;
}

/* Return: 1 it has ended, and how is in the status; 0 it runs. */
static int process_look(struct nonet_process *process)
{
	siginfo_t info;
	int events;
	int reaped;

	if (process->ended)
		return 1;
	if (process_is_ours(process)) {
		reaped = sys_reap(process->pidfd, &info);
		if (reaped > 0)
			process_ended(process, &info);
		if (reaped != -ECHILD)
			return reaped;
		/* Reaped by a wait(2) elsewhere, or by the kernel, as SIGCHLD is ignored. */
	}
	events = sys_poll_now(process->pidfd, POLLIN);
	if (events <= 0)
		return events;
	process_ended(process, NULL);
	return 1;
}

int nonet_process_wait(struct nonet_process *process, nonet_time deadline, struct nonet_process_status *ret_status)
{
	struct sys_retry retry = {0};
	bool told = false;
	int error;

	while ((error = process_look(process)) == 0) {
		/* A child that ended under a debugger is shown as ended, and yet ours only once that lets go of it. */
		error = told ? sys_retry_sleep(&retry, deadline) : sys_poll_one(process->pidfd, POLLIN, deadline);
		if (error < 0)
			return error;
		told = true;
	}
	if (error < 0)
		return error;
	if (ret_status)
		*ret_status = process->status;
	return 0;
}

int nonet_process_signal(struct nonet_process *process, int number, const int *value)
{
	return nonet_signal_send_pidfd(process->pidfd, number, value, NULL);
}

/* A process that has ended already is what is wanted. */
static int process_press(struct nonet_process *process, int number)
{
	int error = nonet_process_signal(process, number, NULL);

	return error == -ESRCH ? 0 : error;
}

int nonet_process_stop(struct nonet_process *process, nonet_time grace, nonet_time deadline,
		       struct nonet_process_status *ret_status)
{
	bool forced = false;
	int error = process_look(process);

	if (error == 0) {
		error = process_press(process, SIGTERM);
		/* After it, so that a stopped process finds SIGTERM when it goes on. */
		if (error == 0)
			error = process_press(process, SIGCONT);
	}
	if (error < 0)
		return error;
	error = nonet_process_wait(process, grace < deadline ? grace : deadline, NULL);
	if ((error == -EAGAIN || error == -ETIMEDOUT) && grace < deadline) {
		forced = true;
		error = process_press(process, SIGKILL);
		if (error == 0)
			error = nonet_process_wait(process, deadline, NULL);
	}
	if (error < 0)
		return error;
	/* It may have been just about to end. */
	if (forced && process->status.how != NONET_PROCESS_ENDED)
		forced = process->status.how == NONET_PROCESS_KILLED && process->status.code == SIGKILL;
	if (ret_status)
		*ret_status = process->status;
	return forced;
}

pid_t nonet_process_pid(struct nonet_process *process)
{
	return process->pid;
}

struct nonet_pipe *nonet_process_input(struct nonet_process *process)
{
	return process->input;
}

struct nonet_pipe *nonet_process_output(struct nonet_process *process)
{
	return process->output;
}

struct nonet_pipe *nonet_process_error(struct nonet_process *process)
{
	return process->error;
}

void nonet_process_finish_input(struct nonet_process *process)
{
	process->input = nonet_pipe_close(process->input);
}

int nonet_process_fd(struct nonet_process *process)
{
	return process->pidfd;
}

int nonet_process_arm(struct nonet_process *process)
{
	return waitable_arm(&process->waitable);
}

struct nonet_waitable *nonet_process_waitable(struct nonet_process *process)
{
	return &process->waitable;
}

void nonet_process_explain(struct nonet_process *process, int code, struct nonet_error *ret_error)
{
	char whom[32] = "the process";

	if (process->pid > 0)
		snprintf(whom, sizeof(whom), "process %d", (int)process->pid);
	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "%s still runs, or its queue of signals is full", whom);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "%s didn't end before the deadline", whom);
		return;
	case -ESRCH:
		error_set(ret_error, code, "%s has ended", whom);
		return;
	case -EPERM:
		error_set(ret_error, code,
			  "may not signal %s: it runs as another user (only root, or who has CAP_KILL, may do that)",
			  whom);
		return;
	case -EINVAL:
		error_set(ret_error, code,
			  "can't signal %s: there is no such signal, or it is outside our PID namespace", whom);
		return;
	default:
		error_set(ret_error, code, "can't deal with %s: %s", whom, error_reason(code));
		return;
	}
}

struct nonet_process *nonet_process_close(struct nonet_process *process)
{
	siginfo_t info;

	if (!process)
		return NULL;
	if (!process->ended && process_is_ours(process))
		(void)sys_reap(process->pidfd, &info);
	nonet_pipe_close(process->input);
	nonet_pipe_close(process->output);
	nonet_pipe_close(process->error);
	waitable_done(&process->waitable);
	sys_close(&process->pidfd);
	return sys_free(process);
}
