/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_WORKERS_H
#define PROVE_WORKERS_H

#include "prove/plan.h"

/* The processes that play the tasks, each the next one that nobody has begun. */

#define PROVE_WORKERS_MAX 64

/* What they share. */
struct prove_board {
	_Atomic size_t next;
	struct {
		_Atomic size_t task; /* that it plays */
		struct prove_played played;
	} workers[PROVE_WORKERS_MAX];
	_Atomic int64_t time[PROVE_TASKS_MAX];
	struct prove_tally tallies[];
};

struct prove_work {
	struct prove_board *board; /* all 0 */
	size_t tasks;
	size_t workers;
	nonet_time patience; /* of prove_scene_init() */
	/* In a worker: play the task of that index; @played: where it counts, from 0. */
	void (*play)(size_t index, struct prove_played *played, struct prove_scene *scene);
	/* Here: the task has to be played again, and so much of it is counted already. */
	void (*forget)(size_t index, const struct prove_played *played);
};

/*
 * Play all tasks. One in which somebody else killed a process is played again by another worker; three times, and then
 * not any more. A signal that asks us to end ends the workers first. Return: whether each worker ended as it should.
 */
bool prove_work_all(const struct prove_work *work);

#endif
