/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <string.h>

/*
 * Row 1: killed at each instruction. The survivor comes
 *   after    the death;
 *   midway   while the victim is stopped, and sleeps or is through when that dies;
 *   parked   before the victim goes on from the entry, where the state makes it sleep.
 * What decides between the last two is what is shared, so they are played where that changed.
 */
static void play(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_actor survivor = {0};
	struct prove_tracee tracee;

	if (prove_first(sweep, point, &tracee) && strcmp(point->variant, "midway") == 0) {
		prove_survivor_start(sweep, &survivor);
		prove_actor_settles(&survivor);
	}
	prove_tracee_kill(&tracee, &scene->run);
	prove_survive(sweep, &survivor);
}

/* The survivor is there from the victim's entry on. */
static bool park(struct prove_sweep *sweep, struct prove_tracee *tracee, struct prove_actor *survivor)
{
	if (!prove_path_reach(NULL, 0, &sweep->scene, tracee, PROVE_FIRST, sweep->operation, sweep->symbol))
		return false;
	prove_survivor_start(sweep, survivor);
	return prove_actor_settles(survivor);
}

static void play_parked(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_actor survivor = {0};
	struct prove_tracee tracee;

	/* With a sleeper there the way is another one than alone: counted in steps of its own. */
	if (park(sweep, &tracee, &survivor)) {
		tracee.let_go = sweep->operation->release ? prove_scene_let_go : NULL;
		for (size_t i = 0; i < point->first && tracee.where == PROVE_INSIDE; i++)
			if (prove_tracee_step(&tracee) == PROVE_ASLEEP && tracee.let_go && i + 1 < point->first)
				prove_tracee_wake(&tracee);
	}
	prove_tracee_kill(&tracee, &scene->run);
	prove_survive(sweep, &survivor);
}

/* The way with a sleeper parked; its distinct steps are played. */
static void parked(struct prove_sweep *sweep)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_actor survivor = {0};
	struct prove_tracee tracee;
	struct prove_path path = {0};
	bool asleep;

	if (!prove_scene_restore(scene))
		return prove_sweep_failed(sweep, "parking");
	asleep = park(sweep, &tracee, &survivor);
	if (asleep) {
		tracee.let_go = sweep->operation->release ? prove_scene_let_go : NULL;
		prove_path_record(&path, scene, &tracee);
	}
	prove_tracee_kill(&tracee, &scene->run);
	prove_actor_kill(&survivor);
	for (size_t i = 0; i < path.count; i++)
		if (path.steps[i].distinct)
			prove_point(sweep, play_parked, &(struct prove_point){.variant = "parked", .first = i});
	prove_path_done(&path);
}

void prove_row_single(struct prove_sweep *sweep)
{
	if (!prove_sweep_record(sweep))
		return;
	for (size_t i = 0; i < sweep->path.count; i++)
		if (prove_is_news(sweep, i))
			prove_point(sweep, play, &(struct prove_point){.variant = "after", .first = i});
	for (size_t i = 0; i < sweep->path.count; i++)
		if (sweep->path.steps[i].distinct)
			prove_point(sweep, play, &(struct prove_point){.variant = "midway", .first = i});
	parked(sweep);
}
