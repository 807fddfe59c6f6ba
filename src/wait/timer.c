/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "waitable/waitable.h"

struct nonet_timer {
	struct nonet_waitable waitable;
	int fd;
};

int nonet_timer_new(struct nonet_timer **ret_timer, struct nonet_error *reterr)
{
	struct nonet_timer *timer = sys_allocate(sizeof(*timer));
	int fd;

	if (!timer)
		return error_set(reterr, -ENOMEM, "can't make a timer: %s", error_reason(-ENOMEM));
	fd = sys_timerfd_create();
	if (fd < 0) {
		sys_free(timer);
		return error_set(reterr, fd, "can't make a timer: %s", error_reason(fd));
	}
	timer->fd = fd;
	waitable_init(&timer->waitable, fd, NULL);
	*ret_timer = timer;
	return 0;
}

struct nonet_timer *nonet_timer_free(struct nonet_timer *timer)
{
	if (!timer)
		return NULL;
	waitable_done(&timer->waitable);
	sys_close(&timer->fd);
	return sys_free(timer);
}

int nonet_timer_set(struct nonet_timer *timer, nonet_time first, nonet_time interval)
{
	if (interval < 0)
		return -EINVAL;
	return sys_timerfd_set(timer->fd, first, interval);
}

int nonet_timer_take(struct nonet_timer *timer, nonet_time deadline, uint64_t *ret_count)
{
	for (;;) {
		int error = sys_counter_read(timer->fd, ret_count);

		if (error != -EAGAIN)
			return error;
		/* More than once where another thread takes what woke us. */
		error = sys_poll_one(timer->fd, POLLIN, deadline);
		if (error < 0)
			return error;
	}
}

int nonet_timer_fd(struct nonet_timer *timer)
{
	return timer->fd;
}

int nonet_timer_arm(struct nonet_timer *timer)
{
	return waitable_arm(&timer->waitable);
}

struct nonet_waitable *nonet_timer_waitable(struct nonet_timer *timer)
{
	return &timer->waitable;
}
