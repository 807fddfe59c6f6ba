/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/child.h"
#include "harness/test.h"

/* Whoever /proc has no trace of: in another PID namespace, or another user's under hidepid=2. It isn't "nobody". */

static const char *const schemes[] = {"posixlock", "ofdlock", "flock"};

static const char *path;

static int hold(struct test_child_side *side, void *argument)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const char *scheme = argument;
	int fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));

	if (strcmp(scheme, "flock") == 0)
		test_must(flock(fd, LOCK_EX));
	else
		test_must(fcntl(fd, strcmp(scheme, "ofdlock") == 0 ? F_OFD_SETLK : F_SETLK, &range));
	test_report(side, "ready");
	test_await(side, "end");
	close(fd);
	return 0;
}

/* How many have it; nobody by a number. */
static size_t look(const char *scheme, uint32_t hidden)
{
	struct nonet_inspect_holders *holders;
	struct nonet_inspect_list *list;
	const struct nonet_inspect_holder *holder;
	char address[160];
	size_t count;

	snprintf(address, sizeof(address), "%s:%s", scheme, path);
	test_check_equal(nonet_inspect_holders(address, NULL, NONET_FOREVER, &holders, NULL), 0);
	test_check_equal(nonet_inspect_holders_coverage(holders)->hidden, hidden);
	for (size_t i = 0; (holder = nonet_inspect_holders_get(holders, i)); i++)
		test_check_equal(holder->pid, 0);
	count = nonet_inspect_holders_count(holders);
	nonet_inspect_holders_free(holders);
	test_check_equal(nonet_inspect_objects(NONET_INSPECT_ALL, NONET_FOREVER, &list, NULL), 0);
	test_check_equal(nonet_inspect_get_coverage(list)->hidden, hidden);
	nonet_inspect_free(list);
	return count;
}

static void explain(const char *scheme)
{
	struct nonet_filelock *lock;
	struct nonet_error error;
	char address[160];

	snprintf(address, sizeof(address), "%s:%s", scheme, path);
	test_check_equal(nonet_filelock_open(address, NULL, &lock, NULL), 0);
	test_check_equal(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW), -EAGAIN);
	nonet_filelock_explain(lock, -EAGAIN, &error);
	if (!strstr(error.text,
		    strcmp(scheme, "posixlock") == 0 ? "outside of this PID namespace" : "nonet_inspect_holders"))
		test_fail("%s", error.text);
	nonet_filelock_close(lock);
}

static void mount_proc(const char *options)
{
	test_must(unshare(CLONE_NEWNS));
	test_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_must(mount("proc", "/proc", "proc", 0, options));
}

static int look_from_inside(struct test_child_side *side, void *argument)
{
	const char *scheme = argument;
	int status;
	pid_t pid;

	(void)side;
	test_must(unshare(CLONE_NEWPID));
	pid = (pid_t)test_must(fork());
	if (pid == 0) {
		mount_proc(NULL);
		/* The kernel leaves out classic locks and flocks of whoever has no number here. */
		test_check_equal(look(scheme, NONET_INSPECT_HIDES_OUTSIDE), strcmp(scheme, "ofdlock") == 0);
		explain(scheme);
		_exit(0);
	}
	test_must(waitpid(pid, &status, 0));
	test_check_equal(status, 0);
	return 0;
}

static int look_under_hidepid(struct test_child_side *side, void *argument)
{
	const char *scheme = argument;

	(void)side;
	mount_proc("hidepid=2");
	test_must(setresgid(65534, 65534, 65534));
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(look(scheme, NONET_INSPECT_HIDES_PROCESSES), 1);
	return 0;
}

static void with_holder(test_child_function *function)
{
	const char *directory = test_directory_new();

	path = test_path(directory, "lock");
	close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644)));
	test_must(chmod(directory, 0755));
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct test_child *holder = test_child_until(hold, (void *)schemes[i]);

		test_check_equal(test_child_join(test_child_start(function, (void *)schemes[i])), 0);
		test_child_tell(holder, "end");
		test_check_equal(test_child_join(holder), 0);
	}
	test_must(unlink(path));
	test_directory_free(directory);
}

static void test_first_namespace(void)
{
	char text[32] = "";

	if (readlink("/proc/self/ns/pid", text, sizeof(text) - 1) < 0 || strcmp(text, "pid:[4026531836]") != 0)
		test_not_applicable("this is a PID namespace already: what is outside is hidden to each test");
}

static void a_holder_in_another_pid_namespace_is_not_nobody(void **state)
{
	(void)state;
	test_skip_unless_root("to make a PID namespace");
	with_holder(look_from_inside);
}

static void a_holder_that_proc_hides_is_not_nobody(void **state)
{
	(void)state;
	test_skip_unless_root("to mount /proc with hidepid=2");
	test_first_namespace();
	with_holder(look_under_hidepid);
}

static void where_nothing_is_hidden_nothing_is_said(void **state)
{
	struct nonet_inspect_list *list;

	(void)state;
	test_skip_unless_root("to see all processes");
	test_first_namespace();
	test_check_equal(nonet_inspect_objects(NONET_INSPECT_SCHEME(NONET_SCHEME_FLOCK), NONET_FOREVER, &list, NULL),
			 0);
	test_check_equal(nonet_inspect_get_coverage(list)->hidden, 0);
	nonet_inspect_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_holder_in_another_pid_namespace_is_not_nobody),
		test_case(a_holder_that_proc_hides_is_not_nobody),
		test_case(where_nothing_is_hidden_nothing_is_said),
	};

	return test_main(tests);
}
