/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "prove/prove.h"
#include "prove/toy.h"

/* What each may have added, so that the sum tells whose additions are in it. */
#define FIRST    1u
#define SECOND   100u
#define SURVIVOR 10000u
/* How often a survivor of this run has added: prove_store(). */
#define SURVIVED 0

static struct toy *open_it(const struct prove_run *run, int slot)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/toy", prove_directory(run));
	return toy_open(path, slot);
}

/* The cast's, for release(). */
static struct toy *held;

/* "free"; "held": by the cast, which lives; "torn": by somebody who died in the middle of a change. */
static void prepare(struct prove_run *run)
{
	held = open_it(run, 1);
	if (prove_state_is(run, "held"))
		prove_require(run, toy_lock(held, prove_deadline()) == 0, "can't lock");
	if (prove_state_is(run, "torn")) {
		/* owner 9, and an undo of 0 + 7: the file's first words. */
		const uint32_t words[] = {9, 1};
		const uint64_t counter[] = {7, ~(uint64_t)0, 0, ~(uint64_t)0};
		char path[128];
		FILE *file;

		snprintf(path, sizeof(path), "%s/toy", prove_directory(run));
		file = fopen(path, "r+");
		prove_require(run,
			      file && fwrite(words, sizeof(words), 1, file) == 1 &&
				      fwrite(counter, sizeof(counter), 1, file) == 1 && fclose(file) == 0,
			      "can't write the file");
	}
}

static void release(struct prove_run *run)
{
	if (prove_state_is(run, "held"))
		prove_require(run, toy_unlock(held) == 0, "can't unlock");
}

static int slot(const struct prove_run *run)
{
	return prove_role(run) == PROVE_FIRST ? 2 : 3;
}

static void add_victim(struct prove_run *run)
{
	struct toy *toy = open_it(run, slot(run));
	uint64_t amount = prove_role(run) == PROVE_FIRST ? FIRST : SECOND;
	int result;

	prove_begin(run);
	result = toy_add(toy, amount, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "toy_add() says %d", result);
}

static void unlock_victim(struct prove_run *run)
{
	struct toy *toy = open_it(run, slot(run));
	int result;

	if (toy_lock(toy, NONET_NOW) == -ETIMEDOUT)
		prove_leave(run);
	prove_begin(run);
	result = toy_unlock(toy);
	prove_end(run, result);
	prove_require(run, result == 0, "toy_unlock() says %d", result);
}

/* Whether an addition may be in the sum, and whether it has to. */
static void check_one(struct prove_run *run, enum prove_role role, uint64_t times)
{
	bool adds = prove_plays(run, role, "toy-add");
	int64_t result;

	prove_require(run, times <= (adds && prove_began(run, role)), "an addition is there %d times", (int)times);
	if (adds && prove_returned(run, role, &result) && result == 0)
		prove_require(run, times == 1, "an addition that was acknowledged is lost");
}

static void survivor(struct prove_run *run)
{
	struct toy *toy = open_it(run, 4);
	uint64_t value;
	int result;

	prove_begin(run);
	result = toy_add(toy, SURVIVOR, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "toy_add() says %d", result);
	prove_store(run, SURVIVED, prove_load(run, SURVIVED) + 1);
	result = toy_read(toy, prove_deadline(), &value);
	prove_require(run, result == 0, "toy_read() says %d: the counter's words don't agree", result);
	prove_require(run, value / SURVIVOR == (uint64_t)prove_load(run, SURVIVED), "the sum is %llu",
		      (unsigned long long)value);
	check_one(run, PROVE_FIRST, value % SECOND);
	check_one(run, PROVE_SECOND, value % SURVIVOR / SECOND);
}

static struct toy *parents;

static void forked(struct prove_run *run)
{
	prove_require(run, toy_lock(parents, prove_deadline()) == -ECHILD, "toy_lock() in a child works");
	prove_require(run, toy_unlock(parents) == -ECHILD, "toy_unlock() in a child works");
}

static void lock_victim(struct prove_run *run)
{
	int result;

	parents = open_it(run, slot(run));
	prove_begin(run);
	result = toy_lock(parents, prove_deadline());
	prove_end(run, result);
	prove_require(run, result == 0, "toy_lock() says %d", result);
	prove_require(run, toy_unlock(parents) == 0, "toy_unlock() after it fails");
}

/* Each adds the same again and again; whatever was killed, the words agree. */
static void churn(struct prove_run *run)
{
	struct toy *toy = open_it(run, 16 + (int)(getpid() % 1000));

	for (;;)
		prove_require(run, toy_add(toy, SURVIVOR, prove_deadline()) == 0, "toy_add() fails");
}

static void count(struct prove_run *run)
{
	struct toy *toy = open_it(run, 4);
	uint64_t value;
	int result;

	prove_begin(run);
	result = toy_read(toy, prove_deadline(), &value);
	prove_end(run, result);
	prove_require(run, result == 0, "toy_read() says %d: the counter's words don't agree", result);
	prove_require(run, value % SURVIVOR == 0, "the sum is %llu", (unsigned long long)value);
}

static const struct prove_operation add = {
	.name = "toy-add",
	.object = "toy",
	.symbol = "toy_add",
	.states = (const char *const[]){"free", "held", "torn", NULL},
	.prepare = prepare,
	.release = release,
	.victim = add_victim,
	.survivor = survivor,
	.churn = churn,
	.count = count,
};

static const struct prove_operation lock = {
	.name = "toy-lock",
	.object = "toy",
	.symbol = "toy_lock",
	.states = (const char *const[]){"free", "held", "torn", NULL},
	.prepare = prepare,
	.release = release,
	.victim = lock_victim,
	.survivor = survivor,
	.forked = forked,
};

static const struct prove_operation unlock = {
	.name = "toy-unlock",
	.object = "toy",
	.symbol = "toy_unlock",
	.states = (const char *const[]){"free", NULL},
	.prepare = prepare,
	.release = release,
	.victim = unlock_victim,
	.survivor = survivor,
};

const struct prove_operation *const prove_operations[] = {&add, &lock, &unlock, NULL};
