/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_FAULT_PRIVATE_H
#define HARNESS_FAULT_PRIVATE_H

#include <stdint.h>

#include "harness/child.h"
#include "harness/fault.h"

#define FAULT_PLAN_MAX 32768

/* One run to make. */
struct fault_injection {
	uint16_t index; /* which of the operation's calls; FAULT_ALL for every one of the kind */
	uint16_t call;  /* enum sys_call */
	int32_t error;
};
#define FAULT_ALL UINT16_MAX

/* Shared between the test, which watches, and the child, which does the runs. */
struct fault_board {
	const struct test_operation *operation;
	int timer; /* a timerfd that both have: the child sets it for each run, the test polls it */
	struct test_sweep sweep;
	size_t planned;
	size_t next; /* the injection that runs now, or the one to go on with */
	struct fault_injection plan[FAULT_PLAN_MAX];
};

/* Child: run without faults and write the plan. */
int fault_side_plan(struct test_child_side *side, void *board);
/* Child: make the runs from board->next on; ends at the first failure, which it reports. */
int fault_side_sweep(struct test_child_side *side, void *board);

#endif
