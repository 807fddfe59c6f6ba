/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/address.h>
#include <nonet/inspect.h>

#include "harness/test.h"

#define SHARED    NONET_FILELOCK_SHARED
#define EXCLUSIVE NONET_FILELOCK_EXCLUSIVE

static const char *directory;
static const char *path;

static int make_file(void **state)
{
	(void)state;
	directory = test_directory_new();
	path = test_path(directory, "lock");
	return close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644)));
}

static int remove_file(void **state)
{
	(void)state;
	test_must(unlink(path));
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture with_file = {.setup = make_file, .teardown = remove_file};

static struct nonet_inspect_holders *look(const char *scheme, const char *range)
{
	struct nonet_inspect_holders *holders = NULL;
	struct nonet_error error;
	char address[160];

	snprintf(address, sizeof(address), "%s:%s%s", scheme, path, range);
	if (nonet_inspect_holders(address, NULL, NONET_FOREVER, &holders, &error) < 0)
		test_fail("%s", error.text);
	test_check_equal(nonet_inspect_holders_coverage(holders)->places, 0);
	return holders;
}

/* How many there are of this kind; with @pid -1 of anybody. */
static int count(const struct nonet_inspect_holders *holders, int pid, int waits, int scheme, int mode)
{
	int found = 0;

	for (size_t i = 0; i < nonet_inspect_holders_count(holders); i++) {
		const struct nonet_inspect_holder *holder = nonet_inspect_holders_get(holders, i);

		found += (pid == -1 || holder->pid == pid) && holder->waits == (uint32_t)waits &&
			 holder->scheme == (uint32_t)scheme && holder->mode == (uint32_t)mode;
	}
	return found;
}

static int scheme_number(const char *scheme)
{
	return strcmp(scheme, "flock") == 0     ? NONET_SCHEME_FLOCK
	       : strcmp(scheme, "ofdlock") == 0 ? NONET_SCHEME_OFDLOCK
						: NONET_SCHEME_POSIXLOCK;
}

/* A process that has a lock, or waits for it; by its own means, as nonet's are another layer's. */
struct part {
	const char *scheme;
	int mode;
	int64_t start, length;
	bool waits;
};

static int take(const struct part *part, int fd)
{
	struct flock range = {
		.l_type = part->mode == SHARED ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = part->start,
		.l_len = part->length,
	};

	if (strcmp(part->scheme, "flock") == 0)
		return flock(fd, part->mode == SHARED ? LOCK_SH : LOCK_EX);
	return fcntl(fd, strcmp(part->scheme, "ofdlock") == 0 ? F_OFD_SETLKW : F_SETLKW, &range);
}

static int play(struct test_child_side *side, void *argument)
{
	const struct part *part = argument;
	int fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));

	if (part->waits)
		test_report(side, "ready");
	test_must(take(part, fd));
	test_report(side, part->waits ? "got it" : "ready");
	test_await(side, "end");
	close(fd);
	return 0;
}

static struct test_child *start(struct part part)
{
	struct test_child *child = test_child_until(play, &part);

	if (part.waits)
		test_child_wait_blocked(child);
	return child;
}

static void end(struct test_child *child)
{
	test_child_tell(child, "end");
	test_check_equal(test_child_join(child), 0);
}

static const char *const schemes[] = {"ofdlock", "posixlock", "flock"};

static void who_has_it_and_who_waits_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		const char *scheme = schemes[i / 2];
		const int number = scheme_number(scheme);
		const int mode = i % 2 ? SHARED : EXCLUSIVE;
		struct nonet_inspect_holders *holders = look(scheme, "");
		const struct nonet_inspect_holder *holder;
		struct test_child *first, *second, *third;

		test_check_equal(nonet_inspect_holders_count(holders), 0);
		test_check(!nonet_inspect_holders_get(holders, 0));
		nonet_inspect_holders_free(holders);
		first = start((struct part){.scheme = scheme, .mode = mode});
		second = start((struct part){.scheme = scheme, .mode = EXCLUSIVE, .waits = true});
		third = start((struct part){.scheme = scheme, .mode = EXCLUSIVE, .waits = true});
		holders = look(scheme, "");
		test_check_equal(nonet_inspect_holders_count(holders), 3);
		test_check_equal(count(holders, test_child_pid(first), 0, number, mode), 1);
		test_check_equal(count(holders, test_child_pid(second), 1, number, EXCLUSIVE), 1);
		test_check_equal(count(holders, test_child_pid(third), 1, number, EXCLUSIVE), 1);
		/* Who has it comes first, by name; the whole of the file. */
		holder = nonet_inspect_holders_get(holders, 0);
		test_check_equal(holder->waits, 0);
		test_check(strncmp(holder->name, "test-inspect-ho", 15) == 0);
		test_check_equal(holder->start, 0);
		test_check_equal(holder->length, 0);
		test_check(nonet_inspect_holders_coverage(holders)->processes >= 4);
		nonet_inspect_holders_free(holders);
		end(first);
		test_kill(second);
		test_kill(third);
	}
}

static void who_shares_it_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct part part = {.scheme = schemes[i], .mode = SHARED};
		struct test_child *children[3];
		struct nonet_inspect_holders *holders;

		for (int j = 0; j < 3; j++)
			children[j] = start(part);
		holders = look(schemes[i], "");
		test_check_equal(nonet_inspect_holders_count(holders), 3);
		for (int j = 0; j < 3; j++) {
			test_check_equal(
				count(holders, test_child_pid(children[j]), 0, scheme_number(schemes[i]), SHARED), 1);
			end(children[j]);
		}
		nonet_inspect_holders_free(holders);
	}
}

static void a_range_is_told_where_it_overlaps(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct test_child *child =
			start((struct part){.scheme = schemes[i], .mode = EXCLUSIVE, .start = 100, .length = 50});
		struct test_child *waiter = start(
			(struct part){.scheme = schemes[i], .mode = SHARED, .start = 120, .length = 1, .waits = true});
		const char *const inside[] = {"", ",0+101", ",149+1", ",120+0"};
		const char *const outside[] = {",0+100", ",150+0", ",0+1"};
		struct nonet_inspect_holders *holders;

		for (size_t j = 0; j < 4; j++) {
			/* Of both schemes, as they exclude each other. */
			holders = look(schemes[j % 2], inside[j]);
			test_check_equal(count(holders, test_child_pid(child), 0, scheme_number(schemes[i]), EXCLUSIVE),
					 1);
			test_check_equal(nonet_inspect_holders_get(holders, 0)->start, 100);
			test_check_equal(nonet_inspect_holders_get(holders, 0)->length, 50);
			test_check_equal(count(holders, test_child_pid(waiter), 1, scheme_number(schemes[i]), SHARED),
					 j == 0 || j == 3);
			nonet_inspect_holders_free(holders);
		}
		for (size_t j = 0; j < 3; j++) {
			holders = look(schemes[i], outside[j]);
			test_check_equal(nonet_inspect_holders_count(holders), 0);
			nonet_inspect_holders_free(holders);
		}
		holders = look("flock", "");
		test_check_equal(nonet_inspect_holders_count(holders), 0);
		nonet_inspect_holders_free(holders);
		end(child);
		test_child_wait_state(waiter, "got it");
		end(waiter);
	}
}

static int await_end(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	test_await(side, "end");
	return 0;
}

/* The kernel names who took it; we, who has it. */
static int take_and_leave(struct test_child_side *side, void *argument)
{
	int fd = *(int *)argument;

	test_must(take(&(struct part){.scheme = "flock", .mode = EXCLUSIVE}, fd));
	test_report(side, "ready");
	test_await(side, "end");
	return 0;
}

static void what_was_inherited_is_told_of_its_heirs(void **state)
{
	struct nonet_inspect_holders *holders;
	struct test_child *taker, *heir;
	int fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));

	(void)state;
	taker = test_child_until(take_and_leave, &fd);
	heir = test_child_until(await_end, NULL);
	holders = look("flock", "");
	test_check_equal(nonet_inspect_holders_count(holders), 3);
	test_check_equal(count(holders, getpid(), 0, NONET_SCHEME_FLOCK, EXCLUSIVE), 1);
	test_check_equal(count(holders, test_child_pid(taker), 0, NONET_SCHEME_FLOCK, EXCLUSIVE), 1);
	test_check_equal(count(holders, test_child_pid(heir), 0, NONET_SCHEME_FLOCK, EXCLUSIVE), 1);
	nonet_inspect_holders_free(holders);
	close(fd);
	end(taker);
	/* The taker has gone, and the lock is there. */
	holders = look("flock", "");
	test_check_equal(nonet_inspect_holders_count(holders), 1);
	test_check_equal(count(holders, test_child_pid(heir), 0, NONET_SCHEME_FLOCK, EXCLUSIVE), 1);
	nonet_inspect_holders_free(holders);
	end(heir);
}

static int look_as_nobody(struct test_child_side *side, void *argument)
{
	const struct part *parts = argument;
	struct nonet_inspect_holders *holders;
	int owner = (int)parts[0].start;

	(void)side;
	test_must(setresgid(65534, 65534, 65534));
	test_must(setresuid(65534, 65534, 65534));
	/* /proc/locks says who took a classic lock, to everybody. */
	holders = look("posixlock", "");
	test_check_equal(nonet_inspect_holders_count(holders), 2);
	test_check_equal(count(holders, owner, 0, NONET_SCHEME_POSIXLOCK, EXCLUSIVE), 1);
	/* And of the other only that somebody has it. */
	test_check_equal(count(holders, 0, 0, NONET_SCHEME_OFDLOCK, EXCLUSIVE), 1);
	test_check(nonet_inspect_holders_coverage(holders)->unreadable > 0);
	nonet_inspect_holders_free(holders);
	return 0;
}

static void what_may_not_be_seen_is_counted(void **state)
{
	struct test_child *children[2];
	struct part owner = {.scheme = "posixlock"};

	(void)state;
	test_skip_unless_root("to become another user");
	test_must(chmod(directory, 0755));
	children[0] = start((struct part){.scheme = "posixlock", .mode = EXCLUSIVE, .length = 10});
	children[1] = start((struct part){.scheme = "ofdlock", .mode = EXCLUSIVE, .start = 10});
	owner.start = test_child_pid(children[0]);
	test_check_equal(test_child_join(test_child_start(look_as_nobody, &owner)), 0);
	end(children[0]);
	end(children[1]);
}

/* The file's folder is the root, of which no mount is in /proc/self/mountinfo: only its own /proc is. */
static int look_in_chroot(struct test_child_side *side, void *argument)
{
	const int *pids = argument;
	struct nonet_inspect_holders *holders;
	struct nonet_error error;

	(void)side;
	test_must(unshare(CLONE_NEWNS));
	test_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_must(mount("proc", test_path(directory, "proc"), "proc", 0, NULL));
	test_must(chroot(directory));
	test_must(chdir("/"));
	path = "/lock";
	for (size_t i = 0; i < 2; i++) {
		holders = look(i ? "posixlock" : "ofdlock", "");
		test_check_equal(nonet_inspect_holders_count(holders), 2);
		test_check_equal(count(holders, pids[0], 0, NONET_SCHEME_OFDLOCK, EXCLUSIVE), 1);
		test_check_equal(count(holders, pids[1], 1, NONET_SCHEME_OFDLOCK, SHARED), 1);
		nonet_inspect_holders_free(holders);
	}
	holders = look("flock", "");
	test_check_equal(nonet_inspect_holders_count(holders), 0);
	nonet_inspect_holders_free(holders);
	/* The kernel tells the device only to who may read the file. */
	test_must(setresgid(65534, 65534, 65534));
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_inspect_holders("flock:/lock", NULL, NONET_FOREVER, &holders, &error), -EACCES);
	test_check(strstr(error.text, "only who may read the file"));
	return 0;
}

static void in_a_chroot_they_are_told_as_well(void **state)
{
	struct test_child *holder, *waiter;
	struct statx status;
	int pids[2];

	(void)state;
	test_skip_unless_root("to make a chroot");
	test_must(statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &status));
	if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		test_not_applicable("this is a chroot: there each test here is of one");
	test_must(chmod(directory, 0755));
	test_must(chmod(path, 0600));
	test_must(mkdir(test_path(directory, "proc"), 0700));
	holder = start((struct part){.scheme = "ofdlock", .mode = EXCLUSIVE});
	waiter = start((struct part){.scheme = "ofdlock", .mode = SHARED, .waits = true});
	pids[0] = test_child_pid(holder);
	pids[1] = test_child_pid(waiter);
	test_check_equal(test_child_join(test_child_start(look_in_chroot, pids)), 0);
	end(holder);
	test_child_wait_state(waiter, "got it");
	end(waiter);
	test_must(rmdir(test_path(directory, "proc")));
}

static void a_deadline_cuts_it_short(void **state)
{
	struct test_child *child = start((struct part){.scheme = "ofdlock", .mode = EXCLUSIVE});
	struct nonet_inspect_holders *holders;
	char address[160];

	(void)state;
	snprintf(address, sizeof(address), "ofdlock:%s", path);
	test_check_equal(nonet_inspect_holders(address, NULL, NONET_NOW, &holders, NULL), 0);
	test_check_equal(nonet_inspect_holders_coverage(holders)->places, 1);
	/* That somebody has it, it says all the same. */
	test_check_equal(count(holders, 0, 0, NONET_SCHEME_OFDLOCK, EXCLUSIVE), 1);
	nonet_inspect_holders_free(holders);
	end(child);
}

static void refused(const char *address, const struct nonet_inspect_options *options, int code, const char *word)
{
	struct nonet_inspect_holders *holders = (void *)0x55;
	struct nonet_error error;

	assert_int_equal(nonet_inspect_holders(address, options, NONET_FOREVER, &holders, &error), code);
	assert_int_equal(error.code, code);
	assert_non_null(strstr(error.text, word));
	assert_ptr_equal(holders, (void *)0x55);
}

static void what_is_no_lock_is_refused(void **state)
{
	const struct nonet_inspect_options bad = {.size = sizeof(bad), .flags = 1};

	(void)state;
	refused("unix:/x", NULL, -EOPNOTSUPP, "flock:");
	refused("lock", NULL, -EINVAL, "lock");
	refused("flock:/nonexistent/x", NULL, -ENOENT, "/nonexistent/x");
	refused("flock:/", &bad, -EINVAL, "options");
	assert_null(nonet_inspect_holders_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(who_has_it_and_who_waits_is_told, &with_file),
		test_case_with(who_shares_it_is_told, &with_file),
		test_case_with(a_range_is_told_where_it_overlaps, &with_file),
		test_case_with(what_was_inherited_is_told_of_its_heirs, &with_file),
		test_case_with(what_may_not_be_seen_is_counted, &with_file),
		test_case_with(in_a_chroot_they_are_told_as_well, &with_file),
		test_case_with(a_deadline_cuts_it_short, &with_file),
		test_case_with(what_is_no_lock_is_refused, &with_file),
	};

	return test_main(tests);
}
