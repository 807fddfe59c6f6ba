/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every property on every carrier: the tests are named carrier/property. An argument names the one carrier to try.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conform/property.h"

#define PROPERTY_COUNT_ONE(name, ability) +1
#define PROPERTY_COUNT                    (0 PROPERTIES(PROPERTY_COUNT_ONE))
#define CARRIERS_MAX                      16

struct property {
	const char *name;
	void (*check)(const struct carrier *carrier);
	enum ability needed; /* ABILITY_COUNT: none */
};

#define PROPERTY_ROW(name, ability) {#name, name, ability},
static const struct property properties[] = {PROPERTIES(PROPERTY_ROW)};

/* One test. */
struct cell {
	struct test_case test; /* first: the harness takes it for its own */
	const struct carrier *carrier;
	const struct property *property;
	char name[128];
};

static struct cell cells[CARRIERS_MAX * PROPERTY_COUNT];
static const struct cell *running;

static int cell_setup(void **state)
{
	running = *state;
	return test_setup(state);
}

static void cell_run(void **state)
{
	const enum ability needed = running->property->needed;

	(void)state;
	if (carrier_missing(running->carrier))
		test_skip("IPv6", carrier_missing(running->carrier));
	if (needed != ABILITY_COUNT && running->carrier->why_not[needed])
		test_not_applicable(running->carrier->why_not[needed]);
	running->property->check(running->carrier);
}

static size_t cells_fill(const struct carrier *carrier, struct CMUnitTest *tests, size_t count)
{
	for (size_t i = 0; i < PROPERTY_COUNT; i++, count++) {
		struct cell *cell = &cells[count];

		cell->carrier = carrier;
		cell->property = &properties[i];
		snprintf(cell->name, sizeof(cell->name), "%s/%s", carrier->name, properties[i].name);
		cell->test.name = cell->name;
		tests[count] = (struct CMUnitTest){cell->name, cell_run, cell_setup, test_teardown, cell};
	}
	return count;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[CARRIERS_MAX * PROPERTY_COUNT];
	const struct carrier *only = argc > 1 ? carrier_find(argv[1]) : NULL;
	size_t count = 0;

	if (argc > 2 || (argc == 2 && !only)) {
		fprintf(stderr, "usage: test-conform [CARRIER]\n");
		return 2;
	}
	for (const struct carrier *carrier = carriers; carrier->name; carrier++)
		if (!only || only == carrier)
			count = cells_fill(carrier, tests, count);
	return test_main_run(__FILE__, tests, count);
}
