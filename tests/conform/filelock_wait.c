/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/filelock.h"

#include <stdatomic.h>
#include <sys/mman.h>

void a_wait_acquires_and_who_asks_has_it(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child = holder(EXCLUSIVE);

	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(readable(lock, test_clock()), 0);
	holder_unlocks(child);
	test_check_equal(readable(lock, test_deadline()), 1);
	/* In the mode that was asked for. */
	test_check_equal(left_for_others(), 1);
	test_check_equal(nonet_filelock_arm(lock), 1);
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(nonet_filelock_get_mode(lock), SHARED);
	test_check_equal(readable(lock, test_clock()), 0);
	/* It is had: nothing more to wait for, also once it is unlocked. */
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(left_for_others(), 2);
	holder_ends(child);
	nonet_filelock_close(lock);
}

/* Who asks for another mode than was waited for has that, or nothing. */
void what_was_acquired_in_another_mode_is_not_kept(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child = holder(EXCLUSIVE);
	struct test_child *other;

	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_arm(lock), 0);
	holder_unlocks(child);
	holder_ends(child);
	other = holder(SHARED);
	test_check_equal(readable(lock, test_deadline()), 1);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_get_mode(lock), NONE);
	holder_unlocks(other);
	test_check_equal(left_for_others(), 2);
	holder_ends(other);
	nonet_filelock_close(lock);
}

void nobody_is_kept_out_by_what_is_not_collected(void)
{
	struct nonet_filelock *lock = open_lock();
	struct waiting waiting = {.mode = EXCLUSIVE, .forever = true};
	struct test_child *waiter;

	/* Nobody has it, nobody has asked: it waits for the exclusive one, and has it at once. */
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(readable(lock, test_deadline()), 1);
	test_check_equal(left_for_others(), 0);
	/* Not collected: after NONET_FILELOCK_PATIENCE others have it, and the descriptor still says that it was there.
	 */
	waiter = test_child_until(wait_for_it, &waiting);
	test_child_wait_state(waiter, "got it");
	test_check_equal(readable(lock, test_clock()), 1);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	/* And it is waited for again. */
	test_check_equal(nonet_filelock_arm(lock), 0);
	holder_ends(waiter);
	test_check_equal(readable(lock, test_deadline()), 1);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(lock);
}

void unlock_and_close_end_the_waiting(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child;

	/* Acquired and not collected. */
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(readable(lock, test_deadline()), 1);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(left_for_others(), 2);
	/* Not yet acquired. */
	child = holder(EXCLUSIVE);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	holder_unlocks(child);
	test_check_equal(left_for_others(), 2);
	holder_ends(child);
	/* And closed, while it holds something and while it doesn't; the holder is older, and shares no handle. */
	for (int i = 0; i < 2; i++) {
		nonet_filelock_close(lock);
		child = holder(i ? EXCLUSIVE : SHARED);
		lock = open_lock();
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
		test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), i ? -EAGAIN : 0);
		test_check_equal(nonet_filelock_arm(lock), 0);
		lock = nonet_filelock_close(lock);
		holder_unlocks(child);
		test_check_equal(left_for_others(), 2);
		holder_ends(child);
		lock = open_lock();
	}
	nonet_filelock_close(lock);
}

void a_wait_for_many_is_ended_by_it(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child = holder(EXCLUSIVE);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	size_t count;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_filelock_waitable(lock), NONET_WAIT_RECEIVE, lock), 0);
	test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(5)), &count), -ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		holder_unlocks(child);
		holder_ends(child);
		test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
		test_check_equal(count, 1);
		test_check(event.data == lock);
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
		/* Held, the set is silent; unlocked too, until it is asked for in vain. */
		test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(5)), &count), -ETIMEDOUT);
		test_check_equal(nonet_filelock_unlock(lock), 0);
		test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(5)), &count), -ETIMEDOUT);
		child = holder(EXCLUSIVE);
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	}
	nonet_filelock_close(lock);
	nonet_wait_set_free(set);
	holder_unlocks(child);
	holder_ends(child);
}

static struct nonet_wait_set *set_of(struct nonet_filelock *lock)
{
	struct nonet_wait_set *set;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_filelock_waitable(lock), NONET_WAIT_RECEIVE, lock), 0);
	return set;
}

/* Removed, or its set freed: both leave. */
static void leave(struct nonet_wait_set **set, struct nonet_filelock *lock, bool by_freeing)
{
	if (by_freeing)
		*set = nonet_wait_set_free(*set);
	else
		test_check_equal(nonet_wait_set_remove(*set, nonet_filelock_waitable(lock)), 0);
}

void who_leaves_a_wait_for_many_waits_no_more(void)
{
	struct nonet_wait_event event;
	size_t count;

	for (int by_freeing = 0; by_freeing < 2; by_freeing++) {
		struct nonet_filelock *lock = open_lock();
		struct nonet_wait_set *set = set_of(lock);
		struct test_child *child = holder(EXCLUSIVE);

		test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(5)), &count), -ETIMEDOUT);
		leave(&set, lock, by_freeing);
		/* Who polls its descriptor instead isn't left without an answer. */
		test_check_equal(readable(lock, test_clock()), 1);
		holder_unlocks(child);
		holder_ends(child);
		test_check_equal(left_for_others(), 2);
		/* And it can be waited for again. */
		test_check_equal(nonet_filelock_arm(lock), 0);
		test_check_equal(readable(lock, test_deadline()), 1);
		test_check_equal(left_for_others(), 0);
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
		nonet_filelock_close(lock);
		nonet_wait_set_free(set);
	}
}

void what_a_wait_for_many_acquired_goes_with_its_place(void)
{
	struct nonet_wait_event event;
	size_t count;

	for (int by_freeing = 0; by_freeing < 2; by_freeing++) {
		struct nonet_filelock *lock = open_lock();
		struct nonet_wait_set *set = set_of(lock);

		test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
		test_check_equal(left_for_others(), 0);
		leave(&set, lock, by_freeing);
		/* Long before NONET_FILELOCK_PATIENCE is over, by whoever. */
		test_check_equal(left_for_others(), 2);
		test_check_equal(nonet_filelock_get_mode(lock), NONE);
		/* What is held stays. */
		test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
		if (!set)
			set = set_of(lock);
		else
			test_check_equal(
				nonet_wait_set_add(set, nonet_filelock_waitable(lock), NONET_WAIT_RECEIVE, lock), 0);
		test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(5)), &count), -ETIMEDOUT);
		leave(&set, lock, by_freeing);
		test_check_equal(left_for_others(), 1);
		nonet_filelock_close(lock);
		nonet_wait_set_free(set);
	}
}

/* What is counted under the lock, and not atomically. */
struct tally {
	uint64_t count;
	uint64_t rounds;
	_Atomic int inside;
};

static int count_up(struct test_child_side *side, void *argument)
{
	struct tally *tally = argument;
	struct nonet_filelock *lock = open_lock();

	test_report(side, "ready");
	for (uint64_t i = 0; i < tally->rounds; i++) {
		/* All ways of waiting at once. */
		const nonet_time deadline = i % 3 == 0 ? NONET_FOREVER : test_deadline();

		if (i % 3 == 1 && nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW) < 0) {
			int ready = nonet_filelock_arm(lock);

			test_check(ready >= 0);
			test_check_equal(ready || readable(lock, test_deadline()), 1);
		}
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, deadline), 0);
		test_check_equal(atomic_fetch_add(&tally->inside, 1), 0);
		tally->count++;
		test_check_equal(atomic_fetch_sub(&tally->inside, 1), 1);
		test_check_equal(nonet_filelock_unlock(lock), 0);
	}
	nonet_filelock_close(lock);
	return 0;
}

void many_processes_count_exactly(void)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[4];

	test_check(tally != MAP_FAILED);
	tally->rounds = test_scaled(5000);
	test_watchdog_extend(NONET_S(60) + NONET_MS(20) * (nonet_time)tally->rounds);
	for (int i = 0; i < 4; i++)
		children[i] = test_child_until(count_up, tally);
	for (int i = 0; i < 4; i++) {
		struct pollfd item = {.fd = test_child_pidfd(children[i]), .events = POLLIN};

		test_poll(&item, 1, test_after(NONET_S(60) + NONET_MS(20) * (nonet_time)tally->rounds));
		test_check_equal(test_child_join(children[i]), 0);
	}
	test_check_equal(tally->count, 4 * tally->rounds);
	munmap(tally, sizeof(*tally));
}
