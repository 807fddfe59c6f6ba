/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every property of semaphores on every carrier: the tests are named carrier/property. An argument names the one
 * carrier to try.
 */
#include "conform/test_semaphore.h"
#include "harness/domain.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROPERTY_COUNT_ONE(name) +1
#define PROPERTY_COUNT           (0 SEMAPHORE_PROPERTIES(PROPERTY_COUNT_ONE))

struct property {
	const char *name;
	void (*check)(void);
};

#define PROPERTY_ROW(name) {#name, name},
static const struct property properties[] = {SEMAPHORE_PROPERTIES(PROPERTY_ROW)};

static const struct semaphore_kind kinds[] = {
	{.name = "posixsem", .maximum = INT_MAX, .most = "2147483647"},
	{.name = "sysvsem", .is_sysv = true, .maximum = 32767, .most = "32767"},
	{.name = "sysvsem-third", .is_sysv = true, .index = 2, .maximum = 32767, .most = "32767"},
	{.name = "sysvsem-path", .is_sysv = true, .by_path = true, .maximum = 32767, .most = "32767"},
	{.name = "semaphore",
	 .is_shared = true,
	 .flags = NONET_SEMAPHORE_SIGNAL,
	 .maximum = 1073741823,
	 .most = "1073741823"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct semaphore_kind *semaphore_kind;
char semaphore_address[200];
char semaphore_whole[200];
char semaphore_name[100];
int semaphore_key;

static const char *directory;

static struct cell {
	struct test_case test; /* first: the harness takes it for its own */
	const struct semaphore_kind *kind;
	const struct property *property;
	char name[128];
} cells[KINDS * PROPERTY_COUNT];

static void name_by_path(void)
{
	const char *path;
	int fd;

	directory = test_directory_new();
	path = test_path(directory, "file");
	fd = (int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(fd);
	snprintf(semaphore_whole, sizeof(semaphore_whole), "sysvsem:%s#78", path);
	semaphore_key = (int)test_must(ftok(path, 78));
}

static void name_it(void)
{
	if (semaphore_kind->is_shared) {
		snprintf(semaphore_whole, sizeof(semaphore_whole), "semaphore:conform");
	} else if (!semaphore_kind->is_sysv) {
		snprintf(semaphore_name, sizeof(semaphore_name), "/%s", test_name("conform"));
		snprintf(semaphore_whole, sizeof(semaphore_whole), "posixsem:%s", semaphore_name);
	} else if (semaphore_kind->by_path) {
		name_by_path();
	} else {
		semaphore_key = test_sysv_key();
		snprintf(semaphore_whole, sizeof(semaphore_whole), "sysvsem:0x%08x", (unsigned)semaphore_key);
	}
	if (semaphore_kind->index > 0)
		snprintf(semaphore_address, sizeof(semaphore_address), "sysvsem:0x%08x[%u]", (unsigned)semaphore_key,
			 semaphore_kind->index);
	else
		memcpy(semaphore_address, semaphore_whole, sizeof(semaphore_whole));
}

static const struct cell *running;

static int cell_setup(void **state)
{
	running = *state;
	return test_setup(state);
}

static int cell_in_domain(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	running->property->check();
	return 0;
}

static void cell_run(void **state)
{
	(void)state;
	semaphore_kind = running->kind;
	name_it();
	if (semaphore_kind->is_shared)
		test_domain_run_at(TEST_HERE, running->name, cell_in_domain);
	else
		running->property->check();
	if (directory) {
		unlink(test_path(directory, "file"));
		test_directory_free(directory);
		directory = NULL;
	}
}

struct nonet_semaphore *semaphore_make(uint32_t value)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options), .value = value, .flags = semaphore_kind->flags};
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

struct nonet_semaphore *semaphore_in_child(struct nonet_semaphore *inherited)
{
	struct nonet_semaphore *semaphore = inherited;

	if (semaphore_kind->is_shared)
		test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

void semaphore_end(struct nonet_semaphore *semaphore)
{
	test_check(nonet_semaphore_close(semaphore) == NULL);
	test_check_equal(nonet_semaphore_unlink(semaphore_whole, NULL), 0);
}

uint32_t semaphore_value(struct nonet_semaphore *semaphore)
{
	uint32_t value = UINT32_MAX;

	test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
	return value;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[KINDS * PROPERTY_COUNT];
	size_t count = 0;

	for (size_t k = 0; k < KINDS; k++) {
		if (argc > 1 && strcmp(argv[1], kinds[k].name) != 0)
			continue;
		for (size_t i = 0; i < PROPERTY_COUNT; i++, count++) {
			struct cell *cell = &cells[count];

			cell->kind = &kinds[k];
			cell->property = &properties[i];
			snprintf(cell->name, sizeof(cell->name), "%s/%s", kinds[k].name, properties[i].name);
			cell->test.name = cell->name;
			tests[count] = (struct CMUnitTest){cell->name, cell_run, cell_setup, test_teardown, cell};
		}
	}
	if (count == 0) {
		fprintf(stderr, "no carrier of semaphores is named %s\n", argv[1]);
		return 1;
	}
	return test_main_run(__FILE__, tests, count);
}
