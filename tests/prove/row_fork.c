/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <string.h>

#include "harness/deadline.h"

/*
 * Row 12: fork(2) and execve(2) in the middle of the operation, made by the victim itself with registers that the
 * machine sets.
 *   fork     at each instruction: the child is refused, the parent's operation goes on to its end;
 *   orphan   the parent is killed and the child lives: it must not pass for the parent;
 *   exec     the process lives on as another program: what it held is taken over.
 */

/* A program that is alive and does nothing: this one. */
static const char *const holder[] = {"/proc/self/exe", "--hold", NULL};

static bool fork_it(struct prove_sweep *sweep, const struct prove_point *point, struct prove_tracee *tracee,
		    struct prove_actor *child)
{
	struct prove_run *run = &sweep->scene.run;

	if (!prove_first(sweep, point, tracee) || tracee->where == PROVE_ASLEEP)
		return false;
	prove_tracee_fork(tracee, prove_run_forked, child);
	if (prove_actor_settles(child) && prove_returned(run, PROVE_FORKED, &(int64_t){0}))
		return true;
	prove_failed(run, "the forked child wasn't refused: it %s",
		     prove_sleeps(child->pid) ? "sleeps in the operation" : "ended");
	return true;
}

static void play_fork(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_run *run = &sweep->scene.run;
	struct prove_actor survivor = {0};
	struct prove_actor parent = {0};
	struct prove_actor child = {0};
	struct prove_tracee tracee;

	if (fork_it(sweep, point, &tracee, &child) && strcmp(point->variant, "fork") == 0 &&
	    prove_tracee_detach(&tracee, &parent))
		prove_join(sweep, &parent);
	prove_tracee_kill(&tracee, run);
	prove_survive(sweep, &survivor);
	if (child.pid && !prove_actor_settles(&child))
		prove_failed(run, "the forked child didn't live until all was judged");
	prove_actor_kill(&child);
}

static void play_exec(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_run *run = &sweep->scene.run;
	struct prove_actor survivor = {0};
	struct prove_actor other = {0};
	struct prove_tracee tracee;

	if (prove_first(sweep, point, &tracee) && tracee.where != PROVE_ASLEEP) {
		/* For the others that is its death. */
		atomic_store(&run->shared->sides[PROVE_FIRST].killed_at, test_clock());
		prove_tracee_exec(&tracee, holder, &other);
	}
	prove_tracee_kill(&tracee, run);
	prove_survive(sweep, &survivor);
	prove_actor_kill(&other);
}

void prove_row_fork(struct prove_sweep *sweep)
{
	if (!sweep->operation->forked || !prove_sweep_record(sweep))
		return;
	for (size_t i = 0; i < sweep->path.count; i++) {
		if (sweep->path.steps[i].asleep || !prove_is_news(sweep, i))
			continue;
		prove_point(sweep, play_fork, &(struct prove_point){.variant = "fork", .first = i});
		if (!sweep->path.steps[i].distinct)
			continue;
		prove_point(sweep, play_fork, &(struct prove_point){.variant = "orphan", .first = i});
		prove_point(sweep, play_exec, &(struct prove_point){.variant = "exec", .first = i});
	}
}
