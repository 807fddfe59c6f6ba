/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/restrict.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/sanitizer.h"
#include "harness/test.h"

#define RESTRICT_MAX 48

static void restrict_add(struct sock_filter *filter, unsigned short *length, const int *list)
{
	for (; *list != TEST_CALLS_END; list++) {
		filter[(*length)++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)*list, 0, 1);
		filter[(*length)++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
}

/* Says which call it was. */
static void restrict_forbidden(int signal, siginfo_t *info, void *context)
{
	static const char digits[] = "0123456789";
	char text[] = "# system call 000 isn't in the list\n";

	(void)signal;
	(void)context;
	for (int i = 0, number = info->si_syscall; i < 3; i++, number /= 10)
		text[16 - i] = digits[number % 10];
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(77);
}

void test_restrict_to(const int *const *lists)
{
	static const int always[] = {SYS_exit_group, SYS_write, TEST_CALLS_END};
	const struct sigaction action = {.sa_sigaction = restrict_forbidden, .sa_flags = SA_SIGINFO};
	struct sock_filter filter[2 * RESTRICT_MAX + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog program = {.len = 1, .filter = filter};

	if (TEST_SANITIZED || test_under_valgrind())
		return;
	restrict_add(filter, &program.len, always);
	for (; *lists; lists++)
		restrict_add(filter, &program.len, *lists);
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	test_must(sigaction(SIGSYS, &action, NULL));
	test_must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	test_must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}
