/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes have it: children, other users, programs that aren't nonet. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "test_memory.h"

#define NOBODY 65534

static int add_one(struct test_child_side *side, void *argument)
{
	struct memory_object *object = argument;
	struct nonet_memory *memory;
	_Atomic uint32_t *counter;

	(void)side;
	test_check_equal(memory_open_again(object->address, object->memory, 0, &memory), 0);
	counter = nonet_memory_base(memory);
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add(counter, 1);
	nonet_memory_close(memory);
	return 0;
}

void processes_share_it(void **state)
{
	struct memory_object object = memory_make(LENGTH);
	struct test_child *children[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		children[i] = test_child_start(add_one, &object);
	for (int i = 0; i < 4; i++)
		assert_int_equal(test_child_join(children[i]), 0);
	assert_int_equal(atomic_load((_Atomic uint32_t *)nonet_memory_base(object.memory)), 4000);
	memory_drop(&object);
}

/* The handle works on in a child; what waits doesn't. */
static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory = argument;
	uint32_t changes;

	(void)side;
	atomic_fetch_add((_Atomic uint32_t *)nonet_memory_base(memory), 1);
	test_check_equal(nonet_memory_check(memory), 0);
	test_check_equal(nonet_memory_refresh(memory), 0);
	test_check_equal(nonet_memory_changed(memory, NONET_NOW, &changes),
			 memory_carrier == MEMORY_SYSV ? -EOPNOTSUPP : -ECHILD);
	test_check_equal(nonet_memory_fd(memory), memory_carrier == MEMORY_SYSV ? -EOPNOTSUPP : -ECHILD);
	test_check(nonet_memory_waitable(memory) == NULL);
	nonet_memory_close(memory);
	return 0;
}

void a_forked_child_shares_it(void **state)
{
	struct memory_object object = memory_make(LENGTH);

	(void)state;
	(void)!nonet_memory_fd(object.memory);
	assert_int_equal(test_child_join(test_child_start(use_the_parents, object.memory)), 0);
	assert_int_equal(*(uint32_t *)nonet_memory_base(object.memory), 1);
	memory_drop(&object);
}

static int store_to_read_only(struct test_child_side *side, void *argument)
{
	struct memory_object *object = argument;
	struct nonet_memory *memory;

	(void)side;
	test_check_equal(memory_open_again(object->address, object->memory, NONET_MEMORY_READ_ONLY, &memory), 0);
	test_check_equal(*(uint8_t *)nonet_memory_base(memory), 5);
	test_check_equal(nonet_memory_grow(memory, 2 * LENGTH), memory_carrier == MEMORY_SYSV ? -EOPNOTSUPP : -EPERM);
	*(uint8_t *)nonet_memory_base(memory) = 6;
	return 0;
}

void read_only_is_enforced(void **state)
{
	struct memory_object object = memory_make(LENGTH);

	(void)state;
	*(uint8_t *)nonet_memory_base(object.memory) = 5;
	if (getenv("ASAN_OPTIONS") || test_slowness() > 1)
		test_note("a sanitizer may end the child by itself");
	assert_int_not_equal(test_child_join(test_child_start(store_to_read_only, &object)), 0);
	assert_int_equal(*(uint8_t *)nonet_memory_base(object.memory), 5);
	memory_drop(&object);
}

static int be_somebody_else(struct test_child_side *side, void *argument)
{
	const struct memory_object *object = argument;
	struct nonet_memory *memory = NULL;
	struct nonet_memory_options options = memory_options(0);
	struct nonet_error error;

	(void)side;
	test_must(setgid(NOBODY));
	test_must(setuid(NOBODY));
	test_check_equal(nonet_memory_open(object->address, NULL, &memory, &error), -EACCES);
	test_check(strstr(error.text, "permission denied") != NULL);
	options.flags = NONET_MEMORY_READ_ONLY;
	test_check_equal(nonet_memory_open(object->address, &options, &memory, NULL), -EACCES);
	test_check(nonet_memory_unlink(object->address, NULL) < 0);
	options.flags = NONET_MEMORY_EXISTING;
	options.length = LENGTH;
	test_check_equal(nonet_memory_create(object->address, &options, &memory, NULL), -EACCES);
	return 0;
}

void somebody_else_is_refused(void **state)
{
	struct memory_object object;

	(void)state;
	memory_named_only();
	test_skip_unless_root("to become another user");
	object = memory_make(LENGTH);
	assert_int_equal(test_child_join(test_child_start(be_somebody_else, &object)), 0);
	memory_drop(&object);
}

static int create_in_a_race(struct test_child_side *side, void *argument)
{
	const char *address = argument;
	struct nonet_memory_options options = memory_options(256 * PAGE);
	struct nonet_memory *memory;

	options.flags = NONET_MEMORY_EXISTING;
	test_report(side, "ready");
	test_await(side, "go");
	test_check_equal(nonet_memory_create(address, &options, &memory, NULL), 0);
	/* Whole, whoever made it. */
	test_check_equal(nonet_memory_length(memory), 256 * PAGE);
	atomic_fetch_add((_Atomic uint32_t *)nonet_memory_base(memory), 1);
	nonet_memory_close(memory);
	return 0;
}

void many_who_create_it_get_one(void **state)
{
	struct test_child *children[8];

	(void)state;
	memory_named_only();
	for (uint64_t round = test_scaled(50); round > 0; round--) {
		const char *address = memory_new_address();
		struct nonet_memory *memory;

		test_watchdog_extend(NONET_S(20));
		for (int i = 0; i < 8; i++)
			children[i] = test_child_until(create_in_a_race, (void *)address);
		for (int i = 0; i < 8; i++)
			test_child_tell(children[i], "go");
		for (int i = 0; i < 8; i++)
			assert_int_equal(test_child_join(children[i]), 0);
		assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), 0);
		assert_int_equal(*(uint32_t *)nonet_memory_base(memory), 8);
		nonet_memory_close(memory);
		assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	}
}

/* A program that knows nothing of nonet, on the other side: the C library's own calls. */
static int plain_side(struct test_child_side *side, void *argument)
{
	const struct memory_object *object = argument;
	const char *name = strchr(object->address, ':') + 1;
	char *base;
	int id;
	int fd;

	(void)side;
	if (memory_carrier == MEMORY_POSIX) {
		fd = (int)test_must(shm_open(name, O_RDWR, 0));
		base = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		test_check(base != MAP_FAILED);
		close(fd);
	} else {
		id = (int)test_must(shmget((key_t)strtoul(name, NULL, 0), LENGTH, 0));
		base = shmat(id, NULL, 0);
		test_check((intptr_t)base != -1);
	}
	test_check_equal(strcmp(base, "from nonet"), 0);
	strcpy(base, "to nonet");
	return 0;
}

void plain_programs_open_ours(void **state)
{
	struct memory_object object;

	(void)state;
	memory_named_only();
	object = memory_make(LENGTH);
	strcpy(nonet_memory_base(object.memory), "from nonet");
	assert_int_equal(test_child_join(test_child_start(plain_side, &object)), 0);
	assert_string_equal(nonet_memory_base(object.memory), "to nonet");
	memory_drop(&object);
}

void we_open_plain_programs(void **state)
{
	const char *address = memory_new_address();
	const char *name = strchr(address, ':') + 1;
	struct nonet_memory *memory;
	char *base;
	int fd;

	(void)state;
	memory_named_only();
	if (memory_carrier == MEMORY_POSIX) {
		fd = (int)test_must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
		/* Made, but not yet given a length. */
		assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), -ENODATA);
		test_must(ftruncate(fd, LENGTH));
		base = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	} else {
		fd = (int)test_must(shmget((key_t)strtoul(name, NULL, 0), LENGTH, IPC_CREAT | IPC_EXCL | 0600));
		base = shmat(fd, NULL, 0);
	}
	strcpy(base, "plain");
	assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), 0);
	assert_int_equal(nonet_memory_length(memory), LENGTH);
	assert_string_equal(nonet_memory_base(memory), "plain");
	strcpy(nonet_memory_base(memory), "ours");
	assert_string_equal(base, "ours");
	nonet_memory_close(memory);
	if (memory_carrier == MEMORY_POSIX)
		munmap(base, LENGTH);
	else
		shmdt(base);
	assert_int_equal(nonet_memory_unlink(address, NULL), 0);
}
