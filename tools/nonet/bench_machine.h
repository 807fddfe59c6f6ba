/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_MACHINE_H
#define NONET_TOOL_BENCH_MACHINE_H

#include <stddef.h>

/* What the figures belong to. */
struct bench_machine {
	char cpu[128];
	char kernel[128];
	char cpus[64]; /* the numbers of those that are used: "0, 1" */
	int is_virtual;
};

/*
 * The CPUs that this process may run on, at most @max: the first one, then those that aren't of its core, then the
 * others. Return: how many; 0 if nobody can say.
 */
size_t machine_cpus(int *ret_cpus, size_t max);

void machine_describe(const int *cpus, size_t count, struct bench_machine *ret_machine);

#endif
