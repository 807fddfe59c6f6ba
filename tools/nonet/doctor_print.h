/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_DOCTOR_PRINT_H
#define NONET_TOOL_DOCTOR_PRINT_H

#include "doctor.h"

/* A check that was made, or is to be. */
struct doctor_result {
	const char *group;
	const struct doctor_check *check;
	struct doctor_finding finding;
	size_t place; /* among all */
};

/* All print on standard output, which the caller flushes. Return: STATUS_DONE, or STATUS_FAILED after saying why. */

/* The first @shown results as a table, worst first; below it a line that counts all @count. */
int doctor_print_table(const struct doctor_result *results, size_t shown, size_t count);

int doctor_print_json(const struct doctor_result *results, size_t count);

/* What the checks look at, without what they found. */
int doctor_print_list(const struct doctor_result *results, size_t count, int json);

#endif
