/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "guard/whole.h"
#include "harness/test.h"
#include "sys/backing.h"
#include "sys/fault.h"

/* Less than what room.h looks at, so that the first call is the reservation. */
#define PIECE (256u << 10)

static void an_interrupted_reservation_goes_on_in_pieces(void **state)
{
	int fd = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	struct stat status;

	(void)state;
	test_must(ftruncate(fd, 100));
	sys_fault_arm(0, EINTR);
	assert_int_equal(whole_reserve(fd, 100, 3 * PIECE + 1), 0);
	assert_true(sys_fault_fired());
	sys_fault_disarm();
	test_must(fstat(fd, &status));
	assert_int_equal(status.st_size, 3 * PIECE + 1);
	assert_int_equal(status.st_blocks * 512, 3 * PIECE + 4096);
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
		assert_int_equal(whole_make(&whole, place, "file", PIECE, 0640, true), 0);
		assert_true(sys_fault_fired());
		sys_fault_disarm();
		assert_true(whole.own[0] == '.');
		test_must(fstatat(place, whole.own, &status, 0));
		assert_int_equal(status.st_size, PIECE);
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

/* Its default is death with a core. */
static int grow_behind_the_limit(struct test_child_side *side, void *argument)
{
	const struct rlimit limit = {.rlim_cur = PIECE, .rlim_max = PIECE};
	struct nonet_memory_options memory_options = {.size = sizeof(memory_options), .length = PIECE};
	struct nonet_mapfile_options options = {.size = sizeof(options), .length = PIECE};
	const char *path = test_path(argument, "file");
	struct nonet_mapfile *mapfile;
	struct nonet_memory *memory;
	int fd;

	(void)side;
	test_must(setrlimit(RLIMIT_FSIZE, &limit));
	test_check_equal(nonet_memory_new(&memory_options, &memory, NULL), 0);
	test_check_equal(nonet_memory_grow(memory, PIECE + 1), -EFBIG);
	test_check_equal(nonet_memory_check(memory), 0);
	nonet_memory_close(memory);
	memory_options.length++;
	test_check_equal(nonet_memory_new(&memory_options, &memory, NULL), -EFBIG);
	test_check_equal(nonet_mapfile_create(path, &options, &mapfile, NULL), 0);
	test_check_equal(nonet_mapfile_grow(mapfile, 2 * PIECE), -EFBIG);
	test_check_equal(nonet_mapfile_length(mapfile), PIECE);
	nonet_mapfile_close(mapfile);
	test_must(unlink(path));
	options.length++;
	test_check_equal(nonet_mapfile_create(path, &options, &mapfile, NULL), -EFBIG);
	/* Where the file system can't reserve. */
	fd = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	test_check_equal(sys_truncate(fd, PIECE + 1), -EFBIG);
	test_check_equal(sys_truncate(fd, PIECE), 0);
	close(fd);
	return 0;
}

static void a_limit_of_file_sizes_is_an_error_and_no_signal(void **state)
{
	const char *directory = test_directory_new();

	(void)state;
	assert_int_equal(test_child_join(test_child_start(grow_behind_the_limit, (void *)directory)), 0);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_interrupted_reservation_goes_on_in_pieces),
		test_case(a_file_without_unnamed_ones_is_made_under_another_name),
		test_case(a_limit_of_file_sizes_is_an_error_and_no_signal),
	};

	return test_main(tests);
}
