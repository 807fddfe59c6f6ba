/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* put sets the timer to a time in the past; take waits for it to expire. */

static int bare_timer_open(size_t size, void **ret_a, void **ret_b)
{
	int *timer = malloc(sizeof(*timer));

	(void)size;
	if (!timer)
		return -ENOMEM;
	*timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	*ret_a = timer;
	*ret_b = timer;
	return *timer < 0 ? -errno : 0;
}

static int bare_timer_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	static const struct itimerspec past = {.it_value = {.tv_nsec = 1}};

	(void)message;
	(void)size;
	(void)deadline;
	return timerfd_settime(*(int *)end, TFD_TIMER_ABSTIME, &past, NULL) < 0 ? -errno : 0;
}

static int bare_timer_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const int fd = *(int *)end;
	uint64_t count;
	int error;

	(void)buffer;
	(void)size;
	for (;;) {
		if (read(fd, &count, sizeof(count)) == sizeof(count))
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		error = bare_wait(fd, POLLIN, deadline);
		if (error < 0)
			return error;
	}
}

static void bare_timer_close(void *end)
{
	if (end)
		close(*(int *)end);
	free(end);
}

const struct bench_way bare_timer = {bare_timer_open, bare_timer_put, bare_timer_take, bare_timer_close};
