/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever makes, grows and removes shared memory and mapped files is killed at a random moment. What others find is
 * whole or isn't there, nothing else is left, and they go on.
 */
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/kill.h"
#include "harness/test.h"

#define KILLS  200
#define LENGTH (1u << 20)

static char posix[100];
static char sysv[100];
static char path[100];

static const struct nonet_memory_options options = {.size = sizeof(options), .length = LENGTH};
static const struct nonet_mapfile_options file_options = {.size = sizeof(file_options), .length = LENGTH};

/* Each loop is what a killed one would leave in the middle of. */
static int make_and_remove(struct test_child_side *side, void *argument)
{
	const char *address = argument;
	struct nonet_memory *memory;
	struct nonet_mapfile *mapfile;
	int error;

	for (unsigned i = 0;; i++) {
		if (address == path) {
			error = nonet_mapfile_create(path, &file_options, &mapfile, NULL);
			test_check_equal(error, 0);
			memset(nonet_mapfile_base(mapfile), 1, 4096);
			test_check_equal(nonet_mapfile_grow(mapfile, 2 * LENGTH), 0);
			nonet_mapfile_close(mapfile);
			test_check_equal(nonet_mapfile_unlink(path, NULL), 0);
		} else {
			error = nonet_memory_create(address, &options, &memory, NULL);
			test_check_equal(error, 0);
			memset(nonet_memory_base(memory), 1, 4096);
			if (address == posix)
				test_check_equal(nonet_memory_grow(memory, 2 * LENGTH), 0);
			nonet_memory_close(memory);
			test_check_equal(nonet_memory_unlink(address, NULL), 0);
		}
		if (i == 0)
			test_report(side, "ready");
	}
	return 0;
}

/* What it left: 1 something whole, 0 nothing. */
static int look_and_remove(const char *address)
{
	struct nonet_memory *memory;
	struct nonet_mapfile *mapfile;
	size_t length;
	int error;

	if (address == path) {
		error = nonet_mapfile_open(path, NULL, &mapfile, NULL);
		if (error == -ENOENT)
			return 0;
		test_check_equal(error, 0);
		length = nonet_mapfile_length(mapfile);
		/* Every byte can be used. */
		memset(nonet_mapfile_base(mapfile), 2, length);
		test_check_equal(nonet_mapfile_check(mapfile), 0);
		nonet_mapfile_close(mapfile);
		test_check_equal(nonet_mapfile_unlink(path, NULL), 0);
	} else {
		error = nonet_memory_open(address, NULL, &memory, NULL);
		if (error == -ENOENT)
			return 0;
		test_check_equal(error, 0);
		length = nonet_memory_length(memory);
		memset(nonet_memory_base(memory), 2, length);
		test_check_equal(nonet_memory_check(memory), 0);
		nonet_memory_close(memory);
		test_check_equal(nonet_memory_unlink(address, NULL), 0);
	}
	test_check(length == LENGTH || length == 2 * LENGTH);
	return 1;
}

static void nothing_half_made_is_left(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	const char *const addresses[] = {posix, sysv, path};
	const char *directory = test_directory_new();
	const uint64_t kills = test_scaled(KILLS);
	uint64_t left = 0;

	(void)state;
	snprintf(posix, sizeof(posix), "posixshm:/%s", test_name("kill"));
	snprintf(sysv, sizeof(sysv), "sysvshm:0x%x", 0x4d000000u | (unsigned)getpid());
	snprintf(path, sizeof(path), "%s/file", directory);
	for (uint64_t i = 0; i < 3 * kills; i++) {
		struct test_child *child;

		test_watchdog_extend(NONET_S(20));
		child = test_child_until(make_and_remove, (void *)addresses[i % 3]);
		test_kill_at_random(child, 0, NONET_MS(3), &random);
		left += (uint64_t)look_and_remove(addresses[i % 3]);
	}
	test_note("%llu makers killed, of which %llu left an object, whole", (unsigned long long)(3 * kills),
		  (unsigned long long)left);
	/* Fails if anything else is in it. */
	test_directory_free(directory);
}

/* A user of the memory dies in the middle of a store; the others have what there is. */
static int store_for_ever(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory;

	test_check_equal(nonet_memory_open(argument, NULL, &memory, NULL), 0);
	test_report(side, "ready");
	for (uint8_t i = 0;; i++)
		memset(nonet_memory_base(memory), i, nonet_memory_length(memory));
	return 0;
}

static void who_shares_it_goes_on(void **state)
{
	struct test_random random = test_random_init(test_seed(), 2);
	const char *const addresses[] = {posix, sysv};
	struct nonet_memory *memories[2];
	const uint64_t kills = test_scaled(KILLS);

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(nonet_memory_create(addresses[i], &options, &memories[i], NULL), 0);
	for (uint64_t i = 0; i < kills; i++) {
		test_watchdog_extend(NONET_S(20));
		test_kill_at_random(test_child_until(store_for_ever, (void *)addresses[i % 2]), 0, NONET_MS(2),
				    &random);
		assert_int_equal(nonet_memory_check(memories[i % 2]), 0);
		assert_int_equal(nonet_memory_refresh(memories[i % 2]), 0);
	}
	for (int i = 0; i < 2; i++) {
		nonet_memory_close(memories[i]);
		assert_int_equal(nonet_memory_unlink(addresses[i], NULL), 0);
	}
	test_note("%llu users killed", (unsigned long long)kills);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(nothing_half_made_is_left),
		test_case(who_shares_it_goes_on),
	};

	return test_main(tests);
}
