/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/sweep.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/deadline.h"

/* A survivor that was late is given so many more chances: a busy machine is late once, a fault each time. */
#define CHANCES 4

extern const char *prove_program; /* argv[0] */

bool prove_enough(const struct prove_sweep *sweep)
{
	return atomic_load(&sweep->tally->failures) >= sweep->options->failures_max ||
	       test_clock() > sweep->options->until;
}

static bool failed(const struct prove_sweep *sweep)
{
	return atomic_load(&sweep->scene.run.shared->failed) != 0;
}

static void name_point(const struct prove_sweep *sweep, const struct prove_point *point, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "%d/%s/%s/%s/%s/%zu/%zu", sweep->row, sweep->operation->name, sweep->state,
		 sweep->other ? sweep->other->name : "-", point->variant, point->first, point->second);
}

/* In one write, so that what two workers say doesn't mix. */
static void tell(const struct prove_sweep *sweep, const char *name)
{
	char text[1200];
	int size = snprintf(text, sizeof(text),
			    "FAILED  %s\n        %s\n        %s\n        again: %s --point %s --seed %llu\n", name,
			    sweep->where, sweep->scene.run.shared->sentence, prove_program, name,
			    (unsigned long long)sweep->options->seed);

	atomic_fetch_add(&sweep->tally->failures, 1);
	if (size > (int)sizeof(text) - 1)
		size = (int)sizeof(text) - 1;
	if (write(STDOUT_FILENO, text, (size_t)size) != size)
		prove_broken("can't say what failed");
}

void prove_sweep_failed(struct prove_sweep *sweep, const char *what)
{
	char name[256];

	if (!failed(sweep))
		return; /* it left */
	name_point(sweep, &(struct prove_point){.variant = what}, name, sizeof(name));
	tell(sweep, name);
}

/* How long the survivor's operation took from when nothing but the dead was in its way; 0 if it didn't come back. */
static nonet_time waited(const struct prove_run *run)
{
	const struct prove_side *sides = run->shared->sides;
	nonet_time from = atomic_load(&sides[PROVE_SURVIVOR].began_at);
	nonet_time until = atomic_load(&sides[PROVE_SURVIVOR].returned_at);

	for (int i = 0; i < PROVE_ROLES; i++)
		if (atomic_load(&sides[i].killed_at) > from)
			from = atomic_load(&sides[i].killed_at);
	/* The cast stamps when it has let go. */
	if (atomic_load(&sides[PROVE_CAST].returned_at) > from)
		from = atomic_load(&sides[PROVE_CAST].returned_at);
	return until > from ? until - from : 0;
}

/* Once. Return: how long the survivor took. */
static nonet_time play_once(struct prove_sweep *sweep, prove_play *play, const struct prove_point *point)
{
	struct prove_scene *scene = &sweep->scene;

	sweep->where[0] = '\0';
	scene->astray = false;
	sweep->since = 0;
	if (prove_scene_restore(scene))
		play(sweep, point);
	if (sweep->since != 0)
		return sweep->went_on > sweep->since ? sweep->went_on - sweep->since : 0;
	return waited(&scene->run);
}

void prove_count(struct prove_sweep *sweep, uint64_t points)
{
	atomic_fetch_add(&sweep->tally->points, points);
	atomic_fetch_add(&sweep->played->points, points);
}

void prove_count_state(struct prove_sweep *sweep)
{
	atomic_fetch_add(&sweep->tally->states, 1);
	atomic_fetch_add(&sweep->played->states, 1);
}

void prove_point(struct prove_sweep *sweep, prove_play *play, const struct prove_point *point)
{
	struct prove_scene *scene = &sweep->scene;
	nonet_time bound = sweep->bound * test_slowness();
	nonet_time took = 0;
	char name[256];

	name_point(sweep, point, name, sizeof(name));
	if (sweep->options->only && strcmp(sweep->options->only, name) != 0)
		return;
	if (prove_enough(sweep))
		return;
	for (int chance = 0; chance < CHANCES; chance++) {
		took = play_once(sweep, play, point);
		if (failed(sweep))
			break;
		if (scene->astray && !scene->stepping) {
			scene->stepping = true;
			took = play_once(sweep, play, point);
			scene->stepping = false;
		}
		if (failed(sweep) || took <= bound)
			break;
	}
	if (!failed(sweep) && atomic_load(&scene->run.shared->left))
		return;
	if (!failed(sweep) && took > bound)
		prove_failed(&scene->run,
			     "late: the survivor's operation took %.1f ms after the death, %d times in a row",
			     (double)took / (double)NONET_MS(1), CHANCES);
	prove_count(sweep, 1);
	atomic_fetch_add(&sweep->tally->astray, scene->astray);
	if (took > atomic_load(&sweep->tally->worst))
		atomic_store(&sweep->tally->worst, took);
	if (failed(sweep))
		tell(sweep, name);
	else if (sweep->options->only)
		printf("passed  %s\n        %s\n", name, sweep->where);
}

void prove_note(struct prove_sweep *sweep, const struct prove_tracee *tracee, size_t step)
{
	size_t said = strlen(sweep->where);
	static const char *const how[] = {"before", "asleep in a system call, last before", "back at", "gone after"};
	Dl_info place = {0};

	/* The victim is a fork of this process, so what is where is the same here. */
	if (!dladdr((void *)tracee->at, &place) || !place.dli_sname)
		place.dli_sname = place.dli_fname;
	snprintf(sweep->where + said, sizeof(sweep->where) - said, "%s step %zu, %s 0x%llx: %s+0x%llx",
		 tracee->role == PROVE_FIRST ? "first:" : "; second:", step, how[tracee->where],
		 (unsigned long long)(tracee->at - (uintptr_t)place.dli_fbase), place.dli_sname ? place.dli_sname : "?",
		 (unsigned long long)(tracee->at - (uintptr_t)(place.dli_saddr ? place.dli_saddr : place.dli_fbase)));
}

bool prove_first(struct prove_sweep *sweep, const struct prove_point *point, struct prove_tracee *tracee)
{
	struct prove_scene *scene = &sweep->scene;

	if (!prove_path_reach(&sweep->path, point->first, scene, tracee, PROVE_FIRST, sweep->operation, sweep->symbol))
		return false;
	prove_note(sweep, tracee, point->first);
	if (tracee->where == PROVE_GONE)
		prove_failed(&scene->run, "it ended in the middle of the operation, with status 0x%x", tracee->status);
	return tracee->where != PROVE_GONE;
}

bool prove_sweep_record(struct prove_sweep *sweep)
{
	struct prove_tracee tracee;
	bool good;

	good = prove_scene_prepare(&sweep->scene, sweep->operation, sweep->state) &&
	       prove_path_reach(NULL, 0, &sweep->scene, &tracee, PROVE_FIRST, sweep->operation, sweep->symbol);
	if (good) {
		good = prove_path_record(&sweep->path, &sweep->scene, &tracee);
		prove_note(sweep, &tracee, sweep->path.count - 1);
		prove_tracee_kill(&tracee, &sweep->scene.run);
	}
	if (!good)
		prove_sweep_failed(sweep, "recording");
	if (sweep->other == NULL || sweep->other == sweep->operation)
		prove_count_state(sweep);
	if (sweep->path.count > atomic_load(&sweep->tally->instructions)) {
		atomic_store(&sweep->tally->instructions, sweep->path.count);
		atomic_store(&sweep->tally->distinct, sweep->path.distinct);
	}
	return good;
}

/* Recorded steps of seconds that a sample may cost. */
#define RECORDED_MAX 40000

/* Of the ways of a second as far as they are known; a first's is like it. */
static uint64_t longest(const struct prove_sweep *sweep)
{
	return sweep->recorded > sweep->path.count ? sweep->recorded : sweep->path.count;
}

bool prove_sampled(struct prove_sweep *sweep, size_t first)
{
	const uint64_t cost = longest(sweep) * sweep->path.distinct;
	uint64_t ordinal = 0;
	uint64_t every;
	unsigned wanted;

	/* One point alone: of its first only. */
	if (sweep->options->only)
		return sscanf(sweep->options->only, "%*[^/]/%*[^/]/%*[^/]/%*[^/]/%*[^/]/%u", &wanted) == 1 &&
		       wanted == first;
	if (sweep->options->sample == 0 || cost <= RECORDED_MAX)
		return true;
	/* Each how-many-th of the distinct ones, beginning anywhere; at least one. */
	for (size_t i = 0; i < first; i++)
		ordinal += sweep->path.steps[i].distinct;
	every = (cost + RECORDED_MAX - 1) / RECORDED_MAX;
	if (every > sweep->path.distinct)
		every = sweep->path.distinct;
	return (ordinal + sweep->options->seed) % every == 0;
}

uint64_t prove_every(const struct prove_sweep *sweep)
{
	const uint64_t sample = sweep->options->sample;
	uint64_t firsts = RECORDED_MAX / longest(sweep);
	uint64_t points;

	if (sample == 0 || sweep->options->only)
		return 1;
	if (firsts > sweep->path.distinct)
		firsts = sweep->path.distinct;
	points = 2 * (firsts ? firsts : 1) * sweep->path.distinct;
	return (points + sample - 1) / sample;
}

/* Rounds of a loop that are played, where no round changes anything shared. */
#define ROUNDS 4

bool prove_is_news(const struct prove_sweep *sweep, size_t index)
{
	const struct prove_operation *operation = sweep->operation;
	const struct prove_step *step = &sweep->path.steps[index];

	if (sweep->options->sample == 0 || step->distinct)
		return true;
	/* Beginning anywhere. One point alone is asked for by its name. */
	if (!sweep->options->only && (index + sweep->options->seed) % sweep->options->singles != 0)
		return false;
	/* Where each point waits for who looks after an interval, these would take minutes. */
	return !operation->distinct_only && operation->bound < PROVE_BOUND_WATCHER && step->occurrence <= ROUNDS;
}

void prove_survivor_start(struct prove_sweep *sweep, struct prove_actor *survivor)
{
	struct prove_side *side = &sweep->scene.run.shared->sides[PROVE_SURVIVOR];

	atomic_store(&side->began_at, 0);
	atomic_store(&side->returned_at, 0);
	prove_actor_start(survivor, &sweep->scene.run, PROVE_SURVIVOR,
			  sweep->survivor ? sweep->survivor : sweep->operation->survivor);
}

void prove_join(struct prove_sweep *sweep, struct prove_actor *actor)
{
	struct prove_run *run = &sweep->scene.run;

	if (sweep->operation->release && !prove_returned(run, PROVE_CAST, &(int64_t){0}) && prove_actor_settles(actor))
		prove_scene_let_go(run);
	prove_actor_join(actor, run);
}

void prove_survive(struct prove_sweep *sweep, struct prove_actor *survivor)
{
	bool waiting = survivor->pid != 0;

	if (waiting) {
		/* It may have been through while its victims were alive: then its operation says nothing of a death. */
		waiting = !prove_returned(&sweep->scene.run, PROVE_SURVIVOR, &(int64_t){0});
		prove_join(sweep, survivor);
	}
	if (!waiting && !failed(sweep)) {
		atomic_store(&sweep->scene.run.shared->alone, 1);
		prove_survivor_start(sweep, survivor);
		prove_join(sweep, survivor);
	}
}
