/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "base/flat.h"
#include "signal/signal.h"
#include "sys/signals.h"

/* @whom is as it stands in a sentence: "process 7". */
__attribute__((noinline)) static int signal_failed(int error, int number, const char *whom, struct nonet_error *reterr)
{
	const char *name = nonet_signal_name(number);

	switch (error) {
	case 0:
		return 0;
	case -ESRCH:
		return error_set(reterr, error, "can't send %s to %s: there is none, or it has ended", name, whom);
	case -EPERM:
		return error_set(reterr, error,
				 "may not send %s to %s: it runs as another user (only root, or who has CAP_KILL, may "
				 "do that)",
				 name, whom);
	case -EAGAIN:
		return error_set(reterr, error,
				 "can't queue %s for %s: as many signals are pending for its user as its "
				 "RLIMIT_SIGPENDING (ulimit -i) allows; send again once some were received",
				 name, whom);
	default:
		return error_set(reterr, error, "can't send %s to %s: %s", name, whom, error_reason(error));
	}
}

static int signal_check(int number, struct nonet_error *reterr)
{
	if (sys_signal_is_known(number))
		return 0;
	return error_set(reterr, -EINVAL, "%d is no signal that can be sent: they go from 1 to %d, less %d to %d",
			 number, SIGRTMAX, SIGSYS + 1, SIGRTMIN - 1);
}

/*
 * What goes with a signal: kill(2) would merge a real-time signal with others, or drop what came with it, when the
 * queue is full, and say nothing. Queued with a value it is -EAGAIN.
 */
static const int *signal_value(int number, const int *value)
{
	static const int zero;

	return !value && number >= SIGRTMIN ? &zero : value;
}

FLAT int nonet_signal_send(pid_t pid, int number, const int *value, struct nonet_error *reterr)
{
	char whom[32];
	int error = signal_check(number, reterr);

	if (error < 0)
		return error;
	if (pid <= 0)
		return error_set(reterr, -EINVAL,
				 "%d is no process's number: they are above 0 (for groups there is "
				 "nonet_signal_send_group())",
				 (int)pid);
	value = signal_value(number, value);
	error = value ? sys_signal_queue(pid, number, *value) : sys_signal_send(pid, number);
	if (error == 0)
		return 0;
	snprintf(whom, sizeof(whom), "process %d", (int)pid);
	return signal_failed(error, number, whom, reterr);
}

FLAT int nonet_signal_send_pidfd(int pidfd, int number, const int *value, struct nonet_error *reterr)
{
	int error = signal_check(number, reterr);

	if (error < 0)
		return error;
	error = sys_signal_send_pidfd(pidfd, number, signal_value(number, value));
	if (error == -EBADF)
		return error_set(reterr, error, "can't send %s: descriptor %d isn't a pidfd", nonet_signal_name(number),
				 pidfd);
	if (error == -EINVAL)
		return error_set(reterr, error, "can't send %s: the pidfd's process is outside our PID namespace",
				 nonet_signal_name(number));
	return signal_failed(error, number, "the pidfd's process", reterr);
}

int nonet_signal_send_group(pid_t group, int number, const int *value, struct nonet_error *reterr)
{
	char whom[32];
	int error = signal_check(number, reterr);

	if (error < 0)
		return error;
	/* kill(2) takes -1 for every process there is, so group 1 has no way to be named. */
	if (group <= 1)
		return error_set(reterr, -EINVAL, "%d is no process group that can be named: they are above 1",
				 (int)group);
	if (value || number >= SIGRTMIN)
		return error_set(reterr, -EOPNOTSUPP,
				 "can't send %s%s to a process group: the kernel queues nothing for groups, and a "
				 "member could lose it unnoticed; send it to each process",
				 nonet_signal_name(number), value ? " with a value" : "");
	error = sys_signal_send(-group, number);
	snprintf(whom, sizeof(whom), "process group %d", (int)group);
	return signal_failed(error, number, whom, reterr);
}

int nonet_signal_send_thread(pid_t process, pid_t thread, int number, const int *value, struct nonet_error *reterr)
{
	char whom[64];
	int error = signal_check(number, reterr);

	if (error < 0)
		return error;
	if (process <= 0 || thread <= 0)
		return error_set(reterr, -EINVAL, "%d and %d aren't both above 0, as processes and threads are",
				 (int)process, (int)thread);
	error = sys_signal_send_thread(process, thread, number, signal_value(number, value));
	snprintf(whom, sizeof(whom), "thread %d of process %d", (int)thread, (int)process);
	return signal_failed(error, number, whom, reterr);
}
