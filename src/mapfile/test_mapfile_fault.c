/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/fault.h"
#include "harness/test.h"

/* Every call of mapfile.h that asks the kernel for something, with every one of its system calls failing in turn. */

#define LENGTH 10000

static char path[100];

static const struct nonet_mapfile_options options = {.size = sizeof(options), .length = LENGTH};
static const struct nonet_mapfile_options existing = {
	.size = sizeof(existing), .length = LENGTH, .flags = NONET_MAPFILE_EXISTING};

static int new_world(void **ret_state)
{
	return nonet_mapfile_create(path, &options, (struct nonet_mapfile **)ret_state, NULL);
}

static int new_watched(void **ret_state)
{
	int error = new_world(ret_state);

	return error < 0 ? error : nonet_mapfile_fd(*ret_state);
}

static void free_world(void *state)
{
	nonet_mapfile_close(state);
	(void)unlink(path);
}

static void release(void *state, void *outputs)
{
	(void)state;
	nonet_mapfile_close(*(struct nonet_mapfile **)outputs);
}

static void release_and_unlink(void *state, void *outputs)
{
	release(state, outputs);
	test_must(unlink(path));
}

static int run_create(void *state, void *outputs)
{
	int error = nonet_mapfile_create(path, &options, outputs, NULL);

	(void)state;
	/* On failure there is nothing that would be in the way of another try. */
	test_check(error >= 0 || access(path, F_OK) < 0);
	return error;
}

static int run_create_existing(void *state, void *outputs)
{
	(void)state;
	return nonet_mapfile_create(path, &existing, outputs, NULL);
}

static int run_open(void *state, void *outputs)
{
	(void)state;
	return nonet_mapfile_open(path, NULL, outputs, NULL);
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_mapfile_unlink(path, NULL);
}

static int run_grow(void *state, void *outputs)
{
	int error;

	(void)outputs;
	*(uint8_t *)nonet_mapfile_base(state) = 7;
	error = nonet_mapfile_grow(state, 20 * LENGTH);
	test_check_equal(nonet_mapfile_length(state), error < 0 ? LENGTH : 20 * LENGTH);
	test_check_equal(*(uint8_t *)nonet_mapfile_base(state), 7);
	return error;
}

static int run_refresh(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mapfile_refresh(state);
}

static int run_info(void *state, void *outputs)
{
	return nonet_mapfile_info(state, outputs);
}

static int run_sync(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mapfile_sync(state, 100, 5000, NONET_MAPFILE_WRITE);
}

static int run_sync_start(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mapfile_sync(state, 0, 0, NONET_MAPFILE_START);
}

static int run_sync_durable(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mapfile_sync(state, 0, 0, NONET_MAPFILE_DURABLE);
}

static int run_advise(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mapfile_advise(state, 0, 0, NONET_MAPFILE_SEQUENTIAL);
}

static int run_fd(void *state, void *outputs)
{
	int fd = nonet_mapfile_fd(state);

	(void)outputs;
	return fd < 0 ? fd : 0;
}

static int run_changed(void *state, void *outputs)
{
	test_must(truncate(path, LENGTH + 1));
	return nonet_mapfile_changed(state, test_deadline(), outputs);
}

#define WORLD .setup = new_world, .teardown = free_world
static const struct test_operation operations[] = {
	{.name = "mapfile create",
	 .run = run_create,
	 .release = release_and_unlink,
	 .outputs_size = sizeof(void *),
	 .persistent = true},
	{.name = "mapfile create existing",
	 .run = run_create_existing,
	 .release = release,
	 .outputs_size = sizeof(void *),
	 .persistent = true,
	 WORLD},
	{.name = "mapfile open", .run = run_open, .release = release, .outputs_size = sizeof(void *), WORLD},
	{.name = "mapfile unlink", .run = run_unlink, WORLD},
	{.name = "mapfile grow", .run = run_grow, .persistent = true, WORLD},
	{.name = "mapfile refresh", .run = run_refresh, WORLD},
	{.name = "mapfile info", .run = run_info, .outputs_size = sizeof(struct nonet_mapfile_info), WORLD},
	{.name = "mapfile sync", .run = run_sync, WORLD},
	{.name = "mapfile sync start", .run = run_sync_start, WORLD},
	{.name = "mapfile sync durable", .run = run_sync_durable, WORLD},
	{.name = "mapfile advise", .run = run_advise, WORLD},
	{.name = "mapfile fd", .run = run_fd, WORLD},
	{.name = "mapfile changed",
	 .setup = new_watched,
	 .run = run_changed,
	 .teardown = free_world,
	 .outputs_size = sizeof(uint32_t)},
};

static void no_failure_of_the_kernel_breaks_a_call(void **state)
{
	struct test_sweep total = {0};
	struct test_sweep sweep;
	const char *directory = test_directory_new();

	(void)state;
	snprintf(path, sizeof(path), "%s/file", directory);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		test_fault_sweep_count(&operations[i], &sweep);
		total.injections += sweep.injections;
		total.fired += sweep.fired;
		total.absorbed += sweep.absorbed;
	}
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
	test_directory_free(directory);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
	};

	return test_main(tests);
}
