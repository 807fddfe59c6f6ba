/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of file locks. None of nonet's own code is called. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "harness/test.h"

static const char *directory;
static const char *path;

static int make_file(void **state)
{
	(void)state;
	directory = test_directory_new();
	path = test_path(directory, "lock");
	return close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)));
}

static int remove_file(void **state)
{
	(void)state;
	test_must(unlink(path));
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture with_file = {.setup = make_file, .teardown = remove_file};

static int open_file(int flags)
{
	return (int)test_must(open(path, flags | O_CLOEXEC));
}

/* 0 or the errno. */
static int set(int fd, int command, short type)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, command, &range) == 0 ? 0 : errno;
}

static int try_flock(int fd, int how)
{
	return flock(fd, how | LOCK_NB) == 0 ? 0 : errno;
}

/* By the eyes of another process, which has no lock of its own. */
static int look(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	return set(open_file(O_RDWR), F_SETLK, F_WRLCK) == 0;
}

static bool is_free(void)
{
	return test_child_join(test_child_start(look, NULL)) == 1;
}

static void a_flock_that_cant_be_changed_is_gone(void **state)
{
	int a = open_file(O_RDWR), b = open_file(O_RDWR), c = open_file(O_RDWR);

	(void)state;
	assert_int_equal(try_flock(a, LOCK_SH), 0);
	assert_int_equal(try_flock(b, LOCK_SH), 0);
	assert_int_equal(try_flock(a, LOCK_EX), EWOULDBLOCK);
	/* Only b's is left. */
	assert_int_equal(try_flock(b, LOCK_EX), 0);
	/* To change down always works, and nobody gets in between. */
	assert_int_equal(try_flock(b, LOCK_SH), 0);
	assert_int_equal(try_flock(c, LOCK_EX), EWOULDBLOCK);
	close(a);
	close(b);
	close(c);
}

static void the_others_keep_what_they_have(void **state)
{
	int a = open_file(O_RDWR), b = open_file(O_RDWR), c = open_file(O_RDWR);

	(void)state;
	assert_int_equal(set(a, F_OFD_SETLK, F_RDLCK), 0);
	assert_int_equal(set(b, F_OFD_SETLK, F_RDLCK), 0);
	assert_int_equal(set(a, F_OFD_SETLK, F_WRLCK), EAGAIN);
	assert_int_equal(set(b, F_OFD_SETLK, F_UNLCK), 0);
	assert_int_equal(set(c, F_OFD_SETLK, F_WRLCK), EAGAIN);
	assert_int_equal(set(a, F_OFD_SETLK, F_WRLCK), 0);
	assert_int_equal(set(a, F_OFD_SETLK, F_RDLCK), 0);
	assert_int_equal(set(c, F_OFD_SETLK, F_RDLCK), 0);
	close(a);
	close(b);
	close(c);
}

static void any_close_drops_a_classic_lock_but_of_a_place(void **state)
{
	int fd = open_file(O_RDWR);

	(void)state;
	assert_int_equal(set(fd, F_SETLK, F_WRLCK), 0);
	assert_false(is_free());
	/* An O_PATH descriptor opens nothing. */
	close(open_file(O_PATH));
	assert_false(is_free());
	close(open_file(O_RDONLY));
	assert_true(is_free());
	/* One process doesn't exclude itself. */
	assert_int_equal(set(fd, F_SETLK, F_WRLCK), 0);
	close(fd);
}

static void *lock_and_end(void *argument)
{
	assert_int_equal(set(*(int *)argument, F_SETLKW, F_WRLCK), 0);
	return NULL;
}

static void a_classic_lock_that_a_thread_took_is_its_process_s(void **state)
{
	int fd = open_file(O_RDWR);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, lock_and_end, &fd), 0);
	pthread_join(thread, NULL);
	assert_false(is_free());
	assert_int_equal(set(fd, F_SETLK, F_UNLCK), 0);
	assert_true(is_free());
	close(fd);
}

static void read_only_is_shared_only_but_for_flock(void **state)
{
	int fd = open_file(O_RDONLY);

	(void)state;
	assert_int_equal(set(fd, F_OFD_SETLK, F_WRLCK), EBADF);
	assert_int_equal(set(fd, F_SETLK, F_WRLCK), EBADF);
	assert_int_equal(set(fd, F_OFD_SETLK, F_RDLCK), 0);
	assert_int_equal(try_flock(fd, LOCK_EX), 0);
	close(fd);
}

static void on_signal(int number)
{
	(void)number;
}

static int wait_for_lock(struct test_child_side *side, void *argument)
{
	struct sigaction action = {.sa_handler = on_signal};
	const int how = *(const int *)argument; /* a command of fcntl(2), or LOCK_EX */
	int fd = open_file(O_RDWR);
	int error;

	sigaction(SIGURG, &action, NULL);
	test_report(side, "ready");
	error = how == LOCK_EX ? (flock(fd, LOCK_EX) == 0 ? 0 : errno) : set(fd, how, F_WRLCK);
	test_check_equal(error, EINTR);
	/* Nothing was taken. */
	test_report(side, "interrupted");
	test_await(side, "end");
	return 0;
}

static void a_handler_ends_the_waiting_and_nothing_was_taken(void **state)
{
	const int ways[] = {F_OFD_SETLKW, F_SETLKW, LOCK_EX};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct test_child *child;
		int fd;

		fd = open_file(O_RDWR);
		assert_int_equal(i == 2 ? try_flock(fd, LOCK_EX) : set(fd, F_OFD_SETLK, F_WRLCK), 0);
		child = test_child_until(wait_for_lock, (void *)&ways[i]);
		test_child_wait_blocked(child);
		test_must(kill(test_child_pid(child), SIGURG));
		test_child_wait_state(child, "interrupted");
		assert_int_equal(i == 2 ? try_flock(fd, LOCK_UN) : set(fd, F_OFD_SETLK, F_UNLCK), 0);
		assert_int_equal(i == 2 ? try_flock(fd, LOCK_EX) : set(fd, F_OFD_SETLK, F_WRLCK), 0);
		test_child_tell(child, "end");
		test_check_equal(test_child_join(child), 0);
		close(fd);
	}
}

/* A line of a file in /proc that has @word, or the last. */
static void find_line(const char *file, const char *word, char *ret_line, size_t size)
{
	FILE *stream = fopen(file, "re");

	test_check(stream);
	while (fgets(ret_line, (int)size, stream) && !strstr(ret_line, word))
		;
	fclose(stream);
	if (!strstr(ret_line, word))
		test_fail("%s has no line with \"%s\"", file, word);
}

/* The inode by which /proc names what a descriptor is of, and the mount. */
static void read_fdinfo(int fd, unsigned *ret_mount, unsigned long *ret_inode)
{
	char file[64], line[512];

	snprintf(file, sizeof(file), "/proc/thread-self/fdinfo/%d", fd);
	find_line(file, "mnt_id:", line, sizeof(line));
	test_check_equal(sscanf(line, "mnt_id: %u", ret_mount), 1);
	find_line(file, "ino:", line, sizeof(line));
	test_check_equal(sscanf(line, "ino: %lu", ret_inode), 1);
}

/* It is what the kernel calls the file, among all locks and with the descriptor that has it. */
static void is_name_of_locked(int fd, unsigned major, unsigned minor, unsigned long inode)
{
	char name[64], file[64], line[512];

	snprintf(name, sizeof(name), " %02x:%02x:%lu ", major, minor, inode);
	find_line("/proc/locks", name, line, sizeof(line));
	test_check(strstr(line, "OFDLCK") && strstr(line, " -1 "));
	snprintf(file, sizeof(file), "/proc/thread-self/fdinfo/%d", fd);
	find_line(file, "lock:", line, sizeof(line));
	test_check(strstr(line, name));
}

static void the_kernel_names_a_locked_file_as_fdinfo_and_mountinfo_do(void **state)
{
	int place = open_file(O_PATH);
	int fd = open_file(O_RDWR);
	unsigned major = 0, minor = 0, number = 0, id = 0;
	unsigned long inode = 0;
	char line[512];
	FILE *stream;

	(void)state;
	assert_int_equal(set(fd, F_OFD_SETLK, F_WRLCK), 0);
	read_fdinfo(place, &id, &inode);
	stream = fopen("/proc/thread-self/mountinfo", "re");
	assert_non_null(stream);
	while (number != id && fgets(line, sizeof(line), stream))
		assert_int_equal(sscanf(line, "%u %*u %u:%u", &number, &major, &minor), 3);
	fclose(stream);
	if (number == id)
		is_name_of_locked(fd, major, minor, inode);
	close(place);
	close(fd);
	if (number != id)
		test_not_applicable("this is a chroot: mountinfo doesn't have the mount that the file is on");
}

static void and_as_the_fdinfo_of_a_watch_does(void **state)
{
	int place = open_file(O_PATH);
	int fd = open_file(O_RDWR);
	int inotify = (int)test_must(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	unsigned device = 0, id = 0;
	unsigned long inode = 0, watched = 0;
	char file[64], line[512];

	(void)state;
	assert_int_equal(set(fd, F_OFD_SETLK, F_WRLCK), 0);
	read_fdinfo(place, &id, &inode);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", place);
	test_must(inotify_add_watch(inotify, file, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF));
	snprintf(file, sizeof(file), "/proc/thread-self/fdinfo/%d", inotify);
	find_line(file, "inotify", line, sizeof(line));
	assert_int_equal(sscanf(line, "inotify wd:%*x ino:%lx sdev:%x", &watched, &device), 2);
	assert_int_equal(watched, inode);
	is_name_of_locked(fd, device >> 20, device & 0xfffff, inode);
	close(inotify);
	close(place);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_flock_that_cant_be_changed_is_gone, &with_file),
		test_case_with(the_others_keep_what_they_have, &with_file),
		test_case_with(any_close_drops_a_classic_lock_but_of_a_place, &with_file),
		test_case_with(a_classic_lock_that_a_thread_took_is_its_process_s, &with_file),
		test_case_with(read_only_is_shared_only_but_for_flock, &with_file),
		test_case_with(a_handler_ends_the_waiting_and_nothing_was_taken, &with_file),
		test_case_with(the_kernel_names_a_locked_file_as_fdinfo_and_mountinfo_do, &with_file),
		test_case_with(and_as_the_fdinfo_of_a_watch_does, &with_file),
	};

	return test_main(tests);
}
