/* SPDX-License-Identifier: Apache-2.0 */
/* A file whose mode changes faster than its changes can be read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/change.h"
#include "harness/test.h"

static const char *directory;
static struct change change;
static int file = -1;
static int storm = -1; /* whose events never end: each read of it finds another */
static unsigned reads;

/* In place of the C library's, also for the library. */
ssize_t read(int fd, void *buffer, size_t size)
{
	if (fd == storm) {
		reads++;
		test_must(fchmod(file, 0600));
	}
	return syscall(SYS_read, fd, buffer, size);
}

static int set_up(void **state)
{
	(void)state;
	directory = test_directory_new();
	file = (int)test_must(open(test_path(directory, "file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	change_init(&change);
	test_check_equal(change_watch(&change, file), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	storm = -1;
	change_done(&change);
	close(file);
	test_must(unlink(test_path(directory, "file")));
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture world = {.setup = set_up, .teardown = tear_down};

static int take(nonet_time deadline, uint32_t *ret_changes)
{
	return change_take(&change, file, test_path(directory, "file"), 0, deadline, ret_changes);
}

static void a_storm_ends_no_call_late_nor_hides_what_matters(void **state)
{
	uint32_t changes;

	(void)state;
	storm = change.fd;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(NONET_NOW, &changes), -EAGAIN);
		/* There may be more, which the descriptor needn't tell anew. */
		assert_int_equal(change_arm(&change), 1);
		assert_int_equal(take(nonet_after(NONET_MS(5)), &changes), -ETIMEDOUT);
		assert_int_equal(change_arm(&change), 1);
	}
	assert_true(reads > 0);
	assert_int_equal(pwrite(file, "x", 1, 0), 1);
	assert_int_equal(take(NONET_NOW, &changes), 0);
	assert_true(changes & CHANGE_GREW);
	test_must(ftruncate(file, 0));
	assert_int_equal(take(nonet_after(NONET_S(20)), &changes), 0);
	assert_int_equal(changes, CHANGE_WRITTEN);
	/* Over, it is quiet. */
	storm = -1;
	assert_int_equal(take(NONET_NOW, &changes), -EAGAIN);
	assert_int_equal(change_arm(&change), 0);
}

static void what_came_at_once_is_read_in_pieces(void **state)
{
	struct pollfd item = {.fd = change.fd, .events = POLLIN};
	uint32_t changes;
	int rounds = 0;

	(void)state;
	/* Nor are these put together by the kernel: each differs from the last. */
	for (int i = 0; i < 8000; i++) {
		test_must(fchmod(file, 0600));
		assert_int_equal(pwrite(file, "x", 1, 0), 1);
	}
	while (take(NONET_NOW, &changes) == 0)
		rounds++;
	assert_in_range(rounds, 2, 100);
	assert_int_equal(poll(&item, 1, 0), 0);
	assert_int_equal(change_arm(&change), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_storm_ends_no_call_late_nor_hides_what_matters, &world),
		test_case_with(what_came_at_once_is_read_in_pieces, &world),
	};

	return test_main(tests);
}
