/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/fault.h"
#include "harness/test.h"

/* Every call of memory.h that asks the kernel for something, with every one of its system calls failing in turn. */

#define LENGTH 10000

static char addresses[2][100]; /* POSIX's and System V's */
static const char *address;
static bool named;

static const struct nonet_memory_options options = {.size = sizeof(options), .length = LENGTH};
static const struct nonet_memory_options existing = {
	.size = sizeof(existing), .length = LENGTH, .flags = NONET_MEMORY_EXISTING};
static const struct nonet_memory_options huge = {.size = sizeof(huge), .length = LENGTH, .flags = NONET_MEMORY_HUGE};

static int make(const struct nonet_memory_options *how, struct nonet_memory **ret_memory)
{
	return named ? nonet_memory_create(address, how, ret_memory, NULL) : nonet_memory_new(how, ret_memory, NULL);
}

static int new_world(void **ret_state)
{
	return make(&options, (struct nonet_memory **)ret_state);
}

static void free_world(void *state)
{
	nonet_memory_close(state);
	/* A call that was swept may have done it. */
	if (named && nonet_memory_unlink(address, NULL) < 0)
		return;
}

static void release(void *state, void *outputs)
{
	(void)state;
	nonet_memory_close(*(struct nonet_memory **)outputs);
}

static void release_and_unlink(void *state, void *outputs)
{
	release(state, outputs);
	if (named)
		test_check_equal(nonet_memory_unlink(address, NULL), 0);
}

static bool is_there(void)
{
	if (address == addresses[0])
		return access(test_path("/dev/shm", strchr(address, '/') + 1), F_OK) == 0;
	return shmget((key_t)strtoul(strchr(address, ':') + 1, NULL, 0), 0, 0) >= 0;
}

static int run_create(void *state, void *outputs)
{
	int error = make(&options, outputs);

	(void)state;
	/* On failure there is nothing that would be in the way of another try. */
	test_check(error >= 0 || !named || !is_there());
	return error;
}

static int run_create_huge(void *state, void *outputs)
{
	(void)state;
	return make(&huge, outputs);
}

static int run_create_existing(void *state, void *outputs)
{
	(void)state;
	return make(&existing, outputs);
}

static int run_open(void *state, void *outputs)
{
	(void)state;
	return nonet_memory_open(address, NULL, outputs, NULL);
}

static int run_take(void *state, void *outputs)
{
	int fd = (int)test_must(dup(nonet_memory_descriptor(state)));
	int error = nonet_memory_take_fd(&fd, NULL, outputs, NULL);

	test_check_equal(fd == -1, error == 0);
	if (fd >= 0)
		close(fd);
	return error;
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_memory_unlink(address, NULL);
}

static int run_find(void *state, void *outputs)
{
	(void)state;
	return nonet_memory_find(address, outputs, NULL);
}

static int run_info(void *state, void *outputs)
{
	return nonet_memory_info(state, outputs);
}

/* As before, with what was in it. */
static int run_grow(void *state, void *outputs)
{
	const size_t before = nonet_memory_length(state);
	int error;

	(void)outputs;
	*(uint8_t *)nonet_memory_base(state) = 7;
	error = nonet_memory_grow(state, 40u << 20);
	test_check_equal(nonet_memory_length(state), error < 0 ? before : 40u << 20);
	test_check_equal(*(uint8_t *)nonet_memory_base(state), 7);
	test_check_equal(((uint8_t *)nonet_memory_base(state))[nonet_memory_length(state) - 1], 0);
	return error;
}

static int run_refresh(void *state, void *outputs)
{
	(void)outputs;
	return nonet_memory_refresh(state);
}

static int run_seal(void *state, void *outputs)
{
	int error;

	(void)outputs;
	*(uint8_t *)nonet_memory_base(state) = 7;
	error = nonet_memory_seal(state, NONET_MEMORY_SEAL_CONTENT | NONET_MEMORY_SEAL_SIZE);
	test_check_equal(*(uint8_t *)nonet_memory_base(state), 7);
	return error;
}

static int run_fd(void *state, void *outputs)
{
	int fd = nonet_memory_fd(state);

	(void)outputs;
	return fd < 0 ? fd : 0;
}

static int run_changed(void *state, void *outputs)
{
	if (nonet_memory_descriptor(state) >= 0)
		test_must(ftruncate(nonet_memory_descriptor(state), LENGTH + 1));
	return nonet_memory_changed(state, test_deadline(), outputs);
}

static int new_watched(void **ret_state)
{
	int error = new_world(ret_state);

	return error < 0 ? error : nonet_memory_fd(*ret_state);
}

static const int refused[] = {-EAGAIN, -ETIMEDOUT, -ENOSPC, -ENOTSUP, -EFBIG, -ENOENT, -ENOMEM, 0};

#define HANDLE .outputs_size = sizeof(void *), .allowed = refused
#define WORLD  .setup = new_world, .teardown = free_world, .allowed = refused
static const struct test_operation operations[] = {
	{.name = "memory create", .run = run_create, .release = release_and_unlink, HANDLE, .persistent = true},
	{.name = "memory create huge", .run = run_create_huge, .release = release_and_unlink, HANDLE},
	{.name = "memory info", .run = run_info, .outputs_size = sizeof(struct nonet_memory_info), WORLD},
};
static const struct test_operation named_operations[] = {
	{.name = "memory create existing",
	 .run = run_create_existing,
	 .release = release,
	 .outputs_size = sizeof(void *),
	 .persistent = true,
	 WORLD},
	{.name = "memory open", .run = run_open, .release = release, .outputs_size = sizeof(void *), WORLD},
	{.name = "memory unlink", .run = run_unlink, WORLD},
	{.name = "memory find", .run = run_find, .outputs_size = sizeof(struct nonet_memory_info), WORLD},
};
static const struct test_operation file_operations[] = {
	{.name = "memory take", .run = run_take, .release = release, .outputs_size = sizeof(void *), WORLD},
	{.name = "memory grow", .run = run_grow, .persistent = true, WORLD},
	{.name = "memory refresh", .run = run_refresh, WORLD},
	{.name = "memory fd", .run = run_fd, WORLD},
	{.name = "memory changed",
	 .setup = new_watched,
	 .run = run_changed,
	 .teardown = free_world,
	 .outputs_size = sizeof(uint32_t),
	 .allowed = refused},
};
static const struct test_operation memfd_operations[] = {
	{.name = "memory seal", .run = run_seal, .not_repeatable = true, WORLD},
};

static struct test_sweep total;

static void sweep_all(const struct test_operation *list, size_t count)
{
	struct test_sweep sweep;

	for (size_t i = 0; i < count; i++) {
		test_fault_sweep_count(&list[i], &sweep);
		total.injections += sweep.injections;
		total.fired += sweep.fired;
		total.absorbed += sweep.absorbed;
	}
}
#define SWEEP(list) sweep_all(list, sizeof(list) / sizeof((list)[0]))

static void no_failure_of_the_kernel_breaks_a_call(void **state)
{
	(void)state;
	snprintf(addresses[0], sizeof(addresses[0]), "posixshm:/%s", test_name("fault"));
	snprintf(addresses[1], sizeof(addresses[1]), "sysvshm:0x%x", 0x4e000000u | (unsigned)getpid());
	named = true;
	for (int i = 0; i < 2; i++) {
		address = addresses[i];
		SWEEP(operations);
		SWEEP(named_operations);
	}
	address = addresses[0];
	SWEEP(file_operations);
	named = false;
	SWEEP(operations);
	SWEEP(file_operations);
	SWEEP(memfd_operations);
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
	};

	return test_main(tests);
}
