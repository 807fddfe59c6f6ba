/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "bench.h"

/* What the figures belong to. */
struct machine {
	char cpu[128];
	char kernel[128];
	long cores;
	bool virtual; /* under a hypervisor, which may move the cores */
	double load;  /* of the last minute: what else ran */
};

void machine_describe(struct machine *ret_machine);

/* What share of these CPUs others used since the call before, 0 to 1: figures of a busy machine are rough. */
double machine_others(const int cpus[2]);

/* The first two CPUs that we may run on; twice the same if there is one. */
int machine_cpus(int ret_cpus[2]);

#endif
