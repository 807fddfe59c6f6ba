/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for holders, with every one of its system calls failing in turn; in a small /proc, as the real one is large.
 */
#include <sys/syscall.h>

#include "harness/fault.h"
#include "inspect/test_inspect_proc.h"
#include "sys/fault.h"

static int run_look(void *state, void *outputs)
{
	struct nonet_error error;
	int result = proc_look("ofdlock", outputs, &error);

	(void)state;
	test_check(result == 0 || error.code == result);
	return result;
}

static void forget(void *state, void *outputs)
{
	struct nonet_inspect_holders *holders = *(struct nonet_inspect_holders **)outputs;

	(void)state;
	/* Whatever couldn't be read: that somebody has it is told, and somebody waits. */
	test_check(nonet_inspect_holders_count(holders) >= 2);
	nonet_inspect_holders_free(holders);
}

/* Waiting for it in fcntl(2), by the descriptor 5. */
static void wait_in(int pid, long long address)
{
	char path[64];
	char text[128];

	snprintf(path, sizeof(path), "%d/task/%d", pid, pid);
	proc_mkdir(path);
	snprintf(path, sizeof(path), "%d/task/%d/syscall", pid, pid);
	snprintf(text, sizeof(text), "%d 0x5 0x26 0x%llx 0x0 0x0 0x0 0x7ffd 0x7f00\n", SYS_fcntl, address);
	proc_write(path, text);
}

/* What it waits for stands at the address 0 of its memory. */
static void wait_for(int pid, const struct flock *range)
{
	char path[256];
	int fd;

	wait_in(pid, 0);
	snprintf(path, sizeof(path), "%s/%d/task/%d/mem", proc, pid, pid);
	fd = (int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	test_check_equal(write(fd, range, sizeof(*range)), sizeof(*range));
	close(fd);
}

/* One has it, and another waits. */
static int proc_make_locked(void **state)
{
	const struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4};

	(void)proc_make(state);
	proc_write("locks", "1: OFDLCK ADVISORY  WRITE -1 00:2a:77 0 EOF\n"
			    "1: -> OFDLCK ADVISORY  READ -1 00:2a:77 3 6\n");
	proc_process(100, "one\n", "lock:\t1: OFDLCK ADVISORY  WRITE -1 00:2a:77 0 EOF\n");
	proc_process(101, "two\n", "");
	wait_for(101, &range);
	/* In a system call that could be one: but of another thread's memory nothing is known. */
	proc_process(102, "three\n", "");
	wait_in(102, 4096);
	/* The same inode's number on another device. */
	proc_process(103, "four\n", "");
	proc_write("103/fdinfo/5", "pos:\t0\nflags:\t02\nmnt_id:\t7\nino:\t77\n");
	proc_write("103/mountinfo", "7 1 0:43 / / rw - x y z\n");
	wait_for(103, &range);
	return 0;
}

static const struct test_fixture with_lock = {.setup = proc_make_locked, .teardown = proc_remove, .time = NONET_S(200)};

static void both_are_told(void)
{
	struct nonet_inspect_holders *holders;
	const struct nonet_inspect_holder *holder;

	test_check_equal(proc_look("ofdlock", &holders, NULL), 0);
	test_check_equal(nonet_inspect_holders_count(holders), 2);
	holder = nonet_inspect_holders_get(holders, 1);
	test_check_equal(holder->pid, 101);
	test_check_equal(holder->waits, 1);
	test_check_equal(holder->mode, NONET_FILELOCK_SHARED);
	test_check_equal(holder->start, 3);
	test_check_equal(holder->length, 4);
	nonet_inspect_holders_free(holders);
}

static void sweep(const char *name, void (*release)(void *state, void *outputs))
{
	test_fault_sweep(&(struct test_operation){
		.name = name,
		.run = run_look,
		.release = release,
		.outputs_size = sizeof(struct nonet_inspect_holders *),
		.persistent = true,
	});
}

static void no_failure_of_the_kernel_breaks_the_look(void **state)
{
	(void)state;
	/* Who waits has the file in another mount namespace, where its mount has another number. */
	proc_write("101/fdinfo/5", "pos:\t0\nflags:\t02\nmnt_id:\t7\nino:\t77\n");
	proc_write("101/mountinfo", "6 1 0:5 / / rw - x y z\n7 1 0:42 / /mnt rw - x y z\n");
	both_are_told();
	sweep("inspect holders", forget);
}

static void forget_none(void *state, void *outputs)
{
	struct nonet_inspect_holders *holders = *(struct nonet_inspect_holders **)outputs;

	(void)state;
	test_check_equal(nonet_inspect_holders_count(holders), 0);
	nonet_inspect_holders_free(holders);
}

static void nor_the_look_from_a_chroot(void **state)
{
	const char *const mounts = "8 1 0:5 / / rw - x y z\n";

	(void)state;
	proc_write("thread-self/mountinfo", mounts);
	proc_write("101/mountinfo", mounts);
	proc_descriptors("mnt_id:\t9\nino:\t77\ninotify wd:1 ino:4d sdev:2a mask:fce ignored_mask:0\n");
	both_are_told();
	/* The walk is the same; and the kernel takes 10 ms to end a watch. */
	proc_write("locks", "");
	sweep("inspect holders from a chroot", forget_none);
}

/* Which of inotify's limits it was, and that the file's being in a chroot is why it is asked for. */
static void and_what_a_watch_lacks_is_said(void **state)
{
	static const struct {
		enum sys_call call;
		int error;
		const char *words;
	} cases[] = {
		{SYS_CALL_INOTIFY, EMFILE, "max_user_instances"},
		{SYS_CALL_INOTIFY_WATCH, ENOSPC, "max_user_watches"},
		{SYS_CALL_INOTIFY_WATCH, EACCES, "only who may read the file"},
	};
	struct nonet_inspect_holders *holders;
	struct nonet_error error;

	(void)state;
	proc_write("thread-self/mountinfo", "8 1 0:5 / / rw - x y z\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sys_fault_arm_kind(cases[i].call, cases[i].error);
		test_check_equal(proc_look("ofdlock", &holders, &error), -cases[i].error);
		sys_fault_disarm();
		test_check(strstr(error.text, "chroot") && strstr(error.text, cases[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_the_look, &with_lock),
		test_case_with(nor_the_look_from_a_chroot, &with_lock),
		test_case_with(and_what_a_watch_lacks_is_said, &with_proc),
	};

	return test_main(tests);
}
