/* SPDX-License-Identifier: Apache-2.0 */
/* What only POSIX semaphores have: a file, and wakes that get lost. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/semaphore.h>

#include "harness/test.h"

static char address[200];
static char path[200];

static void name_it(void)
{
	const char *name = test_name("posix");

	snprintf(address, sizeof(address), "posixsem:/%s", name);
	snprintf(path, sizeof(path), "/dev/shm/sem.%s", name);
}

static struct nonet_semaphore *make(uint32_t value)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = value};
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

static void check_is_refused(void)
{
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, &error), -ENOTSUP);
	test_check(semaphore == NULL && strstr(error.text, "isn't a semaphore's"));
	test_check_equal(nonet_semaphore_unlink(address, NULL), -ENOTSUP);
	test_check_equal(nonet_semaphore_create(address, NULL, NONET_NOW, &semaphore, NULL), -EEXIST);
}

/* Some of them sem_open(3) would map, and die of SIGBUS. */
static void what_is_no_semaphore_is_refused_and_stays(void **state)
{
	(void)state;
	name_it();
	close((int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	check_is_refused();
	test_must(truncate(path, sizeof(sem_t) - 1));
	check_is_refused();
	test_must(unlink(path));
	test_must(mkfifo(path, 0600));
	check_is_refused();
	test_must(unlink(path));
	test_must(mkdir(path, 0700));
	check_is_refused();
	test_must(rmdir(path));
	test_must(symlink("/dev/zero", path));
	check_is_refused();
	test_must(unlink(path));
}

/*
 * Whatever its count says, calls come back by their deadlines. The rest of a sem_t is the C library's own, which aborts
 * the program if it finds nonsense there: docs/adr/0009.
 */
static void a_scribbled_count_keeps_deadlines(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	struct nonet_semaphore *semaphore = make(0);
	int fd = (int)test_must(open(path, O_WRONLY | O_CLOEXEC));
	unsigned char bytes[8]; /* value and waiters, in glibc on 64 bits */
	uint32_t value;
	int code;

	(void)state;
	for (uint64_t i = 0; i < test_scaled(1000); i++) {
		test_random_bytes(&random, bytes, sizeof(bytes));
		test_check_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		code = nonet_semaphore_post(semaphore, 1, 0);
		test_check(code == 0 || code == -EOVERFLOW);
		code = nonet_semaphore_wait(semaphore, 1, 0, nonet_after(NONET_MS(1)));
		test_check(code == 0 || code == -ETIMEDOUT);
		test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
		test_check(value <= SEM_VALUE_MAX);
	}
	close(fd);
	end(semaphore);
}

static int wait_plainly(struct test_child_side *side, void *semaphore)
{
	test_report(side, "ready");
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_FOREVER), 0);
	return 0;
}

/* Runs only while nobody else wants the processor, which is the parent's. */
static int wait_idly(struct test_child_side *side, void *semaphore)
{
	test_must(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}));
	return wait_plainly(side, semaphore);
}

/* As tests/kernel has it: the wake dies with the first waiter. The second finds the permit all the same. */
static void a_killed_waiter_does_not_keep_another_from_its_permit(void **state)
{
	struct nonet_semaphore *semaphore = make(0);
	cpu_set_t before;
	cpu_set_t one;
	int killed = 0;

	(void)state;
	test_must(sched_getaffinity(0, sizeof(before), &before));
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	test_must(sched_setaffinity(0, sizeof(one), &one));
	for (int i = 0; i < 20; i++) {
		struct test_child *first = test_child_until(wait_idly, semaphore);
		struct test_child *second;
		uint32_t value;

		test_child_wait_blocked(first);
		second = test_child_until(wait_plainly, semaphore);
		test_child_wait_blocked(second);
		test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		kill(test_child_pid(first), SIGKILL);
		(void)test_kill_if_running(first);
		/* Else the first had run, and died with the permit; the second waits on. */
		test_check_equal(nonet_semaphore_value(semaphore, &value), 0);
		killed += value == 1;
		if (value == 0)
			test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
		test_check_equal(test_child_join(second), 0);
		/* The second may have had its permit already, if it looked just then. */
		while (nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW) == 0)
			;
	}
	test_must(sched_setaffinity(0, sizeof(before), &before));
	test_note("%d of 20 wakes died with their waiter", killed);
	end(semaphore);
}

static void other_addresses_are_refused(void **state)
{
	static const char *const bad[] = {"posixsem:", "posixshm:/name", "fifo:/tmp/x", "mutex:name", "sysvsem:0"};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		test_check_equal(nonet_semaphore_open(bad[i], NULL, NONET_NOW, &semaphore, &error), -EINVAL);
		test_check_equal(nonet_semaphore_create(bad[i], NULL, NONET_NOW, &semaphore, &error), -EINVAL);
		test_check_equal(nonet_semaphore_unlink(bad[i], &error), -EINVAL);
		test_check(error.code == -EINVAL && error.text[0]);
	}
	test_check(semaphore == NULL);
	test_check(nonet_semaphore_close(NULL) == NULL);
}

static void sets_are_refused_with_the_carrier_that_has_them(void **state)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .count = 2};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)state;
	name_it();
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, &error), -EOPNOTSUPP);
	test_check(strstr(error.text, "sysvsem:"));
	test_check(access(path, F_OK) < 0);
}

static int use_as_nobody(struct test_child_side *side, void *argument)
{
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_must(setgid(65534));
	test_must(setuid(65534));
	test_check_equal(nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, &error), -EACCES);
	test_check(strstr(error.text, "chmod"));
	test_check_equal(nonet_semaphore_unlink(address, &error), -EPERM);
	test_check(strstr(error.text, "another user's"));
	return 0;
}

static void another_user_may_what_the_mode_says(void **state)
{
	struct nonet_semaphore *semaphore;

	(void)state;
	test_skip_unless_root("becoming another user");
	semaphore = make(1);
	test_check_equal(test_child_join(test_child_start(use_as_nobody, NULL)), 0);
	end(semaphore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_no_semaphore_is_refused_and_stays),
		test_case(a_scribbled_count_keeps_deadlines),
		test_case(a_killed_waiter_does_not_keep_another_from_its_permit),
		test_case(other_addresses_are_refused),
		test_case(sets_are_refused_with_the_carrier_that_has_them),
		test_case(another_user_may_what_the_mode_says),
	};

	return test_main(tests);
}
