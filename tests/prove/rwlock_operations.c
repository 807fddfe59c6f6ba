/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/rwlock.h>

#include "prove/operations.h"

/*
 * A lock of readers and writers in a domain of the run's own. What must be true, whoever is killed where: one writes,
 * or some read; the death of one who wrote is told to the next, that of a reader, or of one who waited to write, to
 * nobody; whoever comes gets it in time, and it works on.
 */

/*
 * Words of the run: who writes; how often a death was told; then, for each role, alone and as a companion, whether it
 * reads; and of the victims, whether what they do lets them write.
 */
#define WRITING 0
#define TOLD    1
#define READING 2
#define WRITES  (READING + 2 * PROVE_ROLES)
_Static_assert(WRITES + 2 <= PROVE_WORDS, "there is room for all of them");

static struct nonet_rwlock *make(struct prove_run *run, const char *name)
{
	struct nonet_rwlock_options options = {.size = sizeof(options), .flags = NONET_RWLOCK_MAY_EXIST, .readers = 64};
	struct nonet_rwlock *rwlock = NULL;
	struct nonet_error error = {0};
	char text[128];

	if (prove_state_is(run, "traced"))
		options.flags |= NONET_RWLOCK_TRACE;
	snprintf(text, sizeof(text), "rwlock:%s/%s", prove_directory(run), name);
	prove_require(run, nonet_rwlock_create(text, &options, &rwlock, &error) == 0, "%s", error.text);
	return rwlock;
}

/* A member whose thread has its slot, and knows whether spinning helps: neither is what is stepped through. */
static struct nonet_rwlock *join(struct prove_run *run)
{
	struct nonet_rwlock *warm = make(run, "warm");

	if (nonet_rwlock_write_lock(warm, NONET_NOW) == 0)
		prove_require(run, nonet_rwlock_unlock(warm) == 0, "can't unlock the one to warm up with");
	(void)!nonet_rwlock_read_lock(warm, NONET_NOW);
	nonet_rwlock_close(warm);
	return make(run, "r");
}

static bool is_had(int64_t result)
{
	return result == 0 || result == -EOWNERDEAD;
}

static int self(const struct prove_run *run)
{
	return prove_role(run) + 1 + PROVE_ROLES * prove_companion(run);
}

/* Where this process says that it reads; companions of one role take turns by words of their own. */
static size_t own(const struct prove_run *run)
{
	return READING + (size_t)prove_role(run) + (prove_companion(run) ? PROVE_ROLES : 0);
}

static void mend(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_store(run, TOLD, prove_load(run, TOLD) + 1);
	prove_require(run, nonet_rwlock_recover(rwlock) == 0, "nonet_rwlock_recover() fails");
}

static void write_here(struct prove_run *run, int result)
{
	const int64_t writer = prove_load(run, WRITING);

	prove_require(run, result == -EOWNERDEAD || writer == 0 || writer == self(run),
		      "writes, while %d does and nobody said that it died", (int)writer - 1);
	for (int i = 0; i < 2 * PROVE_ROLES; i++)
		prove_require(run,
			      READING + (size_t)i == own(run) || !prove_load(run, READING + (size_t)i) ||
				      prove_killed(run, (enum prove_role)(i % PROVE_ROLES)),
			      "writes, while %d reads", i);
	prove_store(run, WRITING, self(run));
}

static void enter_to_write(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	write_here(run, result);
	if (result == -EOWNERDEAD)
		mend(run, rwlock);
}

static void leave_writing(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_require(run, prove_load(run, WRITING) == self(run), "another came to write");
	prove_store(run, WRITING, 0);
	prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "nonet_rwlock_unlock() fails");
}

/* Before an operation that writes from its return on: a process that comes later can't be asked what it does. */
static void will_write(struct prove_run *run)
{
	prove_store(run, WRITES + (size_t)prove_role(run), 1);
}

/* Whether one who wrote was killed, and nobody has been told: what he left may be half done. */
static bool is_half_done(const struct prove_run *run)
{
	int64_t code;

	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++)
		if (prove_load(run, WRITES + (size_t)i) && prove_killed(run, (enum prove_role)i) &&
		    prove_returned(run, (enum prove_role)i, &code) && code == 0)
			return prove_load(run, TOLD) == 0;
	return false;
}

/* @result: of read lock; one who is told of a death has it for writing. Return: whether it reads. */
static bool enter_to_read(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	if (result == -EOWNERDEAD) {
		enter_to_write(run, rwlock, result);
		return false;
	}
	prove_require(run, !is_half_done(run), "reads what one who died while he wrote has left");
	prove_store(run, own(run), 1);
	prove_require(run, prove_load(run, WRITING) == 0, "reads, while %d writes", (int)prove_load(run, WRITING) - 1);
	return true;
}

static void leave_reading(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_require(run, prove_load(run, WRITING) == 0, "another came to write");
	prove_store(run, own(run), 0);
	prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "nonet_rwlock_unlock() fails");
}

static void read_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	prove_require(run, is_had(result), "nonet_rwlock_read_lock() says %d", result);
	if (enter_to_read(run, rwlock, result))
		leave_reading(run, rwlock);
	else
		leave_writing(run, rwlock);
}

static void write_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	prove_require(run, is_had(result), "nonet_rwlock_write_lock() says %d", result);
	enter_to_write(run, rwlock, result);
	leave_writing(run, rwlock);
}

static void dies_reading(struct prove_run *run)
{
	prove_require(run, nonet_rwlock_read_lock(make(run, "r"), prove_deadline()) == 0, "can't read");
}

static void dies_writing(struct prove_run *run)
{
	prove_require(run, nonet_rwlock_write_lock(make(run, "r"), prove_deadline()) == 0, "can't write");
}

static void comes_to_write(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);

	write_once(run, rwlock, nonet_rwlock_write_lock(rwlock, prove_deadline()));
}

static void comes_to_read(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);

	read_once(run, rwlock, nonet_rwlock_read_lock(rwlock, prove_deadline()));
}

static void one_dies(struct prove_run *run, prove_function *function)
{
	prove_accompany(run, function);
	prove_companions_join(run);
}

/* The cast's, for release(). */
static struct nonet_rwlock *held;

/* Waits for the cast, which reads, to write, and is killed in that. */
static void one_dies_waiting(struct prove_run *run)
{
	struct nonet_rwlock_holder holders[4];
	const nonet_time deadline = prove_deadline();
	size_t number;
	pid_t pid = fork();

	if (pid == 0) {
		prove_accompany(run, comes_to_write);
		_exit(0); /* which ends the other */
	}
	prove_require(run, waitpid(pid, &(int){0}, 0) == pid, "no child");
	/* Its parent is gone, and it soon. */
	do {
		prove_require(run, nonet_rwlock_look(held, holders, 4, &number) == 0 && number > 0,
			      "nobody waits to write");
		prove_require(run, nonet_clock() < deadline, "who waits to write doesn't die");
	} while (!(holders[0].flags & NONET_RWLOCK_IS_DEAD));
}

static bool cast_reads(const struct prove_run *run)
{
	return prove_state_is(run, "reader") || prove_state_is(run, "dead-intent") || prove_state_is(run, "intent");
}

/*
 * "free"; "reader", "writer": the cast, which lives; "dead-reader", "dead-readers", "dead-writer"; "dead-intent": one
 * who waited for the cast, which reads, to write; "intent": the same, but it lives; "sleepers": others come with the
 * survivor.
 */
static void prepare(struct prove_run *run)
{
	held = join(run);
	if (prove_state_is(run, "dead-reader") || prove_state_is(run, "dead-readers"))
		one_dies(run, dies_reading);
	if (prove_state_is(run, "dead-readers")) {
		one_dies(run, dies_reading);
		one_dies(run, dies_reading);
	}
	if (prove_state_is(run, "dead-writer"))
		one_dies(run, dies_writing);
	if (prove_state_is(run, "writer"))
		enter_to_write(run, held, nonet_rwlock_write_lock(held, NONET_NOW));
	if (cast_reads(run))
		prove_require(run, enter_to_read(run, held, nonet_rwlock_read_lock(held, NONET_NOW)), "can't read");
	if (prove_state_is(run, "dead-intent"))
		one_dies_waiting(run);
}

/* With processes that wait: they can't be put back. */
static void prepare_crowd(struct prove_run *run)
{
	prepare(run);
	prove_accompany(run, comes_to_write);
	prove_accompany(run, comes_to_read);
}

static void release(struct prove_run *run)
{
	if (prove_state_is(run, "writer"))
		leave_writing(run, held);
	else if (cast_reads(run))
		leave_reading(run, held);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_rwlock *parents;

static void read_lock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result;

	parents = rwlock;
	prove_begin(run);
	result = nonet_rwlock_read_lock(rwlock, prove_deadline());
	prove_end(run, result);
	read_once(run, rwlock, result);
}

static void write_lock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result;

	parents = rwlock;
	will_write(run);
	prove_begin(run);
	result = nonet_rwlock_write_lock(rwlock, prove_deadline());
	prove_end(run, result);
	write_once(run, rwlock, result);
}

/* Before an operation that needs it: read, or leave. */
static struct nonet_rwlock *reading(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result = nonet_rwlock_read_lock(rwlock, NONET_NOW);

	parents = rwlock;
	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, is_had(result), "nonet_rwlock_read_lock() says %d", result);
	if (!enter_to_read(run, rwlock, result)) {
		leave_writing(run, rwlock);
		result = nonet_rwlock_read_lock(rwlock, NONET_NOW);
		if (result == -EAGAIN)
			prove_leave(run);
		prove_require(run, result == 0 && enter_to_read(run, rwlock, result), "can't read");
	}
	return rwlock;
}

/* The same, to write. */
static struct nonet_rwlock *writing(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result = nonet_rwlock_write_lock(rwlock, NONET_NOW);

	parents = rwlock;
	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, is_had(result), "nonet_rwlock_write_lock() says %d", result);
	enter_to_write(run, rwlock, result);
	return rwlock;
}

static void unlock(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	int result;

	prove_begin(run);
	result = nonet_rwlock_unlock(rwlock);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_rwlock_unlock() says %d", result);
}

static void read_unlock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = reading(run);

	prove_store(run, own(run), 0);
	unlock(run, rwlock);
}

static void write_unlock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = writing(run);

	prove_store(run, WRITING, 0);
	unlock(run, rwlock);
}

static void upgrade(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = reading(run);
	int result;

	will_write(run);
	prove_begin(run);
	result = nonet_rwlock_upgrade(rwlock, prove_deadline());
	prove_end(run, result);
	if (result == -EDEADLK) {
		leave_reading(run, rwlock);
		return;
	}
	prove_require(run, result == 0, "nonet_rwlock_upgrade() says %d", result);
	prove_store(run, own(run), 0);
	enter_to_write(run, rwlock, result);
	leave_writing(run, rwlock);
}

static void downgrade(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = writing(run);
	int result;

	/* From here on readers may come; that nobody else writes is seen by whoever does. */
	prove_store(run, WRITING, 0);
	prove_store(run, own(run), 1);
	prove_begin(run);
	result = nonet_rwlock_downgrade(rwlock);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_rwlock_downgrade() says %d", result);
	leave_reading(run, rwlock);
}

static void recover(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result = nonet_rwlock_write_lock(rwlock, NONET_NOW);

	if (result == -EAGAIN || result == 0)
		prove_leave(run);
	prove_require(run, result == -EOWNERDEAD, "nonet_rwlock_write_lock() says %d", result);
	write_here(run, result);
	prove_store(run, TOLD, prove_load(run, TOLD) + 1);
	parents = rwlock;
	prove_begin(run);
	result = nonet_rwlock_recover(rwlock);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_rwlock_recover() says %d", result);
	leave_writing(run, rwlock);
}

/* @result: of the survivor's lock, for writing. */
static void check_deaths(struct prove_run *run, int result)
{
	const bool told = prove_load(run, TOLD) > 0;
	int64_t code;

	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++) {
		const enum prove_role role = (enum prove_role)i;
		const bool back = prove_returned(run, role, &code) && code == 0;

		if (!prove_killed(run, role) || !prove_began(run, role))
			continue;
		if (back && (prove_plays(run, role, "rwlock-write") || prove_plays(run, role, "rwlock-upgrade")))
			prove_require(run, told, "the death of one who could write was told to nobody");
		if (prove_plays(run, role, "rwlock-recover"))
			prove_require(run, told, "the death of one who recovered was told to nobody");
	}
	if (prove_state_is(run, "dead-writer"))
		prove_require(run, told, "the death before was told to nobody");
	else if (!prove_began(run, PROVE_SECOND) &&
		 (prove_plays(run, PROVE_FIRST, "rwlock-read") || prove_plays(run, PROVE_FIRST, "rwlock-read-unlock")))
		prove_require(run, result == 0 && !told, "the death of one who read was told");
}

static void survivor(struct prove_run *run)
{
	const bool herd = prove_state_is(run, "sleepers");
	struct nonet_rwlock *rwlock;
	int result;

	if (herd) {
		prove_accompany(run, comes_to_write);
		prove_accompany(run, comes_to_read);
	}
	rwlock = join(run);
	prove_begin(run);
	result = nonet_rwlock_write_lock(rwlock, prove_deadline());
	prove_require(run, is_had(result), "nonet_rwlock_write_lock() says %d", result);
	enter_to_write(run, rwlock, result);
	if (herd) {
		leave_writing(run, rwlock);
		prove_companions_join(run);
	}
	prove_end(run, result);
	if (!herd) {
		check_deaths(run, result);
		leave_writing(run, rwlock);
	}
	result = nonet_rwlock_read_lock(rwlock, NONET_NOW);
	/* The others who came may be about to write. */
	prove_require(run, result == 0 || (result == -EAGAIN && prove_state_is(run, "intent")),
		      "it works once, and no longer");
}

static void forked(struct prove_run *run)
{
	prove_require(run, nonet_rwlock_read_lock(parents, NONET_NOW) == -ECHILD, "the child may read");
	prove_require(run, nonet_rwlock_write_lock(parents, NONET_NOW) == -ECHILD, "the child may write");
	prove_require(run, nonet_rwlock_unlock(parents) == -ECHILD, "the child may unlock");
	prove_require(run, nonet_rwlock_upgrade(parents, NONET_NOW) == -ECHILD, "the child may upgrade");
	prove_require(run, nonet_rwlock_downgrade(parents) == -ECHILD, "the child may downgrade");
	prove_require(run, nonet_rwlock_recover(parents) == -ECHILD, "the child may recover");
}

static void churn(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = join(run);
	int result;

	for (;;) {
		result = nonet_rwlock_read_lock(rwlock, prove_deadline());
		prove_require(run, is_had(result), "nonet_rwlock_read_lock() says %d", result);
		prove_require(run, result == 0 || nonet_rwlock_recover(rwlock) == 0, "can't recover");
		prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "can't unlock what is read");
		result = nonet_rwlock_write_lock(rwlock, prove_deadline());
		prove_require(run, is_had(result), "nonet_rwlock_write_lock() says %d", result);
		prove_require(run, result == -EOWNERDEAD || prove_load(run, WRITING) == 0, "two write");
		prove_store(run, WRITING, self(run));
		prove_require(run, result == 0 || nonet_rwlock_recover(rwlock) == 0, "can't recover");
		prove_store(run, WRITING, 0);
		prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "can't unlock what is written");
	}
}

#define RWLOCK(name_, symbol_, victim_, prepare_)                                                              \
	.name = "rwlock-" name_, .object = "rwlock", .symbol = "nonet_rwlock_" symbol_, .prepare = (prepare_), \
	.release = release, .victim = (victim_), .survivor = survivor, .forked = forked

const struct prove_operation prove_rwlock_read = {
	RWLOCK("read", "read_lock", read_lock, prepare),
	.states = (const char *const[]){"free", "reader", "writer", "dead-reader", "dead-readers", "dead-writer",
					"dead-intent", "traced", NULL},
	.churn = churn,
};

const struct prove_operation prove_rwlock_write = {
	RWLOCK("write", "write_lock", write_lock, prepare),
	.states = (const char *const[]){"free", "reader", "writer", "dead-reader", "dead-readers", "dead-writer",
					"dead-intent", "traced", NULL},
};

const struct prove_operation prove_rwlock_read_unlock = {
	RWLOCK("read-unlock", "unlock", read_unlock, prepare),
	.states = (const char *const[]){"free", "sleepers", "reader", "traced", NULL},
};

const struct prove_operation prove_rwlock_write_unlock = {
	RWLOCK("write-unlock", "unlock", write_unlock, prepare),
	.states = (const char *const[]){"free", "sleepers", "dead-reader", "traced", NULL},
};

const struct prove_operation prove_rwlock_upgrade = {
	RWLOCK("upgrade", "upgrade", upgrade, prepare),
	.states = (const char *const[]){"free", "reader", "dead-reader", "dead-intent", NULL},
};

const struct prove_operation prove_rwlock_downgrade = {
	RWLOCK("downgrade", "downgrade", downgrade, prepare),
	.states = (const char *const[]){"free", "sleepers", "dead-reader", NULL},
};

const struct prove_operation prove_rwlock_recover = {
	RWLOCK("recover", "recover", recover, prepare),
	.states = (const char *const[]){"dead-writer", NULL},
};

const struct prove_operation prove_rwlock_read_crowd = {
	RWLOCK("read-crowd", "read_lock", read_lock, prepare_crowd),
	.states = (const char *const[]){"intent", NULL},
	.fresh = true,
};

const struct prove_operation prove_rwlock_write_crowd = {
	RWLOCK("write-crowd", "write_lock", write_lock, prepare_crowd),
	.states = (const char *const[]){"intent", NULL},
	.fresh = true,
};
