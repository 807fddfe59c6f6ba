/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "prove/event_scene.h"

#define SLEEPERS 2

/* The cast's, for release(). */
static struct nonet_event *event_of_cast;

/* "clear"; "set"; "traced"; "dead-sleeper": one was killed while he slept. */
static void prepare(struct prove_run *run)
{
	event_of_cast = event_prepare(run);
	if (prove_state_is(run, "dead-sleeper"))
		event_leave_sleeper(run);
}

/* By functions of their own where pairs with the others make no sense: who waits for the cast, */
static void prepare_waiting(struct prove_run *run)
{
	prepare(run);
}

static void prepare_waiting_count(struct prove_run *run)
{
	prepare(run);
}

/* and what has to do with the name. */
static void prepare_named(struct prove_run *run)
{
	prepare(run);
}

/* For two that meet, without the cast. */
static void prepare_meeting(struct prove_run *run)
{
	prepare(run);
}

static void prepare_meeting_count(struct prove_run *run)
{
	prepare(run);
}

static int listeners(const struct prove_run *run)
{
	return prove_state_is(run, "bell") || prove_state_is(run, "dead-bell") ? 1 : 0;
}

static int sleepers(const struct prove_run *run)
{
	return prove_state_is(run, "sleepers") ? SLEEPERS : 0;
}

/* "sleepers": two sleep; "bell": one has armed; "dead-bell": so had another, who was killed. They can't be put back. */
static void prepare_crowd(struct prove_run *run)
{
	prepare(run);
	if (prove_state_is(run, "dead-bell"))
		event_leave_bell(run);
	for (int i = 0; i < sleepers(run); i++)
		prove_accompany(run, event_sleep);
	for (int i = 0; i < listeners(run); i++)
		prove_accompany(run, event_listen);
}

static void release(struct prove_run *run)
{
	event_set(run, event_of_cast);
}

static void release_by_pulse(struct prove_run *run)
{
	prove_require(run, nonet_event_pulse(event_of_cast) == 0, "can't pulse");
}

/* The handle that a fork of the victim inherits. */
static struct nonet_event *parents;

static void wait_here(struct prove_run *run)
{
	int result;

	parents = event_join(run);
	prove_begin(run);
	result = nonet_event_wait(parents, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_wait() says %d", result);
	prove_require(run, prove_state_is(run, "set") || event_has_happened(run, parents), "nothing has happened");
}

static void wait_count(struct prove_run *run)
{
	const uint64_t base = (uint64_t)prove_load(run, EVENT_BASE);
	uint64_t count = base;
	int result;

	parents = event_join(run);
	prove_begin(run);
	result = nonet_event_wait_count(parents, base, prove_deadline(), &count);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_wait_count() says %d", result);
	prove_require(run, count != base, "nothing has happened");
}

/* @result: of waiting a little for one who may come meanwhile, or not. */
static void met(struct prove_run *run, int result, nonet_time deadline)
{
	prove_end(run, result);
	prove_require(run, result == 0 || result == -ETIMEDOUT, "waiting says %d", result);
	prove_require(run,
		      result == 0 || !prove_load(run, EVENT_SIGNALLED) || prove_load(run, EVENT_SIGNALLED) >= deadline,
		      "a wake is lost: it slept until its deadline");
}

static void meet(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	const nonet_time deadline = nonet_after(NONET_MS(80));

	prove_begin(run);
	met(run, nonet_event_wait(event, deadline), deadline);
}

static void meet_count(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	const nonet_time deadline = nonet_after(NONET_MS(80));
	uint64_t count;

	prove_begin(run);
	met(run, nonet_event_wait_count(event, (uint64_t)prove_load(run, EVENT_BASE), deadline, &count), deadline);
}

static void set(struct prove_run *run)
{
	int result;

	parents = event_join(run);
	event_begins(run);
	result = nonet_event_set(parents);
	event_ends(run, result);
	prove_require(run, result == 0, "nonet_event_set() says %d", result);
}

static void pulse(struct prove_run *run)
{
	int result;

	parents = event_join(run);
	prove_store(run, EVENT_NOT_KEPT, 1);
	event_begins(run);
	result = nonet_event_pulse(parents);
	event_ends(run, result);
	prove_require(run, result == 0, "nonet_event_pulse() says %d", result);
}

static void clear(struct prove_run *run)
{
	int result;

	parents = event_join(run);
	prove_store(run, EVENT_NOT_KEPT, 1);
	prove_begin(run);
	result = nonet_event_clear(parents);
	prove_end(run, result);
	prove_require(run, result == 0 || result == 1, "nonet_event_clear() says %d", result);
}

static void survivor(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	int result;

	prove_begin(run);
	result = nonet_event_wait(event, NONET_NOW);
	prove_end(run, result);
	prove_require(run, result == 0 || result == -EAGAIN, "nonet_event_wait() says %d", result);
	event_judge(run, event);
	event_works(run, event);
}

/* It waits as the victim does, until the cast lets both go. */
static void survivor_waits(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	int result;

	prove_begin(run);
	result = nonet_event_wait(event, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_wait() says %d", result);
	event_judge(run, event);
}

static void survivor_waits_count(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	uint64_t count;
	int result;

	prove_begin(run);
	result = nonet_event_wait_count(event, (uint64_t)prove_load(run, EVENT_BASE), prove_deadline(), &count);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_wait_count() says %d", result);
}

static int passed(const struct prove_run *run)
{
	int count = 0;

	for (int i = 1; i <= SLEEPERS; i++)
		count += prove_load(run, EVENT_PASSED + (size_t)i) != 0;
	return count;
}

/* Once it has happened, and else the survivor sees to that, all who wait go on: what is bounded is until then. */
static void survivor_counts(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	const nonet_time deadline = prove_deadline();
	const int all = sleepers(run) + listeners(run);

	event_judge(run, event);
	prove_begin(run);
	if (!event_has_happened(run, event))
		event_set(run, event);
	while (passed(run) < all && nonet_clock() < deadline)
		sched_yield();
	prove_end(run, passed(run));
	prove_require(run, passed(run) == all, "it has happened, and only %d of %d go on", passed(run), all);
}

static void forked(struct prove_run *run)
{
	struct nonet_event_info info;
	uint64_t count;

	prove_require(run, nonet_event_set(parents) == -ECHILD, "the child may set");
	prove_require(run, nonet_event_pulse(parents) == -ECHILD, "the child may pulse");
	prove_require(run, nonet_event_clear(parents) == -ECHILD, "the child may clear");
	prove_require(run, nonet_event_wait(parents, NONET_NOW) == -ECHILD, "the child may wait");
	prove_require(run, nonet_event_wait_count(parents, 0, NONET_NOW, &count) == -ECHILD, "the child may wait");
	prove_require(run, nonet_event_look(parents, &info) == -ECHILD, "the child may look");
	prove_require(run, nonet_event_arm(parents) == -ECHILD, "the child may arm");
}

static void churn(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	uint64_t count = 0;
	int result;

	for (;;) {
		prove_require(run, nonet_event_set(event) == 0 && nonet_event_pulse(event) == 0, "can't set or pulse");
		/* Another may have pulsed it since, or nobody. */
		result = nonet_event_wait_count(event, count, nonet_after(NONET_US(100)), &count);
		prove_require(run, result == 0 || result == -ETIMEDOUT, "waiting says %d", result);
	}
}

/* Of random kills: how often nobody knows. */
static void count(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);
	uint64_t base = event_look(run, event).count;

	prove_begin(run);
	prove_require(run, nonet_event_set(event) == 0 && nonet_event_wait(event, NONET_NOW) == 0, "it can't be set");
	prove_end(run, 0);
	prove_require(run, event_look(run, event).count == base + 1, "it doesn't count by one");
	prove_require(run, nonet_event_clear(event) == 1 && nonet_event_wait(event, NONET_NOW) == -EAGAIN,
		      "it can't be cleared");
}

static void name(const struct prove_run *run, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "event:%s/e", prove_directory(run));
}

static void open_it(struct prove_run *run)
{
	struct nonet_event *event;
	char text[128];
	int result;

	(void)event_make(run, "warm"); /* it joins the domain */
	name(run, text, sizeof(text));
	prove_begin(run);
	result = nonet_event_open(text, &event, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_open() says %d", result);
}

static void create(struct prove_run *run)
{
	const struct nonet_event_options options = {.size = sizeof(options), .flags = NONET_EVENT_MAY_EXIST};
	struct nonet_event *event;
	char text[128];
	int result;

	(void)event_make(run, "warm"); /* it joins the domain */
	name(run, text, sizeof(text));
	prove_begin(run);
	result = nonet_event_create(text, &options, &event, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_event_create() says %d", result);
}

static void unlink_it(struct prove_run *run)
{
	char text[128];
	int result;

	(void)event_make(run, "warm"); /* it joins the domain */
	name(run, text, sizeof(text));
	event_begins(run);
	result = nonet_event_unlink(text, NULL);
	prove_end(run, result);
	/* One of two removes it. */
	prove_require(run,
		      result == 0 || (result == -ENOENT && prove_load(run, EVENT_BEGAN) &&
				      prove_load(run, EVENT_BEGAN + PROVE_SECOND)),
		      "nonet_event_unlink() says %d", result);
}

/* Each run has a name of its own; whoever comes makes another. */
static void prepare_unlinked(struct prove_run *run)
{
	prepare(run);
}

/* No event yet. */
static void prepare_none(struct prove_run *run)
{
	nonet_event_close(event_make(run, "warm"));
}

/* Whoever comes has the one that is there, or makes one. */
static void survivor_makes(struct prove_run *run)
{
	struct nonet_event *event;

	prove_begin(run);
	event = event_make(run, "e");
	prove_end(run, 0);
	prove_require(run, nonet_event_set(event) == 0 && nonet_event_wait(event, NONET_NOW) == 0, "it can't be set");
}

#define EVENT(name_, symbol_, victim_) \
	.name = "event-" name_, .object = "event", .symbol = "nonet_event_" symbol_, .victim = (victim_)

const struct prove_operation prove_event_wait = {
	EVENT("wait", "wait", wait_here), .states = (const char *const[]){"clear", "set", "dead-sleeper", NULL},
	.prepare = prepare_waiting,       .release = release,
	.survivor = survivor_waits,       .forked = forked,
};

const struct prove_operation prove_event_wait_count = {
	EVENT("wait-count", "wait_count", wait_count),
	.states = (const char *const[]){"clear", "set", NULL},
	.prepare = prepare_waiting_count,
	.release = release_by_pulse,
	.survivor = survivor_waits_count,
};

const struct prove_operation prove_event_set = {
	EVENT("set", "set", set), .states = (const char *const[]){"clear", "set", "dead-sleeper", "traced", NULL},
	.prepare = prepare,       .survivor = survivor,
	.forked = forked,         .churn = churn,
	.count = count,
};

const struct prove_operation prove_event_pulse = {
	EVENT("pulse", "pulse", pulse),
	.states = (const char *const[]){"clear", "set", NULL},
	.prepare = prepare,
	.survivor = survivor,
};

const struct prove_operation prove_event_clear = {
	EVENT("clear", "clear", clear),
	.states = (const char *const[]){"clear", "set", "traced", NULL},
	.prepare = prepare,
	.survivor = survivor,
};

const struct prove_operation prove_event_meet = {
	EVENT("meet", "wait", meet),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_meeting,
	.survivor = survivor,
};

const struct prove_operation prove_event_meet_set = {
	EVENT("meet-set", "set", set),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_meeting,
	.survivor = survivor,
};

const struct prove_operation prove_event_meet_count = {
	EVENT("meet-count", "wait_count", meet_count),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_meeting_count,
	.survivor = survivor,
};

const struct prove_operation prove_event_meet_pulse = {
	EVENT("meet-pulse", "pulse", pulse),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_meeting_count,
	.survivor = survivor,
};

/* Who is killed between setting and waking leaves them to look themselves. */
const struct prove_operation prove_event_set_crowd = {
	EVENT("set-crowd", "set", set), .states = (const char *const[]){"sleepers", "bell", "dead-bell", NULL},
	.prepare = prepare_crowd,       .survivor = survivor_counts,
	.bound = PROVE_BOUND_WATCHER,   .fresh = true,
};

const struct prove_operation prove_event_pulse_crowd = {
	EVENT("pulse-crowd", "pulse", pulse),
	.states = (const char *const[]){"sleepers", NULL},
	.prepare = prepare_crowd,
	.survivor = survivor_counts,
	.bound = PROVE_BOUND_WATCHER,
	.fresh = true,
};

/* What follows are the mutex's ways, but for what is in the object. */
const struct prove_operation prove_event_open = {
	EVENT("open", "open", open_it),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_named,
	.survivor = survivor_makes,
	.calls_only = true,
};

const struct prove_operation prove_event_create = {
	EVENT("create", "create", create),
	.states = (const char *const[]){"absent", NULL},
	.prepare = prepare_none,
	.survivor = survivor_makes,
	.calls_only = true,
};

const struct prove_operation prove_event_unlink = {
	EVENT("unlink", "unlink", unlink_it),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_unlinked,
	.survivor = survivor_makes,
	.calls_only = true,
};
