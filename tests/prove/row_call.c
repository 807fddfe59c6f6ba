/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <string.h>

/* Row 4: killed as it enters a system call, asleep in it, and as it leaves it: stop after stop of PTRACE_SYSCALL. */

/* Bring the first to its stop. Return: whether there is one. */
static bool reach(struct prove_sweep *sweep, size_t stop, struct prove_tracee *tracee)
{
	if (!prove_first(sweep, &(struct prove_point){.first = 0}, tracee))
		return false;
	for (size_t i = 0; i < stop && tracee->where != PROVE_GONE; i++) {
		if (tracee->where == PROVE_RETURNED)
			return false;
		if (tracee->where == PROVE_ASLEEP && !tracee->let_go)
			return false;
		prove_tracee_call(tracee);
	}
	return tracee->where != PROVE_GONE && tracee->where != PROVE_RETURNED;
}

static void play(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_actor survivor = {0};
	struct prove_tracee tracee;

	if (reach(sweep, point->first, &tracee) && strcmp(point->variant, "midway") == 0) {
		prove_survivor_start(sweep, &survivor);
		prove_actor_settles(&survivor);
	}
	prove_tracee_kill(&tracee, &sweep->scene.run);
	prove_survive(sweep, &survivor);
}

static bool has_stop(struct prove_sweep *sweep, size_t stop)
{
	struct prove_tracee tracee = {0};
	const bool there = prove_scene_restore(&sweep->scene) && reach(sweep, stop, &tracee);

	prove_tracee_kill(&tracee, &sweep->scene.run);
	return there;
}

/* A call that takes long on a busy machine looks like one that sleeps for good, behind which there is no stop. */
#define COUNT_TRIES 3

/* How many stops there are. */
static size_t count(struct prove_sweep *sweep)
{
	size_t stops = 0;
	bool there;

	do {
		there = false;
		for (int tries = 0; tries < COUNT_TRIES && !there; tries++)
			there = has_stop(sweep, stops + 1);
		stops += there;
	} while (there);
	return stops;
}

void prove_row_call(struct prove_sweep *sweep)
{
	size_t stops;

	if (!prove_sweep_record(sweep))
		return;
	stops = count(sweep);
	for (size_t i = 1; i <= stops; i++) {
		prove_point(sweep, play, &(struct prove_point){.variant = "after", .first = i});
		prove_point(sweep, play, &(struct prove_point){.variant = "midway", .first = i});
	}
}
