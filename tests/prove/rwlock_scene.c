/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/rwlock_scene.h"

#include <errno.h>
#include <stdio.h>

struct nonet_rwlock *rwlock_make(struct prove_run *run, const char *name)
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

struct nonet_rwlock *rwlock_join(struct prove_run *run)
{
	struct nonet_rwlock *warm = rwlock_make(run, "warm");

	if (nonet_rwlock_write_lock(warm, NONET_NOW) == 0)
		prove_require(run, nonet_rwlock_unlock(warm) == 0, "can't unlock the one to warm up with");
	(void)!nonet_rwlock_read_lock(warm, NONET_NOW);
	nonet_rwlock_close(warm);
	return rwlock_make(run, "r");
}

bool rwlock_is_had(int64_t result)
{
	return result == 0 || result == -EOWNERDEAD;
}

static int self(const struct prove_run *run)
{
	return prove_role(run) + 1 + PROVE_ROLES * prove_companion(run);
}

/* Where this process says that it reads; companions of one role take turns by words of their own. */
size_t rwlock_own(const struct prove_run *run)
{
	return RWLOCK_READING + (size_t)prove_role(run) + (prove_companion(run) ? PROVE_ROLES : 0);
}

static void mend(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_store(run, RWLOCK_TOLD, prove_load(run, RWLOCK_TOLD) + 1);
	prove_require(run, nonet_rwlock_recover(rwlock) == 0, "nonet_rwlock_recover() fails");
}

void rwlock_write_here(struct prove_run *run, int result)
{
	const int64_t writer = prove_load(run, RWLOCK_WRITING);

	prove_require(run, result == -EOWNERDEAD || writer == 0 || writer == self(run),
		      "writes, while %d does and nobody said that it died", (int)writer - 1);
	for (int i = 0; i < 2 * PROVE_ROLES; i++)
		prove_require(run,
			      RWLOCK_READING + (size_t)i == rwlock_own(run) ||
				      !prove_load(run, RWLOCK_READING + (size_t)i) ||
				      prove_killed(run, (enum prove_role)(i % PROVE_ROLES)),
			      "writes, while %d reads", i);
	prove_store(run, RWLOCK_WRITING, self(run));
}

void rwlock_enter_to_write(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	rwlock_write_here(run, result);
	if (result == -EOWNERDEAD)
		mend(run, rwlock);
}

void rwlock_leave_writing(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_require(run, prove_load(run, RWLOCK_WRITING) == self(run), "another came to write");
	prove_store(run, RWLOCK_WRITING, 0);
	prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "nonet_rwlock_unlock() fails");
}

void rwlock_will_write(struct prove_run *run)
{
	prove_store(run, RWLOCK_WRITES + (size_t)prove_role(run), 1);
}

/* Whether one who wrote was killed, and nobody has been told: what he left may be half done. */
static bool is_half_done(const struct prove_run *run)
{
	int64_t code;

	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++)
		if (prove_load(run, RWLOCK_WRITES + (size_t)i) && prove_killed(run, (enum prove_role)i) &&
		    prove_returned(run, (enum prove_role)i, &code) && code == 0)
			return prove_load(run, RWLOCK_TOLD) == 0;
	return false;
}

bool rwlock_enter_to_read(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	if (result == -EOWNERDEAD) {
		rwlock_enter_to_write(run, rwlock, result);
		return false;
	}
	prove_require(run, !is_half_done(run), "reads what one who died while he wrote has left");
	prove_store(run, rwlock_own(run), 1);
	prove_require(run, prove_load(run, RWLOCK_WRITING) == 0, "reads, while %d writes",
		      (int)prove_load(run, RWLOCK_WRITING) - 1);
	return true;
}

void rwlock_leave_reading(struct prove_run *run, struct nonet_rwlock *rwlock)
{
	prove_require(run, prove_load(run, RWLOCK_WRITING) == 0 && !is_half_done(run), "another came to write");
	prove_store(run, rwlock_own(run), 0);
	prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "nonet_rwlock_unlock() fails");
}

void rwlock_read_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	prove_require(run, rwlock_is_had(result), "nonet_rwlock_read_lock() says %d", result);
	if (rwlock_enter_to_read(run, rwlock, result))
		rwlock_leave_reading(run, rwlock);
	else
		rwlock_leave_writing(run, rwlock);
}

void rwlock_write_once(struct prove_run *run, struct nonet_rwlock *rwlock, int result)
{
	prove_require(run, rwlock_is_had(result), "nonet_rwlock_write_lock() says %d", result);
	rwlock_enter_to_write(run, rwlock, result);
	rwlock_leave_writing(run, rwlock);
}

void rwlock_churn(struct prove_run *run)
{
	struct nonet_rwlock *rwlock = rwlock_join(run);
	int result;

	for (;;) {
		result = nonet_rwlock_read_lock(rwlock, prove_deadline());
		prove_require(run, rwlock_is_had(result), "nonet_rwlock_read_lock() says %d", result);
		/* Then he has it to write, and puts right what the dead one was at. */
		if (result == -EOWNERDEAD) {
			prove_store(run, RWLOCK_WRITING, 0);
			prove_require(run, nonet_rwlock_recover(rwlock) == 0, "can't recover");
		}
		prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "can't unlock what is read");
		result = nonet_rwlock_write_lock(rwlock, prove_deadline());
		prove_require(run, rwlock_is_had(result), "nonet_rwlock_write_lock() says %d", result);
		prove_require(run, result == -EOWNERDEAD || prove_load(run, RWLOCK_WRITING) == 0, "two write");
		prove_store(run, RWLOCK_WRITING, self(run));
		prove_require(run, result == 0 || nonet_rwlock_recover(rwlock) == 0, "can't recover");
		prove_store(run, RWLOCK_WRITING, 0);
		prove_require(run, nonet_rwlock_unlock(rwlock) == 0, "can't unlock what is written");
	}
}
