/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <time.h>
#include <unistd.h>

/*
 * Message queues by hand, two, one for each way between the ends.
 *
 * POSIX: mq_timedsend(3) counts in a clock that may be set, so the queue is tried without waiting, and polled. System V
 * has neither a timeout nor an event: try, and look again.
 */
struct bare_queue {
	int out;
	int in;
	pid_t opener; /* removes System V queues: 0 of the end that doesn't */
};

static void bare_queue_close(void *end)
{
	free(end);
}

static void bare_mqueue_close(void *end)
{
	struct bare_queue *own = end;

	if (!own)
		return;
	mq_close(own->out);
	mq_close(own->in);
	bare_queue_close(own);
}

static void bare_sysv_close(void *end)
{
	struct bare_queue *own = end;

	if (own && own->opener == getpid()) {
		msgctl(own->out, IPC_RMID, NULL);
		msgctl(own->in, IPC_RMID, NULL);
	}
	bare_queue_close(own);
}

static int bare_ends(void **ret_a, void **ret_b)
{
	*ret_a = calloc(1, sizeof(struct bare_queue));
	*ret_b = calloc(1, sizeof(struct bare_queue));
	return *ret_a && *ret_b ? 0 : -ENOMEM;
}

static int mqueue_make(size_t size, int flags, int ret_queues[2])
{
	struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = (long)size};
	char name[64];

	snprintf(name, sizeof(name), "/nonet-bench-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		ret_queues[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600, &attributes);
		if (ret_queues[i] < 0)
			return -errno;
		mq_unlink(name);
	}
	return 0;
}

static int mqueue_open(size_t size, int flags, void **ret_a, void **ret_b)
{
	struct bare_queue *a, *b;
	int queues[2] = {-1, -1};
	int error = bare_ends(ret_a, ret_b);

	if (!error)
		error = mqueue_make(size, flags, queues);
	if (error)
		return error;
	a = *ret_a;
	b = *ret_b;
	*a = (struct bare_queue){.out = queues[0], .in = queues[1]};
	*b = (struct bare_queue){.out = dup(queues[1]), .in = dup(queues[0])};
	return b->out < 0 || b->in < 0 ? -errno : 0;
}

static int bare_mqueue_open(size_t size, void **ret_a, void **ret_b)
{
	return mqueue_open(size, O_NONBLOCK, ret_a, ret_b);
}

static int naked_mqueue_open(size_t size, void **ret_a, void **ret_b)
{
	return mqueue_open(size, 0, ret_a, ret_b);
}

static int bare_mqueue_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_queue *own = end;
	int error;

	while (mq_send(own->out, message, size, 0) < 0) {
		if (errno == EINTR)
			continue;
		error = errno == EAGAIN ? bare_wait(own->out, POLLOUT, deadline) : -errno;
		if (error < 0)
			return error;
	}
	return 0;
}

/* The buffer is as large as the queue's messages. */
static int bare_mqueue_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_queue *own = end;
	unsigned priority;
	ssize_t got;
	int error;

	while ((got = mq_receive(own->in, buffer, size, &priority)) < 0) {
		if (errno == EINTR)
			continue;
		error = errno == EAGAIN ? bare_wait(own->in, POLLIN, deadline) : -errno;
		if (error < 0)
			return error;
	}
	return (size_t)got == size && priority == 0 ? 0 : -EPROTO;
}

static int naked_mqueue_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)deadline;
	return mq_send(((struct bare_queue *)end)->out, message, size, 0) < 0 ? -errno : 0;
}

static int naked_mqueue_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)deadline;
	return mq_receive(((struct bare_queue *)end)->in, buffer, size, NULL) == (ssize_t)size ? 0 : -EIO;
}

static int bare_sysv_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_queue *a, *b;
	int error = bare_ends(ret_a, ret_b);

	(void)size;
	if (error)
		return error;
	a = *ret_a;
	b = *ret_b;
	a->out = b->in = msgget(IPC_PRIVATE, 0600);
	a->in = b->out = msgget(IPC_PRIVATE, 0600);
	a->opener = getpid();
	return a->out < 0 || a->in < 0 ? -errno : 0;
}

struct bare_message {
	long type;
	char bytes[8192];
};

/* 50 us, 100 us... 5 ms; -EAGAIN for NONET_NOW, -ETIMEDOUT. */
static int bare_look_again(long *interval, nonet_time deadline)
{
	const struct timespec left = bare_left(deadline);
	struct timespec sleep = {.tv_nsec = *interval = *interval ? *interval * 2 : 50000};

	if (deadline == NONET_NOW)
		return -EAGAIN;
	if (deadline != NONET_FOREVER && left.tv_sec == 0 && left.tv_nsec == 0)
		return -ETIMEDOUT;
	if (sleep.tv_nsec > 5000000)
		sleep.tv_nsec = *interval = 5000000;
	if (deadline != NONET_FOREVER && left.tv_sec == 0 && left.tv_nsec < sleep.tv_nsec)
		sleep = left;
	nanosleep(&sleep, NULL);
	return 0;
}

static int bare_sysv_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_queue *own = end;
	struct bare_message copy;
	long interval = 0;
	int error;

	if (size > sizeof(copy.bytes))
		return -EMSGSIZE;
	copy.type = 1;
	memcpy(copy.bytes, message, size);
	while (msgsnd(own->out, &copy, size, IPC_NOWAIT) < 0) {
		if (errno == EINTR)
			continue;
		error = errno == EAGAIN ? bare_look_again(&interval, deadline) : -errno;
		if (error < 0)
			return error;
	}
	return 0;
}

static int bare_sysv_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_queue *own = end;
	struct bare_message copy;
	long interval = 0;
	ssize_t got;
	int error;

	if (size > sizeof(copy.bytes))
		return -EMSGSIZE;
	while ((got = msgrcv(own->in, &copy, size, 0, IPC_NOWAIT)) < 0) {
		if (errno == EINTR)
			continue;
		error = errno == ENOMSG ? bare_look_again(&interval, deadline) : -errno;
		if (error < 0)
			return error;
	}
	memcpy(buffer, copy.bytes, (size_t)got);
	return (size_t)got == size && copy.type == 1 ? 0 : -EPROTO;
}

static int naked_sysv_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct bare_message copy = {.type = 1};

	(void)deadline;
	memcpy(copy.bytes, message, size);
	return msgsnd(((struct bare_queue *)end)->out, &copy, size, 0) < 0 ? -errno : 0;
}

static int naked_sysv_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_message copy;

	(void)deadline;
	if (msgrcv(((struct bare_queue *)end)->in, &copy, size, 0, 0) != (ssize_t)size)
		return -EIO;
	memcpy(buffer, copy.bytes, size);
	return 0;
}

const struct bench_way bare_mqueue = {bare_mqueue_open, bare_mqueue_put, bare_mqueue_take, bare_mqueue_close};
const struct bench_way naked_mqueue = {naked_mqueue_open, naked_mqueue_put, naked_mqueue_take, bare_mqueue_close};
const struct bench_way bare_sysv_queue = {bare_sysv_open, bare_sysv_put, bare_sysv_take, bare_sysv_close};
const struct bench_way naked_sysv_queue = {bare_sysv_open, naked_sysv_put, naked_sysv_take, bare_sysv_close};
