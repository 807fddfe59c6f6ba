/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"

/* The child's half of harness/child.h. */

/* Of gcc's coverage, where it is linked in: _exit() would lose it. */
extern void __gcov_dump(void) __attribute__((weak));

/* The signals that cmocka handles by a longjmp into its runner. */
static const int crash_signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))
static struct sigaction crash_handlers[CRASH_SIGNALS];
static bool crash_handlers_known;

/* Set in a child alone. */
static struct test_child_side *current_side;

void test_crash_handlers_save(void)
{
	for (size_t i = 0; i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], NULL, &crash_handlers[i]);
	crash_handlers_known = true;
}

void test_crash_handlers_restore(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	/* A sanitizer's handlers come back; without test_main() the default it is. */
	for (size_t i = 0; i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], crash_handlers_known ? &crash_handlers[i] : &standard, NULL);
}

void test_child_begin(pid_t parent, struct test_child_side *side)
{
	current_side = side;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before that took effect. */
	if (getppid() != parent)
		_exit(TEST_STATUS_ORPHAN);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	/* cmocka then aborts where it would longjmp into the parent's runner, in this copy of the parent's stack. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	test_crash_handlers_restore();
}

_Noreturn void test_child_exit(int status)
{
	fflush(stdout);
	fflush(stderr);
	if (__gcov_dump)
		__gcov_dump();
	_exit(status);
}

static void side_send(struct test_child_side *side, char kind, const void *bytes, size_t size)
{
	struct iovec parts[] = {{.iov_base = &kind, .iov_len = 1}, {.iov_base = (void *)bytes, .iov_len = size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t sent;

	do {
		sent = sendmsg(side->socket, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		_exit(TEST_STATUS_ORPHAN);
}

void test_child_side_failed(const char *file, int line, const char *text)
{
	char sentence[TEST_REPORT_MAX];
	int size;

	if (!current_side)
		return;
	size = snprintf(sentence, sizeof(sentence), "%s:%d: %s", file, line, text);
	if (size >= (int)sizeof(sentence))
		size = (int)sizeof(sentence) - 1;
	side_send(current_side, TEST_MESSAGE_FAILED, sentence, (size_t)size);
	test_child_exit(TEST_STATUS_FAILED);
}

void test_report(struct test_child_side *side, const char *state)
{
	side_send(side, TEST_MESSAGE_STATE, state, strlen(state));
}

void test_report_bytes(struct test_child_side *side, const void *bytes, size_t size)
{
	if (size > TEST_REPORT_MAX)
		test_fail("a report of %zu bytes is over the limit of %d", size, TEST_REPORT_MAX);
	side_send(side, TEST_MESSAGE_BYTES, bytes, size);
}

void test_report_number(struct test_child_side *side, int64_t number)
{
	test_report_bytes(side, &number, sizeof(number));
}

void test_await_at(const char *file, int line, struct test_child_side *side, const char *word)
{
	struct pollfd readable = {.fd = side->socket, .events = POLLIN};
	char told[256];
	ssize_t size;

	if (test_poll(&readable, 1, test_deadline()) == 0)
		test_fail_at(file, line, "the parent didn't say \"%s\" in time", word);
	do {
		size = recv(side->socket, told, sizeof(told) - 1, 0);
	} while (size < 0 && errno == EINTR);
	if (size <= 0)
		_exit(TEST_STATUS_ORPHAN);
	told[size] = '\0';
	if (strcmp(told, word) != 0)
		test_fail_at(file, line, "the parent said \"%s\", not \"%s\"", told, word);
}
