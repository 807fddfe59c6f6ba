/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every property on every kind of file lock: the tests are named kind/property. An argument names the one kind to try.
 */
#include "conform/filelock.h"

#include <stdio.h>
#include <unistd.h>

static const struct kind kinds[] = {
	{.scheme = "ofdlock", .ranges = true, .keeps_on_change = true},
	{.scheme = "posixlock", .of_process = true, .ranges = true, .keeps_on_change = true, .finds_deadlocks = true},
	{.scheme = "flock"},
};

const struct kind *kind;
const char *path;
char address[160];

const struct nonet_filelock_options creates = {.size = sizeof(creates), .flags = NONET_FILELOCK_CREATE};
const struct nonet_filelock_options checks = {
	.size = sizeof(checks),
	.flags = NONET_FILELOCK_CREATE | NONET_FILELOCK_CHECK_PATH,
};

struct nonet_filelock *open_lock_with(const struct nonet_filelock_options *options)
{
	struct nonet_filelock *lock = NULL;
	struct nonet_error error;

	if (nonet_filelock_open(address, options, &lock, &error) < 0)
		test_fail("%s", error.text);
	return lock;
}

struct nonet_filelock *open_lock(void)
{
	return open_lock_with(&creates);
}

/* Whether a process that has nothing yet could have the lock now. */
static int try_it(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock();
	int error = nonet_filelock_lock(lock, *(enum nonet_filelock_mode *)argument, NONET_NOW);

	(void)side;
	nonet_filelock_close(lock);
	test_check(error == 0 || error == -EAGAIN);
	return error == 0;
}

static bool another_can_have_it(enum nonet_filelock_mode mode)
{
	return test_child_join(test_child_start(try_it, &mode)) == 1;
}

int left_for_others(void)
{
	return another_can_have_it(EXCLUSIVE) ? 2 : another_can_have_it(SHARED) ? 1 : 0;
}

static int hold(struct test_child_side *side, void *argument)
{
	struct nonet_filelock *lock = open_lock();

	test_check_equal(nonet_filelock_lock(lock, *(enum nonet_filelock_mode *)argument, test_deadline()), 0);
	test_report(side, "ready");
	test_await(side, "unlock");
	test_check_equal(nonet_filelock_unlock(lock), 0);
	test_report(side, "unlocked");
	test_await(side, "end");
	nonet_filelock_close(lock);
	return 0;
}

struct test_child *holder(enum nonet_filelock_mode mode)
{
	return test_child_until(hold, &mode);
}

void holder_unlocks(struct test_child *child)
{
	test_child_tell(child, "unlock");
	test_child_wait_state(child, "unlocked");
}

void holder_ends(struct test_child *child)
{
	test_child_tell(child, "end");
	test_check_equal(test_child_join(child), 0);
}

int wait_for_it(struct test_child_side *side, void *argument)
{
	const struct waiting *waiting = argument;
	struct nonet_filelock *lock = open_lock();

	test_report(side, "ready");
	test_check_equal(nonet_filelock_lock(lock, waiting->mode, waiting->forever ? NONET_FOREVER : test_deadline()),
			 0);
	test_report(side, "got it");
	test_await(side, "end");
	nonet_filelock_close(lock);
	return 0;
}

int readable(struct nonet_filelock *lock, nonet_time deadline)
{
	struct pollfd item = {.fd = nonet_filelock_fd(lock), .events = POLLIN};

	return test_poll(&item, 1, deadline);
}

struct property {
	const char *name;
	void (*check)(void);
};

#define PROPERTY_ROW(name) {#name, name},
static const struct property properties[] = {PROPERTIES(PROPERTY_ROW)};

#define PROPERTY_COUNT (sizeof(properties) / sizeof(properties[0]))
#define KIND_COUNT     (sizeof(kinds) / sizeof(kinds[0]))

/* One test. */
struct cell {
	struct test_case test; /* first: the harness takes it for its own */
	const struct kind *kind;
	const struct property *property;
	char name[128];
};

static const struct cell *running;

static int cell_setup(void **state)
{
	running = *state;
	return test_setup(state);
}

static void cell_run(void **state)
{
	const char *directory;

	(void)state;
	kind = running->kind;
	directory = test_directory_new();
	path = test_path(directory, "lock");
	snprintf(address, sizeof(address), "%s:%s", kind->scheme, path);
	running->property->check();
	(void)unlink(path);
	test_directory_free(directory);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[PROPERTY_COUNT * KIND_COUNT];
	static struct cell cells[PROPERTY_COUNT * KIND_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (argc > 1 && strcmp(argv[1], kinds[i].scheme) != 0)
			continue;
		for (size_t j = 0; j < PROPERTY_COUNT; j++, count++) {
			struct cell *cell = &cells[count];

			cell->kind = &kinds[i];
			cell->property = &properties[j];
			snprintf(cell->name, sizeof(cell->name), "%s/%s", kinds[i].scheme, properties[j].name);
			cell->test.name = cell->name;
			tests[count] = (struct CMUnitTest){cell->name, cell_run, cell_setup, test_teardown, cell};
		}
	}
	return test_main_run(__FILE__, tests, count);
}
