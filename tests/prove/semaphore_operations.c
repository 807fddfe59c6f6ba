/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>

#include "harness/deadline.h"
#include "prove/semaphore_scene.h"

/* The cast's, for release(). */
static struct nonet_semaphore *held;

static void dies_with_all(struct prove_run *run)
{
	semaphore_take(run, semaphore_make(run, "s", false), PERMITS, NONET_NOW);
}

static void comes(struct prove_run *run, uint32_t permits)
{
	struct nonet_semaphore *semaphore = semaphore_make(run, "s", false);

	semaphore_take(run, semaphore, permits, prove_deadline());
	semaphore_give(run, semaphore, permits, permits);
	prove_store(run, SEMAPHORE_PASSED + (size_t)prove_companion(run), 1);
}

static void comes_for_one(struct prove_run *run)
{
	comes(run, 1);
}

static void comes_for_two(struct prove_run *run)
{
	comes(run, 2);
}

static void listens(struct prove_run *run)
{
	semaphore_be_rung(run, semaphore_make(run, "s", false), prove_deadline());
}

static uint32_t cast_has(const struct prove_run *run)
{
	if (prove_state_is(run, "short") || prove_state_is(run, "half") || prove_state_is(run, "dead-half"))
		return PERMITS - 1;
	return prove_state_is(run, "held") || prove_state_is(run, "waiter") || prove_state_is(run, "dead-waiter") ||
			       prove_state_is(run, "dead-bell")
		       ? PERMITS
		       : 0;
}

/*
 * "free"; "held": the cast, which lives, has all; "short": all but one; "dead": all are a dead one's; "dead-waiter":
 * the cast has all, and who had the turn was killed asleep; "dead-half": the same, having got one of two; "dead-bell":
 * who waited for the cast's had armed his; "sleepers", "bells": two more come with the survivor.
 */
static void prepare(struct prove_run *run)
{
	held = semaphore_join(run, false);
	if (prove_state_is(run, "dead")) {
		prove_accompany(run, dies_with_all);
		prove_companions_join(run);
	}
	if (cast_has(run))
		semaphore_take(run, held, cast_has(run), NONET_NOW);
	if (prove_state_is(run, "dead-waiter"))
		prove_accompany(run, comes_for_one);
	if (prove_state_is(run, "dead-half"))
		prove_accompany(run, comes_for_two);
	if (prove_state_is(run, "dead-bell"))
		prove_accompany(run, listens);
	prove_companions_kill(run);
	for (size_t i = PROVE_ROLES; i < PROVE_WORDS; i++)
		prove_store(run, SEMAPHORE_HAS + i, 0);
}

/* "waiter": one waits for one of the cast's at the turn; "half": for two, and has one. They can't be put back. */
static void prepare_crowd(struct prove_run *run)
{
	prepare(run);
	prove_accompany(run, prove_state_is(run, "half") ? comes_for_two : comes_for_one);
}

/* By functions of their own where pairs with the others make no sense. */
static void prepare_late(struct prove_run *run)
{
	prepare(run);
}

static void prepare_meeting(struct prove_run *run)
{
	prepare(run);
}

static void prepare_arming(struct prove_run *run)
{
	prepare(run);
}

static void prepare_named(struct prove_run *run)
{
	prepare(run);
}

static void prepare_unlinked(struct prove_run *run)
{
	prepare(run);
}

static void release(struct prove_run *run)
{
	if (cast_has(run))
		semaphore_give(run, held, cast_has(run), cast_has(run));
}

/* The cast keeps what it has. */
static void keep(struct prove_run *run)
{
	(void)run;
}

/* The handle that a fork of the victim inherits. */
static struct nonet_semaphore *parents;

static int wait_by(struct prove_run *run, uint32_t permits, nonet_time deadline)
{
	int result;

	prove_begin(run);
	result = nonet_semaphore_wait(parents, permits, 0, deadline);
	prove_end(run, result);
	if (result < 0) {
		prove_require(run, nonet_semaphore_post(parents, 1, 0) == -EPERM, "it gave up, and kept a permit");
		return result;
	}
	semaphore_has(run, permits);
	semaphore_give(run, parents, permits, permits);
	return result;
}

static void wait_for(struct prove_run *run, uint32_t permits)
{
	int result;

	parents = semaphore_join(run, false);
	result = wait_by(run, permits, prove_deadline());
	prove_require(run, result == 0, "nonet_semaphore_wait() says %d", result);
}

static void wait_one(struct prove_run *run)
{
	wait_for(run, 1);
}

static void wait_some(struct prove_run *run)
{
	wait_for(run, 2);
}

static void try_for(struct prove_run *run, uint32_t permits)
{
	int result;

	parents = semaphore_join(run, false);
	result = wait_by(run, permits, NONET_NOW);
	prove_require(run, result == 0 || result == -EAGAIN, "nonet_semaphore_wait() says %d", result);
	if (prove_role(run) == PROVE_FIRST && !prove_began(run, PROVE_SECOND) && !prove_began(run, PROVE_SURVIVOR) &&
	    !prove_began(run, PROVE_CAST))
		prove_require(run, (result == 0) == (cast_has(run) + permits <= PERMITS),
			      "nonet_semaphore_wait() says %d, of %u permits free", result, PERMITS - cast_has(run));
}

static void try_one(struct prove_run *run)
{
	try_for(run, 1);
}

static void try_some(struct prove_run *run)
{
	try_for(run, 2);
}

/* It gets one of two, and gives up at its deadline. */
#define PATIENCE NONET_MS(40)

static void wait_in_vain(struct prove_run *run)
{
	int result;

	parents = semaphore_join(run, false);
	result = wait_by(run, 2, nonet_after(PATIENCE));
	prove_require(run, result == -ETIMEDOUT, "nonet_semaphore_wait() says %d", result);
}

/* The rest stays with it, and would wake others too. */
static void post_of_all(struct prove_run *run, uint32_t permits)
{
	int result;

	parents = semaphore_join(run, false);
	semaphore_need(run, parents, PERMITS);
	semaphore_has(run, PERMITS - permits);
	prove_begin(run);
	result = nonet_semaphore_post(parents, permits, 0);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_semaphore_post() says %d", result);
}

static void post(struct prove_run *run, uint32_t permits)
{
	post_of_all(run, permits);
	semaphore_give(run, parents, PERMITS - permits, PERMITS - permits);
}

static void post_one(struct prove_run *run)
{
	post(run, 1);
}

static void meet_post(struct prove_run *run)
{
	post_of_all(run, 1);
	/* It keeps two, but only until it ends. */
	semaphore_has(run, 0);
}

static void post_some(struct prove_run *run)
{
	post(run, 2);
}

/* More than it has: none is given. */
static void post_too_many(struct prove_run *run)
{
	int result;

	parents = semaphore_join(run, false);
	semaphore_need(run, parents, 2);
	prove_begin(run);
	result = nonet_semaphore_post(parents, PERMITS, 0);
	prove_end(run, result);
	prove_require(run, result == -EPERM, "nonet_semaphore_post() says %d", result);
	semaphore_give(run, parents, 2, 2);
}

static void arm(struct prove_run *run)
{
	struct pollfd fd = {.events = POLLIN};
	int result;

	parents = semaphore_join(run, false);
	fd.fd = nonet_semaphore_fd(parents);
	prove_require(run, fd.fd >= 0, "nonet_semaphore_fd() says %d", fd.fd);
	prove_begin(run);
	result = nonet_semaphore_arm(parents);
	prove_end(run, result);
	prove_require(run, result == 0 || result == 1, "nonet_semaphore_arm() says %d", result);
	/* By this alone, not by being armed again. */
	if (result == 0)
		prove_require(run, test_poll(&fd, 1, prove_deadline()) > 0, "nobody rings");
	semaphore_be_rung(run, parents, prove_deadline());
}

/* @permits are all that the living don't have: the survivor has them now, and nobody has another. */
static void has_the_rest(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits)
{
	struct nonet_semaphore_holder holders[PERMITS + 1];
	uint32_t found = 0;
	size_t count = 0;
	int result;

	prove_require(run, nonet_semaphore_holders(semaphore, holders, PERMITS + 1, &count) == 0, "no holders");
	for (size_t i = 0; i < count; i++) {
		prove_require(run, !(holders[i].flags & NONET_SEMAPHORE_IS_DEAD), "a dead one has permits");
		found += holders[i].permits;
	}
	prove_require(run, count == (permits == PERMITS ? 1 : 2) && found == PERMITS, "%zu have %u permits", count,
		      found);
	prove_require(run, semaphore_value(run, semaphore) == 0, "there are more permits");
	result = nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW);
	prove_require(run, result == -EAGAIN, "one permit too many: nonet_semaphore_wait() says %d", result);
}

static bool in_company(const struct prove_run *run)
{
	return prove_state_is(run, "sleepers") || prove_state_is(run, "bells");
}

/* It wants all, and so has to wait for whoever lives. */
static void survivor(struct prove_run *run)
{
	struct nonet_semaphore *semaphore;

	for (int i = 0; i < 2 && in_company(run); i++)
		prove_accompany(run, prove_state_is(run, "bells") ? listens : comes_for_one);
	semaphore = semaphore_join(run, false);
	prove_begin(run);
	semaphore_take(run, semaphore, PERMITS, prove_deadline());
	/* Those who came with it have to get through as soon as it. */
	if (in_company(run)) {
		semaphore_give(run, semaphore, PERMITS, PERMITS);
		prove_companions_join(run);
		prove_end(run, 0);
		semaphore_take(run, semaphore, PERMITS, prove_deadline());
	} else {
		prove_end(run, 0);
	}
	has_the_rest(run, semaphore, PERMITS);
	semaphore_give(run, semaphore, PERMITS, PERMITS);
	prove_require(run, semaphore_value(run, semaphore) == PERMITS, "they aren't all free again");
}

/* All that the cast doesn't keep. */
static void survivor_of_rest(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, false);
	const uint32_t rest = PERMITS - cast_has(run);

	prove_begin(run);
	semaphore_take(run, semaphore, rest, prove_deadline());
	prove_end(run, 0);
	has_the_rest(run, semaphore, rest);
	semaphore_give(run, semaphore, rest, rest);
	prove_require(run, semaphore_value(run, semaphore) == rest, "they aren't all free again");
}

/* Who waits since before goes on too, as soon. */
static void survivor_of_crowd(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, false);
	const nonet_time deadline = prove_deadline();

	prove_begin(run);
	semaphore_take(run, semaphore, PERMITS, deadline);
	semaphore_give(run, semaphore, PERMITS, PERMITS);
	while (!prove_load(run, SEMAPHORE_PASSED + 1) && nonet_clock() < deadline)
		sched_yield();
	prove_end(run, 0);
	prove_require(run, prove_load(run, SEMAPHORE_PASSED + 1), "who waited before waits on");
	semaphore_take(run, semaphore, PERMITS, deadline);
	has_the_rest(run, semaphore, PERMITS);
	semaphore_give(run, semaphore, PERMITS, PERMITS);
}

static void survivor_is_rung(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, false);

	prove_require(run, nonet_semaphore_fd(semaphore) >= 0, "no descriptor");
	prove_begin(run);
	semaphore_be_rung(run, semaphore, prove_deadline());
	prove_end(run, 0);
	semaphore_take(run, semaphore, PERMITS, prove_deadline());
	has_the_rest(run, semaphore, PERMITS);
	semaphore_give(run, semaphore, PERMITS, PERMITS);
}

static void forked(struct prove_run *run)
{
	uint32_t value;

	prove_require(run, nonet_semaphore_wait(parents, 1, 0, NONET_NOW) == -ECHILD, "the child may wait");
	prove_require(run, nonet_semaphore_wait(parents, 2, 0, NONET_NOW) == -ECHILD, "the child may wait");
	prove_require(run, nonet_semaphore_post(parents, 1, 0) == -ECHILD, "the child may post");
	prove_require(run, nonet_semaphore_value(parents, &value) == -ECHILD, "the child may look");
	prove_require(run, nonet_semaphore_arm(parents) == -ECHILD, "the child may arm");
}

/* Until killed; that nobody has too many is seen by who counts. */
static void churn(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, false);

	for (uint32_t permits = 1;; permits = permits % PERMITS + 1) {
		prove_require(run, nonet_semaphore_wait(semaphore, permits, 0, prove_deadline()) == 0, "can't wait");
		prove_require(run, nonet_semaphore_post(semaphore, permits, 0) == 0, "can't post");
	}
}

static void name(const struct prove_run *run, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "semaphore:%s/s", prove_directory(run));
}

static void open_it(struct prove_run *run)
{
	struct nonet_semaphore *semaphore;
	char text[128];
	int result;

	(void)semaphore_make(run, "warm", false); /* it joins the domain */
	name(run, text, sizeof(text));
	prove_begin(run);
	result = nonet_semaphore_open(text, NULL, prove_deadline(), &semaphore, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_semaphore_open() says %d", result);
}

static void create(struct prove_run *run)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options), .flags = NONET_SEMAPHORE_MAY_EXIST, .value = PERMITS};
	struct nonet_semaphore *semaphore;
	char text[128];
	int result;

	(void)semaphore_make(run, "warm", false); /* it joins the domain */
	name(run, text, sizeof(text));
	prove_begin(run);
	result = nonet_semaphore_create(text, &options, prove_deadline(), &semaphore, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_semaphore_create() says %d", result);
}

/* A word of the run: how many have come to remove it. */
#define UNLINKERS 15

static void unlink_it(struct prove_run *run)
{
	char text[128];
	int result;

	(void)semaphore_make(run, "warm", false); /* it joins the domain */
	name(run, text, sizeof(text));
	prove_store(run, UNLINKERS, prove_load(run, UNLINKERS) + 1);
	prove_begin(run);
	result = nonet_semaphore_unlink(text, NULL);
	prove_end(run, result);
	/* One of two removes it. */
	prove_require(run, result == 0 || (result == -ENOENT && prove_load(run, UNLINKERS) > 1),
		      "nonet_semaphore_unlink() says %d", result);
}

/* No semaphore yet. */
static void prepare_none(struct prove_run *run)
{
	nonet_semaphore_close(semaphore_make(run, "warm", false));
}

#define SEMAPHORE(name_, symbol_, victim_)                                                                            \
	.name = "semaphore-" name_, .object = "semaphore", .symbol = "nonet_semaphore_" symbol_, .victim = (victim_), \
	.survivor = survivor

const struct prove_operation prove_semaphore_wait = {
	SEMAPHORE("wait", "wait", wait_one),
	.states = (const char *const[]){"free", "held", "dead", "dead-waiter", NULL},
	.prepare = prepare,
	.release = release,
	.forked = forked,
	.churn = churn,
};

const struct prove_operation prove_semaphore_wait_some = {
	SEMAPHORE("wait-some", "wait", wait_some),
	.states = (const char *const[]){"free", "short", "dead", "dead-half", NULL},
	.prepare = prepare,
	.release = release,
};

const struct prove_operation prove_semaphore_try = {
	SEMAPHORE("try", "wait", try_one),
	.states = (const char *const[]){"held", "dead", NULL},
	.prepare = prepare,
	.release = release,
};

const struct prove_operation prove_semaphore_try_some = {
	SEMAPHORE("try-some", "wait", try_some),
	.states = (const char *const[]){"short", NULL},
	.prepare = prepare,
	.release = release,
};

const struct prove_operation prove_semaphore_wait_in_vain = {
	.name = "semaphore-wait-in-vain",
	.object = "semaphore",
	.symbol = "nonet_semaphore_wait",
	.states = (const char *const[]){"short", NULL},
	.prepare = prepare_late,
	.release = keep,
	.victim = wait_in_vain,
	.survivor = survivor_of_rest,
	.patience = PATIENCE,
};

const struct prove_operation prove_semaphore_post = {
	SEMAPHORE("post", "post", post_one),
	.states = (const char *const[]){"free", "sleepers", NULL},
	.prepare = prepare,
	.forked = forked,
};

/* Who is killed between saying that there is a permit and ringing leaves them to look themselves. */
const struct prove_operation prove_semaphore_post_bells = {
	SEMAPHORE("post-bells", "post", post_one),
	.states = (const char *const[]){"bells", NULL},
	.prepare = prepare,
	.bound = PROVE_BOUND_WATCHER,
};

const struct prove_operation prove_semaphore_post_some = {
	SEMAPHORE("post-some", "post", post_some),
	.states = (const char *const[]){"free", "sleepers", NULL},
	.prepare = prepare,
};

/* Who waits for one goes on by that alone. */
const struct prove_operation prove_semaphore_meet = {
	SEMAPHORE("meet", "wait", wait_one),
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare_meeting,
};

const struct prove_operation prove_semaphore_meet_post = {
	SEMAPHORE("meet-post", "post", meet_post),
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare_meeting,
};

const struct prove_operation prove_semaphore_post_too_many = {
	SEMAPHORE("post-too-many", "post", post_too_many),
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare,
};

const struct prove_operation prove_semaphore_wait_crowd = {
	.name = "semaphore-wait-crowd",
	.object = "semaphore",
	.symbol = "nonet_semaphore_wait",
	.states = (const char *const[]){"waiter", "half", NULL},
	.prepare = prepare_crowd,
	.release = release,
	.victim = wait_one,
	.survivor = survivor_of_crowd,
	.fresh = true,
};

const struct prove_operation prove_semaphore_arm = {
	.name = "semaphore-arm",
	.object = "semaphore",
	.symbol = "nonet_semaphore_arm",
	.states = (const char *const[]){"free", "held", "dead", "dead-bell", NULL},
	.prepare = prepare_arming,
	.release = release,
	.victim = arm,
	.survivor = survivor_is_rung,
	.forked = forked,
};

/* What follows are the mutex's ways, but for what is in the object. */
const struct prove_operation prove_semaphore_open = {
	SEMAPHORE("open", "open", open_it),
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare_named,
	.calls_only = true,
};

const struct prove_operation prove_semaphore_create = {
	SEMAPHORE("create", "create", create),
	.states = (const char *const[]){"absent", NULL},
	.prepare = prepare_none,
	.calls_only = true,
};

const struct prove_operation prove_semaphore_unlink = {
	SEMAPHORE("unlink", "unlink", unlink_it),
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare_unlinked,
	.calls_only = true,
};
