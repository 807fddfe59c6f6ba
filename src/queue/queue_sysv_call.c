/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/time.h"
#include "queue/queue.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/memory.h"
#include "sys/sysv_queue.h"
#include "watcher/watcher.h"

/*
 * msgrcv(2) and msgsnd(2) have no timeout, so a call with a deadline is made by a helper thread, in the caller's
 * buffer, while the caller waits for the helper until the deadline. Then the helper is called back, and says what it
 * has: a message that came at the last moment is the caller's, and one that was not sent is still his.
 *
 * Each handle keeps one helper for the next time. Several threads that wait at once have one each. A forked child finds
 * its parent's, which isn't there, and makes its own.
 *
 * [QUEUE-CALL]  Who takes the helper out may use it: whoever had it before was done with it when he put it there.
 */

struct sysv_call {
	struct watcher *watcher;
	int id;
	bool sends;
	void *message;
	size_t size;
	long type;
	unsigned flags;
	ssize_t result; /* -EINTR: not made yet */
};

static int call_block(void *object)
{
	struct sysv_call *call = object;

	if (call->sends)
		call->result = sys_sysv_queue_send(call->id, call->message, call->size, SYS_SYSV_QUEUE_WAIT);
	else
		call->result = sys_sysv_queue_receive(call->id, call->message, call->size, call->type,
						      call->flags | SYS_SYSV_QUEUE_WAIT);
	return call->result == -EINTR ? -EINTR : 1;
}

static const struct watcher_job call_job = {.block = call_block};

static struct sysv_call *call_free(struct sysv_call *call)
{
	if (!call)
		return NULL;
	watcher_free(call->watcher);
	return sys_free(call);
}

static struct sysv_call *call_exchange(struct nonet_queue *queue, struct sysv_call *call)
{
	return atomic_exchange_explicit(&queue->with.sysv.call, call, memory_order_acq_rel); /* [QUEUE-CALL] */
}

/* NULL: there is none to be had. */
static struct sysv_call *call_new(void)
{
	struct sysv_call *call = sys_allocate(sizeof(*call));

	if (call && watcher_new(&call_job, call, &call->watcher) < 0)
		call = sys_free(call);
	return call;
}

/* Let the helper begin. @ret_call: NULL if there is no helper to be had. */
static struct sysv_call *call_begin(struct nonet_queue *queue, const struct sysv_call *wanted)
{
	struct sysv_call *call = call_exchange(queue, NULL);

	/* Twice: the first may be a parent's. */
	for (int turn = 0; turn < 2; turn++) {
		struct watcher *watcher;

		if (!call)
			call = call_new();
		if (!call)
			return NULL;
		watcher = call->watcher;
		*call = *wanted;
		call->watcher = watcher;
		call->result = -EINTR;
		if (watcher_arm(watcher) >= 0)
			return call;
		call = call_free(call);
	}
	return NULL;
}

/* Without a helper: look again and again (docs/adr/0002). */
static ssize_t call_by_looking(const struct sysv_call *call, nonet_time deadline)
{
	struct sys_retry retry = {0};
	ssize_t result;
	int error;

	for (;;) {
		if (call->sends)
			result = sys_sysv_queue_send(call->id, call->message, call->size, 0);
		else
			result = sys_sysv_queue_receive(call->id, call->message, call->size, call->type, call->flags);
		if (result != (call->sends ? -EAGAIN : -ENOMSG))
			return result;
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			return error;
	}
}

static ssize_t call_until(struct nonet_queue *queue, const struct sysv_call *wanted, nonet_time deadline)
{
	struct sysv_call *call = call_begin(queue, wanted);
	ssize_t result;
	int ready;

	if (!call)
		return call_by_looking(wanted, deadline);
	ready = sys_poll_one(watcher_fd(call->watcher), POLLIN, deadline);
	(void)watcher_disarm(call->watcher);
	/* What it did counts, also when our own wait was over first. */
	result = call->result != -EINTR ? call->result : ready < 0 ? ready : -ETIMEDOUT;
	call_free(call_exchange(queue, call));
	return result;
}

ssize_t queue_sysv_receive_until(struct nonet_queue *queue, void *message, size_t size, long type, unsigned flags,
				 nonet_time deadline)
{
	const struct sysv_call call = {
		.id = queue->with.sysv.id, .message = message, .size = size, .type = type, .flags = flags};

	return call_until(queue, &call, deadline);
}

int queue_sysv_send_until(struct nonet_queue *queue, const void *message, size_t size, nonet_time deadline)
{
	/* The helper only reads it. */
	const struct sysv_call call = {
		.id = queue->with.sysv.id, .sends = true, .message = (void *)message, .size = size};

	return (int)call_until(queue, &call, deadline);
}

void queue_sysv_call_close(struct nonet_queue *queue)
{
	call_free(call_exchange(queue, NULL));
}
