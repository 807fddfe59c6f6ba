/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/stat.h>

#include "filelock/test_filelock.h"

static void refused(const char *scheme, const char *name, const struct nonet_filelock_options *options, int code,
		    const char *word)
{
	struct nonet_filelock *lock = (void *)0x55;
	struct nonet_error error;

	assert_int_equal(try_open(scheme, name, options, &lock, &error), code);
	assert_int_equal(error.code, code);
	if (!strstr(error.text, word))
		test_fail("\"%s\" doesn't have \"%s\"", error.text, word);
	assert_ptr_equal(lock, (void *)0x55);
	assert_int_equal(try_open(scheme, name, options, &lock, NULL), code);
}

static void what_is_no_lock_is_refused(void **state)
{
	struct nonet_filelock_options options = creates;

	(void)state;
	refused("unix", path, NULL, -EOPNOTSUPP, "ofdlock:");
	refused("lock", path, NULL, -EINVAL, "lock");
	refused("ofdlock", "/x,5", NULL, -EINVAL, "length");
	options.size--;
	refused("ofdlock", path, &options, -EINVAL, "size");
	options = creates;
	options.flags = 8;
	refused("ofdlock", path, &options, -EINVAL, "flags");
	options = creates;
	options.mode = 01000;
	refused("ofdlock", path, &options, -EINVAL, "mode");
	options = creates;
	options.reserved = 1;
	refused("ofdlock", path, &options, -EINVAL, "reserved");
	options = creates;
	options.reserved2[1] = 1;
	refused("ofdlock", path, &options, -EINVAL, "reserved");
}

/* Looking at it must not open it either: a FIFO's reader would be told. */
static void what_is_no_file_is_refused(void **state)
{
	const char *fifo = test_path(directory, "fifo");
	const char *none = test_path(directory, "none");
	const char *below = test_path(directory, "none/x");
	char inside[128];
	int reader;

	(void)state;
	snprintf(inside, sizeof(inside), "%s/x", path);
	test_must(mkfifo(fifo, 0600));
	reader = (int)test_must(open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	for (size_t i = 0; i < SCHEMES; i++) {
		struct pollfd item = {.fd = reader, .events = POLLIN};

		refused(schemes[i], fifo, NULL, -ENOTSUP, "regular file");
		refused(schemes[i], "/dev/null", NULL, -ENOTSUP, "regular file");
		refused(schemes[i], none, NULL, -ENOENT, "CREATE");
		refused(schemes[i], below, &creates, -ENOENT, "none/x");
		refused(schemes[i], inside, &creates, -ENOTDIR, "lock/x");
		assert_int_equal(poll(&item, 1, 0), 0);
	}
	refused("ofdlock", directory, NULL, -ENOTSUP, "regular file");
	refused("posixlock", directory, NULL, -ENOTSUP, "regular file");
	close(reader);
	test_must(unlink(fifo));
}

static void a_directory_has_a_flock(void **state)
{
	struct nonet_filelock *a = NULL;
	struct nonet_filelock *b = NULL;

	(void)state;
	assert_int_equal(try_open("flock", directory, NULL, &a, NULL), 0);
	assert_int_equal(try_open("flock", directory, NULL, &b, NULL), 0);
	assert_int_equal(nonet_filelock_lock(a, EXCLUSIVE, NONET_NOW), 0);
	assert_int_equal(nonet_filelock_lock(b, SHARED, NONET_NOW), -EAGAIN);
	nonet_filelock_close(a);
	assert_int_equal(nonet_filelock_lock(b, SHARED, NONET_NOW), 0);
	nonet_filelock_close(b);
}

static void a_file_is_made_with_the_mode_that_was_asked_for(void **state)
{
	const mode_t umasks[] = {0, 022, 0777};
	const unsigned modes[] = {0, 0666, 0640, 0400};
	struct nonet_filelock_options options = creates;
	struct stat status;

	(void)state;
	for (size_t i = 0; i < SCHEMES * 12; i++) {
		struct nonet_filelock *lock;
		mode_t before;

		test_must(unlink(path));
		options.mode = modes[i / 3 % 4];
		before = umask(umasks[i % 3]);
		lock = open_lock(schemes[i / 12], &options);
		umask(before);
		test_must(stat(path, &status));
		assert_int_equal(status.st_mode & 07777, options.mode ? options.mode : 0600);
		assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
		nonet_filelock_close(lock);
	}
	/* One that is there keeps its own. */
	options.mode = 0644;
	nonet_filelock_close(open_lock("ofdlock", &options));
	test_must(stat(path, &status));
	assert_int_equal(status.st_mode & 07777, 0400);
}

static void a_link_is_followed_and_a_dangling_one_is_nothing(void **state)
{
	const char *link = test_path(directory, "link");
	struct nonet_filelock *lock;

	(void)state;
	test_must(symlink(path, link));
	assert_int_equal(try_open("ofdlock", link, NULL, &lock, NULL), 0);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	assert_false(others_can_lock());
	nonet_filelock_close(lock);
	test_must(unlink(path));
	/* Making a file never follows a link: where the link leads is somebody else's idea. */
	refused("ofdlock", link, &creates, -ENOENT, "link");
	assert_int_equal(access(path, F_OK), -1);
	test_must(unlink(link));
}

static void read_only_is_shared_only(void **state)
{
	struct nonet_error error;

	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct nonet_filelock *lock = open_lock(schemes[i], &reads);
		const bool flock = i == 2;

		assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
		assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), flock ? 0 : -EBADF);
		assert_int_equal(nonet_filelock_get_mode(lock), flock ? EXCLUSIVE : SHARED);
		nonet_filelock_explain(lock, -EBADF, &error);
		assert_non_null(strstr(error.text, "read-only"));
		/* A wait that nobody has said a mode for is for what is possible. */
		nonet_filelock_close(lock);
		lock = open_lock(schemes[i], &reads);
		assert_true(nonet_filelock_arm(lock) >= 0);
		assert_int_equal(test_poll(&(struct pollfd){.fd = nonet_filelock_fd(lock), .events = POLLIN}, 1,
					   test_deadline()),
				 1);
		assert_int_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
		nonet_filelock_close(lock);
	}
}

static int open_as_nobody(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_must(setresgid(65534, 65534, 65534));
	test_must(setresuid(65534, 65534, 65534));
	for (size_t i = 0; i < 2; i++) {
		test_check_equal(try_open(schemes[i], path, NULL, &lock, &error), -EACCES);
		test_check(strstr(error.text, "read-only"));
		test_check_equal(try_open(schemes[i], path, &reads, &lock, NULL), 0);
		test_check_equal(nonet_filelock_lock(lock, SHARED, NONET_NOW), 0);
		nonet_filelock_close(lock);
	}
	test_check_equal(try_open("flock", path, NULL, &lock, NULL), 0);
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(lock);
	return 0;
}

static void who_may_only_read_is_told_what_he_can_do(void **state)
{
	(void)state;
	test_skip_unless_root("to become another user");
	test_must(chmod(directory, 0755));
	test_must(chmod(path, 0644));
	assert_int_equal(test_child_join(test_child_start(open_as_nobody, NULL)), 0);
}

static int lease(struct test_child_side *side, void *argument)
{
	int fd = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));

	(void)argument;
	signal(SIGIO, SIG_IGN);
	test_must(fcntl(fd, F_SETLEASE, F_RDLCK));
	test_report(side, "ready");
	test_await(side, "give it up");
	test_must(fcntl(fd, F_SETLEASE, F_UNLCK));
	test_report(side, "given up");
	test_await(side, "end");
	return 0;
}

/* Opening would wait for it, for 45 seconds and without a deadline. */
static void a_lease_is_not_waited_for(void **state)
{
	struct test_child *child = test_child_until(lease, NULL);

	(void)state;
	refused("ofdlock", path, NULL, -EAGAIN, "lease");
	test_child_tell(child, "give it up");
	test_child_wait_state(child, "given up");
	nonet_filelock_close(open_lock("ofdlock", NULL));
	test_child_tell(child, "end");
	assert_int_equal(test_child_join(child), 0);
}

static void a_mode_that_is_none_is_refused(void **state)
{
	struct nonet_filelock *lock = open_lock("ofdlock", NULL);

	(void)state;
	assert_int_equal(nonet_filelock_lock(lock, NONET_FILELOCK_NONE, NONET_NOW), -EINVAL);
	assert_int_equal(nonet_filelock_lock(lock, (enum nonet_filelock_mode)3, NONET_NOW), -EINVAL);
	assert_null(nonet_filelock_close(lock));
	assert_null(nonet_filelock_close(NULL));
}

static void handles_of_one_process_exclude_each_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCHEMES; i += 2) {
		struct nonet_filelock *a = open_lock(schemes[i], NULL);
		struct nonet_filelock *b = open_lock(schemes[i], NULL);

		assert_int_equal(nonet_filelock_lock(a, EXCLUSIVE, NONET_NOW), 0);
		assert_int_equal(nonet_filelock_lock(b, SHARED, NONET_NOW), -EAGAIN);
		assert_int_equal(nonet_filelock_lock(b, SHARED, nonet_after(NONET_MS(5))), -ETIMEDOUT);
		assert_int_equal(nonet_filelock_unlock(a), 0);
		assert_int_equal(nonet_filelock_lock(b, SHARED, NONET_NOW), 0);
		nonet_filelock_close(a);
		nonet_filelock_close(b);
	}
}

static void a_second_classic_handle_is_refused(void **state)
{
	const char *link = test_path(directory, "other-name");
	struct nonet_filelock *lock = open_lock("posixlock", NULL);
	char range[200];

	(void)state;
	test_must(symlink(path, link));
	snprintf(range, sizeof(range), "%s,100+1", path);
	assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	refused("posixlock", path, NULL, -EBUSY, "ofdlock:");
	refused("posixlock", range, &creates, -EBUSY, "already");
	refused("posixlock", link, &reads, -EBUSY, "already");
	/* None of these has dropped it. */
	assert_false(others_can_lock());
	nonet_filelock_close(lock);
	assert_true(others_can_lock());
	lock = open_lock("posixlock", NULL);
	nonet_filelock_close(lock);
	test_must(unlink(link));
}

static void no_descriptor_that_we_close_drops_a_classic_lock(void **state)
{
	struct nonet_filelock *before[] = {open_lock("flock", NULL), open_lock("ofdlock", NULL)};
	struct nonet_filelock *classic = open_lock("posixlock", NULL);
	struct nonet_filelock *after[] = {open_lock("flock", NULL), open_lock("ofdlock", &reads)};
	struct nonet_filelock *probe;

	(void)state;
	assert_int_equal(nonet_filelock_lock(before[0], EXCLUSIVE, NONET_NOW), 0);
	assert_int_equal(nonet_filelock_set_range(classic, 0, 10), 0);
	assert_int_equal(nonet_filelock_lock(classic, EXCLUSIVE, NONET_NOW), 0);
	assert_int_equal(nonet_filelock_set_range(before[1], 10, 0), 0);
	assert_int_equal(nonet_filelock_lock(before[1], EXCLUSIVE, NONET_NOW), 0);
	for (int i = 0; i < 2; i++) {
		nonet_filelock_close(before[i]);
		nonet_filelock_close(after[i]);
		assert_false(others_can_lock());
	}
	/* Their own locks are gone at once nevertheless. */
	probe = open_lock("flock", NULL);
	assert_int_equal(nonet_filelock_lock(probe, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(probe);
	probe = open_lock("ofdlock", NULL);
	assert_int_equal(nonet_filelock_lock(probe, EXCLUSIVE, NONET_NOW), -EAGAIN);
	assert_int_equal(nonet_filelock_set_range(probe, 10, 0), 0);
	assert_int_equal(nonet_filelock_lock(probe, EXCLUSIVE, NONET_NOW), 0);
	nonet_filelock_close(probe);
	/* The leak check sees that all are closed with it. */
	nonet_filelock_close(classic);
	assert_true(others_can_lock());
}

static int hold_classic(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock("posixlock", NULL);

	(void)argument;
	test_check_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_filelock_close(lock);
	return 0;
}

static void who_is_in_the_way_is_named_where_the_kernel_knows(void **state)
{
	struct test_child *child = test_child_until(hold_classic, NULL);
	struct nonet_error error;
	char who[32];

	(void)state;
	snprintf(who, sizeof(who), "process %d has it", (int)test_child_pid(child));
	for (size_t i = 0; i < SCHEMES; i++) {
		struct nonet_filelock *lock = open_lock(schemes[i], NULL);

		assert_int_equal(nonet_filelock_lock(lock, EXCLUSIVE, NONET_NOW), i < 2 ? -EAGAIN : 0);
		nonet_filelock_explain(lock, -EAGAIN, &error);
		assert_int_equal(error.code, -EAGAIN);
		assert_int_equal(strstr(error.text, who) != NULL, i < 2);
		nonet_filelock_explain(lock, -ETIMEDOUT, &error);
		assert_int_equal(strstr(error.text, who) != NULL, i < 2);
		nonet_filelock_close(lock);
	}
	test_child_tell(child, "end");
	assert_int_equal(test_child_join(child), 0);
}

static void every_code_has_its_own_sentence(void **state)
{
	const int codes[] = {-EAGAIN, -ETIMEDOUT, -EDEADLK, -EBADF,  -EBUSY, -EOPNOTSUPP,
			     -ESTALE, -ECHILD,    -ENOLCK,  -EINVAL, -EIO};
	const size_t count = sizeof(codes) / sizeof(codes[0]);
	struct nonet_error errors[sizeof(codes) / sizeof(codes[0])];

	(void)state;
	for (size_t i = 0; i < SCHEMES; i++) {
		struct nonet_filelock *lock = open_lock(schemes[i], NULL);

		for (size_t j = 0; j < count; j++) {
			nonet_filelock_explain(lock, codes[j], &errors[j]);
			assert_int_equal(errors[j].code, codes[j]);
			assert_non_null(strstr(errors[j].text, path));
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(errors[j].text, errors[k].text);
		}
		nonet_filelock_close(lock);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(what_is_no_lock_is_refused, &with_file),
		test_case_with(what_is_no_file_is_refused, &with_file),
		test_case_with(a_directory_has_a_flock, &with_file),
		test_case_with(a_file_is_made_with_the_mode_that_was_asked_for, &with_file),
		test_case_with(a_link_is_followed_and_a_dangling_one_is_nothing, &with_file),
		test_case_with(read_only_is_shared_only, &with_file),
		test_case_with(who_may_only_read_is_told_what_he_can_do, &with_file),
		test_case_with(a_lease_is_not_waited_for, &with_file),
		test_case_with(a_mode_that_is_none_is_refused, &with_file),
		test_case_with(handles_of_one_process_exclude_each_other, &with_file),
		test_case_with(a_second_classic_handle_is_refused, &with_file),
		test_case_with(no_descriptor_that_we_close_drops_a_classic_lock, &with_file),
		test_case_with(who_is_in_the_way_is_named_where_the_kernel_knows, &with_file),
		test_case_with(every_code_has_its_own_sentence, &with_file),
	};

	return test_main(tests);
}
