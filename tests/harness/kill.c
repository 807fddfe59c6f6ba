/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/kill.h"

#include <poll.h>

#include "harness/deadline.h"
#include "harness/sanitizer.h"
#include "harness/scale.h"
#include "harness/watchdog.h"

int test_kill_at_random_at(const char *file, int line, struct test_child *child, nonet_time minimum, nonet_time maximum,
			   struct test_random *random)
{
	struct pollfd ended = {.fd = test_child_pidfd(child), .events = POLLIN};
	nonet_time moment =
		test_clock() + (nonet_time)test_random_between(random, (uint64_t)minimum, (uint64_t)maximum);

	/* This doesn't wait for something to have happened by then: the random moment is the test. */
	test_poll(&ended, 1, moment);
	return test_kill_if_running_at(file, line, child);
}

nonet_time test_kills_end(void)
{
	const nonet_time scaled = (nonet_time)test_scaled(NONET_S(100));
	nonet_time duration = scaled < NONET_S(100) ? scaled : 36 * scaled;

	/* There for what a sanitizer sees; the plain build is there for the deaths. */
	if (TEST_SANITIZED)
		duration /= 3;
	test_watchdog_extend(duration + NONET_S(60));
	return test_clock() + duration;
}
