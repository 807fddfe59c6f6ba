/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/fault.h"

#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"
#include "harness/fault_private.h"
#include "harness/process.h"
#include "harness/prove.h"
#include "harness/watchdog.h"
#include "sys/fault.h"

/* After so many failures the rest is likely the same. */
#define FAILURES_MAX 20

/* The test's half of the fault sweep: starts the child that does the runs, and another one where that one ends badly.
 */

static void tell(const struct fault_board *board, const char *what)
{
	const struct fault_injection *injection = &board->plan[board->next];
	const char *name = board->operation->name;

	if (board->planned == 0)
		fprintf(stderr, "fault sweep: %s: before any fault: %s\n", name, what);
	else if (injection->index == FAULT_ALL)
		fprintf(stderr, "fault sweep: %s: with every %s failing with %s: %s\n", name,
			sys_fault_name((enum sys_call)injection->call), strerrorname_np(injection->error), what);
	else
		fprintf(stderr, "fault sweep: %s: with call %u (%s) failing with %s: %s\n", name, injection->index,
			sys_fault_name((enum sys_call)injection->call), strerrorname_np(injection->error), what);
	fflush(stderr);
}

/* Run @function in a child to its end. Return: whether it ended well; else it was told. */
static bool run_side(struct fault_board *board, test_child_function *function)
{
	struct itimerspec never = {0};
	struct test_child *child;
	struct pollfd fds[2];
	struct test_message message;
	char text[TEST_REPORT_MAX] = "";
	int status;

	/* It may still be readable from a run that hung. */
	timerfd_settime(board->timer, 0, &never, NULL);
	child = test_child_start(function, board);
	fds[0] = (struct pollfd){.fd = test_child_pidfd(child), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = board->timer, .events = POLLIN};
	/* The child sets the timer for each run; in between nothing of its own takes long. */
	while (test_poll(fds, 2, test_after(NONET_S(60))) > 0 && fds[0].revents == 0) {
		/* It may have been set anew since it went off: then it isn't readable any more. */
		if (test_poll(fds, 2, test_clock()) > 0 && (fds[0].revents || fds[1].revents))
			break;
	}
	if (fds[0].revents == 0) {
		tell(board, "it hangs; the process was killed");
		test_describe_process(test_child_pid(child), stderr);
		test_child_free(child, true);
		return false;
	}
	do {
		test_child_next_message(child, &message);
		if (message.kind == TEST_MESSAGE_FAILED)
			snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, message.bytes);
	} while (message.kind != 0);
	status = test_child_free(child, false);
	if (status == 0)
		return true;
	if (text[0] == '\0' && status < 0)
		snprintf(text, sizeof(text), "it crashed with signal %d (%s)", -status, strsignal(-status));
	else if (text[0] == '\0')
		snprintf(text, sizeof(text), "the process ended with status %d", status);
	tell(board, text);
	return false;
}

static void sweep(struct fault_board *board)
{
	if (!run_side(board, fault_side_plan)) {
		board->sweep.failures++;
		return;
	}
	while (board->next < board->planned && board->sweep.failures < FAILURES_MAX) {
		test_watchdog_extend(TEST_TIME);
		if (run_side(board, fault_side_sweep))
			break;
		board->sweep.failures++;
		board->next++;
	}
	if (board->next < board->planned)
		test_note("fault sweep: %s: gave up with %zu injections left", board->operation->name,
			  board->planned - board->next);
}

/* Of an operation that makes one call only while another process sleeps, a busy machine can let all be missed. */
#define SWEEPS_MAX 4

static bool missed(const struct test_sweep *result)
{
	return 2 * result->fired < result->injections;
}

void test_fault_sweep_at(const char *file, int line, const struct test_operation *operation,
			 struct test_sweep *ret_sweep)
{
	struct fault_board *board;
	struct test_sweep result;
	int sweeps = 0;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		test_fail_at(file, line, "no shared memory for a sweep: %s", strerror(errno));
	board->operation = operation;
	board->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (board->timer < 0)
		test_fail_at(file, line, "no timer for a sweep: %s", strerror(errno));
	do {
		board->planned = 0;
		board->next = 0;
		board->sweep = (struct test_sweep){0};
		sweep(board);
		result = board->sweep;
	} while (result.failures == 0 && missed(&result) && ++sweeps < SWEEPS_MAX);
	close(board->timer);
	munmap(board, sizeof(*board));
	if (ret_sweep)
		*ret_sweep = result;

	test_note("fault sweep: %s: %zu injections, %zu failures (%zu calls, %zu faults hit, %zu absorbed)",
		  operation->name, result.injections, result.failures, result.calls, result.fired, result.absorbed);
	test_prove_note(operation->name, 10, result.injections, result.failures);
	if (result.failures > 0)
		test_fail_at(file, line, "fault sweep: %s: %zu failures", operation->name, result.failures);
	if (result.calls == 0)
		test_fail_at(file, line, "fault sweep: %s: it makes no call that could fail", operation->name);
	if (missed(&result))
		test_fail_at(file, line,
			     "fault sweep: %s: only %zu of %zu faults were hit, it does something else each time",
			     operation->name, result.fired, result.injections);
}
