/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/fault.h"
#include "harness/must_fail.h"
#include "harness/test.h"
#include "sys/event.h"
#include "sys/fault.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "sys/pipe.h"

/* A model operation over src/sys: a pipe and a counter, made together or not at all; and each way to get it wrong. */

struct outputs {
	int fds[2];
	int counter;
	char *name;
};

enum wrong {
	WRONG_NOTHING,
	WRONG_OUTPUTS,
	WRONG_BESIDE,
	WRONG_LEAK,
	WRONG_CODE,
	WRONG_CRASH,
	WRONG_HANG,
	WRONG_ENDLESS,
	WRONG_ONCE,
	WRONG_CHECK,
	WRONG_IDLE,
	WRONG_MEMORY,
};

static enum wrong wrong;
static bool broken;

static int make(void *state, void *argument)
{
	struct outputs *out = argument;
	struct outputs made = {.fds = {-1, -1}, .counter = -1};
	int result = 0;

	(void)state;
	if (wrong == WRONG_IDLE)
		return 0;
	if (broken)
		return -EIO;
	made.name = sys_copy_string("name");
	if (!made.name)
		return -ENOMEM;
	result = sys_pipe(made.fds);
	if (result < 0)
		goto failed;
	if (wrong == WRONG_OUTPUTS)
		out->fds[0] = made.fds[0];
	do {
		made.counter = sys_eventfd_create();
	} while (made.counter < 0 && wrong == WRONG_ENDLESS);
	if (made.counter < 0) {
		result = made.counter;
		goto failed;
	}
	if (wrong == WRONG_BESIDE)
		*(char *)(out + 1) = 0;
	*out = made;
	return 0;

failed:
	if (wrong == WRONG_HANG && result == -ENFILE)
		sys_poll_one(-1, 0, NONET_FOREVER);
	if (wrong == WRONG_CRASH && result == -ENFILE)
		__builtin_trap();
	test_check(wrong != WRONG_CHECK);
	broken = wrong == WRONG_ONCE;
	if (wrong != WRONG_LEAK) {
		sys_close(&made.fds[0]);
		sys_close(&made.fds[1]);
	}
	if (wrong != WRONG_MEMORY)
		sys_free(made.name);
	return wrong == WRONG_CODE ? -EBADMSG : result;
}

static void release(void *state, void *argument)
{
	struct outputs *out = argument;

	(void)state;
	if (wrong == WRONG_IDLE)
		return;
	sys_close(&out->fds[0]);
	sys_close(&out->fds[1]);
	sys_close(&out->counter);
	sys_free(out->name);
}

static void sweep(enum wrong kind)
{
	const struct test_operation operation = {
		.name = "model",
		.run = make,
		.release = release,
		.outputs_size = sizeof(struct outputs),
		.persistent = true,
		.time = NONET_MS(500),
	};
	struct test_sweep result;

	wrong = planted ? kind : WRONG_NOTHING;
	test_fault_sweep_count(&operation, &result);
	/* One injection for each errno of each call, once for the call and once for its kind. */
	assert_int_equal(result.calls, 3);
	assert_int_equal(result.injections, 2 * (1 + 2 + 3));
	assert_int_equal(result.fired, result.injections);
	assert_int_equal(result.absorbed, 0);
}

#define SWEEP(kind)                            \
	static void sweep_##kind(void **state) \
	{                                      \
		(void)state;                   \
		sweep(kind);                   \
	}
SWEEP(WRONG_OUTPUTS)
SWEEP(WRONG_BESIDE)
SWEEP(WRONG_LEAK)
SWEEP(WRONG_CODE)
SWEEP(WRONG_CRASH)
SWEEP(WRONG_HANG)
SWEEP(WRONG_ENDLESS)
SWEEP(WRONG_ONCE)
SWEEP(WRONG_CHECK)
SWEEP(WRONG_IDLE)
SWEEP(WRONG_MEMORY)

const struct must_fail must_fail_fault[] = {
	{"fault-outputs", sweep_WRONG_OUTPUTS, "with call 2 (eventfd) failing with EMFILE: "},
	{"fault-outputs-byte", sweep_WRONG_OUTPUTS, "it failed, but changed its outputs at byte 0 of "},
	{"fault-beside", sweep_WRONG_BESIDE, "it wrote beside its outputs, at byte 24 of 24"},
	{"fault-leak", sweep_WRONG_LEAK, "leaked descriptor "},
	{"fault-code", sweep_WRONG_CODE, "it failed with a code that is not allowed: -74, Bad message"},
	{"fault-crash", sweep_WRONG_CRASH, "with call 1 (pipe2) failing with ENFILE: it crashed with signal "},
	{"fault-hang", sweep_WRONG_HANG, "with call 2 (eventfd) failing with ENFILE: it hangs"},
	{"fault-endless", sweep_WRONG_ENDLESS, "with every eventfd failing with ENOMEM: it hangs"},
	{"fault-once", sweep_WRONG_ONCE, "run again without a fault it failed: -5"},
	{"fault-check", sweep_WRONG_CHECK, "this doesn't hold: wrong != WRONG_CHECK"},
	{"fault-idle", sweep_WRONG_IDLE, "it makes no call that could fail"},
	{"lost-memory", sweep_WRONG_MEMORY, "memory was lost, see the sanitizer's report"},
	{0},
};
