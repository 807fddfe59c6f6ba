/* SPDX-License-Identifier: Apache-2.0 */
/* What loses a lock without a word: somebody's close, a child's end, another file at the path. */
#include <stdio.h>

#include <nonet/nonet.h>

#include "filelock/test_filelock.h"

/* A file is locked, and then mapped: what belongs together most. */
static void other_objects_close_the_file_of_a_classic_lock(void **state)
{
	const struct nonet_mapfile_options beyond = {.size = sizeof(beyond), .length = 1 << 20};
	struct nonet_filelock *lock = open_lock("posixlock", NULL);
	struct nonet_mapfile *mapfile;
	struct nonet_memory *memory;
	int fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));

	(void)state;
	test_must(ftruncate(fd, 4096));
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	assert_int_equal(nonet_mapfile_open(path, NULL, &mapfile, NULL), 0);
	nonet_mapfile_close(mapfile);
	assert_false(others_can_lock());
	assert_int_equal(nonet_mapfile_open(path, &beyond, &mapfile, NULL), -ERANGE);
	assert_false(others_can_lock());
	if (nonet_memory_take_fd(&fd, NULL, &memory, NULL) == 0)
		nonet_memory_close(memory);
	assert_false(others_can_lock());
	/* The leak check sees that what stayed open is closed with it. */
	nonet_filelock_close(lock);
	if (fd >= 0)
		close(fd);
	assert_true(others_can_lock());
}

/* It has a classic handle of its own for the file, so that it can't close the parent's yet. */
static int close_what_is_shared(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *own = open_lock("posixlock", NULL);

	test_check_equal(nonet_filelock_set_range(own, 100, 1), 0);
	test_check_equal(nonet_filelock_lock(own, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(argument);
	test_report(side, "closed");
	test_await(side, "end");
	nonet_filelock_close(own);
	return 0;
}

static void a_child_that_closes_lets_go_of_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i += 2) {
		struct nonet_filelock *lock = open_lock(schemes[i], NULL);
		struct nonet_filelock *other = open_lock(schemes[i], NULL);
		struct test_child *child;

		if (i == 0)
			assert_int_equal(nonet_filelock_set_range(lock, 0, 10), 0);
		assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
		child = test_child_start(close_what_is_shared, lock);
		test_child_wait_state(child, "closed");
		assert_int_equal(nonet_filelock_lock(other, EXCLUSIVE, NONET_NOW), -EAGAIN);
		test_child_tell(child, "end");
		assert_int_equal(test_child_join(child), 0);
		assert_int_equal(nonet_filelock_lock(other, EXCLUSIVE, NONET_NOW), -EAGAIN);
		nonet_filelock_close(other);
		nonet_filelock_close(lock);
	}
}

static int upgrade(struct test_child_side *side, void *argument)
{
	const struct nonet_filelock_options checks = {.size = sizeof(checks), .flags = NONET_FILELOCK_CHECK_PATH};
	struct nonet_filelock *lock = open_lock("flock", &checks);

	(void)argument;
	test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	test_report(side, "shared");
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, test_deadline()), 0);
	test_report(side, "exclusive");
	test_await(side, "end");
	nonet_filelock_close(lock);
	return 0;
}

/* While flock: has let go of what it had, others may do what they like. */
static void a_file_replaced_while_a_flock_is_upgraded_is_found_out(void **state)
{
	const char *next = test_path(directory, "next");
	struct nonet_filelock *lock = open_lock("flock", NULL);
	struct test_child *child;

	(void)state;
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
	child = test_child_start(upgrade, NULL);
	test_child_wait_state(child, "shared");
	test_child_wait_blocked(child);
	close((int)test_must(open(next, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)));
	test_must(rename(next, path));
	/* The child has the descriptor too. */
	assert_int_equal(nonet_filelock_unlock(lock), 0);
	nonet_filelock_close(lock);
	test_child_wait_state(child, "exclusive");
	lock = open_lock("flock", NULL);
	assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), -EAGAIN);
	nonet_filelock_close(lock);
	test_child_tell(child, "end");
	assert_int_equal(test_child_join(child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(other_objects_close_the_file_of_a_classic_lock, &with_file),
		test_case_with(a_child_that_closes_lets_go_of_nothing, &with_file),
		test_case_with(a_file_replaced_while_a_flock_is_upgraded_is_found_out, &with_file),
	};

	return test_main(tests);
}
