/* SPDX-License-Identifier: Apache-2.0 */
/* What only System V has: sets, operations at once, undo, and a moment in which a set has no values yet. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include <nonet/semaphore.h>

#include "harness/test.h"
#include "sys/sysv_semaphore.h"

static char address[64];
static int key;

static void name_it(void)
{
	key = test_sysv_key();
	snprintf(address, sizeof(address), "sysvsem:%d", key);
}

static struct nonet_semaphore *make(uint32_t count, uint32_t value)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .count = count, .value = value};
	struct nonet_semaphore *semaphore = NULL;

	name_it();
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static void end(struct nonet_semaphore *semaphore)
{
	nonet_semaphore_close(semaphore);
	test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
}

static uint32_t value_of(struct nonet_semaphore *semaphore)
{
	uint32_t value = UINT32_MAX;

	test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
	return value;
}

static struct nonet_semaphore *open_index(int index)
{
	struct nonet_semaphore *semaphore = NULL;
	char text[80];

	snprintf(text, sizeof(text), "%s[%d]", address, index);
	test_check_equal(nonet_semaphore_open(text, NULL, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

/* Both are taken or none: nobody waits for the second with the first in hand. */
static void operations_on_a_set_happen_at_once(void **state)
{
	struct nonet_semaphore *set = make(3, 1);
	struct nonet_semaphore *last = open_index(2);
	const struct nonet_semaphore_operation both[] = {{.index = 0, .change = -1}, {.index = 2, .change = -1}};
	const struct nonet_semaphore_operation back[] = {{.index = 0, .change = 1}, {.index = 2, .change = 1}};

	(void)state;
	test_check_equal(nonet_semaphore_operate(set, both, 2, NONET_NOW), 0);
	test_check_equal(value_of(set), 0);
	test_check_equal(value_of(last), 0);
	test_check_equal(nonet_semaphore_post(set, 1, 0), 0);
	test_check_equal(nonet_semaphore_operate(set, both, 2, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_semaphore_operate(set, both, 2, nonet_after(NONET_MS(5))), -ETIMEDOUT);
	test_check_equal(value_of(set), 1);
	test_check_equal(nonet_semaphore_wait(set, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_operate(set, back, 2, NONET_NOW), 0);
	test_check_equal(value_of(set) + value_of(last), 2);
	nonet_semaphore_close(last);
	end(set);
}

static void many_operations_go_and_too_many_are_refused(void **state)
{
	static struct nonet_semaphore_operation operations[2000];
	struct nonet_semaphore *set = make(400, 0);
	struct sys_sysv_semaphore_limits limits;
	struct nonet_error error;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		operations[i] = (struct nonet_semaphore_operation){.index = i % 400, .change = 1};
	test_check_equal(nonet_semaphore_operate(set, operations, 400, NONET_NOW), 0);
	test_check_equal(value_of(set), 1);
	test_check_equal(sys_sysv_semaphore_limits(&limits), 0);
	if (limits.operations < 2000) {
		test_check_equal(nonet_semaphore_operate(set, operations, 2000, NONET_NOW), -E2BIG);
		nonet_semaphore_explain(set, -E2BIG, &error);
		test_check(strstr(error.text, "sysctl -w kernel.sem="));
	}
	operations[1].change = 40000;
	test_check_equal(nonet_semaphore_operate(set, operations, 2, NONET_NOW), -EINVAL);
	test_check_equal(value_of(set), 1);
	end(set);
}

static int wait_for_none(struct test_child_side *side, void *set)
{
	const struct nonet_semaphore_operation none = {.change = 0};

	test_report(side, "ready");
	test_check_equal(nonet_semaphore_operate(set, &none, 1, NONET_FOREVER), 0);
	return 0;
}

static void one_can_wait_until_none_is_left_and_is_counted(void **state)
{
	struct nonet_semaphore *set = make(1, 2);
	struct test_child *waiter = test_child_until(wait_for_none, set);
	struct nonet_semaphore_info info;

	(void)state;
	test_child_wait_blocked(waiter);
	test_check_equal(nonet_semaphore_look(set, &info), 0);
	test_check_equal(info.zero_waiters, 1);
	test_check_equal(info.waiters, 0);
	test_check_equal(info.last_pid, getpid());
	test_check_equal(nonet_semaphore_wait(set, 2, 0, NONET_NOW), 0);
	test_check_equal(test_child_join(waiter), 0);
	end(set);
}

static int wait_for_removal(struct test_child_side *side, void *set)
{
	struct nonet_error error;

	test_report(side, "ready");
	test_check_equal(nonet_semaphore_wait(set, 1, 0, NONET_FOREVER), -EIDRM);
	nonet_semaphore_explain(set, -EIDRM, &error);
	test_check(strstr(error.text, "was removed"));
	return 0;
}

static void removal_ends_a_wait(void **state)
{
	struct nonet_semaphore *set = make(1, 0);
	struct test_child *waiter = test_child_until(wait_for_removal, set);
	struct pollfd item = {.events = POLLIN};

	(void)state;
	test_child_wait_blocked(waiter);
	test_check_equal(nonet_semaphore_arm(set), 0);
	test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
	test_check_equal(test_child_join(waiter), 0);
	item.fd = nonet_semaphore_fd(set);
	test_check_equal(test_poll(&item, 1, test_deadline()), 1);
	test_check_equal(nonet_semaphore_wait(set, 1, 0, NONET_NOW), -EIDRM);
	nonet_semaphore_close(set);
}

/* A set between semget(2) and its first value. */
static int set_half_made(int count)
{
	name_it();
	return (int)test_must(semget(key, count, IPC_CREAT | IPC_EXCL | 0600));
}

static int open_with_patience(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = NULL;

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_semaphore_open(address, NULL, test_deadline(), &semaphore, NULL), 0);
	test_report_number(side, value_of(semaphore));
	nonet_semaphore_close(semaphore);
	return 0;
}

static void a_half_made_set_is_waited_for(void **state)
{
	unsigned short values[2] = {7, 7};
	int id = set_half_made(2);
	struct test_child *opener = test_child_until(open_with_patience, NULL);
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)state;
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, &error), -EAGAIN);
	test_check(semaphore == NULL && strstr(error.text, "NONET_SEMAPHORE_UNFINISHED"));
	test_check_equal(nonet_semaphore_open(address, NULL, nonet_after(NONET_MS(5)), &semaphore, NULL), -ETIMEDOUT);
	/* One of two isn't all of them. */
	test_must(semctl(id, 0, SETVAL, 7));
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL), -EAGAIN);
	test_must(semctl(id, 0, SETALL, values));
	test_check_equal(test_child_number(opener), 7);
	test_check_equal(test_child_join(opener), 0);
	test_must(semctl(id, 0, IPC_RMID));
}

static void a_half_made_set_is_opened_by_who_says_so(void **state)
{
	struct nonet_semaphore_options options = {.size = sizeof(options), .flags = NONET_SEMAPHORE_UNFINISHED};
	struct nonet_semaphore *semaphore = NULL;

	(void)state;
	(void)set_half_made(1);
	test_check_equal(nonet_semaphore_open(address, &options, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(value_of(semaphore), 0);
	nonet_semaphore_close(semaphore);
	options.flags |= NONET_SEMAPHORE_MAY_EXIST;
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	end(semaphore);
}

static int make_or_open(struct test_child_side *side, void *argument)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = NONET_SEMAPHORE_MAY_EXIST,
		.value = 3,
		.count = 500,
	};
	struct nonet_semaphore *semaphore = NULL;

	(void)argument;
	test_report(side, "ready");
	test_await(side, "go");
	test_check_equal(nonet_semaphore_create(address, &options, test_deadline(), &semaphore, NULL), 0);
	test_check_equal(value_of(semaphore), 3);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* One of sixteen makes it, and nobody sees other permits than its first. */
static void who_races_to_make_a_set_finds_it_whole(void **state)
{
	struct test_child *children[16];

	(void)state;
	for (uint64_t round = 0; round < test_scaled(100); round++) {
		name_it();
		for (int i = 0; i < 16; i++)
			children[i] = test_child_until(make_or_open, NULL);
		for (int i = 0; i < 16; i++)
			test_child_tell(children[i], "go");
		for (int i = 0; i < 16; i++)
			test_check_equal(test_child_join(children[i]), 0);
		test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
	}
}

/* For programs that wait for sem_otime. */
static void a_new_set_is_marked_as_finished_for_others(void **state)
{
	static const uint32_t values[] = {0, 1, 32767};
	struct semid_ds status;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct nonet_semaphore *set = make(2, values[i]);

		test_must(semctl((int)test_must(semget(key, 0, 0)), 0, IPC_STAT, &status));
		test_check(status.sem_otime != 0);
		test_check_equal(value_of(set), values[i]);
		end(set);
	}
}

static void indexes_and_ids_are_checked(void **state)
{
	struct nonet_semaphore_options options = {.size = sizeof(options), .count = 2};
	struct nonet_semaphore *set = make(3, 1);
	struct nonet_semaphore *other = NULL;
	struct nonet_error error;
	char text[80];
	int id = (int)test_must(semget(key, 0, 0));

	(void)state;
	snprintf(text, sizeof(text), "%s[3]", address);
	test_check_equal(nonet_semaphore_open(text, NULL, NONET_NOW, &other, &error), -EINVAL);
	test_check(strstr(error.text, "has 3 semaphores"));
	test_check_equal(nonet_semaphore_unlink(text, &error), -EINVAL);
	test_check(strstr(error.text, "without [3]"));
	snprintf(text, sizeof(text), "sysvsem:id=%d[2]", id);
	test_check_equal(nonet_semaphore_open(text, NULL, NONET_NOW, &other, NULL), 0);
	test_check_equal(value_of(other), 1);
	nonet_semaphore_close(other);
	test_check_equal(nonet_semaphore_create(text, NULL, NONET_NOW, &other, &error), -EINVAL);
	snprintf(text, sizeof(text), "sysvsem:id=%d", id);
	test_check_equal(nonet_semaphore_unlink(text, NULL), 0);
	test_check_equal(nonet_semaphore_unlink(text, NULL), -EIDRM);
	test_check_equal(nonet_semaphore_open(text, NULL, NONET_FOREVER, &other, NULL), -EIDRM);
	nonet_semaphore_close(set);
	name_it();
	snprintf(text, sizeof(text), "%s[2]", address);
	test_check_equal(nonet_semaphore_create(text, &options, NONET_NOW, &other, &error), -EINVAL);
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &other, NULL), -ENOENT);
}

/* Two files with one key: the second is told what that may mean. */
static void a_key_that_another_file_has_is_explained(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "file");
	struct nonet_semaphore *first = NULL;
	struct nonet_semaphore *second = NULL;
	struct nonet_error error;
	char text[200];

	(void)state;
	close((int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	snprintf(text, sizeof(text), "sysvsem:%s#100", path);
	test_check_equal(nonet_semaphore_open(text, NULL, NONET_NOW, &first, &error), -ENOENT);
	test_check(strstr(error.text, "replaced"));
	/* As another file with this key would have made it. */
	snprintf(address, sizeof(address), "sysvsem:%d", (int)test_must(ftok(path, 100)));
	test_check_equal(nonet_semaphore_create(address, NULL, NONET_NOW, &first, NULL), 0);
	test_check_equal(nonet_semaphore_create(text, NULL, NONET_NOW, &second, &error), -EEXIST);
	test_check(strstr(error.text, "another file") && strstr(error.text, "another PROJ"));
	end(first);
	test_must(unlink(path));
	test_check_equal(nonet_semaphore_create(text, NULL, NONET_NOW, &second, &error), -ENOENT);
	test_directory_free(directory);
}

static void a_set_over_the_limit_is_explained(void **state)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .count = 65536};
	struct sys_sysv_semaphore_limits limits;
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)state;
	test_check_equal(sys_sysv_semaphore_limits(&limits), 0);
	if (limits.set_size >= 65536)
		test_not_applicable("kernel.sem allows 65,536 semaphores in a set here");
	name_it();
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, &error), -EINVAL);
	test_check(strstr(error.text, "sysctl -w kernel.sem=\"65536 "));
}

static void allow(const char *limits)
{
	int fd = (int)test_must(open("/proc/sys/kernel/sem", O_WRONLY | O_CLOEXEC));

	test_must(write(fd, limits, strlen(limits)));
	close(fd);
}

/* In an IPC namespace of its own, which goes with it. */
static int fill_the_table(struct test_child_side *side, void *argument)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .count = 20};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_must(unshare(CLONE_NEWIPC));
	allow("20 30 10 2");
	nonet_semaphore_close(make(20, 0));
	name_it();
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, &error), -ENOSPC);
	test_check(strstr(error.text, "20 of the 30 semaphores"));
	test_check(strstr(error.text, "sysctl -w kernel.sem=\"20 60 10 2\""));
	nonet_semaphore_close(make(1, 0));
	name_it();
	test_check_equal(nonet_semaphore_create(address, NULL, NONET_NOW, &semaphore, &error), -ENOSPC);
	test_check(strstr(error.text, "all 2 sets"));
	test_check(strstr(error.text, "sysctl -w kernel.sem=\"20 30 10 4\""));
	/* As it is said, so it works. */
	allow("20 30 10 4");
	nonet_semaphore_close(make(1, 0));
	return 0;
}

static void a_full_table_is_explained_and_the_command_mends_it(void **state)
{
	(void)state;
	test_skip_unless_root("an IPC namespace of its own");
	test_check_equal(test_child_join(test_child_start(fill_the_table, NULL)), 0);
}

static int take_more_than_can_be_undone(struct test_child_side *side, void *set)
{
	(void)side;
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_semaphore_wait(set, 10000, NONET_SEMAPHORE_UNDO, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_post(set, 10000, 0), 0);
	}
	test_check_equal(nonet_semaphore_wait(set, 10000, NONET_SEMAPHORE_UNDO, NONET_NOW), -EOVERFLOW);
	test_check_equal(value_of(set), 10000);
	/* What is given back is no longer undone: 20,000 are left to undo, and of the 20,000 there 10,000 are taken. */
	test_check_equal(nonet_semaphore_post(set, 10000, NONET_SEMAPHORE_UNDO), 0);
	test_check_equal(nonet_semaphore_wait(set, 20000, NONET_SEMAPHORE_UNDO, NONET_NOW), -EOVERFLOW);
	test_check_equal(nonet_semaphore_wait(set, 10000, 0, NONET_NOW), 0);
	return 0;
}

static void undo_has_a_limit_and_ends_with_the_process(void **state)
{
	struct nonet_semaphore *set = make(1, 10000);

	(void)state;
	test_check_equal(test_child_join(test_child_start(take_more_than_can_be_undone, set)), 0);
	test_check_equal(value_of(set), 30000);
	end(set);
}

static int use_as_nobody(struct test_child_side *side, void *may_read)
{
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)side;
	test_must(setgid(65534));
	test_must(setuid(65534));
	if (may_read) {
		test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL), 0);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EACCES);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), -EACCES);
		test_check_equal(value_of(semaphore), 1);
		nonet_semaphore_close(semaphore);
	} else {
		test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, &error), -EACCES);
		test_check(strstr(error.text, "another user's"));
	}
	test_check_equal(nonet_semaphore_unlink(address, &error), -EPERM);
	return 0;
}

static void another_user_may_what_the_mode_says(void **state)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 1, .mode = 0604};
	struct nonet_semaphore *semaphore = NULL;
	bool may_read = true;

	(void)state;
	test_skip_unless_root("becoming another user");
	name_it();
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(test_child_join(test_child_start(use_as_nobody, &may_read)), 0);
	end(semaphore);
	semaphore = make(1, 1);
	test_check_equal(test_child_join(test_child_start(use_as_nobody, NULL)), 0);
	end(semaphore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(operations_on_a_set_happen_at_once),
		test_case(many_operations_go_and_too_many_are_refused),
		test_case(one_can_wait_until_none_is_left_and_is_counted),
		test_case(removal_ends_a_wait),
		test_case(a_half_made_set_is_waited_for),
		test_case(a_half_made_set_is_opened_by_who_says_so),
		test_case(who_races_to_make_a_set_finds_it_whole),
		test_case(a_new_set_is_marked_as_finished_for_others),
		test_case(indexes_and_ids_are_checked),
		test_case(a_key_that_another_file_has_is_explained),
		test_case(a_set_over_the_limit_is_explained),
		test_case(a_full_table_is_explained_and_the_command_mends_it),
		test_case(undo_has_a_limit_and_ends_with_the_process),
		test_case(another_user_may_what_the_mode_says),
	};

	return test_main(tests);
}
