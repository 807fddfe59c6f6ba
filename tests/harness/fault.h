/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_FAULT_H
#define HARNESS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <nonet/time.h>

#include "harness/fail.h"

/*
 * The fault sweep: an operation is run once to see which calls of src/sys it makes, then once more for each of them and
 * each errno with which the kernel may answer it (sys/fault.h). Each run starts anew by setup() and must
 *   - return 0 or more (the fault was absorbed, or a documented fallback taken), or a negative code that is allowed;
 *   - on failure leave every byte of the outputs as it was;
 *   - work, if it is run again after the failure without a fault (unless .not_repeatable);
 *   - end: before .time is over, without a crash;
 *   - leave nothing behind (leak.h) once teardown() is through; memory too in a build with AddressSanitizer.
 * The sweep runs in a child. A crash or a hang there is told with the call, its index and errno, and the sweep goes on.
 * Test programs that use it link nonet_fault_dep.
 *
 *   struct outputs { struct nonet_pipe *reader; struct nonet_pipe *writer; };
 *
 *   static int make(void *state, void *outputs)
 *   {
 *           struct outputs *out = outputs;
 *           return nonet_pipe_new(NULL, &out->reader, &out->writer, NULL);
 *   }
 *   static void release(void *state, void *outputs)
 *   {
 *           struct outputs *out = outputs;
 *           nonet_pipe_close(out->reader);
 *           nonet_pipe_close(out->writer);
 *   }
 *   ...
 *   test_fault_sweep(&(struct test_operation){.name = "pipe new", .run = make, .release = release,
 *                                             .outputs_size = sizeof(struct outputs)});
 *
 * In the functions use test_check(), not cmocka's assertions.
 */
struct test_operation {
	const char *name;
	/* Make what run() needs, without faults; a negative result fails the sweep. May be NULL. */
	int (*setup)(void **ret_state);
	/* The operation itself, under the fault. @outputs is .outputs_size bytes of a pattern. */
	int (*run)(void *state, void *outputs);
	/* After a successful run: give back what is in @outputs. Without faults. May be NULL. */
	void (*release)(void *state, void *outputs);
	/* Undo setup(). May be NULL. */
	void (*teardown)(void *state);
	size_t outputs_size;
	/* Codes allowed beside the injected one: negative, ended by 0. NULL: -EAGAIN and -ETIMEDOUT. */
	const int *allowed;
	/* A second run after a failed one needn't work. */
	bool not_repeatable;
	/* Also sweep with every call of a kind failing, from the first on: nothing may retry for ever. */
	bool persistent;
	/* How long one run may take, before test_slowness(); 0 is 2 s. */
	nonet_time time;
};

/* What a sweep did. */
struct test_sweep {
	size_t calls;      /* that the operation makes without faults */
	size_t injections; /* runs with a fault armed */
	size_t fired;      /* ... in which it was hit */
	size_t absorbed;   /* ... and the operation succeeded all the same */
	size_t failures;
};

/*
 * Prints "fault sweep: NAME: N injections, F failures", and each failure; fails the test if there are any, if the
 * operation makes no call, or if less than half of the faults were hit. The table of proofs has it in row 10 (prove.h).
 */
#define test_fault_sweep(...) test_fault_sweep_at(TEST_HERE, __VA_ARGS__, NULL)
/* The same, with the figures: @operation, @ret_sweep. */
#define test_fault_sweep_count(...) test_fault_sweep_at(TEST_HERE, __VA_ARGS__)
void test_fault_sweep_at(const char *file, int line, const struct test_operation *operation,
			 struct test_sweep *ret_sweep);

#endif
