/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prove/rwlock_scene.h"

static void dies_reading(struct prove_run *run)
{
	prove_require(run, nonet_rwlock_read_lock(rwlock_make(run, "r"), prove_deadline()) == 0, "can't read");
}

static void dies_writing(struct prove_run *run)
{
	prove_require(run, nonet_rwlock_write_lock(rwlock_make(run, "r"), prove_deadline()) == 0, "can't write");
}

static void comes_to_write(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);

	rwlock_write_once(run, rwlock, nonet_rwlock_write_lock(rwlock, prove_deadline()));
}

static void comes_to_read(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);

	rwlock_read_once(run, rwlock, nonet_rwlock_read_lock(rwlock, prove_deadline()));
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
	held = rwlock_join(run);
	if (prove_state_is(run, "dead-reader") || prove_state_is(run, "dead-readers"))
		one_dies(run, dies_reading);
	if (prove_state_is(run, "dead-readers")) {
		one_dies(run, dies_reading);
		one_dies(run, dies_reading);
	}
	if (prove_state_is(run, "dead-writer"))
		one_dies(run, dies_writing);
	if (prove_state_is(run, "writer"))
		rwlock_enter_to_write(run, held, nonet_rwlock_write_lock(held, NONET_NOW));
	if (cast_reads(run))
		prove_require(run, rwlock_enter_to_read(run, held, nonet_rwlock_read_lock(held, NONET_NOW)),
			      "can't read");
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
		rwlock_leave_writing(run, held);
	else if (cast_reads(run))
		rwlock_leave_reading(run, held);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_rwlock *parents;

static void read_lock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result;

	parents = rwlock;
	prove_begin(run);
	result = nonet_rwlock_read_lock(rwlock, prove_deadline());
	prove_end(run, result);
	rwlock_read_once(run, rwlock, result);
}

static void write_lock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result;

	parents = rwlock;
	rwlock_will_write(run);
	prove_begin(run);
	result = nonet_rwlock_write_lock(rwlock, prove_deadline());
	prove_end(run, result);
	rwlock_write_once(run, rwlock, result);
}

/* Before an operation that needs it: read, or leave. */
static struct nonet_rwlock *reading(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result = nonet_rwlock_read_lock(rwlock, NONET_NOW);

	parents = rwlock;
	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, rwlock_is_had(result), "nonet_rwlock_read_lock() says %d", result);
	if (!rwlock_enter_to_read(run, rwlock, result)) {
		rwlock_leave_writing(run, rwlock);
		result = nonet_rwlock_read_lock(rwlock, NONET_NOW);
		if (result == -EAGAIN)
			prove_leave(run);
		prove_require(run, result == 0 && rwlock_enter_to_read(run, rwlock, result), "can't read");
	}
	return rwlock;
}

/* The same, to write. */
static struct nonet_rwlock *writing(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result = nonet_rwlock_write_lock(rwlock, NONET_NOW);

	parents = rwlock;
	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, rwlock_is_had(result), "nonet_rwlock_write_lock() says %d", result);
	rwlock_enter_to_write(run, rwlock, result);
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

	prove_store(run, rwlock_own(run), 0);
	unlock(run, rwlock);
}

static void write_unlock(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = writing(run);

	prove_store(run, RWLOCK_WRITING, 0);
	unlock(run, rwlock);
}

static void upgrade(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = reading(run);
	int result;

	rwlock_will_write(run);
	prove_begin(run);
	result = nonet_rwlock_upgrade(rwlock, prove_deadline());
	prove_end(run, result);
	if (result == -EDEADLK) {
		rwlock_leave_reading(run, rwlock);
		return;
	}
	prove_require(run, result == 0, "nonet_rwlock_upgrade() says %d", result);
	prove_store(run, rwlock_own(run), 0);
	rwlock_enter_to_write(run, rwlock, result);
	rwlock_leave_writing(run, rwlock);
}

static void downgrade(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = writing(run);
	int result;

	/* From here on readers may come; that nobody else writes is seen by whoever does. */
	prove_store(run, RWLOCK_WRITING, 0);
	prove_store(run, rwlock_own(run), 1);
	prove_begin(run);
	result = nonet_rwlock_downgrade(rwlock);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_rwlock_downgrade() says %d", result);
	rwlock_leave_reading(run, rwlock);
}

static void recover(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result = nonet_rwlock_write_lock(rwlock, NONET_NOW);

	if (result == -EAGAIN || result == 0)
		prove_leave(run);
	prove_require(run, result == -EOWNERDEAD, "nonet_rwlock_write_lock() says %d", result);
	rwlock_write_here(run, result);
	prove_store(run, RWLOCK_TOLD, prove_load(run, RWLOCK_TOLD) + 1);
	parents = rwlock;
	prove_begin(run);
	result = nonet_rwlock_recover(rwlock);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_rwlock_recover() says %d", result);
	rwlock_leave_writing(run, rwlock);
}

/* @result: of the survivor's lock, for writing. */
static void check_deaths(struct prove_run *run, int result)
{
	const bool told = prove_load(run, RWLOCK_TOLD) > 0;
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
	rwlock = rwlock_join(run);
	prove_begin(run);
	result = nonet_rwlock_write_lock(rwlock, prove_deadline());
	prove_require(run, rwlock_is_had(result), "nonet_rwlock_write_lock() says %d", result);
	rwlock_enter_to_write(run, rwlock, result);
	if (herd) {
		rwlock_leave_writing(run, rwlock);
		prove_companions_join(run);
	}
	prove_end(run, result);
	if (!herd) {
		check_deaths(run, result);
		rwlock_leave_writing(run, rwlock);
	}
	/* The others who came may be about to write; so may the victim, if this one waited before it, and die then. */
	result = nonet_rwlock_read_lock(rwlock, prove_alone(run) && !prove_state_is(run, "intent") ? NONET_NOW
												   : prove_deadline());
	prove_require(run, result == 0 || (result == -EOWNERDEAD && !prove_alone(run)),
		      "it works once, and no longer: nonet_rwlock_read_lock() says %d", result);
	rwlock_read_once(run, rwlock, result);
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

#define RWLOCK(name_, symbol_, victim_, prepare_)                                                              \
	.name = "rwlock-" name_, .object = "rwlock", .symbol = "nonet_rwlock_" symbol_, .prepare = (prepare_), \
	.release = release, .victim = (victim_), .survivor = survivor, .forked = forked

const struct prove_operation prove_rwlock_read = {
	RWLOCK("read", "read_lock", read_lock, prepare),
	.states = (const char *const[]){"free", "reader", "writer", "dead-reader", "dead-readers", "dead-writer",
					"dead-intent", "traced", NULL},
	.churn = rwlock_churn,
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
