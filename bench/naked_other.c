/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* The plain calls for what isn't bytes: see naked.c. */

/* Descriptors: one with each message, which has to come in one piece. */
struct naked_socket {
	int fd;
};

static int naked_descriptor_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const int descriptor = STDERR_FILENO;
	struct iovec vector = {(void *)message, size};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct msghdr packet = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes};

	(void)deadline;
	packet.msg_controllen = sizeof(control.bytes);
	memcpy(CMSG_DATA(&control.align), &descriptor, sizeof(int));
	return sendmsg(((struct naked_socket *)end)->fd, &packet, 0) == (ssize_t)size ? 0 : -EIO;
}

static int naked_descriptor_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct iovec vector = {buffer, size};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes};
	int descriptor;

	(void)deadline;
	packet.msg_controllen = sizeof(control.bytes);
	if (recvmsg(((struct naked_socket *)end)->fd, &packet, 0) != (ssize_t)size)
		return -EIO;
	memcpy(&descriptor, CMSG_DATA(&control.align), sizeof(int));
	close(descriptor);
	return 0;
}

static void naked_socket_close(void *end)
{
	if (end)
		close(((struct naked_socket *)end)->fd);
	free(end);
}

static int naked_pair(int type, void **ret_a, void **ret_b)
{
	struct naked_socket *a = malloc(sizeof(*a));
	struct naked_socket *b = malloc(sizeof(*b));
	int fds[2];

	if (!a || !b || socketpair(AF_UNIX, type, 0, fds) < 0) {
		free(a);
		free(b);
		return -ENOMEM;
	}
	a->fd = fds[0];
	b->fd = fds[1];
	*ret_a = a;
	*ret_b = b;
	return 0;
}

static int naked_stream_pair(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_pair(SOCK_STREAM, ret_a, ret_b);
}

static int naked_seqpacket_pair(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return naked_pair(SOCK_SEQPACKET, ret_a, ret_b);
}

/* Connections: put connects and hangs up, take accepts and closes. */
struct naked_listener {
	int fd;
	struct sockaddr_un other;
};

static int naked_connect_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	for (int i = 0; i < 2; i++) {
		struct naked_listener *end = calloc(1, sizeof(*end));
		struct sockaddr_un own = {.sun_family = AF_UNIX};

		if (!end)
			return -ENOMEM;
		*(i ? ret_b : ret_a) = end;
		end->other = own;
		snprintf(own.sun_path + 1, 64, "nake-bench-%08x-%c", (unsigned)getpid(), "ab"[i]);
		snprintf(end->other.sun_path + 1, 64, "nake-bench-%08x-%c", (unsigned)getpid(), "ba"[i]);
		end->fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (bind(end->fd, (struct sockaddr *)&own, sizeof(own)) < 0 || listen(end->fd, INT32_MAX) < 0)
			return -errno;
	}
	return 0;
}

static int naked_connect_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct naked_listener *listener = end;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int result = connect(fd, (struct sockaddr *)&listener->other, sizeof(listener->other));

	(void)message;
	(void)size;
	(void)deadline;
	close(fd);
	return result < 0 ? -errno : 0;
}

static int naked_connect_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int fd = accept(((struct naked_listener *)end)->fd, NULL, NULL);

	(void)buffer;
	(void)size;
	(void)deadline;
	close(fd);
	return fd < 0 ? -errno : 0;
}

static void naked_connect_close(void *end)
{
	if (end)
		close(((struct naked_listener *)end)->fd);
	free(end);
}

/* A set: put writes to the one pipe, take waits for it, and reads it. */
struct naked_set {
	int reader;
	int writer;
	size_t members;
	int epoll;
	int *silent;
};

static int naked_set_open(size_t members, void **ret_a, void **ret_b)
{
	struct naked_set *a = calloc(1, sizeof(*a));
	struct naked_set *b = calloc(1, sizeof(*b));
	int ab[2];
	int ba[2];

	if (!a || !b || pipe(ab) < 0 || pipe(ba) < 0)
		return -ENOMEM;
	*a = (struct naked_set){.reader = ba[0], .writer = ab[1], .members = members, .epoll = -1};
	*b = (struct naked_set){.reader = ab[0], .writer = ba[1], .members = members, .epoll = -1};
	*ret_a = a;
	*ret_b = b;
	return 0;
}

static int naked_set_fill(struct naked_set *set)
{
	struct epoll_event event = {.events = EPOLLIN};

	set->epoll = epoll_create1(0);
	set->silent = calloc(set->members, sizeof(*set->silent));
	if (set->epoll < 0 || !set->silent)
		return -ENOMEM;
	for (size_t i = 0; i + 1 < set->members; i++) {
		set->silent[i] = eventfd(0, 0);
		if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->silent[i], &event) < 0)
			return -errno;
	}
	return epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->reader, &event) < 0 ? -errno : 0;
}

static int naked_set_wait(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct naked_set *set = end;
	struct epoll_event event;
	int error = set->epoll < 0 ? naked_set_fill(set) : 0;

	(void)buffer;
	(void)size;
	(void)deadline;
	return error ? error : epoll_wait(set->epoll, &event, 1, -1) == 1 ? 0 : -EIO;
}

static int naked_set_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int error = naked_set_wait(end, buffer, size, deadline);

	return error ? error : read(((struct naked_set *)end)->reader, buffer, 1) == 1 ? 0 : -EIO;
}

static int naked_set_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)size;
	(void)deadline;
	return write(((struct naked_set *)end)->writer, message, 1) == 1 ? 0 : -EIO;
}

static int naked_nothing(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)end;
	(void)message;
	(void)size;
	(void)deadline;
	return 0;
}

static int naked_ready_open(size_t members, void **ret_a, void **ret_b)
{
	int error = naked_set_open(members, ret_a, ret_b);

	return error ? error : naked_set_put(*ret_a, "", 1, 0);
}

static void naked_set_close(void *end)
{
	struct naked_set *set = end;

	if (!set)
		return;
	close(set->reader);
	close(set->writer);
	if (set->epoll >= 0)
		close(set->epoll);
	for (size_t i = 0; set->silent && i + 1 < set->members; i++)
		close(set->silent[i]);
	free(set->silent);
	free(set);
}

/* A timer: put sets it to a time in the past, take waits for it to expire. */
static int naked_timer_open(size_t size, void **ret_a, void **ret_b)
{
	struct naked_socket *timer = malloc(sizeof(*timer));

	(void)size;
	if (!timer)
		return -ENOMEM;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, 0);
	*ret_a = *ret_b = timer;
	return timer->fd < 0 ? -errno : 0;
}

static int naked_timer_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	static const struct itimerspec past = {.it_value = {.tv_nsec = 1}};

	(void)message;
	(void)size;
	(void)deadline;
	return timerfd_settime(((struct naked_socket *)end)->fd, TFD_TIMER_ABSTIME, &past, NULL) < 0 ? -errno : 0;
}

static int naked_timer_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	uint64_t count;

	(void)buffer;
	(void)size;
	(void)deadline;
	return read(((struct naked_socket *)end)->fd, &count, sizeof(count)) == sizeof(count) ? 0 : -EIO;
}

const struct bench_way naked_stream_descriptors = {naked_stream_pair, naked_descriptor_put, naked_descriptor_take,
						   naked_socket_close};
const struct bench_way naked_seqpacket_descriptors = {naked_seqpacket_pair, naked_descriptor_put, naked_descriptor_take,
						      naked_socket_close};
const struct bench_way naked_connect = {naked_connect_open, naked_connect_put, naked_connect_take, naked_connect_close};
const struct bench_way naked_wait_ready = {naked_ready_open, naked_nothing, naked_set_wait, naked_set_close};
const struct bench_way naked_wait_pipe = {naked_set_open, naked_set_put, naked_set_take, naked_set_close};
const struct bench_way naked_timer = {naked_timer_open, naked_timer_put, naked_timer_take, naked_socket_close};
