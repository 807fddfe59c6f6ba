/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/plan.h"

#include <stdio.h>
#include <string.h>

const struct prove_table_row prove_rows[PROVE_ROWS] = {
	{1, prove_row_single, "killed at each instruction"},
	{2, prove_row_double, "the recoverer is killed too"},
	{3, prove_row_pair, "two at once, one killed"},
	{4, prove_row_call, "killed in a system call"},
	{5, prove_row_random, "random kills"},
	{12, prove_row_fork, "fork and exec in the middle"},
};

struct plan {
	const struct prove_wishes *wishes;
	struct prove_task *tasks;
	size_t count;
};

void prove_plan_list(void)
{
	for (size_t i = 0; prove_operations[i]; i++) {
		printf("%s: %s()", prove_operations[i]->name, prove_operations[i]->symbol);
		for (const char *const *state = prove_operations[i]->states; *state; state++)
			printf(" %s", *state);
		printf("\n");
	}
	for (size_t i = 0; i < PROVE_ROWS; i++)
		printf("row %d: %s\n", prove_rows[i].row, prove_rows[i].fault);
}

/* Whether @name is in a list; NULL: of all. */
static bool is_listed(const char *list, const char *name)
{
	const size_t size = strlen(name);

	while (list) {
		const size_t one = strcspn(list, ",");

		if (one == size && strncmp(list, name, size) == 0)
			return true;
		if (list[one] == '\0')
			return false;
		list += one + 1;
	}
	return true;
}

static bool has_state(const struct prove_operation *operation, const char *state)
{
	for (const char *const *own = operation->states; *own; own++)
		if (strcmp(*own, state) == 0)
			return true;
	return false;
}

/* Row 5 plays an object once: by the first of its operations that knows how. */
static bool churns(size_t index)
{
	const struct prove_operation *operation = prove_operations[index];

	for (size_t i = 0; i < index; i++)
		if (prove_operations[i]->churn && strcmp(prove_operations[i]->object, operation->object) == 0)
			return false;
	return operation->churn != NULL;
}

/* The part of a point's name between two strokes. */
static bool part_is(const char *name, size_t part, const char *text)
{
	for (; part > 0; part--) {
		name = strchr(name, '/');
		if (!name)
			return false;
		name++;
	}
	return strncmp(name, text, strlen(text)) == 0 && name[strlen(text)] == '/';
}

static bool task_has_point(const struct prove_task *task, const char *name)
{
	char row[16];

	snprintf(row, sizeof(row), "%d", prove_rows[task->row].row);
	return part_is(name, 0, row) && part_is(name, 1, prove_operations[task->operation]->name) &&
	       part_is(name, 2, task->state) && part_is(name, 3, task->other ? task->other->name : "-");
}

static void add(struct plan *plan, struct prove_task task)
{
	if (plan->wishes->point && !task_has_point(&task, plan->wishes->point))
		return;
	if (plan->count == PROVE_TASKS_MAX)
		prove_broken("more than %d sweeps", PROVE_TASKS_MAX);
	plan->tasks[plan->count++] = task;
}

static void add_pairs(struct plan *plan, struct prove_task task)
{
	const struct prove_operation *operation = prove_operations[task.operation];

	for (size_t i = 0; prove_operations[i]; i++) {
		task.other = prove_operations[i];
		if (task.other->prepare == operation->prepare && has_state(task.other, task.state) &&
		    is_listed(plan->wishes->partners, task.other->name))
			add(plan, task);
	}
}

static void add_states(struct plan *plan, size_t row, size_t index)
{
	const struct prove_operation *operation = prove_operations[index];
	struct prove_task task = {.row = row, .operation = index, .state = operation->states[0]};

	if (prove_rows[row].play == prove_row_random) {
		if (churns(index))
			add(plan, task);
		return;
	}
	if (prove_rows[row].play == prove_row_fork && !operation->forked)
		return;
	if (operation->calls_only && prove_rows[row].play != prove_row_call && !plan->wishes->full)
		return;
	for (const char *const *state = operation->states; *state; state++) {
		task.state = *state;
		if (!is_listed(plan->wishes->states, *state))
			continue;
		if (prove_rows[row].play == prove_row_pair)
			add_pairs(plan, task);
		else
			add(plan, task);
	}
}

static bool is_wanted(const struct prove_wishes *wishes, const struct prove_operation *operation)
{
	bool wanted = !wishes->operations[0];

	for (char **name = wishes->operations; *name; name++)
		wanted |= strcmp(*name, operation->name) == 0;
	return wanted;
}

size_t prove_plan(const struct prove_wishes *wishes, struct prove_task ret_tasks[PROVE_TASKS_MAX])
{
	struct plan plan = {.wishes = wishes, .tasks = ret_tasks};

	for (size_t row = 0; row < PROVE_ROWS; row++) {
		char number[16];

		snprintf(number, sizeof(number), "%d", prove_rows[row].row);
		for (size_t i = 0; prove_operations[i] && is_listed(wishes->rows, number); i++)
			if (is_wanted(wishes, prove_operations[i]))
				add_states(&plan, row, i);
	}
	return plan.count;
}

void prove_plan_shuffle(struct prove_task *tasks, size_t count, uint64_t seed)
{
	struct test_random random = test_random_init(seed, count);

	for (size_t i = count; i > 1; i--) {
		const size_t other = (size_t)test_random_between(&random, 0, i - 1);
		const struct prove_task task = tasks[i - 1];

		tasks[i - 1] = tasks[other];
		tasks[other] = task;
	}
}
