/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_PROVE_H
#define HARNESS_PROVE_H

#include <stdint.h>

/*
 * What a test adds to the table of proofs (docs/proof.md): how often a fault of a row of its bar was tried on an
 * operation, and how often it wasn't borne.
 *
 * Appends {"operation": "...", "row": N, "points": N, "failures": N} as one line to the file that NONET_PROVE_JSON
 * names; without it only the comment is printed. Fails the test if there are failures.
 */
#define test_prove(operation, row, points, failures) \
	test_prove_at(__FILE__, __LINE__, (operation), (row), (points), (failures))
void test_prove_at(const char *file, int line, const char *operation, int row, uint64_t points, uint64_t failures);

/* The same without a comment or a judgement, which are the caller's. */
void test_prove_note(const char *operation, int row, uint64_t points, uint64_t failures);

/* Here it can't be tried: says @why, and so will the table. */
void test_prove_not(const char *operation, int row, const char *why);

#endif
