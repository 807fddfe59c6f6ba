/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* So many tasks are played again in all: more often, it isn't chance that somebody kills our processes. */
#define AGAIN_MAX 3

/* Play @task, then all that nobody has begun. */
static int play_all(const struct prove_work *work, size_t number, size_t task)
{
	struct prove_board *board = work->board;
	struct prove_scene scene;
	sigset_t child;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The fork of a victim that was killed is ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	prove_scene_init(&scene, (int)number, work->patience);
	for (; task < work->tasks; task = atomic_fetch_add(&board->next, 1)) {
		atomic_store(&board->workers[number].played.points, 0);
		atomic_store(&board->workers[number].played.states, 0);
		atomic_store(&board->workers[number].task, task);
		work->play(task, &board->workers[number].played, &scene);
	}
	prove_scene_done(&scene);
	return 0;
}

static pid_t start(const struct prove_work *work, size_t number, size_t task)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		prove_broken("no process: %s", strerror(errno));
	if (pid == 0)
		exit(play_all(work, number, task));
	return pid;
}

/* Workers that another took the place of: a process of theirs may have died so late that something of it is left. */
static struct {
	pid_t worker;
	size_t number;
} replaced[AGAIN_MAX];
static size_t replaced_count;

/* One that gave its task up: another worker begins with that. Return: whether it did. */
static bool again(const struct prove_work *work, size_t number, pid_t *worker)
{
	const size_t task = atomic_load(&work->board->workers[number].task);

	if (replaced_count == AGAIN_MAX)
		return false;
	waitpid(*worker, NULL, 0);
	prove_scene_remove(*worker, (int)number);
	replaced[replaced_count].worker = *worker;
	replaced[replaced_count++].number = number;
	work->forget(task, &work->board->workers[number].played);
	*worker = start(work, number, task);
	return true;
}

/* Until all have ended. None is reaped before, but for those that another takes the place of: so the numbers are
 * theirs.
 */
static void await_all(const struct prove_work *work, const sigset_t *signals, pid_t *workers)
{
	size_t running = work->workers;
	bool ends = false;
	siginfo_t ended;
	int signal;

	while (running > 0) {
		signal = sigwaitinfo(signals, NULL);
		for (size_t i = 0; i < work->workers && signal != SIGCHLD; i++)
			kill(workers[i], SIGKILL);
		ends = ends || signal != SIGCHLD;
		running = work->workers;
		for (size_t i = 0; i < work->workers; i++) {
			ended.si_pid = 0;
			if (waitid(P_PID, (id_t)workers[i], &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || !ended.si_pid)
				continue;
			if (ends || ended.si_code != CLD_EXITED || ended.si_status != PROVE_DISTURBED ||
			    !again(work, i, &workers[i]))
				running--;
		}
	}
}

bool prove_work_all(const struct prove_work *work)
{
	pid_t workers[PROVE_WORKERS_MAX];
	sigset_t signals;
	bool good = true;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	for (size_t i = 0; i < work->workers; i++)
		workers[i] = start(work, i, atomic_fetch_add(&work->board->next, 1));
	await_all(work, &signals, workers);
	for (size_t i = 0; i < work->workers; i++) {
		good = waitpid(workers[i], &status, 0) == workers[i] && status == 0 && good;
		prove_scene_remove(workers[i], (int)i);
	}
	for (size_t i = 0; i < replaced_count; i++)
		prove_scene_remove(replaced[i].worker, (int)replaced[i].number);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	return good;
}
