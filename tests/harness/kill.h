/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_KILL_H
#define HARNESS_KILL_H

#include <nonet/time.h>

#include "harness/child.h"
#include "harness/random.h"

/*
 * test_kill_at_random() - SIGKILL a child after a random time in [minimum, maximum] nanoseconds from now
 *
 * If the child ends by itself before, that is noticed at once. Reaps it and frees the handle; a failed check in the
 * child, or a status other than 0, fails the test.
 *
 * Return: 1 if it was killed, 0 if it had ended by itself.
 */
#define test_kill_at_random(child, minimum, maximum, random) \
	test_kill_at_random_at(TEST_HERE, (child), (minimum), (maximum), (random))
int test_kill_at_random_at(const char *file, int line, struct test_child *child, nonet_time minimum, nonet_time maximum,
			   struct test_random *random);

/*
 * test_kills_end() - until when processes are killed at random, in a test that counts what is left
 *
 * After 10 s at the default scale: 100 s times NONET_SCALE, but from 1 on, as in a soak, an hour times it; a third of
 * that under a sanitizer. The watchdog waits that long, and a minute more. No more of the test than that should take
 * long.
 */
nonet_time test_kills_end(void);

#endif
