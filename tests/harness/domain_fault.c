/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/domain_fault.h"

#include <stdio.h>
#include <string.h>

#include "harness/child.h"
#include "harness/deadline.h"
#include "harness/domain.h"
#include "harness/leak.h"
#include "harness/prove.h"
#include "sys/fault.h"

#define PATTERN 0xa5
#define TRIES   4

struct run {
	const struct test_domain_operation *operation;
	void *state;
	unsigned char outputs[TEST_DOMAIN_OUTPUTS];
	/* The fault. */
	size_t index;
	enum sys_call call;
	int error; /* 0: none, the calls are recorded */
};

static int run_once(struct run *run)
{
	memset(run->outputs, PATTERN, sizeof(run->outputs));
	return run->operation->run(run->state, run->outputs);
}

static void check_outputs(const struct run *run, bool failed)
{
	const size_t size = run->operation->outputs_size;

	for (size_t i = failed ? 0 : size; i < sizeof(run->outputs); i++)
		if (run->outputs[i] != PATTERN)
			test_fail("%s: %s, -%s: byte %zu of its %zu bytes of outputs was written", run->operation->name,
				  sys_fault_name(run->call), strerrorname_np(run->error), i, size);
}

static void check_result(const struct run *run, int result)
{
	const int *allowed = run->operation->allowed;

	while (allowed && *allowed != 0 && *allowed != result)
		allowed++;
	if (result < 0 && result != -run->error && (!allowed || *allowed == 0))
		test_fail("%s: call %zu, %s, failed with %s, and so it returned %s", run->operation->name, run->index,
			  sys_fault_name(run->call), strerrorname_np(run->error), strerrorname_np(-result));
}

static void release(struct run *run)
{
	if (run->operation->release)
		run->operation->release(run->state, run->outputs);
}

static int run_recorded(struct test_child_side *side, void *argument)
{
	struct run *run = argument;
	unsigned char calls[TEST_REPORT_MAX];
	size_t count;
	int result;

	if (run->operation->setup)
		run->operation->setup(&run->state);
	sys_fault_record();
	result = run_once(run);
	count = sys_fault_recorded();
	test_check(count > 0 && count < sizeof(calls));
	for (size_t i = 0; i < count; i++)
		calls[i] = (unsigned char)sys_fault_recorded_call(i);
	sys_fault_disarm();
	check_result(run, result);
	check_outputs(run, result < 0);
	test_report_number(side, (int64_t)count);
	test_report_bytes(side, calls, count);
	return 0;
}

/*
 * The same fault again. A try that gets further than the one before leaves a domain that was made, or joined; but not
 * each of them can.
 * Return: whether it failed each time
 */
static bool run_again(struct run *run)
{
	FILE *nowhere = fopen("/dev/null", "we");
	size_t left = 1;
	int result = -1;

	test_check(nowhere != NULL);
	for (int try = 0; try < TRIES && result < 0 && left > 0; try++) {
		struct test_leak *leak = test_leak_begin();

		sys_fault_arm(run->index, run->error);
		result = run_once(run);
		sys_fault_disarm();
		check_outputs(run, result < 0);
		if (result >= 0)
			release(run);
		left = (size_t)test_leak_check(leak, try == TRIES - 1 ? stderr : nowhere);
	}
	fclose(nowhere);
	if (result < 0 && left > 0)
		test_fail("%s: call %zu, %s, -%s: it leaves %zu behind each time", run->operation->name, run->index,
			  sys_fault_name(run->call), strerrorname_np(run->error), left);
	return result < 0;
}

static int run_with_fault(struct test_child_side *side, void *argument)
{
	struct run *run = argument;
	int result;

	(void)side;
	if (run->operation->setup)
		run->operation->setup(&run->state);
	sys_fault_arm(run->index, run->error);
	result = run_once(run);
	sys_fault_disarm();
	check_result(run, result);
	check_outputs(run, result < 0);
	if (result >= 0 || !run_again(run) || run->operation->not_repeatable)
		return 0;
	/* The fault is over. */
	result = run_once(run);
	run->error = 0;
	check_result(run, result);
	return 0;
}

static void run_in_child(struct run *run, test_child_function *function, unsigned char *ret_calls, size_t *ret_count)
{
	const char *directory = test_domain_new();
	struct test_child *child = test_child_start(function, run);

	if (ret_calls) {
		*ret_count = (size_t)test_child_number(child);
		test_child_receive(child, ret_calls, *ret_count);
	}
	test_check_equal(test_child_join(child), 0);
	test_domain_free(directory);
}

void test_domain_sweep(const struct test_domain_operation *operation)
{
	struct run run = {.operation = operation};
	unsigned char calls[TEST_REPORT_MAX];
	uint64_t points = 0;
	size_t count = 0;

	run_in_child(&run, run_recorded, calls, &count);
	for (run.index = 0; run.index < count; run.index++) {
		run.call = (enum sys_call)calls[run.index];
		for (const int *error = sys_fault_errors(run.call); *error != 0; error++, points++) {
			run.error = *error;
			run_in_child(&run, run_with_fault, NULL, NULL);
		}
	}
	test_note("%s: %zu calls", operation->name, count);
	test_prove(operation->name, 10, points, 0);
}
