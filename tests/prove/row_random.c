/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <stdio.h>

#include "harness/deadline.h"

/*
 * Row 5: some work, and every 1.5 ms one of them, at random, is killed and another comes. Every so often all are killed
 * at once and a survivor counts.
 */
#define WORKERS  4
#define INTERVAL NONET_US(1500)
#define KILLS    128 /* from one count to the next */

static void play(struct prove_sweep *sweep, const struct prove_point *point)
{
	struct prove_run *run = &sweep->scene.run;
	struct prove_actor workers[WORKERS] = {0};
	struct prove_actor survivor = {0};
	struct prove_actor *one;

	(void)point;
	for (size_t i = 0; i < WORKERS; i++)
		prove_actor_start(&workers[i], run, PROVE_FIRST, sweep->operation->churn);
	for (size_t i = 0; i < KILLS; i++) {
		one = &workers[test_random_between(&sweep->random, 0, WORKERS - 1)];
		/* None ends by itself: so this is the interval, unless one does. */
		if (test_poll(&(struct pollfd){.fd = one->pidfd, .events = POLLIN}, 1, test_clock() + INTERVAL) > 0) {
			prove_failed(run, "a worker ended by itself");
			break;
		}
		prove_actor_kill(one);
		prove_actor_start(one, run, PROVE_FIRST, sweep->operation->churn);
	}
	for (size_t i = 0; i < WORKERS; i++)
		prove_actor_kill(&workers[i]);
	prove_survive(sweep, &survivor);
	/* The point itself is counted by prove_point(). */
	prove_count(sweep, KILLS + WORKERS - 1);
}

void prove_row_random(struct prove_sweep *sweep)
{
	nonet_time until = test_clock() + sweep->options->random;

	sweep->bound = PROVE_BOUND_WATCHER;
	sweep->survivor = sweep->operation->count;
	if (!prove_scene_prepare(&sweep->scene, sweep->operation, sweep->state))
		return prove_sweep_failed(sweep, "preparing");
	prove_count_state(sweep);
	for (size_t i = 0; test_clock() < until && !prove_enough(sweep); i++)
		prove_point(sweep, play, &(struct prove_point){.variant = "random", .first = i});
}
