/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/event.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/cancel.h"
#include "sys/fault.h"

int sys_poll_one(int fd, short events, nonet_time deadline)
{
	struct pollfd item = {.fd = fd, .events = events};
	struct timespec left;
	int cancel;
	int count = sys_fault(SYS_CALL_POLL);

	if (count < 0)
		return count;
	if (deadline == NONET_NOW)
		return -EAGAIN;
	/* Not asked any more: what is ready again and again, and yet gives nothing, would keep a caller past its
	 * deadline. */
	if (deadline != NONET_FOREVER && nonet_clock() >= deadline)
		return -ETIMEDOUT;
	cancel = sys_cancel_off();
	do {
		if (deadline == NONET_FOREVER) {
			count = ppoll(&item, 1, NULL, NULL);
		} else {
			left = time_to_timespec(time_until(deadline, nonet_clock()));
			count = ppoll(&item, 1, &left, NULL);
		}
	} while (count < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	if (count < 0)
		return -errno;
	if (count == 0)
		return -ETIMEDOUT;
	/* poll(2) calls it an event; for us a descriptor that isn't open is an error like any other. */
	return item.revents & POLLNVAL ? -EBADF : item.revents;
}

int sys_poll_now(int fd, short events)
{
	struct pollfd item = {.fd = fd, .events = events};
	int count = sys_fault(SYS_CALL_POLL);
	int cancel;

	if (count < 0)
		return count;
	cancel = sys_cancel_off();
	do
		count = poll(&item, 1, 0);
	while (count < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	if (count < 0)
		return -errno;
	return item.revents & POLLNVAL ? -EBADF : item.revents;
}

int sys_epoll_create(void)
{
	int fd = sys_fault(SYS_CALL_EPOLL_CREATE);

	if (fd < 0)
		return fd;
	fd = epoll_create1(EPOLL_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int event_control(int epoll, int operation, int fd, uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data.ptr = data};
	int error = sys_fault(SYS_CALL_EPOLL_CTL);

	if (error < 0)
		return error;
	return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int sys_epoll_add(int epoll, int fd, uint32_t events, void *data)
{
	return event_control(epoll, EPOLL_CTL_ADD, fd, events, data);
}

int sys_epoll_change(int epoll, int fd, uint32_t events, void *data)
{
	return event_control(epoll, EPOLL_CTL_MOD, fd, events, data);
}

int sys_epoll_remove(int epoll, int fd)
{
	return event_control(epoll, EPOLL_CTL_DEL, fd, 0, NULL);
}

int sys_epoll_wait(int epoll, struct epoll_event *ret_events, int max, nonet_time deadline)
{
	int count = sys_fault(SYS_CALL_EPOLL_WAIT);
	struct timespec left;

	if (count < 0)
		return count;
	do {
		if (deadline == NONET_FOREVER) {
			count = epoll_pwait2(epoll, ret_events, max, NULL, NULL);
		} else {
			left = time_to_timespec(deadline == NONET_NOW ? 0 : time_until(deadline, nonet_clock()));
			count = epoll_pwait2(epoll, ret_events, max, &left, NULL);
		}
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	return count == 0 && deadline != NONET_NOW ? -ETIMEDOUT : count;
}

int sys_timerfd_create(void)
{
	int fd = sys_fault(SYS_CALL_TIMERFD);

	if (fd < 0)
		return fd;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int sys_timerfd_set(int fd, nonet_time first, nonet_time interval)
{
	struct itimerspec setting = {{0}, {0}};
	int error = sys_fault(SYS_CALL_TIMERFD_SET);

	if (error < 0)
		return error;
	if (first != NONET_FOREVER) {
		setting.it_value = time_to_timespec(first);
		setting.it_interval = time_to_timespec(interval);
		/* All zeros would disarm; a time long past expires at once. */
		if (setting.it_value.tv_sec == 0 && setting.it_value.tv_nsec == 0)
			setting.it_value.tv_nsec = 1;
	}
	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, NULL) < 0 ? -errno : 0;
}

int sys_eventfd_create(void)
{
	int fd = sys_fault(SYS_CALL_EVENTFD);

	if (fd < 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int sys_counter_read(int fd, uint64_t *ret_count)
{
	ssize_t size = sys_fault(SYS_CALL_READ);
	uint64_t count;
	int cancel;

	if (size < 0)
		return (int)size;
	cancel = sys_cancel_off();
	do
		size = read(fd, &count, sizeof(count));
	while (size < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	if (size < 0)
		return -errno;
	*ret_count = count;
	return 0;
}

int sys_counter_write(int fd, uint64_t count)
{
	int saved = errno;
	ssize_t size = sys_fault(SYS_CALL_WRITE);
	int result;

	if (size < 0)
		return (int)size;
	do
		/* Not write(2) itself: see sys/cancel.h, whose calls may not be made in a signal handler. */
		size = syscall(SYS_write, fd, &count, sizeof(count));
	while (size < 0 && errno == EINTR);
	result = size < 0 ? -errno : 0;
	/* We may stand in a signal handler, whose interrupted code may be about to look at errno. */
	errno = saved;
	return result;
}
