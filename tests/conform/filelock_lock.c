/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/filelock.h"

#include <stdio.h>
#include <unistd.h>

#include "harness/storm.h"

void shared_is_shared_and_exclusive_excludes(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child;

	test_check_equal(nonet_filelock_get_mode(lock), NONE);
	test_check_equal(left_for_others(), 2);
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(nonet_filelock_get_mode(lock), SHARED);
	test_check_equal(left_for_others(), 1);
	child = holder(SHARED);
	/* Twice is once. */
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(nonet_filelock_get_mode(lock), NONE);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_get_mode(lock), NONE);
	holder_unlocks(child);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check_equal(nonet_filelock_get_mode(lock), EXCLUSIVE);
	test_check_equal(left_for_others(), 0);
	holder_ends(child);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(left_for_others(), 2);
	/* Closed is unlocked. */
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_FOREVER), 0);
	nonet_filelock_close(lock);
	test_check_equal(left_for_others(), 2);
}

void a_deadline_is_kept_and_never_early(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child = holder(EXCLUSIVE);
	struct nonet_error error;
	nonet_time deadline;

	for (int i = 0; i < 3; i++) {
		deadline = nonet_after(NONET_MS(10));
		test_check_equal(nonet_filelock_lock(lock, i % 2 ? SHARED : EXCLUSIVE, deadline), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline);
		test_check(nonet_clock() < deadline + NONET_MS(500) * test_slowness());
		test_check_equal(nonet_filelock_get_mode(lock), NONE);
	}
	test_check_equal(nonet_filelock_lock(lock, SHARED, 1), -ETIMEDOUT);
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	nonet_filelock_explain(lock, -ETIMEDOUT, &error);
	test_check(strstr(error.text, path));
	holder_unlocks(child);
	/* What was given up isn't taken afterwards. */
	test_check_equal(left_for_others(), 2);
	test_check_equal(nonet_filelock_lock(lock, SHARED, 1), 0);
	holder_ends(child);
	nonet_filelock_close(lock);
}

void who_waits_gets_it_when_it_is_unlocked_closed_or_its_holder_killed(void)
{
	for (int i = 0; i < 6; i++) {
		struct waiting waiting = {.mode = i % 2 ? SHARED : EXCLUSIVE, .forever = i >= 3};
		struct test_child *child = holder(EXCLUSIVE);
		struct test_child *waiter = test_child_until(wait_for_it, &waiting);
		nonet_time since;

		test_child_wait_blocked(waiter);
		since = test_clock();
		if (i % 3 == 0) {
			holder_unlocks(child);
			holder_ends(child);
		} else if (i % 3 == 1) {
			test_kill(child);
		} else {
			test_child_tell(child, "unlock");
			test_child_wait_state(child, "unlocked");
			test_kill(child);
		}
		test_child_wait_state(waiter, "got it");
		test_check(test_clock() - since < NONET_MS(500) * test_slowness());
		holder_ends(waiter);
	}
}

void who_is_killed_while_he_waits_leaves_nothing(void)
{
	for (int i = 0; i < 2; i++) {
		struct waiting waiting = {.mode = EXCLUSIVE, .forever = i};
		struct test_child *child = holder(EXCLUSIVE);
		struct test_child *waiter = test_child_until(wait_for_it, &waiting);

		test_child_wait_blocked(waiter);
		test_kill(waiter);
		holder_unlocks(child);
		test_check_equal(left_for_others(), 2);
		holder_ends(child);
	}
}

void a_mode_is_changed_at_once_where_nobody_is_in_the_way(void)
{
	struct nonet_filelock *lock = open_lock();

	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check_equal(nonet_filelock_get_mode(lock), EXCLUSIVE);
	test_check_equal(left_for_others(), 0);
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(nonet_filelock_get_mode(lock), SHARED);
	test_check_equal(left_for_others(), 1);
	nonet_filelock_close(lock);
}

/* What was held then is told truly: flock: has dropped it. */
void a_change_in_vain_leaves_what_the_header_says(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child = holder(SHARED);

	for (int i = 0; i < 3; i++) {
		nonet_time deadline = i == 0 ? NONET_NOW : i == 1 ? 1 : nonet_after(NONET_MS(10));

		test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, deadline), i == 0 ? -EAGAIN : -ETIMEDOUT);
		test_check_equal(nonet_filelock_get_mode(lock), kind->keeps_on_change ? SHARED : NONE);
		test_check_equal(left_for_others(), 1);
	}
	holder_unlocks(child);
	test_check_equal(left_for_others(), kind->keeps_on_change ? 1 : 2);
	holder_ends(child);
	nonet_filelock_close(lock);
}

static int upgrade(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock();
	int error;

	(void)argument;
	test_check_equal(nonet_filelock_lock(lock, SHARED, test_deadline()), 0);
	test_report(side, "ready");
	test_await(side, "upgrade");
	error = nonet_filelock_lock(lock, EXCLUSIVE, nonet_after(NONET_MS(300)));
	test_report_number(side, error);
	nonet_filelock_close(lock);
	return 0;
}

void two_who_want_more_are_told_where_the_kernel_sees_it(void)
{
	struct test_child *first = test_child_until(upgrade, NULL);
	struct test_child *second = test_child_until(upgrade, NULL);
	int64_t a, b;

	test_child_tell(first, "upgrade");
	test_child_tell(second, "upgrade");
	a = test_child_number(first);
	b = test_child_number(second);
	if (kind->finds_deadlocks) {
		/* One is refused, ends, and the other has it. */
		test_check(a == -EDEADLK ? b == 0 : a == 0 && b == -EDEADLK);
	} else if (kind->keeps_on_change) {
		/* The second may have it because the first has given up before its own deadline. */
		test_check(a == -ETIMEDOUT || b == -ETIMEDOUT);
	} else {
		/* Each let go of its shared lock before it waited. */
		test_check_equal(a, 0);
		test_check_equal(b, 0);
	}
	test_check_equal(test_child_join(first), 0);
	test_check_equal(test_child_join(second), 0);
}

void ranges_exclude_where_they_overlap(void)
{
	struct nonet_filelock *lock = open_lock();
	char whole[sizeof(address)];

	if (!kind->ranges) {
		test_check_equal(nonet_filelock_set_range(lock, 0, 1), -EOPNOTSUPP);
		nonet_filelock_close(lock);
		return;
	}
	test_check_equal(nonet_filelock_set_range(lock, -1, 1), -EINVAL);
	test_check_equal(nonet_filelock_set_range(lock, 1, -1), -EINVAL);
	test_check_equal(nonet_filelock_set_range(lock, INT64_MAX, 2), -EINVAL);
	test_check_equal(nonet_filelock_set_range(lock, INT64_MAX, 1), 0);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check_equal(nonet_filelock_set_range(lock, 0, 1), -EBUSY);
	memcpy(whole, address, sizeof(whole));
	/* The others now lock the bytes in front of it, then that one, then all. */
	snprintf(address, sizeof(address), "%s:%s,0+9223372036854775807", kind->scheme, path);
	test_check_equal(left_for_others(), 2);
	snprintf(address, sizeof(address), "%s:%s,9223372036854775807+1", kind->scheme, path);
	test_check_equal(left_for_others(), 0);
	memcpy(address, whole, sizeof(whole));
	test_check_equal(left_for_others(), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_check_equal(nonet_filelock_set_range(lock, 100, 0), 0);
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_check_equal(left_for_others(), 1);
	nonet_filelock_close(lock);
}

void a_storm_of_signals_ends_no_wait(void)
{
	struct nonet_filelock *lock = open_lock();
	const pid_t self = getpid();
	const uint64_t rounds = test_scaled(200);
	struct test_storm *storm;
	struct test_child *child;

	test_watchdog_extend(NONET_S(60) + NONET_MS(50) * (nonet_time)rounds);
	test_storm_victim();
	child = holder(EXCLUSIVE);
	storm = test_storm_start(&self, 1, NONET_S(3600));
	for (uint64_t i = 0; i < rounds; i++) {
		const nonet_time deadline = nonet_after(NONET_MS(20));

		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, deadline), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline);
		test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	}
	holder_unlocks(child);
	holder_ends(child);
	for (uint64_t i = 0; i < rounds; i++) {
		struct waiting waiting = {.mode = EXCLUSIVE};

		child = test_child_until(wait_for_it, &waiting);
		test_child_wait_state(child, "got it");
		test_child_tell(child, "end");
		test_check_equal(nonet_filelock_lock(lock, i % 2 ? EXCLUSIVE : SHARED,
						     i % 4 < 2 ? NONET_FOREVER : test_deadline()),
				 0);
		test_check_equal(nonet_filelock_unlock(lock), 0);
		test_check_equal(test_child_join(child), 0);
	}
	test_check(test_storm_stop(storm) > 0);
	test_check(test_storm_received() > 0);
	nonet_filelock_close(lock);
}
