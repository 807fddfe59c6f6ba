/* SPDX-License-Identifier: Apache-2.0 */
/* The twin for C libraries without sem_clockwait(3), which is linked here in place of the other. */
#include <errno.h>
#include <stdio.h>

#include <nonet/semaphore.h>

#include "harness/test.h"
#include "sys/posix_semaphore.h"

static char address[200];

static int take_in_time(struct test_child_side *side, void *semaphore)
{
	test_report(side, "ready");
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, test_deadline()), 0);
	return 0;
}

static void it_waits_as_long_as_the_other_does(void **state)
{
	struct nonet_semaphore *semaphore = NULL;
	struct test_child *waiter;
	nonet_time deadline;

	(void)state;
	snprintf(address, sizeof(address), "posixsem:/%s", test_name("timed"));
	test_check_equal(nonet_semaphore_create(address, NULL, NONET_NOW, &semaphore, NULL), 0);
	for (int i = 1; i < 4; i++) {
		deadline = nonet_after(i * NONET_MS(90));
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, deadline), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline && nonet_clock() < deadline + NONET_MS(200) * test_slowness());
	}
	waiter = test_child_until(take_in_time, semaphore);
	test_child_wait_blocked(waiter);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(test_child_join(waiter), 0);
	nonet_semaphore_close(semaphore);
	test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
}

/* It alone: who calls it looks at the clock again. */
static void it_never_ends_early(void **state)
{
	nonet_time deadline;
	sem_t semaphore;

	(void)state;
	test_must(sem_init(&semaphore, 0, 0));
	for (int i = 1; i < 4; i++) {
		deadline = nonet_after(i * NONET_MS(60));
		test_check_equal(sys_posix_semaphore_wait(&semaphore, deadline), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline);
	}
	test_check_equal(sys_posix_semaphore_wait(&semaphore, 1), -ETIMEDOUT);
	test_must(sem_post(&semaphore));
	test_check_equal(sys_posix_semaphore_wait(&semaphore, 1), 0);
	sem_destroy(&semaphore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(it_never_ends_early),
		test_case(it_waits_as_long_as_the_other_does),
	};

	return test_main(tests);
}
