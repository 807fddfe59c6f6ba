/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/whole.h"
#include "harness/test.h"
#include "sys/fault.h"

#define MIB (1u << 20)

static void an_interrupted_reservation_goes_on_in_pieces(void **state)
{
	int fd = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	struct stat status;

	(void)state;
	test_must(ftruncate(fd, 100));
	sys_fault_arm(0, EINTR);
	assert_int_equal(whole_reserve(fd, 100, 3 * MIB + 1), 0);
	assert_true(sys_fault_fired());
	sys_fault_disarm();
	test_must(fstat(fd, &status));
	assert_int_equal(status.st_size, 3 * MIB + 1);
	assert_int_equal(status.st_blocks * 512, 3 * MIB + 4096);
	close(fd);
}

static void a_file_without_unnamed_ones_is_made_under_another_name(void **state)
{
	const char *directory = test_directory_new();
	int place = (int)test_must(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
	struct whole whole;
	struct stat status;
	int fd;

	(void)state;
	for (int publish = 0; publish < 2; publish++) {
		/* Call 0 looks whether the name is free, call 1 makes the file. */
		sys_fault_arm(1, EOPNOTSUPP);
		assert_int_equal(whole_make(&whole, place, "file", MIB, 0640, true), 0);
		assert_true(sys_fault_fired());
		sys_fault_disarm();
		assert_true(whole.own[0] == '.');
		test_must(fstatat(place, whole.own, &status, 0));
		assert_int_equal(status.st_size, MIB);
		assert_int_equal(status.st_mode & 07777, 0640);
		assert_int_equal(faccessat(place, "file", F_OK, 0), -1);
		fd = whole.fd;
		if (publish) {
			assert_int_equal(whole_publish(&whole, "file"), 0);
			assert_int_equal(faccessat(place, "file", F_OK, 0), 0);
			close(fd);
		}
		/* Does nothing to what was published. */
		whole_drop(&whole);
	}
	/* Somebody was quicker. */
	sys_fault_arm(1, EOPNOTSUPP);
	test_must(unlinkat(place, "file", 0));
	assert_int_equal(whole_make(&whole, place, "file", 1, 0600, true), 0);
	sys_fault_disarm();
	fd = (int)test_must(openat(place, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	assert_int_equal(whole_publish(&whole, "file"), -EEXIST);
	whole_drop(&whole);
	close(fd);
	test_must(unlinkat(place, "file", 0));
	close(place);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_interrupted_reservation_goes_on_in_pieces),
		test_case(a_file_without_unnamed_ones_is_made_under_another_name),
	};

	return test_main(tests);
}
