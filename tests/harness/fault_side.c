/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>

#include "harness/deadline.h"
#include "harness/fault_private.h"
#include "harness/leak.h"
#include "harness/sanitizer.h"
#include "sys/fault.h"

/* The child's half of the fault sweep. */

/* No pointer, size or descriptor looks like that; the edges catch what is written beside the outputs. */
#define PATTERN 0xa5
#define EDGE    64

struct run {
	const struct test_operation *operation;
	void *state;
	unsigned char *memory; /* EDGE, outputs, EDGE */
};

static void run_time(const struct fault_board *board)
{
	nonet_time end = test_after(board->operation->time ? board->operation->time : NONET_S(2));
	struct itimerspec when = {.it_value = {.tv_sec = end / NONET_S(1), .tv_nsec = end % NONET_S(1)}};

	timerfd_settime(board->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void run_begin(struct run *run, const struct test_operation *operation)
{
	size_t size = operation->outputs_size + 2 * EDGE;
	int result;

	run->operation = operation;
	run->state = NULL;
	run->memory = malloc(size);
	if (!run->memory)
		abort();
	memset(run->memory, PATTERN, size);
	result = operation->setup ? operation->setup(&run->state) : 0;
	if (result < 0)
		test_fail("setup failed without a fault: %s", strerror(-result));
}

static void run_release(struct run *run)
{
	if (run->operation->release)
		run->operation->release(run->state, run->memory + EDGE);
}

static void run_end(struct run *run)
{
	if (run->operation->teardown)
		run->operation->teardown(run->state);
	free(run->memory);
}

static int run_once(struct run *run)
{
	return run->operation->run(run->state, run->memory + EDGE);
}

/* @outputs: those too have to be as they were, not only the bytes beside them. */
static void run_check_memory(const struct run *run, bool outputs)
{
	size_t size = run->operation->outputs_size;

	for (size_t i = 0; i < size + 2 * EDGE; i++) {
		if (run->memory[i] == PATTERN)
			continue;
		if (i < EDGE || i >= EDGE + size)
			test_fail("it wrote beside its outputs, at byte %ld of %zu", (long)i - EDGE, size);
		if (outputs)
			test_fail("it failed, but changed its outputs at byte %zu of %zu", i - EDGE, size);
	}
}

static bool is_allowed(const struct test_operation *operation, int code, int error)
{
	static const int usual[] = {-EAGAIN, -ETIMEDOUT, 0};
	const int *allowed = operation->allowed ? operation->allowed : usual;

	while (*allowed != 0 && *allowed != code)
		allowed++;
	return code == -error || *allowed == code;
}

static void plan_add(struct fault_board *board, size_t index, enum sys_call call)
{
	for (const int *error = sys_fault_errors(call); *error != 0; error++) {
		if (board->planned == FAULT_PLAN_MAX)
			test_fail("more than %d injections: make the operation smaller", FAULT_PLAN_MAX);
		board->plan[board->planned++] =
			(struct fault_injection){.index = (uint16_t)index, .call = (uint16_t)call, .error = *error};
	}
}

int fault_side_plan(struct test_child_side *side, void *argument)
{
	struct fault_board *board = argument;
	bool seen[SYS_CALL_COUNT] = {false};
	struct run run;
	int result;

	(void)side;
	run_time(board);
	run_begin(&run, board->operation);
	sys_fault_record();
	result = run_once(&run);
	board->sweep.calls = sys_fault_recorded();
	if (board->sweep.calls >= SYS_FAULT_RECORD_MAX)
		test_fail("it makes %zu calls or more: make the operation smaller", board->sweep.calls);
	for (size_t i = 0; i < board->sweep.calls; i++) {
		plan_add(board, i, sys_fault_recorded_call(i));
		seen[sys_fault_recorded_call(i)] = true;
	}
	sys_fault_disarm();
	if (result < 0)
		test_fail("it failed without a fault: %s", strerror(-result));
	run_check_memory(&run, false);
	run_release(&run);
	run_end(&run);
	for (size_t call = 0; board->operation->persistent && call < SYS_CALL_COUNT; call++)
		if (seen[call])
			plan_add(board, FAULT_ALL, (enum sys_call)call);
	return 0;
}

static void inject(struct fault_board *board, const struct fault_injection *injection)
{
	const struct test_operation *operation = board->operation;
	struct run run;
	bool fired;
	int result;

	run_begin(&run, operation);
	if (injection->index == FAULT_ALL)
		sys_fault_arm_kind((enum sys_call)injection->call, injection->error);
	else
		sys_fault_arm(injection->index, injection->error);
	board->sweep.injections++;
	result = run_once(&run);
	fired = sys_fault_fired();
	sys_fault_disarm();
	board->sweep.fired += fired;
	board->sweep.absorbed += fired && result >= 0;

	run_check_memory(&run, result < 0);
	if (result < 0 && !fired)
		test_fail("the fault was not reached, and it failed: %s", strerror(-result));
	if (result < 0 && !is_allowed(operation, result, injection->error))
		test_fail("it failed with a code that is not allowed: %d, %s", result, strerror(-result));
	if (result >= 0) {
		run_release(&run);
	} else if (!operation->not_repeatable) {
		result = run_once(&run);
		if (result < 0)
			test_fail("run again without a fault it failed: %d, %s", result, strerror(-result));
		run_check_memory(&run, false);
		run_release(&run);
	}
	run_end(&run);
}

int fault_side_sweep(struct test_child_side *side, void *argument)
{
	struct fault_board *board = argument;
	struct test_leak *leak;
	struct run run;

	(void)side;
	/* What is made once per process isn't a leak of the first injection. */
	run_time(board);
	run_begin(&run, board->operation);
	if (run_once(&run) >= 0)
		run_release(&run);
	run_end(&run);

	for (; board->next < board->planned; board->next++) {
		run_time(board);
		leak = test_leak_begin();
		inject(board, &board->plan[board->next]);
		test_leak_end(leak);
		if (test_lost_memory())
			test_fail("memory was lost, see the sanitizer's report");
	}
	return 0;
}
