/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <nonet/wait.h>

#include "sync/rwlock.h"
#include "sync/test_rwlock.h"

/* Locks of readers and writers waited for by descriptor: who lets go of one rings, and who dies is rung for. */

static bool is_readable(struct nonet_rwlock *rwlock, uint32_t how, nonet_time deadline)
{
	struct pollfd item = {.fd = nonet_rwlock_fd(rwlock, how), .events = POLLIN};

	return test_poll(&item, 1, deadline) == 1;
}

static int try_to(struct nonet_rwlock *rwlock, uint32_t how)
{
	return how == NONET_RWLOCK_READS ? nonet_rwlock_read_lock(rwlock, NONET_NOW)
					 : nonet_rwlock_write_lock(rwlock, NONET_NOW);
}

/* Somebody has it, and our helper has had the time to look: so the next time that it does is 80 ms away. */
static void arm(struct nonet_rwlock *rwlock, uint32_t how)
{
	test_check_equal(try_to(rwlock, how), -EAGAIN);
	test_check_equal(nonet_rwlock_arm(rwlock, how), 0);
	test_check(!is_readable(rwlock, how, test_clock() + NONET_MS(20)));
}

/* By the rule, until it is had: what the last try returned. */
static int have(struct nonet_rwlock *rwlock, uint32_t how)
{
	int result = try_to(rwlock, how);

	while (result == -EAGAIN) {
		if (nonet_rwlock_arm(rwlock, how) == 0)
			test_check(is_readable(rwlock, how, test_deadline()));
		result = try_to(rwlock, how);
	}
	return result;
}

DOMAIN_TEST(a_free_one_may_be_had_at_once)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *holder;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_READS), 1);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_WRITES), 1);
	test_check(nonet_rwlock_fd(rwlock, NONET_RWLOCK_READS) != nonet_rwlock_fd(rwlock, NONET_RWLOCK_WRITES));
	holder = test_child_until(read_and_hold, NULL);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_READS), 1);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_WRITES), 0);
	let_go(holder);
	for (uint32_t how = 0; how < 8; how++) {
		if (how == NONET_RWLOCK_READS || how == NONET_RWLOCK_WRITES)
			continue;
		test_check_equal(nonet_rwlock_fd(rwlock, how), -EINVAL);
		test_check_equal(nonet_rwlock_arm(rwlock, how), -EINVAL);
		test_check(nonet_rwlock_waitable(rwlock, how) == NULL);
	}
	nonet_rwlock_close(rwlock);
	return 0;
}

/* Who has let go lives on: else we might be told of his death. */
static int let_go_and_live_on(struct test_child_side *side, struct nonet_rwlock *rwlock)
{
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_await(side, "end");
	nonet_rwlock_close(rwlock);
	return 0;
}

static int reader(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	test_report(side, "ready");
	return let_go_and_live_on(side, rwlock);
}

static int writer(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_report(side, "ready");
	return let_go_and_live_on(side, rwlock);
}

static int later_writer(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), 0);
	test_report(side, "writes");
	return let_go_and_live_on(side, rwlock);
}

static int downgrader(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
	test_await(side, "end");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static void end(struct test_child *child)
{
	test_child_tell(child, "end");
	test_check_equal(test_child_join(child), 0);
}

/* How one who has it is in the way no more. */
struct way {
	test_child_function *holder;
	uint32_t how;
	int result; /* of who takes it then */
	bool is_killed;
};

static const struct way ways[] = {
	{writer, NONET_RWLOCK_READS, 0, false},           {writer, NONET_RWLOCK_WRITES, 0, false},
	{reader, NONET_RWLOCK_WRITES, 0, false},          {downgrader, NONET_RWLOCK_READS, 0, false},
	{reader, NONET_RWLOCK_WRITES, 0, true},           {writer, NONET_RWLOCK_READS, -EOWNERDEAD, true},
	{writer, NONET_RWLOCK_WRITES, -EOWNERDEAD, true},
};

/* Return: after how long it was told. */
static nonet_time be_told(struct nonet_rwlock *rwlock, const struct way *way)
{
	struct test_child *holder = test_child_until(way->holder, NULL);
	nonet_time begin;
	nonet_time took;

	arm(rwlock, way->how);
	begin = test_clock();
	if (way->is_killed)
		test_kill(holder);
	else
		test_child_tell(holder, "let go");
	test_check(is_readable(rwlock, way->how, test_deadline()));
	took = test_clock() - begin;
	test_check_equal(nonet_rwlock_arm(rwlock, way->how), 1);
	test_check_equal(have(rwlock, way->how), way->result);
	if (way->result == -EOWNERDEAD)
		test_check_equal(nonet_rwlock_recover(rwlock), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	if (!way->is_killed)
		end(holder);
	return took;
}

#define ROUNDS 5

/* Our helper, which looks every 100 ms, would hide that nobody rings: so most have to be better. */
DOMAIN_TEST(who_goes_rings_and_who_dies_is_rung_for)
{
	struct nonet_rwlock *rwlock = make(NULL);

	(void)side;
	(void)argument;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		nonet_time best = NONET_FOREVER;
		int prompt = 0;

		for (int round = 0; round < ROUNDS; round++) {
			const nonet_time took = be_told(rwlock, &ways[i]);

			best = took < best ? took : best;
			prompt += took < NONET_MS(50);
		}
		test_note("way %zu was told after %lld us", i, (long long)best / 1000);
		test_check(prompt > ROUNDS / 2);
	}
	nonet_rwlock_close(rwlock);
	return 0;
}

#define PATIENCE NONET_MS(40)

static int write_until_a_deadline(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();
	const nonet_time deadline = nonet_after(PATIENCE);

	(void)argument;
	test_report(side, "ready");
	test_report_number(side, deadline);
	test_check_equal(nonet_rwlock_write_lock(rwlock, deadline), -ETIMEDOUT);
	test_await(side, "end");
	nonet_rwlock_close(rwlock);
	return 0;
}

/* Who waits to write keeps readers out, until he gives up. */
DOMAIN_TEST(a_writer_who_gives_up_rings)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *holder = test_child_until(read_and_hold, NULL);
	int prompt = 0;

	(void)side;
	(void)argument;
	for (int round = 0; round < ROUNDS; round++) {
		struct test_child *other = test_child_until(write_until_a_deadline, NULL);
		const nonet_time deadline = test_child_number(other);

		while (holders(rwlock) < 2 && test_clock() < deadline)
			;
		if (nonet_rwlock_arm(rwlock, NONET_RWLOCK_READS) == 0)
			test_check(is_readable(rwlock, NONET_RWLOCK_READS, test_deadline()));
		prompt += test_clock() - deadline < NONET_MS(50);
		test_check_equal(have(rwlock, NONET_RWLOCK_READS), 0);
		test_check_equal(nonet_rwlock_unlock(rwlock), 0);
		end(other);
	}
	test_check(prompt > ROUNDS / 2);
	let_go(holder);
	nonet_rwlock_close(rwlock);
	return 0;
}

/* The last of several: he who was in the way rings, and then the next one is. */
DOMAIN_TEST(a_writer_is_told_by_the_last_reader)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *readers[3];
	struct nonet_rwlock *other = reach();

	(void)side;
	(void)argument;
	for (int i = 0; i < 3; i++)
		readers[i] = test_child_until(read_and_hold, NULL);
	for (int i = 0; i < 3; i++) {
		arm(rwlock, NONET_RWLOCK_WRITES);
		/* He keeps nobody out, and has taken nothing. */
		test_check_equal(nonet_rwlock_read_lock(other, NONET_NOW), 0);
		test_check_equal(holders(other), 4 - (size_t)i);
		test_check_equal(nonet_rwlock_unlock(other), 0);
		if (i == 1)
			test_kill(readers[i]);
		else
			let_go(readers[i]);
	}
	test_check(is_readable(rwlock, NONET_RWLOCK_WRITES, test_deadline()));
	test_check_equal(have(rwlock, NONET_RWLOCK_WRITES), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(other);
	nonet_rwlock_close(rwlock);
	return 0;
}

/*
 * The place that we have marked is a dead reader's, and is freed by a writer, who never heard of us: the helper goes on
 * to him.
 */
DOMAIN_TEST(who_came_after_the_dead_rings)
{
	struct nonet_rwlock *rwlock = make(NULL);
	int prompt = 0;

	(void)side;
	(void)argument;
	for (int round = 0; round < ROUNDS; round++) {
		struct test_child *dead = test_child_until(reader, NULL);
		struct test_child *heir = test_child_until(later_writer, NULL);
		nonet_time begin;

		test_child_wait_blocked(heir);
		test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_WRITES), 0);
		/* Of the two it is the reader who was marked: the writer may be one who only tries. */
		test_check(!(atomic_load(&rwlock->shared->claim) & CLAIM_WAITERS));
		test_kill(dead);
		test_child_wait_state(heir, "writes");
		/* It may have been told of the death. If not, it wasn't told that it is free, which it isn't. */
		if (is_readable(rwlock, NONET_RWLOCK_WRITES, test_clock() + NONET_MS(20)))
			arm(rwlock, NONET_RWLOCK_WRITES);
		test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), -EAGAIN);
		begin = test_clock();
		test_child_tell(heir, "let go");
		test_check(is_readable(rwlock, NONET_RWLOCK_WRITES, test_deadline()));
		prompt += test_clock() - begin < NONET_MS(50);
		end(heir);
	}
	test_check(prompt > ROUNDS / 2);
	nonet_rwlock_close(rwlock);
	return 0;
}

/* Killed between letting go and ringing: his step without the rest. */
DOMAIN_TEST(who_dies_before_he_rings_is_rung_for)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *holder;
	uint32_t place = 0;

	(void)side;
	(void)argument;
	holder = test_child_until(write_and_hold, NULL);
	arm(rwlock, NONET_RWLOCK_READS);
	arm(rwlock, NONET_RWLOCK_WRITES);
	test_check(atomic_load(&rwlock->shared->claim) & CLAIM_WAITERS);
	atomic_store(&rwlock->shared->claim, 0);
	test_check(is_readable(rwlock, NONET_RWLOCK_READS, test_deadline()));
	test_check(is_readable(rwlock, NONET_RWLOCK_WRITES, test_deadline()));
	test_kill(holder);
	holder = test_child_until(read_and_hold, NULL);
	arm(rwlock, NONET_RWLOCK_WRITES);
	while (place < rwlock->number && atomic_load(&rwlock->shared->places[place]) == 0)
		place++;
	test_check(place < rwlock->number);
	test_check(atomic_load(&rwlock->shared->places[place]) & CLAIM_WAITERS);
	atomic_store(&rwlock->shared->places[place], 0);
	test_check(is_readable(rwlock, NONET_RWLOCK_WRITES, test_deadline()));
	test_kill(holder);
	nonet_rwlock_close(rwlock);
	return 0;
}

/* Who gives its state up ends the waiting of all. */
DOMAIN_TEST(a_given_up_one_rings)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct nonet_rwlock *other = reach();

	(void)side;
	(void)argument;
	test_kill(test_child_until(write_and_hold, NULL));
	test_check_equal(nonet_rwlock_write_lock(other, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_READS), 0);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_WRITES), 0);
	test_check_equal(nonet_rwlock_unlock(other), 0);
	/* At once: before our helper can have looked. */
	test_check(is_readable(rwlock, NONET_RWLOCK_READS, test_clock()));
	test_check(is_readable(rwlock, NONET_RWLOCK_WRITES, test_clock()));
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_READS), 1);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -ENOTRECOVERABLE);
	nonet_rwlock_close(other);
	nonet_rwlock_close(rwlock);
	return 0;
}

static void *next_of(struct nonet_wait_set *set, nonet_time deadline)
{
	struct nonet_wait_event ready = {0};
	size_t count = 0;
	const int error = nonet_wait(set, &ready, 1, deadline, &count);

	test_check(error == 0 || error == -ETIMEDOUT);
	return error == 0 ? ready.data : NULL;
}

/* Reading and writing are two members. */
DOMAIN_TEST(it_is_waited_for_beside_a_pipe)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *holder = test_child_until(reader, NULL);
	struct test_child *heir = test_child_until(later_writer, NULL);
	struct nonet_waitable *reads = nonet_rwlock_waitable(rwlock, NONET_RWLOCK_READS);
	struct nonet_waitable *writes = nonet_rwlock_waitable(rwlock, NONET_RWLOCK_WRITES);
	struct nonet_wait_set *set = NULL;
	int fds[2];
	char byte;

	(void)side;
	(void)argument;
	test_check_equal(pipe(fds), 0);
	test_child_wait_blocked(heir);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, NULL, NONET_WAIT_RECEIVE, NULL), -EINVAL);
	test_check_equal(nonet_wait_set_add(set, reads, NONET_WAIT_RECEIVE, reads), 0);
	test_check_equal(nonet_wait_set_add(set, writes, NONET_WAIT_RECEIVE, writes), 0);
	test_check_equal(nonet_wait_set_add_fd(set, fds[0], NONET_WAIT_RECEIVE, fds), 0);
	test_check(next_of(set, soon()) == NULL);
	test_check_equal(write(fds[1], "x", 1), 1);
	test_check(next_of(set, test_deadline()) == fds);
	test_check_equal(read(fds[0], &byte, 1), 1);
	/* Out of the set its bell is rung for nobody any more. */
	test_check(next_of(set, soon()) == NULL);
	test_check_equal(nonet_wait_set_remove(set, reads), 0);
	test_check(is_readable(rwlock, NONET_RWLOCK_READS, test_clock()));
	test_child_tell(holder, "let go");
	test_child_wait_state(heir, "writes");
	/* It has rung for a reader who went, and then for nothing: it isn't free. */
	while (next_of(set, soon()) != NULL)
		test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EAGAIN);
	test_child_tell(heir, "let go");
	test_check(next_of(set, test_deadline()) == writes);
	test_check_equal(have(rwlock, NONET_RWLOCK_WRITES), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_wait_set_free(set);
	end(holder);
	end(heir);
	close(fds[0]);
	close(fds[1]);
	nonet_rwlock_close(rwlock);
	return 0;
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = argument;
	struct nonet_wait_set *set = NULL;

	(void)side;
	test_check_equal(nonet_rwlock_fd(rwlock, NONET_RWLOCK_READS), -ECHILD);
	test_check_equal(nonet_rwlock_arm(rwlock, NONET_RWLOCK_WRITES), -ECHILD);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(
		nonet_wait_set_add(set, nonet_rwlock_waitable(rwlock, NONET_RWLOCK_READS), NONET_WAIT_RECEIVE, NULL),
		-ECHILD);
	nonet_wait_set_free(set);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_child_has_none_of_its_parents)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *holder = test_child_until(write_and_hold, NULL);

	(void)side;
	(void)argument;
	arm(rwlock, NONET_RWLOCK_READS);
	test_check_equal(test_child_join(test_child_start(use_the_parents, rwlock)), 0);
	let_go(holder);
	test_check(is_readable(rwlock, NONET_RWLOCK_READS, test_deadline()));
	nonet_rwlock_close(rwlock);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_free_one_may_be_had_at_once),
		test_case(who_goes_rings_and_who_dies_is_rung_for),
		test_case(a_writer_who_gives_up_rings),
		test_case(a_writer_is_told_by_the_last_reader),
		test_case(who_came_after_the_dead_rings),
		test_case(who_dies_before_he_rings_is_rung_for),
		test_case(a_given_up_one_rings),
		test_case(it_is_waited_for_beside_a_pipe),
		test_case(a_child_has_none_of_its_parents),
	};
	return test_main(tests);
}
