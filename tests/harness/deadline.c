/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/deadline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/sanitizer.h"

nonet_time test_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return NONET_S(now.tv_sec) + now.tv_nsec;
}

int test_slowness(void)
{
	const char *factor = getenv("NONET_TEST_SLOW");

	if (factor && atoi(factor) > 0)
		return atoi(factor);
	if (test_under_valgrind())
		return 20;
	return TEST_SANITIZED ? 8 : 1;
}

nonet_time test_after(nonet_time duration)
{
	return test_clock() + duration * test_slowness();
}

nonet_time test_deadline(void)
{
	const char *milliseconds = getenv("NONET_TEST_DEADLINE");

	if (milliseconds && atoi(milliseconds) > 0)
		return test_after(NONET_MS(atoi(milliseconds)));
	return test_after(NONET_S(10));
}

int test_poll(struct pollfd *fds, nfds_t count, nonet_time deadline)
{
	struct timespec left;
	nonet_time until;
	int ready;

	do {
		until = deadline - test_clock();
		if (until < 0)
			until = 0;
		left = (struct timespec){.tv_sec = until / NONET_S(1), .tv_nsec = until % NONET_S(1)};
		ready = ppoll(fds, count, &left, NULL);
	} while (ready < 0 && (errno == EINTR || errno == EAGAIN));
	if (ready < 0)
		abort(); /* only a wrong argument or no kernel memory are left */
	return ready;
}
