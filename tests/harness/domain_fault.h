/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_DOMAIN_FAULT_H
#define HARNESS_DOMAIN_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The fault sweep (harness/fault.h) for calls on objects of a domain. A process that has joined one stays a member
 * until it ends, so here each run is a process of its own, in a new domain. It must
 *   - return 0 or more, or a negative code that is allowed: the injected one, or one of .allowed;
 *   - on failure leave every byte of the outputs as it was;
 *   - if it fails a second time in the same way, hold no more descriptors, mappings and threads than after the first;
 *   - work once the fault is over (unless .not_repeatable).
 * Test programs that use it link nonet_fault_dep, and use test_check() in the functions.
 */
struct test_domain_operation {
	const char *name;
	/* In the process that makes the call, without faults; NULL: nothing. What it starts ends with the process. */
	void (*setup)(void **ret_state);
	int (*run)(void *state, void *outputs);
	/* After a successful run: give back what is in @outputs, so that it can be run again. May be NULL. */
	void (*release)(void *state, void *outputs);
	size_t outputs_size; /* at most TEST_DOMAIN_OUTPUTS */
	const int *allowed;  /* ended by 0; NULL: none */
	bool not_repeatable;
};

#define TEST_DOMAIN_OUTPUTS 256

/* Prints how many faults were injected, and tells test_prove() of row 10. */
void test_domain_sweep(const struct test_domain_operation *operation);

#endif
