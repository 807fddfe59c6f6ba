/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "prove/mutex_scene.h"

/* The cast's, for release(). */
static struct nonet_mutex *held;

/*
 * "free"; "held": by the cast, which lives; "dead": by one who died with it; "given-up": by one who didn't recover it;
 * "sleepers": two more come with the survivor; and free ones of other kinds.
 */
static void prepare(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);

	if (prove_state_is(run, "dead") || prove_state_is(run, "given-up"))
		mutex_die_with(run);
	if (prove_state_is(run, "given-up"))
		prove_require(run, nonet_mutex_lock(mutex, NONET_NOW) == -EOWNERDEAD && nonet_mutex_unlock(mutex) == 0,
			      "can't give it up");
	prove_store(run, MUTEX_GIVEN_UP, prove_state_is(run, "given-up"));
	if (prove_state_is(run, "held"))
		prove_require(run, nonet_mutex_lock(mutex, NONET_NOW) == 0, "can't lock");
	held = mutex;
}

/* For operations that join: by a function of their own, since these are long, and are paired with one another only. */
static void prepare_joining(struct prove_run *run)
{
	prepare(run);
}

static void release(struct prove_run *run)
{
	if (prove_state_is(run, "held"))
		prove_require(run, nonet_mutex_unlock(held) == 0, "can't unlock");
}

static bool mutex_may_be_given_up(const struct prove_run *run)
{
	return prove_load(run, MUTEX_GIVEN_UP);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_mutex *parents;

static void lock_by(struct prove_run *run, struct nonet_mutex *mutex, nonet_time deadline)
{
	int result;

	parents = mutex;
	prove_begin(run);
	result = nonet_mutex_lock(mutex, deadline);
	prove_end(run, result);
	if ((deadline == NONET_NOW && result == -EAGAIN) || (result == -ENOTRECOVERABLE && mutex_may_be_given_up(run)))
		return;
	prove_require(run, !prove_state_is(run, "given-up"), "one that was given up is had again");
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	mutex_leave(run, mutex);
}

static void lock(struct prove_run *run)
{
	lock_by(run, mutex_join(run), prove_deadline());
}

static void try_lock(struct prove_run *run)
{
	lock_by(run, mutex_join(run), NONET_NOW);
}

/* The thread takes its slot in it. */
static void first_lock(struct prove_run *run)
{
	lock_by(run, mutex_make(run, "m"), prove_deadline());
}

/* Before an operation that needs it: have it, or leave. Return: as nonet_mutex_lock(). */
static int have(struct prove_run *run, struct nonet_mutex *mutex)
{
	int result = nonet_mutex_lock(mutex, NONET_NOW);

	parents = mutex;
	if (result == -EAGAIN || (result == -ENOTRECOVERABLE && mutex_may_be_given_up(run)))
		prove_leave(run);
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	return result;
}

static void unlock_at_last(struct prove_run *run, struct nonet_mutex *mutex)
{
	int result;

	prove_store(run, MUTEX_INSIDE, 0);
	prove_begin(run);
	result = nonet_mutex_unlock(mutex);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_unlock() says %d", result);
}

static void unlock(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);

	mutex_enter(run, mutex, have(run, mutex));
	unlock_at_last(run, mutex);
}

/* Unlocked without having been recovered: whoever comes is told that nobody can have it. */
static void give_up(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);

	if (have(run, mutex) != -EOWNERDEAD)
		prove_leave(run);
	prove_store(run, MUTEX_TOLD, prove_load(run, MUTEX_TOLD) + 1);
	prove_store(run, MUTEX_GIVEN_UP, 1);
	unlock_at_last(run, mutex);
}

static void lock_again(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result;

	mutex_enter(run, mutex, have(run, mutex));
	prove_begin(run);
	result = nonet_mutex_lock(mutex, NONET_NOW);
	prove_end(run, result);
	prove_require(run, result == 0 && nonet_mutex_unlock(mutex) == 0, "locking again says %d", result);
	mutex_leave(run, mutex);
}

/* One of two times: it stays locked. */
static void unlock_once(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result;

	mutex_enter(run, mutex, have(run, mutex));
	prove_require(run, nonet_mutex_lock(mutex, NONET_NOW) == 0, "can't lock again");
	prove_begin(run);
	result = nonet_mutex_unlock(mutex);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_unlock() says %d", result);
	mutex_leave(run, mutex);
}

static void recover(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result;

	if (have(run, mutex) != -EOWNERDEAD)
		prove_leave(run);
	prove_store(run, MUTEX_INSIDE, prove_role(run) + 1);
	prove_store(run, MUTEX_TOLD, prove_load(run, MUTEX_TOLD) + 1);
	prove_begin(run);
	result = nonet_mutex_recover(mutex);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_recover() says %d", result);
	mutex_leave(run, mutex);
}

/* Joins the domain and opens the mutex. */
static void open_it(struct prove_run *run)
{
	struct nonet_mutex *mutex;
	char text[128];
	int result;

	snprintf(text, sizeof(text), "mutex:%s/m", prove_directory(run));
	prove_begin(run);
	result = nonet_mutex_open(text, &mutex, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_open() says %d", result);
}

static void create(struct prove_run *run)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_mutex *mutex;
	char text[128];
	int result;

	snprintf(text, sizeof(text), "mutex:%s/m", prove_directory(run));
	prove_begin(run);
	result = nonet_mutex_create(text, &options, &mutex, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_create() says %d", result);
}

/* A word of the run: how many have come to remove it. */
#define UNLINKERS 8

/* Removes the name alone, so each run has one of its own; whoever comes makes another. */
static void prepare_named(struct prove_run *run)
{
	prepare(run);
}

static void unlink_it(struct prove_run *run)
{
	char text[128];
	int result;

	snprintf(text, sizeof(text), "mutex:%s/m", prove_directory(run));
	prove_store(run, UNLINKERS, prove_load(run, UNLINKERS) + 1);
	prove_begin(run);
	result = nonet_mutex_unlink(text, NULL);
	prove_end(run, result);
	/* One of two removes it. */
	prove_require(run, result == 0 || (result == -ENOENT && prove_load(run, UNLINKERS) > 1),
		      "nonet_mutex_unlink() says %d", result);
}

/* No mutex yet: an empty directory ("absent"), or a domain ("domain"). */
static void prepare_none(struct prove_run *run)
{
	if (prove_state_is(run, "domain"))
		nonet_mutex_close(mutex_make(run, "other"));
}

static bool locks(const struct prove_run *run, enum prove_role role)
{
	return prove_plays(run, role, "mutex-lock") || prove_plays(run, role, "mutex-try") ||
	       prove_plays(run, role, "mutex-first-lock") || prove_plays(run, role, "mutex-lock-crowd");
}

/* Whether it is held from the operation's first instruction to its last. */
static bool holds(const struct prove_run *run, enum prove_role role)
{
	return prove_plays(run, role, "mutex-lock-again") || prove_plays(run, role, "mutex-unlock-once");
}

static void come_too(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result = nonet_mutex_lock(mutex, prove_deadline());

	if (result == -ENOTRECOVERABLE && mutex_may_be_given_up(run))
		return;
	prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	mutex_leave(run, mutex);
}

/* @result: of the survivor's locking. */
static void check_deaths(struct prove_run *run, int result)
{
	const bool told = prove_load(run, MUTEX_TOLD) > 0;
	int64_t code;

	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++) {
		const enum prove_role role = (enum prove_role)i;
		const bool back = prove_returned(run, role, &code);

		if (prove_killed(run, role) && locks(run, role) && back && mutex_is_had(code))
			prove_require(run, told, "the death of one who had it was told to nobody");
		if (prove_killed(run, role) && holds(run, role) && prove_began(run, role))
			prove_require(run, told,
				      "the death of one who had it twice, or once again, was told to nobody");
	}
	if (prove_state_is(run, "dead"))
		prove_require(run, told, "the death before was told to nobody");
	/* Whoever has unlocked has died without it, if he was alone. */
	if (prove_plays(run, PROVE_FIRST, "mutex-unlock") && !prove_began(run, PROVE_SECOND) &&
	    !prove_state_is(run, "sleepers") && prove_returned(run, PROVE_FIRST, &code) && code == 0)
		prove_require(run, result == 0, "the death of one who had unlocked it was told");
	if (prove_plays(run, PROVE_FIRST, "mutex-give-up") && !prove_began(run, PROVE_SECOND) &&
	    prove_returned(run, PROVE_FIRST, &code))
		prove_require(run, result == -ENOTRECOVERABLE, "one that was given up is had again");
}

static void survivor(struct prove_run *run)
{
	struct nonet_mutex *mutex;
	int result;

	if (prove_state_is(run, "sleepers"))
		for (int i = 0; i < 2; i++)
			prove_accompany(run, come_too);
	mutex = mutex_join(run);
	prove_begin(run);
	result = nonet_mutex_lock(mutex, prove_deadline());
	/* Those who came with it have to get through as soon as it. */
	if (prove_state_is(run, "sleepers") && mutex_is_had(result)) {
		mutex_enter(run, mutex, result);
		mutex_leave(run, mutex);
		prove_companions_join(run);
		prove_end(run, result);
		return;
	}
	prove_end(run, result);
	prove_require(run, mutex_is_had(result) || (result == -ENOTRECOVERABLE && mutex_may_be_given_up(run)),
		      "nonet_mutex_lock() says %d", result);
	if (mutex_is_had(result))
		mutex_enter(run, mutex, result);
	check_deaths(run, result);
	if (!mutex_is_had(result)) {
		prove_companions_join(run);
		return;
	}
	mutex_leave(run, mutex);
	/* Somebody else of a crowd may be in it now; or the victim, if this one waited before it, and die then. */
	result = nonet_mutex_lock(mutex, prove_deadline());
	prove_require(run, result == 0 || (result == -EOWNERDEAD && !prove_alone(run)),
		      "it works once, and no longer: nonet_mutex_lock() says %d", result);
	mutex_enter(run, mutex, result);
	mutex_leave(run, mutex);
}

/* The cast holds it, and two more wait already. */
static void prepare_crowd(struct prove_run *run)
{
	prepare(run);
	for (int i = 0; i < 2; i++)
		prove_accompany(run, come_too);
}

static void forked(struct prove_run *run)
{
	struct nonet_mutex_holder holder;

	prove_require(run, nonet_mutex_lock(parents, NONET_NOW) == -ECHILD, "the child may lock");
	prove_require(run, nonet_mutex_unlock(parents) == -ECHILD, "the child may unlock");
	prove_require(run, nonet_mutex_recover(parents) == -ECHILD, "the child may recover");
	prove_require(run, nonet_mutex_look(parents, &holder) == -ECHILD, "the child may look");
}

#define MUTEX(name_, symbol_, victim_)                                                                   \
	.name = "mutex-" name_, .object = "mutex", .symbol = "nonet_mutex_" symbol_, .prepare = prepare, \
	.release = release, .victim = (victim_), .survivor = survivor

const struct prove_operation prove_mutex_lock = {
	MUTEX("lock", "lock", lock),
	.states = (const char *const[]){"free", "held", "dead", "given-up", "recursive", "ranked", "traced", "placed",
					NULL},
	.forked = forked,
	.churn = mutex_churn,
};

const struct prove_operation prove_mutex_try = {
	MUTEX("try", "lock", try_lock),
	.states = (const char *const[]){"held", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_first_lock = {
	.name = "mutex-first-lock",
	.object = "mutex",
	.symbol = "nonet_mutex_lock",
	.prepare = prepare_joining,
	.victim = first_lock,
	.survivor = survivor,
	.states = (const char *const[]){"free", NULL},
};

const struct prove_operation prove_mutex_unlock = {
	MUTEX("unlock", "unlock", unlock),
	.states = (const char *const[]){"free", "sleepers", "ranked", "traced", "placed", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_recover = {
	MUTEX("recover", "recover", recover),
	.states = (const char *const[]){"dead", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_give_up = {
	MUTEX("give-up", "unlock", give_up),
	.states = (const char *const[]){"dead", NULL},
};

const struct prove_operation prove_mutex_lock_again = {
	MUTEX("lock-again", "lock", lock_again),
	.states = (const char *const[]){"recursive", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_unlock_once = {
	MUTEX("unlock-once", "unlock", unlock_once),
	.states = (const char *const[]){"recursive", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_lock_crowd = {
	.name = "mutex-lock-crowd",
	.object = "mutex",
	.symbol = "nonet_mutex_lock",
	.prepare = prepare_crowd,
	.release = release,
	.victim = lock,
	.survivor = survivor,
	.states = (const char *const[]){"held", NULL},
	.fresh = true,
};

const struct prove_operation prove_mutex_unlink = {
	.name = "mutex-unlink",
	.object = "mutex",
	.symbol = "nonet_mutex_unlink",
	.prepare = prepare_named,
	.victim = unlink_it,
	.survivor = survivor,
	.states = (const char *const[]){"free", NULL},
};

const struct prove_operation prove_mutex_open = {
	.name = "mutex-open",
	.object = "mutex",
	.symbol = "nonet_mutex_open",
	.prepare = prepare_joining,
	.victim = open_it,
	.survivor = survivor,
	.states = (const char *const[]){"free", NULL},
};

const struct prove_operation prove_mutex_create = {
	.name = "mutex-create",
	.object = "mutex",
	.symbol = "nonet_mutex_create",
	.states = (const char *const[]){"absent", "domain", NULL},
	.prepare = prepare_none,
	.victim = create,
	.survivor = survivor,
};
