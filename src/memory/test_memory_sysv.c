/* SPDX-License-Identifier: Apache-2.0 */
/* What only System V's segments have: ids, ftok(3) and its collisions, marks of destruction, attachments. */
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

#define LENGTH 10000

static const struct nonet_memory_options options = {.size = sizeof(options), .length = LENGTH};

static void an_id_is_an_address(void **state)
{
	char key[40];
	char id[40];
	struct nonet_memory_info info;
	struct nonet_memory *made;
	struct nonet_memory *opened = NULL;
	struct nonet_error error;

	(void)state;
	snprintf(key, sizeof(key), "sysvshm:0x%x", 0x4f000000u | (unsigned)getpid());
	assert_int_equal(nonet_memory_create(key, &options, &made, NULL), 0);
	assert_int_equal(nonet_memory_info(made, &info), 0);
	snprintf(id, sizeof(id), "sysvshm:id=%d", info.id);
	assert_int_equal(nonet_memory_open(id, NULL, &opened, NULL), 0);
	assert_int_equal(nonet_memory_info(opened, &info), 0);
	assert_int_equal(info.attached, 2);
	assert_int_equal(info.last, getpid());
	/* Marked: the key is free, the id works on until the last one goes. */
	assert_int_equal(nonet_memory_unlink(id, NULL), 0);
	assert_int_equal(nonet_memory_open(key, NULL, &opened, &error), -ENOENT);
	nonet_memory_close(opened);
	assert_int_equal(nonet_memory_find(id, &info, NULL), 0);
	assert_int_equal(info.attached, 1);
	assert_int_equal(info.flags, NONET_MEMORY_IS_REMOVED);
	nonet_memory_close(made);
	assert_int_equal(nonet_memory_find(id, &info, &error), -ENOENT);
	assert_int_equal(nonet_memory_open(id, NULL, &opened, &error), -ENOENT);
	assert_int_equal(nonet_memory_create(id, &options, &made, &error), -EINVAL);
	assert_non_null(strstr(error.text, "the kernel chooses ids"));
}

/* Who asks for PATH#PROJ has a key, and so may somebody else who never heard of PATH. */
static void a_collision_of_keys_is_told(void **state)
{
	const char *directory = test_directory_new();
	struct nonet_memory *memory = NULL;
	struct nonet_error error;
	char address[100];
	char number[20];
	key_t key;

	(void)state;
	snprintf(address, sizeof(address), "sysvshm:%s#7", directory);
	key = (key_t)test_must(ftok(directory, 7));
	test_must(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
	assert_int_equal(nonet_memory_create(address, &options, &memory, &error), -EEXIST);
	snprintf(number, sizeof(number), "0x%08x", (unsigned)key);
	assert_non_null(strstr(error.text, number));
	assert_non_null(strstr(error.text, "16 bits"));
	/* By its length. */
	assert_int_equal(nonet_memory_open(address, &options, &memory, &error), -ERANGE);
	assert_non_null(strstr(error.text, "another program's"));
	assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	assert_int_equal(nonet_memory_create(address, &options, &memory, NULL), 0);
	nonet_memory_close(memory);
	assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	test_directory_free(directory);
	assert_int_equal(nonet_memory_open(address, NULL, &memory, &error), -ENOENT);
}

static int attach_and_die(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory;

	test_check_equal(nonet_memory_open(argument, NULL, &memory, NULL), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static void the_dead_are_not_counted(void **state)
{
	char key[40];
	struct nonet_memory_info info;
	struct nonet_memory *memory;
	struct test_child *child;

	(void)state;
	snprintf(key, sizeof(key), "sysvshm:0x%x", 0x4f000000u | (unsigned)getpid());
	assert_int_equal(nonet_memory_create(key, &options, &memory, NULL), 0);
	child = test_child_until(attach_and_die, key);
	assert_int_equal(nonet_memory_info(memory, &info), 0);
	/* The child has its parent's by the fork, too. */
	assert_int_equal(info.attached, 3);
	test_kill(child);
	assert_int_equal(nonet_memory_info(memory, &info), 0);
	assert_int_equal(info.attached, 1);
	nonet_memory_close(memory);
	assert_int_equal(nonet_memory_unlink(key, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_id_is_an_address),
		test_case(a_collision_of_keys_is_told),
		test_case(the_dead_are_not_counted),
	};

	return test_main(tests);
}
