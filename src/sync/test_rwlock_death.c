/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/test_rwlock.h"

/* Readers and writers that are killed, while they have the lock or wait for it. */

DOMAIN_TEST(a_writer_killed_while_it_waits_lets_readers_in)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *writer;
	struct test_child *reader;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	writer = test_child_until(write_when_possible, NULL);
	test_child_wait_blocked(writer);
	reader = test_child_until(read_when_possible, NULL);
	test_child_wait_blocked(reader);
	test_kill(writer);
	test_child_wait_state(reader, "reads");
	test_check_equal(test_child_join(reader), 0);
	/* It has written nothing: nobody is told. */
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_killed_reader_is_in_nobodys_way)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *reader = test_child_until(read_and_hold, NULL);
	struct test_child *writer = test_child_until(write_when_possible, NULL);
	struct nonet_rwlock_holder found = {0};
	size_t number = 0;

	(void)side;
	(void)argument;
	test_child_wait_blocked(writer);
	test_kill(reader);
	test_child_wait_state(writer, "writes");
	let_go(writer);
	test_kill(test_child_until(read_and_hold, NULL));
	test_check_equal(nonet_rwlock_look(rwlock, &found, 1, &number), 0);
	test_check_equal(number, 1);
	test_check_equal(found.flags, NONET_RWLOCK_READS | NONET_RWLOCK_IS_DEAD);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_check_equal(holders(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_killed_writer_is_told_to_a_writer)
{
	struct nonet_rwlock *rwlock = make(NULL);

	(void)side;
	(void)argument;
	test_kill(test_child_until(write_and_hold, NULL));
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_rwlock_downgrade(rwlock), -EINVAL);
	test_check_equal(nonet_rwlock_recover(rwlock), 0);
	test_check_equal(nonet_rwlock_recover(rwlock), -EINVAL);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static int take_over_and_hold(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), -EOWNERDEAD);
	test_report(side, "has it");
	test_await(side, "never");
	return 0;
}

DOMAIN_TEST(a_killed_writer_is_told_to_a_reader)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *writer = test_child_until(write_and_hold, NULL);
	struct test_child *reader = test_child_until(take_over_and_hold, NULL);

	(void)side;
	(void)argument;
	test_child_wait_blocked(reader);
	test_kill(writer);
	test_child_wait_state(reader, "has it");
	/* For writing. */
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EAGAIN);
	/* Killed before it could recover: told again. */
	test_kill(reader);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_rwlock_recover(rwlock), 0);
	test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_kill(test_child_until(write_and_hold, NULL));
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), -ENOTRECOVERABLE);
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), -ENOTRECOVERABLE);
	test_check_equal(nonet_rwlock_look(rwlock, NULL, 0, &(size_t){0}), -ENOTRECOVERABLE);
	nonet_rwlock_close(rwlock);
	return 0;
}

DOMAIN_TEST(a_killed_upgrader_is_a_killed_writer)
{
	struct nonet_rwlock *rwlock = make(NULL);
	struct test_child *other;

	(void)side;
	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	other = test_child_until(upgrade_when_possible, NULL);
	test_child_wait_blocked(other);
	/* As long as it waits it has changed nothing. */
	test_kill(other);
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	other = test_child_until(upgrade_when_possible, NULL);
	test_child_wait_state(other, "writes");
	test_kill(other);
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_rwlock_recover(rwlock), 0);
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_writer_killed_while_it_waits_lets_readers_in),
		test_case(a_killed_reader_is_in_nobodys_way),
		test_case(a_killed_writer_is_told_to_a_writer),
		test_case(a_killed_writer_is_told_to_a_reader),
		test_case(a_killed_upgrader_is_a_killed_writer),
	};
	return test_main(tests);
}
