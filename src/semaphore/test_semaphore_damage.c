/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/semaphore.h>

#include "harness/domain.h"
#include "harness/test.h"

/*
 * A peer cuts off the file of a semaphore that others have open: who finds the hole on the way has done it to zeros of
 * his own, and is told so, not that he has a permit, or that it wasn't his.
 */

#define ADDRESS "semaphore:pool"

static struct nonet_semaphore *reach(void)
{
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_open(ADDRESS, NULL, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

/* With three handles, each of which finds the hole itself. */
static void cut_off(const char *directory, uint32_t flags)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 2, .flags = flags};
	struct nonet_semaphore *giver = NULL;
	struct nonet_semaphore *taker;
	struct nonet_semaphore *sleeper;
	char path[256];

	test_check_equal(nonet_semaphore_create(ADDRESS, &options, NONET_NOW, &giver, NULL), 0);
	taker = reach();
	sleeper = reach();
	test_check_equal(nonet_semaphore_wait(giver, 1, 0, NONET_NOW), 0);
	snprintf(path, sizeof(path), "%s/pool.semaphore", directory);
	test_must(truncate(path, 0));

	test_check_equal(nonet_semaphore_post(giver, 1, 0), -EBADMSG);
	test_check_equal(nonet_semaphore_wait(taker, 1, 0, NONET_NOW), -EBADMSG);
	test_check_equal(nonet_semaphore_wait(sleeper, 2, 0, NONET_FOREVER), -EBADMSG);
	/* And from then on. */
	test_check_equal(nonet_semaphore_post(taker, 1, 0), -EBADMSG);
	test_check_equal(nonet_semaphore_wait(giver, 1, 0, NONET_FOREVER), -EBADMSG);
	nonet_semaphore_close(giver);
	nonet_semaphore_close(taker);
	nonet_semaphore_close(sleeper);
}

DOMAIN_TEST(a_permit_of_one_that_was_cut_off_is_none)
{
	(void)side;
	cut_off(argument, 0);
	return 0;
}

DOMAIN_TEST(a_count_that_was_cut_off_is_none)
{
	(void)side;
	cut_off(argument, NONET_SEMAPHORE_SIGNAL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_permit_of_one_that_was_cut_off_is_none),
		test_case(a_count_that_was_cut_off_is_none),
	};

	return test_main(tests);
}
