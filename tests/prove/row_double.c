/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <string.h>

/*
 * Row 2: who recovers from the death is killed too. The second does the same operation on what the first left, and is
 * killed where that changes something; the survivor comes after both ("after"), or while the second is stopped
 * ("midway"). Both may have been the one who watched.
 */

static bool second(struct prove_sweep *sweep, const struct prove_point *point, const struct prove_path *path,
		   struct prove_tracee *tracee)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_tracee first;
	bool there = prove_first(sweep, point, &first);

	prove_tracee_kill(&first, &scene->run);
	if (!there ||
	    !prove_path_reach(path, point->second, scene, tracee, PROVE_SECOND, sweep->operation, sweep->symbol))
		return false;
	prove_note(sweep, tracee, point->second);
	return true;
}

/* Of the second, for the first's death that is being played. */
static struct prove_path second_path;

static void play(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_actor survivor = {0};
	struct prove_tracee tracee = {0};

	if (second(sweep, point, &second_path, &tracee) && strcmp(point->variant, "midway") == 0) {
		prove_survivor_start(sweep, &survivor);
		prove_actor_settles(&survivor);
	}
	prove_tracee_kill(&tracee, &sweep->scene.run);
	prove_survive(sweep, &survivor);
}

static bool record(struct prove_sweep *sweep, size_t first)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_point point = {.variant = "recording", .first = first};
	struct prove_tracee tracee = {0};
	bool good;

	good = prove_scene_restore(scene) && second(sweep, &point, NULL, &tracee) &&
	       prove_path_record(&second_path, scene, &tracee);
	prove_tracee_kill(&tracee, &scene->run);
	if (!good)
		prove_sweep_failed(sweep, "recording");
	else if (second_path.count > sweep->recorded)
		sweep->recorded = second_path.count;
	return good;
}

void prove_row_double(struct prove_sweep *sweep)
{
	uint64_t every;

	sweep->bound = PROVE_BOUND_WATCHER;
	if (!prove_sweep_record(sweep))
		return;
	for (size_t i = 0; i < sweep->path.count && !prove_enough(sweep); i++) {
		if (!sweep->path.steps[i].distinct || !prove_sampled(sweep, i) || !record(sweep, i))
			continue;
		every = prove_every(sweep);
		for (size_t j = 0; j < second_path.count; j++) {
			struct prove_point point = {.variant = "after", .first = i, .second = j};

			if (!second_path.steps[j].distinct)
				continue;
			if (every <= 1 || test_random_between(&sweep->random, 1, every) == 1)
				prove_point(sweep, play, &point);
			point.variant = "midway";
			if (every <= 1 || test_random_between(&sweep->random, 1, every) == 1)
				prove_point(sweep, play, &point);
		}
		prove_path_done(&second_path);
	}
}
