/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for holders, with every one of its system calls failing in turn; in a small /proc, as the real one is large.
 */
#include <sys/syscall.h>

#include "harness/fault.h"
#include "inspect/test_inspect_proc.h"

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

static void no_failure_of_the_kernel_breaks_the_look(void **state)
{
	const struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4};
	struct nonet_inspect_holders *holders;
	const struct nonet_inspect_holder *holder;
	char path[256];
	int fd;

	(void)state;
	proc_write("locks", "1: OFDLCK ADVISORY  WRITE -1 00:2a:77 0 EOF\n"
			    "1: -> OFDLCK ADVISORY  READ -1 00:2a:77 3 6\n");
	proc_process(100, "one\n", "lock:\t1: OFDLCK ADVISORY  WRITE -1 00:2a:77 0 EOF\n");
	proc_process(101, "two\n", "");
	wait_in(101, 0);
	snprintf(path, sizeof(path), "%s/101/task/101/mem", proc);
	fd = (int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	test_check_equal(write(fd, &range, sizeof(range)), sizeof(range));
	close(fd);
	/* In a system call that could be one: but of another thread's memory nothing is known. */
	proc_process(102, "three\n", "");
	wait_in(102, 4096);

	test_check_equal(proc_look("ofdlock", &holders, NULL), 0);
	test_check_equal(nonet_inspect_holders_count(holders), 2);
	holder = nonet_inspect_holders_get(holders, 1);
	test_check_equal(holder->pid, 101);
	test_check_equal(holder->waits, 1);
	test_check_equal(holder->mode, NONET_FILELOCK_SHARED);
	test_check_equal(holder->start, 3);
	test_check_equal(holder->length, 4);
	nonet_inspect_holders_free(holders);
	test_fault_sweep(&(struct test_operation){
		.name = "inspect holders",
		.run = run_look,
		.release = forget,
		.outputs_size = sizeof(struct nonet_inspect_holders *),
		.persistent = true,
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_the_look, &with_proc),
	};

	return test_main(tests);
}
