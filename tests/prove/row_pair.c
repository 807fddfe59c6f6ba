/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <errno.h>
#include <string.h>

#include "harness/deadline.h"

/*
 * Row 3: two at once. The first is stopped at one step, then the second comes and is stopped at one of its own; one of
 * them is killed ("first", "second"), and the other goes on to its end; or "neither" is, and who waited for the first
 * has to go on as soon as that is through: a death would wake it too. The other order is the pair turned round.
 */

/* Of the second, while the first is stopped where it is being played. */
static struct prove_path second_path;

static bool second(struct prove_sweep *sweep, const struct prove_point *point, const struct prove_path *path,
		   struct prove_tracee *first, struct prove_tracee *tracee)
{
	if (!prove_first(sweep, point, first) || !prove_path_reach(path, point->second, &sweep->scene, tracee,
								   PROVE_SECOND, sweep->other, sweep->other_symbol))
		return false;
	prove_note(sweep, tracee, point->second);
	return true;
}

/* Whether the first, who may wait for the cast alone by now, is through in time. */
static bool get_through(struct prove_run *run, const struct prove_actor *first)
{
	const nonet_time deadline = test_after(run->patience);
	bool through;

	do {
		/* Asleep: in its operation, or for good behind it. */
		through = !prove_actor_settles(first) || prove_returned(run, PROVE_FIRST, &(int64_t){0});
		if (!through)
			prove_scene_let_go(run);
	} while (!through && test_clock() < deadline);
	return through;
}

/*
 * Both sleep, and the cast lets them go: where they are in a line it is the first who wakes, and the second once that
 * is through; elsewhere it may be the other way.
 */
static bool detach_sleepers(struct prove_run *run, struct prove_tracee *first, struct prove_actor *ret_first,
			    struct prove_tracee *second, struct prove_actor *ret_second)
{
	const nonet_time deadline = test_after(run->patience);
	bool good = true;

	prove_scene_let_go(run);
	first->let_go = second->let_go = NULL;
	while (good && (first->pid || second->pid) && test_clock() < deadline) {
		if (first->pid && prove_tracee_look(first) != PROVE_ASLEEP)
			good = prove_tracee_detach(first, ret_first);
		if (good && second->pid && prove_tracee_look(second) != PROVE_ASLEEP)
			good = prove_tracee_detach(second, ret_second);
	}
	if (good && (first->pid || second->pid))
		prove_failed(run, "hung: the %s slept on", first->pid ? "first" : "second");
	return good && !first->pid && !second->pid;
}

/* Nobody dies: both go on, and the first stays when it is through, since its end would wake the second as well. */
static void both(struct prove_sweep *sweep, struct prove_tracee *first, struct prove_tracee *tracee)
{
	struct prove_run *run = &sweep->scene.run;
	struct prove_side *sides = run->shared->sides;
	struct prove_actor stays = {0};
	struct prove_actor other = {0};
	const bool waits = tracee->where == PROVE_ASLEEP && first->where == PROVE_INSIDE;
	int64_t code;
	bool let_go;

	atomic_store(&run->shared->stay, 1);
	/* One that sleeps can be let go only when it wakes, which may need the other. */
	if (first->where == PROVE_ASLEEP && tracee->where == PROVE_ASLEEP)
		let_go = detach_sleepers(run, first, &stays, tracee, &other);
	else if (first->where == PROVE_ASLEEP)
		let_go = prove_tracee_detach(tracee, &other) && prove_tracee_detach(first, &stays);
	else
		let_go = prove_tracee_detach(first, &stays) && prove_tracee_detach(tracee, &other);
	if (let_go)
		prove_join(sweep, &other);
	if (let_go && !get_through(run, &stays))
		prove_failed(run, "hung: nobody died, and the first wasn't through");
	prove_actor_kill(&stays);
	prove_actor_kill(&other);
	/* What is bounded here is how long the second went on sleeping. */
	sweep->since = waits ? atomic_load(&sides[PROVE_FIRST].returned_at) : 0;
	sweep->went_on = atomic_load(&sides[PROVE_SECOND].returned_at);
	/* To his deadline, where nobody was to wake him. */
	if (prove_returned(run, PROVE_SECOND, &code) && code == -ETIMEDOUT)
		sweep->went_on -= (sweep->other ? sweep->other : sweep->operation)->patience;
}

static void play(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_run *run = &sweep->scene.run;
	struct prove_actor survivor = {0};
	struct prove_actor other = {0};
	struct prove_tracee first = {0};
	struct prove_tracee tracee = {0};

	if (!second(sweep, point, &second_path, &first, &tracee)) {
		/* It failed or left, which the run says. */
	} else if (strcmp(point->variant, "neither") == 0) {
		both(sweep, &first, &tracee);
	} else {
		bool kills_first = strcmp(point->variant, "first") == 0;

		prove_tracee_kill(kills_first ? &first : &tracee, run);
		if (prove_tracee_detach(kills_first ? &tracee : &first, &other))
			prove_join(sweep, &other);
	}
	prove_tracee_kill(&tracee, run);
	prove_tracee_kill(&first, run);
	prove_survive(sweep, &survivor);
}

static bool record(struct prove_sweep *sweep, size_t step)
{
	struct prove_scene *scene = &sweep->scene;
	struct prove_point point = {.variant = "recording", .first = step};
	struct prove_tracee first = {0};
	struct prove_tracee tracee = {0};
	bool good;

	good = prove_scene_restore(scene) && second(sweep, &point, NULL, &first, &tracee) &&
	       prove_path_record(&second_path, scene, &tracee);
	prove_tracee_kill(&tracee, &scene->run);
	prove_tracee_kill(&first, &scene->run);
	if (!good)
		prove_sweep_failed(sweep, "recording");
	else if (second_path.count > sweep->recorded)
		sweep->recorded = second_path.count;
	return good;
}

void prove_row_pair(struct prove_sweep *sweep)
{
	static const char *const variants[] = {"first", "second", "neither"};
	uint64_t every;

	if (!prove_sweep_record(sweep))
		return;
	for (size_t i = 0; i < sweep->path.count && !prove_enough(sweep); i++) {
		if (!sweep->path.steps[i].distinct || !prove_sampled(sweep, i) || !record(sweep, i))
			continue;
		every = prove_every(sweep);
		for (size_t j = 0; j < second_path.count; j++) {
			struct prove_point point = {.first = i, .second = j};

			if (!second_path.steps[j].distinct)
				continue;
			for (size_t k = 0; k < sizeof(variants) / sizeof(variants[0]); k++) {
				point.variant = variants[k];
				/* Who watched may have died. */
				sweep->bound = k < 2 ? PROVE_BOUND_WATCHER : PROVE_BOUND;
				if (every <= 1 || test_random_between(&sweep->random, 1, every) == 1)
					prove_point(sweep, play, &point);
			}
		}
		prove_path_done(&second_path);
	}
}
