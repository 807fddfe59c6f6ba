/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/filelock.h"

#include <fcntl.h>
#include <unistd.h>

static int wait_for_it_there(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock_with(argument);

	test_report(side, "ready");
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, test_deadline()), 0);
	test_report(side, "got it");
	test_await(side, "end");
	nonet_filelock_close(lock);
	return 0;
}

void a_lock_on_a_file_that_lost_its_path_is_none(void)
{
	for (int i = 0; i < 2; i++) {
		struct test_child *child = holder(EXCLUSIVE);
		struct nonet_filelock *careless = open_lock();
		struct test_child *waiter = test_child_until(wait_for_it_there, (void *)&checks);

		test_child_wait_blocked(waiter);
		test_must(unlink(path));
		if (i == 1)
			test_must(close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR, 0600))));
		/* The path's new file is locked by nobody, and the old one doesn't count. */
		holder_unlocks(child);
		test_child_wait_state(waiter, "got it");
		test_check_equal(left_for_others(), 0);
		/* Who doesn't check has a lock all the same, and shuts nobody out. */
		test_check_equal(nonet_filelock_lock(careless, EXCLUSIVE, NONET_NOW), 0);
		holder_ends(waiter);
		test_check_equal(left_for_others(), 2);
		nonet_filelock_close(careless);
		holder_ends(child);
	}
}

void a_path_that_is_gone_is_estale_for_who_may_not_make_it(void)
{
	struct nonet_filelock_options options = checks;
	struct nonet_filelock *lock = open_lock();
	struct nonet_error error;

	nonet_filelock_close(lock);
	options.flags = NONET_FILELOCK_CHECK_PATH;
	lock = open_lock_with(&options);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_must(unlink(path));
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -ESTALE);
	test_check_equal(nonet_filelock_get_mode(lock), NONE);
	nonet_filelock_explain(lock, -ESTALE, &error);
	test_check(strstr(error.text, "removed"));
	nonet_filelock_close(lock);
}

/* What the child finds of a handle that its parent holds exclusively, and waits with. */
static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = argument;
	struct nonet_filelock *own = open_lock();

	(void)side;
	test_check_equal(nonet_filelock_arm(lock), -ECHILD);
	test_check_equal(nonet_filelock_fd(lock), -ECHILD);
	if (kind->of_process) {
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), -ECHILD);
		test_check_equal(nonet_filelock_unlock(lock), -ECHILD);
		test_check_equal(nonet_filelock_set_range(lock, 0, 1), -ECHILD);
	} else {
		/* Shared with the parent, who has it. */
		test_check_equal(nonet_filelock_get_mode(lock), EXCLUSIVE);
		test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	}
	test_check_equal(nonet_filelock_lock(own, SHARED, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_filelock_lock(own, SHARED, nonet_after(NONET_MS(5))), -ETIMEDOUT);
	/* Closing what is the parent's drops nobody's. */
	nonet_filelock_close(lock);
	test_check_equal(nonet_filelock_lock(own, SHARED, NONET_NOW), -EAGAIN);
	nonet_filelock_close(own);
	return 0;
}

void a_child_is_told_what_is_its_parents(void)
{
	struct nonet_filelock *lock = open_lock();

	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_check_equal(nonet_filelock_arm(lock), 0);
	test_check_equal(test_child_join(test_child_start(use_the_parents, lock)), 0);
	test_check_equal(left_for_others(), 0);
	nonet_filelock_close(lock);
	test_check_equal(left_for_others(), 2);
}

static int keep_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = argument;
	struct nonet_filelock *own;

	test_report(side, "ready");
	test_await(side, "go on");
	if (kind->of_process) {
		/* The parent's are gone: the child's own are its own, whatever of its parent's it closes. */
		own = open_lock();
		test_check_equal(nonet_filelock_lock(own, EXCLUSIVE, NONET_NOW), 0);
		nonet_filelock_close(lock);
		test_check_equal(left_for_others(), 0);
		nonet_filelock_close(own);
	} else {
		test_check_equal(left_for_others(), 0);
		test_check_equal(nonet_filelock_unlock(lock), 0);
		nonet_filelock_close(lock);
	}
	test_check_equal(left_for_others(), 2);
	return 0;
}

void what_a_child_shares_it_keeps(void)
{
	struct nonet_filelock *lock = open_lock();
	struct test_child *child;

	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	child = test_child_until(keep_the_parents, lock);
	nonet_filelock_close(lock);
	test_check_equal(left_for_others(), kind->of_process ? 2 : 0);
	test_child_tell(child, "go on");
	test_check_equal(test_child_join(child), 0);
}
