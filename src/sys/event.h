/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_EVENT_H
#define SYS_EVENT_H

#include <stdint.h>
#include <sys/epoll.h>

#include <nonet/time.h>

/*
 * Waiting. Each returns 0 or more, or -errno. A signal doesn't end a wait (EINTR is retried with what is left of the
 * time), so only the deadline bounds it.
 */

/*
 * Wait until one descriptor has one of @events (POLLIN, POLLOUT, 0 for only errors), or an error or hang-up.
 *
 * Return: the poll(2) events, or -EAGAIN at once for NONET_NOW (nothing is polled), -ETIMEDOUT.
 */
int sys_poll_one(int fd, short events, nonet_time deadline);

/* What is ready now, 0 for nothing: polls even for no time. */
int sys_poll_now(int fd, short events);

int sys_epoll_create(void);
int sys_epoll_add(int epoll, int fd, uint32_t events, void *data);
int sys_epoll_change(int epoll, int fd, uint32_t events, void *data);
int sys_epoll_remove(int epoll, int fd);

/* Return: how many events; 0 only if @deadline is NONET_NOW; or -ETIMEDOUT. */
int sys_epoll_wait(int epoll, struct epoll_event *ret_events, int max, nonet_time deadline);

/* CLOCK_MONOTONIC, non-blocking. */
int sys_timerfd_create(void);
/* @first NONET_FOREVER disarms. */
int sys_timerfd_set(int fd, nonet_time first, nonet_time interval);

/* Non-blocking, not a semaphore. */
int sys_eventfd_create(void);

/* The 8 bytes of a timerfd or eventfd: 0, or -EAGAIN for nothing. */
int sys_counter_read(int fd, uint64_t *ret_count);
/* Async-signal-safe, errno is left as it was. */
int sys_counter_write(int fd, uint64_t count);

#endif
