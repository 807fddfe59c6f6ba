/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>

#include "prove/semaphore_scene.h"

/*
 * A semaphore that only counts. What must be true, whoever is killed where: what was posted and acknowledged is there,
 * until it is taken; nothing is there that nobody posted; whoever waits goes on once there is enough.
 */

/* Words of the run: of each role, what it began to post, and to take; companions take behind. */
#define POSTS     0
#define TAKES     PROVE_ROLES
#define PASSED    10 /* of each companion, behind this: it has one */
#define SIGNALLED 15 /* when who posted was back */

#define SLEEPERS 2

/* The cast's, for release(). */
static struct nonet_semaphore *semaphore_of_cast;

static void add(struct prove_run *run, size_t words, uint32_t permits)
{
	const size_t index = words + (size_t)prove_role(run);

	prove_store(run, index, prove_load(run, index) + permits);
}

static void post_here(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits)
{
	int result;

	add(run, POSTS, permits);
	result = nonet_semaphore_post(semaphore, permits, 0);
	prove_require(run, result == 0, "nonet_semaphore_post() says %d", result);
}

static void sleeps(struct prove_run *run)
{
	int result = nonet_semaphore_wait(semaphore_make(run, "s", true), 1, 0, prove_deadline());

	prove_require(run, result == 0, "a sleeper's nonet_semaphore_wait() says %d", result);
	prove_store(run, PASSED + (size_t)prove_companion(run), 1);
}

/* "none"; "some": three; "few": one; "dead-waiter": none, and who had the turn was killed asleep. */
static void prepare(struct prove_run *run)
{
	semaphore_of_cast = semaphore_join(run, true);
	if (prove_state_is(run, "some"))
		post_here(run, semaphore_of_cast, 3);
	if (prove_state_is(run, "few"))
		post_here(run, semaphore_of_cast, 1);
	if (prove_state_is(run, "dead-waiter")) {
		prove_accompany(run, sleeps);
		prove_companions_kill(run);
	}
}

static void prepare_waiting(struct prove_run *run)
{
	prepare(run);
}

static void prepare_meeting(struct prove_run *run)
{
	prepare(run);
}

/* "sleepers": two wait. They can't be put back. */
static void prepare_crowd(struct prove_run *run)
{
	prepare(run);
	for (int i = 0; i < SLEEPERS; i++)
		prove_accompany(run, sleeps);
}

/* Enough for two victims and a survivor. */
static void release(struct prove_run *run)
{
	post_here(run, semaphore_of_cast, 6);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_semaphore *parents;

static void wait_for(struct prove_run *run, uint32_t permits)
{
	int result;

	parents = semaphore_join(run, true);
	add(run, TAKES, permits);
	prove_begin(run);
	result = nonet_semaphore_wait(parents, permits, 0, prove_deadline());
	prove_end(run, result);
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

#define A_LITTLE NONET_MS(80)

static void meet(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, true);
	const nonet_time deadline = nonet_after(A_LITTLE);
	int result;

	add(run, TAKES, 1);
	prove_begin(run);
	result = nonet_semaphore_wait(semaphore, 1, 0, deadline);
	prove_end(run, result);
	prove_require(run, result == 0 || result == -ETIMEDOUT, "nonet_semaphore_wait() says %d", result);
	prove_require(run, result == 0 || !prove_load(run, SIGNALLED) || prove_load(run, SIGNALLED) >= deadline,
		      "a wake is lost: it slept until its deadline");
}

static void post(struct prove_run *run, uint32_t permits)
{
	int result;

	parents = semaphore_join(run, true);
	add(run, POSTS, permits);
	prove_begin(run);
	result = nonet_semaphore_post(parents, permits, 0);
	prove_end(run, result);
	prove_store(run, SIGNALLED, nonet_clock());
	prove_require(run, result == 0, "nonet_semaphore_post() says %d", result);
}

static void post_one(struct prove_run *run)
{
	post(run, 1);
}

static void post_some(struct prove_run *run)
{
	post(run, 2);
}

/* Of a role: what it began, if it is back and that was done (@least), or may have been done. */
static int64_t sum(const struct prove_run *run, size_t words, bool least)
{
	int64_t all = 0;
	int64_t code;

	for (int i = 0; i < PROVE_ROLES; i++) {
		const enum prove_role role = (enum prove_role)i;

		if (role > PROVE_SECOND || !least || (prove_returned(run, role, &code) && code == 0))
			all += prove_load(run, words + (size_t)i);
	}
	return all;
}

static int passed(const struct prove_run *run)
{
	int count = 0;

	for (int i = 1; i <= SLEEPERS; i++)
		count += prove_load(run, PASSED + (size_t)i) != 0;
	return count;
}

static void judge(struct prove_run *run, struct nonet_semaphore *semaphore)
{
	const int64_t value = semaphore_value(run, semaphore);
	const int64_t companions = prove_state_is(run, "sleepers") ? SLEEPERS : 0;

	prove_require(run, value >= sum(run, POSTS, true) - sum(run, TAKES, false) - companions,
		      "of %lld that were posted and up to %lld that were taken, %lld are left",
		      (long long)sum(run, POSTS, true), (long long)(sum(run, TAKES, false) + companions),
		      (long long)value);
	prove_require(run, value <= sum(run, POSTS, false) - sum(run, TAKES, true) - passed(run),
		      "of up to %lld that were posted and %lld that were taken, %lld are left",
		      (long long)sum(run, POSTS, false), (long long)(sum(run, TAKES, true) + passed(run)),
		      (long long)value);
}

/* One more, and one less. */
static void survivor(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, true);
	int result;

	judge(run, semaphore);
	prove_begin(run);
	post_here(run, semaphore, 1);
	result = nonet_semaphore_wait(semaphore, 1, 0, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_semaphore_wait() says %d", result);
	add(run, TAKES, 1);
	judge(run, semaphore);
}

/* It waits as the victim does, until the cast lets both go. */
static void survivor_waits(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, true);
	int result;

	prove_begin(run);
	result = nonet_semaphore_wait(semaphore, 1, 0, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_semaphore_wait() says %d", result);
	add(run, TAKES, 1);
	judge(run, semaphore);
}

/* Nobody sleeps while there are permits; and all have one once the survivor has posted what is missing. */
static void survivor_counts(struct prove_run *run)
{
	struct nonet_semaphore *semaphore = semaphore_join(run, true);
	const nonet_time deadline = prove_deadline();
	int64_t missing;

	prove_begin(run);
	missing = SLEEPERS - passed(run) - (int64_t)semaphore_value(run, semaphore);
	while (missing > 0 && passed(run) < SLEEPERS && semaphore_value(run, semaphore) > 0 && nonet_clock() < deadline)
		sched_yield();
	if (missing > 0)
		post_here(run, semaphore, (uint32_t)missing);
	while (passed(run) < SLEEPERS && nonet_clock() < deadline)
		sched_yield();
	prove_end(run, 0);
	prove_require(run, passed(run) == SLEEPERS, "only %d of %d go on", passed(run), SLEEPERS);
	judge(run, semaphore);
}

static void forked(struct prove_run *run)
{
	uint32_t value;

	prove_require(run, nonet_semaphore_wait(parents, 1, 0, NONET_NOW) == -ECHILD, "the child may wait");
	prove_require(run, nonet_semaphore_post(parents, 1, 0) == -ECHILD, "the child may post");
	prove_require(run, nonet_semaphore_value(parents, &value) == -ECHILD, "the child may look");
}

#define SIGNAL(name_, symbol_, victim_) \
	.name = "signal-" name_, .object = "signal", .symbol = "nonet_semaphore_" symbol_, .victim = (victim_)

const struct prove_operation prove_signal_wait = {
	SIGNAL("wait", "wait", wait_one), .states = (const char *const[]){"none", "some", NULL},
	.prepare = prepare_waiting,       .release = release,
	.survivor = survivor_waits,       .forked = forked,
};

const struct prove_operation prove_signal_wait_some = {
	SIGNAL("wait-some", "wait", wait_some),
	.states = (const char *const[]){"few", "dead-waiter", NULL},
	.prepare = prepare_waiting,
	.release = release,
	.survivor = survivor_waits,
};

const struct prove_operation prove_signal_post = {
	SIGNAL("post", "post", post_one),
	.states = (const char *const[]){"none", "some", "dead-waiter", NULL},
	.prepare = prepare,
	.survivor = survivor,
	.forked = forked,
};

const struct prove_operation prove_signal_meet = {
	SIGNAL("meet", "wait", meet), .states = (const char *const[]){"none", NULL},
	.prepare = prepare_meeting,   .survivor = survivor,
	.patience = A_LITTLE,
};

const struct prove_operation prove_signal_meet_post = {
	SIGNAL("meet-post", "post", post_one),
	.states = (const char *const[]){"none", NULL},
	.prepare = prepare_meeting,
	.survivor = survivor,
};

/* Who is killed between posting and waking leaves them to look themselves. */
const struct prove_operation prove_signal_post_crowd = {
	SIGNAL("post-crowd", "post", post_some),
	.states = (const char *const[]){"sleepers", NULL},
	.prepare = prepare_crowd,
	.survivor = survivor_counts,
	.bound = PROVE_BOUND_WATCHER,
	.fresh = true,
};
