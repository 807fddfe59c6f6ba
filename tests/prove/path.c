/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/path.h"

#include <stdlib.h>

/* Of one operation. More than that isn't an operation that one would step through, but a loop that doesn't end. */
#define STEPS_MAX 60000
/* What a breakpoint costs, in single steps. */
#define VISIT 4

static struct prove_step *add(struct prove_path *path, uintptr_t at, bool asleep)
{
	struct prove_step *step;

	if ((path->count & (path->count - 1)) == 0) {
		path->steps = realloc(path->steps, (path->count ? 2 * path->count : 1) * sizeof(*path->steps));
		if (!path->steps)
			prove_broken("no memory");
	}
	step = &path->steps[path->count++];
	*step = (struct prove_step){.at = at, .occurrence = 1, .asleep = asleep};
	for (size_t i = 0; i + 1 < path->count; i++)
		step->occurrence += path->steps[i].at == at && !path->steps[i].asleep;
	return step;
}

/*
 * Whether it would be asleep, for another who isn't let go yet, if its sleep hadn't been over before it began: so it is
 * where a busy machine takes longer for the steps before a sleep than that is to last.
 */
static bool would_sleep(const struct prove_scene *scene, const struct prove_tracee *tracee)
{
	const bool first_stands = tracee->role == PROVE_SECOND && !prove_killed(&scene->run, PROVE_FIRST);

	return (tracee->let_go || first_stands) && prove_tracee_timed_out(tracee);
}

bool prove_path_record(struct prove_path *ret_path, struct prove_scene *scene, struct prove_tracee *tracee)
{
	uint64_t hash = prove_scene_hash(scene);
	uint64_t now;
	bool call;

	*ret_path = (struct prove_path){0};
	add(ret_path, tracee->at, false)->distinct = true;
	while (tracee->where == PROVE_INSIDE && ret_path->count < STEPS_MAX) {
		call = prove_tracee_before_call(tracee);
		if (prove_tracee_step(tracee) == PROVE_ASLEEP) {
			add(ret_path, 0, true)->distinct = true;
			if (!tracee->let_go)
				break;
			/* Nor does it go on by itself where it slept for an interval, in vain. */
			if (prove_tracee_wake(tracee) == PROVE_ASLEEP || would_sleep(scene, tracee))
				break;
		} else if (call && would_sleep(scene, tracee)) {
			add(ret_path, 0, true)->distinct = true;
			if (!tracee->let_go)
				break;
			tracee->let_go(tracee->run);
			tracee->let_go = NULL;
		}
		if (tracee->where == PROVE_GONE)
			break;
		now = prove_scene_hash(scene);
		add(ret_path, tracee->at, false)->distinct = call || now != hash;
		hash = now;
	}
	if (tracee->where == PROVE_GONE)
		prove_failed(&scene->run, "it ended in the middle of the operation, with status 0x%x", tracee->status);
	else if (tracee->where == PROVE_INSIDE && ret_path->count >= STEPS_MAX)
		prove_failed(&scene->run, "it was not back after %d instructions", STEPS_MAX);
	ret_path->steps[ret_path->count - 1].distinct = true;
	/* Also right before: all that the next step acts on has been read by then. */
	for (size_t i = 1; i < ret_path->count; i++)
		if (ret_path->steps[i].distinct && !ret_path->steps[i - 1].asleep)
			ret_path->steps[i - 1].distinct = true;
	for (size_t i = 0; i < ret_path->count; i++)
		ret_path->distinct += ret_path->steps[i].distinct;
	return atomic_load(&scene->run.shared->failed) == 0;
}

void prove_path_done(struct prove_path *path)
{
	free(path->steps);
	*path = (struct prove_path){0};
}

/*
 * Where to set a breakpoint on the way to step @index: itself, or, if that is in a loop, some step before it that is
 * passed less often, from which single steps go on.
 */
static size_t anchor(const struct prove_path *path, size_t index)
{
	size_t best = index;
	size_t cost = SIZE_MAX;

	for (size_t i = index; i <= index && index - i < cost; i--) {
		size_t now = VISIT * (size_t)path->steps[i].occurrence + index - i;

		if (!path->steps[i].asleep && now < cost) {
			cost = now;
			best = i;
		}
	}
	return best;
}

static void step_on(struct prove_tracee *tracee, size_t steps)
{
	for (size_t i = 0; i < steps && tracee->where == PROVE_INSIDE; i++)
		if (prove_tracee_step(tracee) == PROVE_ASLEEP && i + 1 < steps) {
			prove_tracee_wake(tracee);
			i++; /* the sleep is a step of its own */
		}
}

static bool start(struct prove_scene *scene, struct prove_tracee *tracee, enum prove_role role,
		  const struct prove_operation *operation, uintptr_t symbol)
{
	if (!prove_tracee_start(tracee, &scene->run, role, operation, symbol))
		return false;
	tracee->let_go = operation->release ? prove_scene_let_go : NULL;
	return true;
}

bool prove_path_reach(const struct prove_path *path, size_t index, struct prove_scene *scene,
		      struct prove_tracee *tracee, enum prove_role role, const struct prove_operation *operation,
		      uintptr_t symbol)
{
	const struct prove_step *step;
	size_t from;

	if (!start(scene, tracee, role, operation, symbol))
		return false;
	if (!path)
		return true;
	from = scene->stepping ? 0 : anchor(path, index);
	step = &path->steps[from];
	if (from > 0)
		prove_tracee_run_to(tracee, step->at, step->occurrence);
	if (from > 0 && (tracee->where == PROVE_GONE || tracee->where == PROVE_ASLEEP || tracee->at != step->at))
		scene->astray = true; /* it went another way than when it was recorded */
	else
		step_on(tracee, index - from);
	return true;
}
