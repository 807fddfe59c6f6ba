/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "prove/operations.h"

/*
 * A mutex in a domain of the run's own. What must be true, whoever is killed where: one at a time is inside; the death
 * of one who had it is told to the next; whoever comes gets it in time, and it works on.
 */

/* Words of the run: who is inside (role + 1), and how often a death was told. */
#define INSIDE 0
#define TOLD   1

static void address(const struct prove_run *run, const char *name, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "mutex:%s/%s", prove_directory(run), name);
}

static struct nonet_mutex *make(struct prove_run *run, const char *name)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_mutex *mutex = NULL;
	struct nonet_error error = {0};
	char text[128];

	address(run, name, text, sizeof(text));
	prove_require(run, nonet_mutex_create(text, &options, &mutex, &error) == 0, "%s", error.text);
	return mutex;
}

/* A member whose thread has its slot: neither is what is stepped through. */
static struct nonet_mutex *join(struct prove_run *run)
{
	struct nonet_mutex *warm = make(run, "warm");
	int result = nonet_mutex_lock(warm, NONET_NOW);

	/* Whoever is stopped here may have it; the slot is taken in any case. */
	if (result == 0 || result == -EOWNERDEAD)
		prove_require(run, nonet_mutex_unlock(warm) == 0, "can't unlock the mutex to warm up with");
	nonet_mutex_close(warm);
	return make(run, "m");
}

static bool is_had(int64_t result)
{
	return result == 0 || result == -EOWNERDEAD;
}

/* @result: of locking; what belongs to it, up to where the mutex is whole again. */
static void enter(struct prove_run *run, struct nonet_mutex *mutex, int result)
{
	prove_require(run, result == -EOWNERDEAD || prove_load(run, INSIDE) == 0,
		      "locked, while %d is inside and nobody said that it died", (int)prove_load(run, INSIDE) - 1);
	prove_store(run, INSIDE, prove_role(run) + 1);
	if (result == 0)
		return;
	prove_store(run, TOLD, prove_load(run, TOLD) + 1);
	prove_require(run, nonet_mutex_recover(mutex) == 0, "nonet_mutex_recover() fails");
}

static void leave(struct prove_run *run, struct nonet_mutex *mutex)
{
	prove_require(run, prove_load(run, INSIDE) == prove_role(run) + 1, "another came inside");
	prove_store(run, INSIDE, 0);
	prove_require(run, nonet_mutex_unlock(mutex) == 0, "nonet_mutex_unlock() fails");
}

/* The cast's, for release(). */
static struct nonet_mutex *held;

/* "free"; "held": by the cast, which lives; "dead": by one who died with it. */
static void prepare(struct prove_run *run)
{
	struct nonet_mutex *mutex = join(run);
	pid_t pid;

	if (prove_state_is(run, "dead")) {
		pid = fork();
		if (pid == 0)
			_exit(nonet_mutex_lock(make(run, "m"), prove_deadline()) != 0);
		prove_require(run, waitpid(pid, &(int){0}, 0) == pid, "no child");
	}
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

/* The handle that a fork of the victim inherits. */
static struct nonet_mutex *parents;

static void lock_by(struct prove_run *run, struct nonet_mutex *mutex, nonet_time deadline)
{
	int result;

	parents = mutex;
	prove_begin(run);
	result = nonet_mutex_lock(mutex, deadline);
	prove_end(run, result);
	if (deadline == NONET_NOW && result == -EAGAIN)
		return;
	prove_require(run, is_had(result), "nonet_mutex_lock() says %d", result);
	enter(run, mutex, result);
	leave(run, mutex);
}

static void lock(struct prove_run *run)
{
	lock_by(run, join(run), prove_deadline());
}

static void try_lock(struct prove_run *run)
{
	lock_by(run, join(run), NONET_NOW);
}

/* The thread takes its slot in it. */
static void first_lock(struct prove_run *run)
{
	lock_by(run, make(run, "m"), prove_deadline());
}

static void unlock(struct prove_run *run)
{
	struct nonet_mutex *mutex = join(run);
	int result = nonet_mutex_lock(mutex, NONET_NOW);

	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, is_had(result), "nonet_mutex_lock() says %d", result);
	enter(run, mutex, result);
	prove_store(run, INSIDE, 0);
	parents = mutex;
	prove_begin(run);
	result = nonet_mutex_unlock(mutex);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_unlock() says %d", result);
}

static void recover(struct prove_run *run)
{
	struct nonet_mutex *mutex = join(run);
	int result = nonet_mutex_lock(mutex, NONET_NOW);

	if (result != -EOWNERDEAD)
		prove_leave(run);
	prove_store(run, INSIDE, prove_role(run) + 1);
	prove_store(run, TOLD, prove_load(run, TOLD) + 1);
	parents = mutex;
	prove_begin(run);
	result = nonet_mutex_recover(mutex);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_recover() says %d", result);
	leave(run, mutex);
}

/* Joins the domain and opens the mutex. */
static void open_it(struct prove_run *run)
{
	struct nonet_mutex *mutex;
	char text[128];
	int result;

	address(run, "m", text, sizeof(text));
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

	address(run, "m", text, sizeof(text));
	prove_begin(run);
	result = nonet_mutex_create(text, &options, &mutex, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_mutex_create() says %d", result);
}

/* No mutex yet: an empty directory ("absent"), or a domain ("domain"). */
static void prepare_none(struct prove_run *run)
{
	if (prove_state_is(run, "domain"))
		nonet_mutex_close(make(run, "other"));
}

static bool locks(const struct prove_run *run, enum prove_role role)
{
	return prove_plays(run, role, "mutex-lock") || prove_plays(run, role, "mutex-try") ||
	       prove_plays(run, role, "mutex-first-lock");
}

static void survivor(struct prove_run *run)
{
	struct nonet_mutex *mutex = join(run);
	int64_t code;
	int result;

	prove_begin(run);
	result = nonet_mutex_lock(mutex, prove_deadline());
	prove_end(run, result);
	prove_require(run, is_had(result), "nonet_mutex_lock() says %d", result);
	enter(run, mutex, result);
	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++)
		if (locks(run, (enum prove_role)i) && prove_killed(run, (enum prove_role)i) &&
		    prove_returned(run, (enum prove_role)i, &code) && is_had(code))
			prove_require(run, prove_load(run, TOLD) > 0, "the death of one who had it was told to nobody");
	if (prove_state_is(run, "dead"))
		prove_require(run, prove_load(run, TOLD) > 0, "the death before was told to nobody");
	/* Whoever has unlocked has died without it, if he was alone. */
	if (prove_plays(run, PROVE_FIRST, "mutex-unlock") && prove_state_is(run, "free") &&
	    !prove_began(run, PROVE_SECOND) && prove_returned(run, PROVE_FIRST, &code) && code == 0)
		prove_require(run, result == 0, "the death of one who had unlocked it was told");
	leave(run, mutex);
	prove_require(run, nonet_mutex_lock(mutex, NONET_NOW) == 0 && nonet_mutex_unlock(mutex) == 0,
		      "it works once, and no longer");
}

static void forked(struct prove_run *run)
{
	struct nonet_mutex_holder holder;

	prove_require(run, nonet_mutex_lock(parents, NONET_NOW) == -ECHILD, "the child may lock");
	prove_require(run, nonet_mutex_unlock(parents) == -ECHILD, "the child may unlock");
	prove_require(run, nonet_mutex_recover(parents) == -ECHILD, "the child may recover");
	prove_require(run, nonet_mutex_look(parents, &holder) == -ECHILD, "the child may look");
}

/* Lock, stay a little, unlock; whoever is told of a death puts it right. */
static void churn(struct prove_run *run)
{
	struct nonet_mutex *mutex = join(run);
	int result;

	for (;;) {
		result = nonet_mutex_lock(mutex, prove_deadline());
		prove_require(run, is_had(result), "nonet_mutex_lock() says %d", result);
		enter(run, mutex, result);
		leave(run, mutex);
	}
}

#define MUTEX(name_, symbol_, victim_)                                                                   \
	.name = "mutex-" name_, .object = "mutex", .symbol = "nonet_mutex_" symbol_, .prepare = prepare, \
	.release = release, .victim = (victim_), .survivor = survivor

const struct prove_operation prove_mutex_lock = {
	MUTEX("lock", "lock", lock),
	.states = (const char *const[]){"free", "held", "dead", NULL},
	.forked = forked,
	.churn = churn,
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
	.states = (const char *const[]){"free", NULL},
	.forked = forked,
};

const struct prove_operation prove_mutex_recover = {
	MUTEX("recover", "recover", recover),
	.states = (const char *const[]){"dead", NULL},
	.forked = forked,
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
