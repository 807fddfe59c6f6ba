/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/child.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"
#include "harness/process.h"
#include "harness/sanitizer.h"

/* The parent's half: one handle per child, in a list so that none is forgotten. Of one thread at a time. */
static struct test_child *children;
static unsigned long next_number;

int test_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int test_reap(int pidfd, pid_t pid)
{
	siginfo_t information = {0};
	int result;

	(void)pid;
	do {
		result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &information, WEXITED);
	} while (result < 0 && errno == EINTR);
	if (result < 0)
		return -ECHILD; /* the test reaped it itself, or ignores SIGCHLD */
	return information.si_code == CLD_EXITED ? information.si_status : -information.si_status;
}

/* What a new child must not keep of its siblings: their sockets would make an end of file come late. */
static void children_forget(void)
{
	struct test_child *child;

	while ((child = children)) {
		children = child->next;
		close(child->pidfd);
		close(child->socket);
		free(child);
	}
}

struct test_child *test_child_start_at(const char *file, int line, const char *name, test_child_function *function,
				       void *argument)
{
	struct test_child *child = calloc(1, sizeof(*child));
	struct test_child_side side;
	pid_t parent = getpid();
	int sockets[2];

	if (!child || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		test_fail_at(file, line, "no socket pair for a child: %s", strerror(errno));
	/* What lies in the buffers would be written by both. */
	fflush(stdout);
	fflush(stderr);
	child->name = name;
	child->socket = sockets[0];
	if (TEST_SANITIZED)
		test_threads_settle();
	child->pid = fork();
	if (child->pid < 0)
		test_fail_at(file, line, "no child: %s", strerror(errno));
	if (child->pid == 0) {
		side.socket = sockets[1];
		close(sockets[0]);
		free(child);
		children_forget();
		test_child_begin(parent, &side);
		test_child_exit(function(&side, argument));
	}
	close(sockets[1]);
	/* Not reaped yet, so the number is still this child's. */
	child->pidfd = test_pidfd_open(child->pid);
	if (child->pidfd < 0)
		test_fail_at(file, line, "no pidfd: %s", strerror(errno));
	child->number = next_number++;
	child->next = children;
	children = child;
	return child;
}

int test_child_free(struct test_child *child, bool kill)
{
	struct test_child **link = &children;
	int status;

	if (kill)
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
	status = test_reap(child->pidfd, child->pid);
	while (*link != child)
		link = &(*link)->next;
	*link = child->next;
	close(child->pidfd);
	close(child->socket);
	free(child);
	return status;
}

unsigned long test_children_number(void)
{
	return next_number;
}

int test_children_abandoned(unsigned long since, FILE *out)
{
	int count = 0;

	/* New ones are put in front. */
	for (; children && children->number >= since; count++) {
		fprintf(out, "child %d (%s) was started, but neither joined nor killed\n", (int)children->pid,
			children->name);
		test_child_free(children, true);
	}
	return count;
}

void test_child_next_message(struct test_child *child, struct test_message *ret_message)
{
	struct iovec parts[] = {{.iov_base = &ret_message->kind, .iov_len = 1},
				{.iov_base = ret_message->bytes, .iov_len = TEST_REPORT_MAX}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t size;

	do {
		size = recvmsg(child->socket, &message, MSG_DONTWAIT);
	} while (size < 0 && errno == EINTR);
	if (size <= 0) {
		ret_message->kind = 0;
		size = 1;
	}
	ret_message->size = (size_t)size - 1;
	ret_message->bytes[ret_message->size] = '\0';
}

/* "exited with status 3", "was ended by signal 11 (Segmentation fault)". */
static void describe_status(int status, char *ret_text, size_t size)
{
	if (status < 0)
		snprintf(ret_text, size, "was ended by signal %d (%s)", -status, strsignal(-status));
	else
		snprintf(ret_text, size, "exited with status %d", status);
}

/* Free a child that hasn't done what it should, and fail with what is known of it. */
static _Noreturn void child_hangs(const char *file, int line, struct test_child *child, const char *wanted)
{
	const char *name = child->name;
	pid_t pid = child->pid;

	test_describe_process(pid, stderr);
	test_child_free(child, true);
	test_fail_at(file, line, "child %d (%s) did not %s by the deadline; it was killed", (int)pid, name, wanted);
}

static _Noreturn void child_failed(const char *file, int line, struct test_child *child, const char *text)
{
	char copy[TEST_REPORT_MAX];
	const char *name = child->name;
	pid_t pid = child->pid;

	snprintf(copy, sizeof(copy), "%s", text);
	test_child_free(child, false); /* it sent that as its last act, and is about to end */
	test_fail_at(file, line, "child %d (%s) failed: %s", (int)pid, name, copy);
}

static void child_message(const char *file, int line, struct test_child *child, struct test_message *ret_message,
			  const char *wanted)
{
	struct pollfd fds[] = {{.fd = child->socket, .events = POLLIN}, {.fd = child->pidfd, .events = POLLIN}};
	const char *name = child->name;
	pid_t pid = child->pid;
	char end[128];

	if (test_poll(fds, 2, test_deadline()) == 0)
		child_hangs(file, line, child, wanted);
	/* The socket first: the report may be older than the end. */
	test_child_next_message(child, ret_message);
	if (ret_message->kind == 0 && fds[1].revents == 0 && test_poll(&fds[1], 1, test_deadline()) == 0)
		child_hangs(file, line, child, "end after it closed its socket");
	if (ret_message->kind == 0) {
		describe_status(test_child_free(child, false), end, sizeof(end));
		test_fail_at(file, line, "child %d (%s) did not %s, it %s", (int)pid, name, wanted, end);
	}
	if (ret_message->kind == TEST_MESSAGE_FAILED)
		child_failed(file, line, child, ret_message->bytes);
}

void test_child_wait_state_at(const char *file, int line, struct test_child *child, const char *state)
{
	struct test_message message;
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "report \"%s\"", state);
	child_message(file, line, child, &message, wanted);
	if (message.kind == TEST_MESSAGE_BYTES)
		test_fail_at(file, line, "child %d (%s) sent %zu bytes instead of \"%s\"", (int)child->pid, child->name,
			     message.size, state);
	if (strcmp(message.bytes, state) != 0)
		test_fail_at(file, line, "child %d (%s) reported \"%s\", not \"%s\"", (int)child->pid, child->name,
			     message.bytes, state);
}

struct test_child *test_child_until_at(const char *file, int line, const char *name, test_child_function *function,
				       void *argument)
{
	struct test_child *child = test_child_start_at(file, line, name, function, argument);

	test_child_wait_state_at(file, line, child, "ready");
	return child;
}

void test_child_receive_at(const char *file, int line, struct test_child *child, void *ret_bytes, size_t size)
{
	struct test_message message;

	child_message(file, line, child, &message, "send bytes");
	if (message.kind != TEST_MESSAGE_BYTES)
		test_fail_at(file, line, "child %d (%s) reported \"%s\" instead of bytes", (int)child->pid, child->name,
			     message.bytes);
	if (message.size != size)
		test_fail_at(file, line, "child %d (%s) sent %zu bytes, not %zu", (int)child->pid, child->name,
			     message.size, size);
	memcpy(ret_bytes, message.bytes, size);
}

int64_t test_child_number_at(const char *file, int line, struct test_child *child)
{
	int64_t number;

	test_child_receive_at(file, line, child, &number, sizeof(number));
	return number;
}

void test_child_tell_at(const char *file, int line, struct test_child *child, const char *word)
{
	ssize_t sent;

	do {
		sent = send(child->socket, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		test_fail_at(file, line, "child %d (%s) can't be told \"%s\": %s", (int)child->pid, child->name, word,
			     strerror(errno));
}

void test_child_wait_blocked_at(const char *file, int line, struct test_child *child)
{
	struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
	nonet_time deadline = test_deadline();
	struct test_activity before;
	struct test_activity now = {0};

	do {
		before = now;
		/* Between two looks; ends at once if the child does. */
		if (test_poll(&ended, 1, test_clock() + NONET_MS(1)) > 0)
			test_fail_at(file, line, "child %d (%s) ended instead of blocking", (int)child->pid,
				     child->name);
		if (test_clock() > deadline)
			child_hangs(file, line, child, "block");
		test_process_activity(child->pid, &now);
	} while (!test_activity_is_asleep(&before, &now));
}

void test_child_stop_at(const char *file, int line, struct test_child *child)
{
	siginfo_t information = {0};

	if (syscall(SYS_pidfd_send_signal, child->pidfd, SIGSTOP, NULL, 0) < 0)
		test_fail_at(file, line, "child %d (%s): %s", (int)child->pid, child->name, strerror(errno));
	/* No deadline of its own: nothing can block SIGSTOP, and its end is waited for too. The watchdog bounds it. */
	while (waitid((idtype_t)P_PIDFD, (id_t)child->pidfd, &information, WSTOPPED | WEXITED | WNOWAIT) < 0 &&
	       errno == EINTR)
		;
	if (information.si_code != CLD_STOPPED)
		test_fail_at(file, line, "child %d (%s) ended instead of stopping", (int)child->pid, child->name);
	waitid((idtype_t)P_PIDFD, (id_t)child->pidfd, &information, WSTOPPED | WNOHANG);
}

void test_child_continue_at(const char *file, int line, struct test_child *child)
{
	if (syscall(SYS_pidfd_send_signal, child->pidfd, SIGCONT, NULL, 0) < 0)
		test_fail_at(file, line, "child %d (%s): %s", (int)child->pid, child->name, strerror(errno));
}

pid_t test_child_pid(const struct test_child *child)
{
	return child->pid;
}

int test_child_pidfd(const struct test_child *child)
{
	return child->pidfd;
}

/* Fail if among the reports that nobody fetched is a failure. */
static void child_look_for_failure(const char *file, int line, struct test_child *child)
{
	struct test_message message;

	do {
		test_child_next_message(child, &message);
		if (message.kind == TEST_MESSAGE_FAILED)
			child_failed(file, line, child, message.bytes);
	} while (message.kind != 0);
}

int test_child_join_at(const char *file, int line, struct test_child *child)
{
	struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
	const char *name = child->name;
	pid_t pid = child->pid;
	char end[128];
	int status;

	if (test_poll(&ended, 1, test_deadline()) == 0)
		child_hangs(file, line, child, "end");
	child_look_for_failure(file, line, child);
	status = test_child_free(child, false);
	if (status < 0) {
		describe_status(status, end, sizeof(end));
		fprintf(stderr, "child %d (%s) %s\n", (int)pid, name, end);
	}
	return status;
}

int test_kill_if_running_at(const char *file, int line, struct test_child *child)
{
	const char *name = child->name;
	pid_t pid = child->pid;
	char end[128];
	int status;

	syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
	if (test_poll(&(struct pollfd){.fd = child->pidfd, .events = POLLIN}, 1, test_deadline()) == 0)
		test_fail_at(file, line, "child %d (%s) survives SIGKILL: it hangs in the kernel", (int)pid, name);
	child_look_for_failure(file, line, child);
	status = test_child_free(child, false);
	if (status == -SIGKILL)
		return 1;
	describe_status(status, end, sizeof(end));
	if (status != 0)
		test_fail_at(file, line, "child %d (%s) %s before it was killed", (int)pid, name, end);
	return 0;
}

void test_kill_at(const char *file, int line, struct test_child *child)
{
	const char *name = child->name;
	pid_t pid = child->pid;

	if (!test_kill_if_running_at(file, line, child))
		test_fail_at(file, line, "child %d (%s) had ended by itself before it was killed", (int)pid, name);
}
