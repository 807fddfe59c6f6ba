/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_PLAN_H
#define PROVE_PLAN_H

#include "prove/sweep.h"

/* What is to be swept: which rows, on which operations, in which states. */

#define PROVE_ROWS      6
#define PROVE_TASKS_MAX 16384

struct prove_table_row {
	int row; /* of RELIABILITY */
	prove_row *play;
	const char *fault;
};
extern const struct prove_table_row prove_rows[PROVE_ROWS];

/* What a worker takes at a time. */
struct prove_task {
	size_t row;                          /* of prove_rows[] */
	size_t operation;                    /* of prove_operations[] */
	const struct prove_operation *other; /* what the second does in row 3 */
	const char *state;
};

/* Lists are of names with commas between them. NULL: all. */
struct prove_wishes {
	char **operations; /* ended by NULL; none: all */
	const char *rows;
	const char *states;
	const char *partners; /* of row 3 */
	const char *point;    /* the sweep alone that has this one */
	bool full;            /* also the rows that an operation is otherwise spared, being calls only */
};

/* Return: how many. */
size_t prove_plan(const struct prove_wishes *wishes, struct prove_task ret_tasks[PROVE_TASKS_MAX]);

/* In an order by the seed: where the time is up before all was played, it is another part that is left each time. */
void prove_plan_shuffle(struct prove_task *tasks, size_t count, uint64_t seed);

/* Print what there is. */
void prove_plan_list(void);

#endif
