/* SPDX-License-Identifier: Apache-2.0 */
/* Making, opening, taking, giving, removing. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform/test_semaphore.h"

static mode_t mode_of_it(void)
{
	struct semid_ds status;
	struct stat file;
	char path[200];

	if (semaphore_kind->is_sysv) {
		test_must(semctl((int)test_must(semget(semaphore_key, 0, 0)), 0, IPC_STAT, &status));
		return status.sem_perm.mode & 07777;
	}
	if (semaphore_kind->is_shared)
		snprintf(path, sizeof(path), "%s/conform.semaphore", getenv("NONET_DOMAIN"));
	else
		snprintf(path, sizeof(path), "/dev/shm/sem.%s", semaphore_name + 1);
	test_must(stat(path, &file));
	return file.st_mode & 07777;
}

void who_opens_it_finds_its_value_and_mode(void)
{
	struct nonet_semaphore_options options = {
		.size = sizeof(options), .mode = 0662, .value = 3, .flags = semaphore_kind->flags};
	struct nonet_semaphore *made = NULL;
	struct nonet_semaphore *opened = NULL;
	const mode_t umask_before = umask(077);

	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &made, NULL), 0);
	umask(umask_before);
	test_check_equal(mode_of_it(), 0662);
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &opened, NULL), 0);
	test_check_equal(semaphore_value(opened), 3);
	nonet_semaphore_close(opened);
	semaphore_end(made);
	made = semaphore_make(0);
	test_check_equal(mode_of_it(), 0600);
	semaphore_end(made);
}

void one_that_is_there_is_not_made_again(void)
{
	struct nonet_semaphore_options options = {.size = sizeof(options), .mode = 0640, .value = 9};
	struct nonet_semaphore *first = semaphore_make(4);
	struct nonet_semaphore *second = NULL;
	struct nonet_error error = {0};

	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &second, &error), -EEXIST);
	test_check(second == NULL && strstr(error.text, " already"));
	options.flags = semaphore_kind->flags | NONET_SEMAPHORE_MAY_EXIST;
	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &second, NULL), 0);
	test_check_equal(semaphore_value(second), 4);
	test_check_equal(mode_of_it(), 0600);
	nonet_semaphore_close(second);
	semaphore_end(first);
	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &second, NULL), 0);
	test_check_equal(semaphore_value(second), 9);
	semaphore_end(second);
}

void one_that_is_not_there_is_not_opened(void)
{
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error = {0};

	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_FOREVER, &semaphore, &error), -ENOENT);
	test_check(semaphore == NULL && error.code == -ENOENT && strstr(error.text, "there is no"));
	test_check_equal(nonet_semaphore_unlink(semaphore_whole, &error), -ENOENT);
}

void options_that_make_no_sense_are_refused(void)
{
	const struct nonet_semaphore_options bad[] = {
		{.size = 1},
		{.size = sizeof(bad[0]), .flags = 0x80},
		{.size = sizeof(bad[0]), .mode = 01000},
		{.size = sizeof(bad[0]), .count = 65537},
		{.size = sizeof(bad[0]), .reserved_32 = 1},
		{.size = sizeof(bad[0]), .reserved = {0, 1}},
	};
	struct nonet_semaphore_options options = {
		.size = sizeof(options), .value = semaphore_kind->maximum + 1, .flags = semaphore_kind->flags};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		test_check_equal(nonet_semaphore_create(semaphore_address, &bad[i], NONET_NOW, &semaphore, &error),
				 -EINVAL);
		test_check_equal(nonet_semaphore_open(semaphore_address, &bad[i], NONET_NOW, &semaphore, &error),
				 -EINVAL);
		test_check_equal(error.code, -EINVAL);
	}
	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &semaphore, &error),
			 -EOVERFLOW);
	test_check(semaphore == NULL);
	options.value = semaphore_kind->maximum;
	test_check_equal(nonet_semaphore_create(semaphore_address, &options, NONET_NOW, &semaphore, &error), 0);
	test_check_equal(semaphore_value(semaphore), semaphore_kind->maximum);
	semaphore_end(semaphore);
}

void as_many_are_taken_as_are_there(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(2);

	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	test_check_equal(semaphore_value(semaphore), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 5, 0), 0);
	test_check_equal(semaphore_value(semaphore), 5);
	/* A deadline in the past still tries once. */
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, 1), 0);
	test_check_equal(semaphore_value(semaphore), 4);
	semaphore_end(semaphore);
}

void no_more_are_posted_than_it_can_hold(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(semaphore_kind->maximum - 1);
	struct nonet_error error;

	test_check_equal(nonet_semaphore_post(semaphore, 2, 0), -EOVERFLOW);
	test_check_equal(semaphore_value(semaphore), semaphore_kind->maximum - 1);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EOVERFLOW);
	nonet_semaphore_explain(semaphore, -EOVERFLOW, &error);
	test_check(strstr(error.text, semaphore_kind->most));
	test_check_equal(nonet_semaphore_post(semaphore, UINT32_MAX, 0), -EOVERFLOW);
	test_check_equal(semaphore_value(semaphore), semaphore_kind->maximum);
	semaphore_end(semaphore);
}

void what_makes_no_sense_is_refused_and_explained(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(1);
	const struct nonet_semaphore_operation bad[] = {
		{.index = 100, .change = 1},
		{.index = 0, .change = 1, .flags = 0x80},
		{.index = 0, .change = 1, .reserved = 1},
	};
	struct nonet_error error;

	test_check_equal(nonet_semaphore_wait(semaphore, 0, 0, NONET_NOW), -EINVAL);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0x80, NONET_NOW), -EINVAL);
	test_check_equal(nonet_semaphore_wait(semaphore, UINT32_MAX, 0, NONET_FOREVER), -EINVAL);
	test_check_equal(nonet_semaphore_post(semaphore, 0, 0), -EINVAL);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0x80), -EINVAL);
	test_check_equal(nonet_semaphore_operate(semaphore, bad, 0, NONET_NOW), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		test_check_equal(nonet_semaphore_operate(semaphore, &bad[i], 1, NONET_NOW), -EINVAL);
	test_check_equal(semaphore_value(semaphore), 1);
	for (int code = -1; code > -130; code--) {
		nonet_semaphore_explain(semaphore, code, &error);
		test_check(error.code == code && strstr(error.text, semaphore_address));
	}
	nonet_semaphore_explain(semaphore, -ENOMEM, &error);
	test_check(strstr(error.text, "ulimit -u"));
	semaphore_end(semaphore);
}

void a_removed_one_is_gone(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(1);
	struct nonet_semaphore *other = NULL;
	uint32_t value;

	test_check_equal(nonet_semaphore_unlink(semaphore_whole, NULL), 0);
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &other, NULL), -ENOENT);
	if (semaphore_kind->is_sysv) {
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), -EIDRM);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EIDRM);
		test_check_equal(nonet_semaphore_value(semaphore, &value), -EIDRM);
		test_check_equal(nonet_semaphore_arm(semaphore), 1);
	} else {
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	}
	/* Another of the same name has nothing to do with it. */
	other = semaphore_make(7);
	test_check_equal(semaphore_value(other), 7);
	nonet_semaphore_close(semaphore);
	semaphore_end(other);
}

static int make_one(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	nonet_semaphore_close(semaphore_make(6));
	return 0;
}

void it_outlives_who_made_it(void)
{
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(test_child_join(test_child_start(make_one, NULL)), 0);
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(semaphore_value(semaphore), 6);
	semaphore_end(semaphore);
}

void several_are_taken_at_once_or_refused(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(4);
	const uint32_t index = semaphore_kind->index;
	struct nonet_semaphore_operation one = {.index = index, .change = -1};
	const struct nonet_semaphore_operation two[] = {{.index = index, .change = 1}, {.index = index, .change = -5}};
	struct nonet_error error;

	test_check_equal(nonet_semaphore_operate(semaphore, &one, 1, NONET_NOW), 0);
	one.change = 2;
	test_check_equal(nonet_semaphore_operate(semaphore, &one, 1, NONET_NOW), 0);
	test_check_equal(semaphore_value(semaphore), 5);
	if (semaphore_kind->is_sysv) {
		test_check_equal(nonet_semaphore_wait(semaphore, 6, 0, NONET_NOW), -EAGAIN);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_operate(semaphore, two, 2, NONET_NOW), 0);
		test_check_equal(semaphore_value(semaphore), 0);
		/* The first alone could be done, the second not: so neither is. */
		test_check_equal(nonet_semaphore_operate(semaphore, two, 2, NONET_NOW), -EAGAIN);
		test_check_equal(semaphore_value(semaphore), 0);
	} else {
		if (semaphore_kind->is_shared) {
			test_check_equal(nonet_semaphore_wait(semaphore, 6, 0, NONET_NOW), -EAGAIN);
			test_check_equal(nonet_semaphore_wait(semaphore, 5, 0, NONET_NOW), 0);
			test_check_equal(nonet_semaphore_post(semaphore, 5, 0), 0);
		} else {
			test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), -EOPNOTSUPP);
		}
		test_check_equal(nonet_semaphore_operate(semaphore, two, 2, NONET_NOW), -EOPNOTSUPP);
		nonet_semaphore_explain(semaphore, -EOPNOTSUPP, &error);
		test_check(strstr(error.text, "sysvsem:"));
		test_check_equal(semaphore_value(semaphore), 5);
	}
	semaphore_end(semaphore);
}

static int take_and_hold(struct test_child_side *side, void *semaphore)
{
	test_check_equal(nonet_semaphore_wait(semaphore, 1, NONET_SEMAPHORE_UNDO, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

void a_killed_holder_gives_back_or_undo_is_refused(void)
{
	struct nonet_semaphore *semaphore = semaphore_make(1);
	struct nonet_error error;

	if (semaphore_kind->is_sysv) {
		struct test_child *holder = test_child_until(take_and_hold, semaphore);

		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
		nonet_semaphore_explain(semaphore, -EAGAIN, &error);
		test_check(strstr(error.text, "was process "));
		test_kill(holder);
	} else {
		test_check_equal(nonet_semaphore_wait(semaphore, 1, NONET_SEMAPHORE_UNDO, NONET_NOW), -EOPNOTSUPP);
		test_check_equal(nonet_semaphore_post(semaphore, 1, NONET_SEMAPHORE_UNDO), -EOPNOTSUPP);
	}
	test_check_equal(semaphore_value(semaphore), 1);
	semaphore_end(semaphore);
}

/* Without nonet: take @count one by one, give them back. */
static int plain_program(struct test_child_side *side, void *argument)
{
	const unsigned short index = (unsigned short)semaphore_kind->index;
	struct sembuf take = {.sem_num = index, .sem_op = -1};
	struct sembuf give = {.sem_num = index, .sem_op = 1};
	sem_t *semaphore;
	int id;

	(void)argument;
	test_report(side, "ready");
	if (semaphore_kind->is_sysv) {
		id = (int)test_must(semget(semaphore_key, 0, 0));
		test_must(semop(id, &take, 1));
		test_report(side, "taken");
		test_await(side, "give");
		test_must(semop(id, &give, 1));
	} else {
		semaphore = sem_open(semaphore_name, 0);
		test_check(semaphore != SEM_FAILED);
		test_must(sem_wait(semaphore));
		test_report(side, "taken");
		test_await(side, "give");
		test_must(sem_post(semaphore));
		sem_close(semaphore);
	}
	return 0;
}

static void make_without_nonet(void)
{
	unsigned short values[3] = {5, 5, 5};
	sem_t *semaphore;
	int id;

	if (semaphore_kind->is_sysv) {
		id = (int)test_must(semget(semaphore_key, 3, IPC_CREAT | IPC_EXCL | 0600));
		test_must(semctl(id, 0, SETALL, values));
	} else {
		semaphore = sem_open(semaphore_name, O_CREAT | O_EXCL, 0600, 5);
		test_check(semaphore != SEM_FAILED);
		sem_close(semaphore);
	}
}

void plain_programs_take_and_give(void)
{
	struct nonet_semaphore *semaphore;
	struct test_child *plain;

	if (semaphore_kind->is_shared) {
		test_note("no other program knows them");
		return;
	}
	semaphore = semaphore_make(0);
	plain = test_child_until(plain_program, NULL);
	/* We give what it waits for; it gives what we wait for. */
	test_child_wait_blocked(plain);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_child_wait_state(plain, "taken");
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
	test_child_tell(plain, "give");
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, test_deadline()), 0);
	test_check_equal(test_child_join(plain), 0);
	semaphore_end(semaphore);

	/* One that they made is ours too. */
	make_without_nonet();
	test_check_equal(nonet_semaphore_open(semaphore_address, NULL, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(semaphore_value(semaphore), 5);
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	semaphore_end(semaphore);
}
