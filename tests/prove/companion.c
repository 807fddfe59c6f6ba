/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "prove/run.h"

/* Processes beside the cast or a survivor: its children, so they are reaped by it, or by the worker once it is dead. */

#define COMPANIONS 8

static pid_t companions[COMPANIONS];
static size_t companion_count;

static bool has_ended(pid_t pid)
{
	siginfo_t ended = {0};

	return waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == pid;
}

void prove_accompany(struct prove_run *run, prove_function *function)
{
	const nonet_time deadline = test_deadline();
	const pid_t parent = getpid();
	pid_t pid;

	prove_require(run, companion_count < COMPANIONS, "more than %d companions", COMPANIONS);
	pid = fork();
	prove_require(run, pid >= 0, "no process for a companion");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		run->companion = (int)companion_count + 1;
		companion_count = 0;
		function(run);
		_exit(0);
	}
	companions[companion_count++] = pid;
	while (!prove_sleeps(pid) && !has_ended(pid))
		prove_require(run, test_clock() < deadline, "a companion neither sleeps nor ends");
}

void prove_companions_join(struct prove_run *run)
{
	int status;

	for (size_t i = 0; i < companion_count; i++)
		prove_require(run, waitpid(companions[i], &status, 0) == companions[i] && status == 0,
			      "companion %zu ended with status 0x%x", i + 1, (unsigned)status);
	companion_count = 0;
}

void prove_companions_kill(struct prove_run *run)
{
	int status;

	for (size_t i = 0; i < companion_count; i++) {
		kill(companions[i], SIGKILL); /* not reaped yet, so the number is its own */
		prove_require(run, waitpid(companions[i], &status, 0) == companions[i] && WIFSIGNALED(status),
			      "companion %zu ended before it was killed", i + 1);
	}
	companion_count = 0;
}

int prove_companion(const struct prove_run *run)
{
	return run->companion;
}
