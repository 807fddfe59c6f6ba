/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of mappings, tmpfs and inotify. None of nonet's own code is called. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "harness/storm.h"
#include "harness/test.h"

#define PAGE 4096

static int new_memfd(size_t size)
{
	int fd = (int)test_must(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	test_must(ftruncate(fd, (off_t)size));
	return fd;
}

/* How the guard knows that it was here before. */
static void only_private_anonymous_memory_can_be_wiped_on_fork(void **state)
{
	int fd = new_memfd(4 * PAGE);
	char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	(void)state;
	assert_true(shared != MAP_FAILED && private != MAP_FAILED);
	assert_int_equal(madvise(shared, PAGE, MADV_WIPEONFORK), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(madvise(private, PAGE, MADV_WIPEONFORK), -1);
	assert_ptr_equal(
		mmap(shared + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		shared + PAGE);
	assert_int_equal(madvise(shared + PAGE, PAGE, MADV_WIPEONFORK), 0);
	/* What was put over is unmapped with the rest, in one call. */
	assert_int_equal(munmap(shared, 4 * PAGE), 0);
	munmap(private, 4 * PAGE);
	close(fd);
}

/* Why a content is sealed with the memory mapped privately. */
static void a_shared_mapping_that_only_reads_keeps_a_seal_away(void **state)
{
	int fd = new_memfd(PAGE);
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private;

	(void)state;
	assert_true(shared != MAP_FAILED);
	assert_int_equal(mprotect(shared, PAGE, PROT_READ), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EBUSY);
	munmap(shared, PAGE);
	private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(private != MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	munmap(private, PAGE);
	close(fd);
}

/* Why memory is reserved in pieces once a signal came: on the kernels that let one interrupt. */
static void a_signal_undoes_an_allocation_of_tmpfs(void **state)
{
	struct test_storm *storm;
	struct stat status;
	int interrupted = 0;
	int fd = new_memfd(0);

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(30));
	for (int i = 0; i < 100 && !interrupted; i++) {
		if (fallocate(fd, 0, 0, 64 << 20) == 0) {
			test_must(ftruncate(fd, 0));
			continue;
		}
		assert_int_equal(errno, EINTR);
		test_must(fstat(fd, &status));
		assert_int_equal(status.st_size, 0);
		assert_int_equal(status.st_blocks, 0);
		interrupted = 1;
	}
	(void)test_storm_stop(storm);
	if (!interrupted)
		test_note("no call was interrupted: not all kernels do");
	close(fd);
}

static uint32_t events(int inotify)
{
	_Alignas(struct inotify_event) char buffer[4096];
	uint32_t mask = 0;
	ssize_t size = read(inotify, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		mask |= event->mask;
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return mask;
}

static int watch(int fd)
{
	int inotify = (int)test_must(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	test_must(inotify_add_watch(inotify, link, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF));
	return inotify;
}

/* Newer kernels tell nothing of what is written to a memfd; by these two others are made to look. */
static void a_memfd_tells_its_truncation_and_its_mode(void **state)
{
	int fd = new_memfd(0);
	int inotify = watch(fd);

	(void)state;
	assert_int_equal(write(fd, "a", 1), 1);
	test_note("a write to a memfd is %s", events(inotify) & IN_MODIFY ? "told" : "not told");
	test_must(ftruncate(fd, PAGE));
	assert_int_equal(events(inotify) & IN_MODIFY, IN_MODIFY);
	test_must(fchmod(fd, 0700));
	assert_int_equal(events(inotify) & IN_ATTRIB, IN_ATTRIB);
	close(inotify);
	close(fd);
}

/* Why a watch is begun anew: the file lives on, its watch doesn't. */
static void a_file_made_without_a_name_loses_its_watch_with_the_name(void **state)
{
	const char *path = test_path("/dev/shm", test_name("watch"));
	int fd = (int)test_must(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	char link[40];
	int inotify;

	(void)state;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	test_must(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	inotify = watch(fd);
	test_must(unlink(path));
	assert_true(events(inotify) & IN_ATTRIB);
	test_must(inotify_add_watch(inotify, link, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF));
	test_must(ftruncate(fd, PAGE));
	assert_true(events(inotify) & IN_MODIFY);
	close(inotify);
	close(fd);
}

static void room_beyond_the_end_leaves_the_size(void **state)
{
	struct stat status;
	int fd = new_memfd(PAGE);

	(void)state;
	assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE), 0);
	test_must(fstat(fd, &status));
	assert_int_equal(status.st_size, PAGE);
	assert_int_equal(fallocate(fd, 0, 7 * PAGE, PAGE), 0);
	test_must(fstat(fd, &status));
	assert_int_equal(status.st_size, 8 * PAGE);
	assert_int_equal(status.st_blocks, 8 * PAGE / 512);
	close(fd);
}

/* By which mapping a file of another file system is spared the question. */
static void large_pages_are_the_blocks_of_their_file(void **state)
{
	struct statfs system;
	struct stat status;
	int fd = memfd_create("nonet-test", MFD_CLOEXEC | MFD_HUGETLB);

	(void)state;
	if (fd < 0)
		test_skip("hugetlb", strerror(errno));
	test_must(fstat(fd, &status));
	test_must(fstatfs(fd, &system));
	assert_int_equal(system.f_type, HUGETLBFS_MAGIC);
	assert_true(status.st_blksize > (blksize_t)PAGE);
	assert_int_equal(status.st_blksize, system.f_bsize);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(only_private_anonymous_memory_can_be_wiped_on_fork),
		test_case(a_shared_mapping_that_only_reads_keeps_a_seal_away),
		test_case(a_signal_undoes_an_allocation_of_tmpfs),
		test_case(a_memfd_tells_its_truncation_and_its_mode),
		test_case(a_file_made_without_a_name_loses_its_watch_with_the_name),
		test_case(room_beyond_the_end_leaves_the_size),
		test_case(large_pages_are_the_blocks_of_their_file),
	};

	return test_main(tests);
}
