/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/list.h"
#include "queue/queue.h"
#include "sys/fork.h"
#include "sys/sysv_queue.h"
#include "watcher/watcher.h"

/*
 * A descriptor for a queue that has none. A helper asks for a message of at most 0 bytes: the kernel wakes it with
 * E2BIG when one comes, and the message stays. Only an empty message it gets, since that fits. It is in hand then:
 *
 * 1. With the watcher, its type in @taken, until it is collected or put back. While there is one the watcher isn't
 *    armed, so there is never a second. It is collected, and the watcher armed, under the mutex only: so whoever has
 *    collected reads @taken before the helper writes it again.
 * 2. In @hand, if who looked at it couldn't put it back. Whoever takes one out of the queue empties @hand before.
 *
 * All this is of the process that opened the queue. In a forked child none of it is touched.
 *
 * [QUEUE-WATCH] Who finds the watcher may use it: it was complete when it was put there.
 */

/* How long the helper keeps an empty message for whoever was told that something is there. */
#define WATCH_PATIENCE NONET_MS(100)

static bool sysv_is_foreign(const struct nonet_queue *queue)
{
	return queue->with.sysv.generation != sys_generation();
}

/* Behind the others of its type. */
static bool sysv_put_back(struct nonet_queue *queue, long type)
{
	return sys_sysv_queue_send(queue->with.sysv.id, &type, 0, 0) == 0;
}

static int watch_block(void *object)
{
	struct nonet_queue *queue = object;
	unsigned flags;
	ssize_t size;
	long type;

	(void)queue_sysv_selection(&queue->ready, &type, &flags);
	size = sys_sysv_queue_receive(queue->with.sysv.id, &queue->with.sysv.taken, 0, type,
				      flags | SYS_SYSV_QUEUE_WAIT);
	return size == 0 ? 1 : (int)size;
}

static bool watch_release(void *object)
{
	struct nonet_queue *queue = object;

	return sysv_put_back(queue, queue->with.sysv.taken);
}

static const struct watcher_job watch_job = {
	.block = watch_block,
	.release = watch_release,
	.patience = WATCH_PATIENCE,
};

static struct watcher *sysv_watcher(struct nonet_queue *queue)
{
	return atomic_load_explicit(&queue->with.sysv.watcher,
				    memory_order_acquire); /* [QUEUE-WATCH] pair: queue_sysv_descriptor() */
}

/* Under the mutex: what is in hand isn't any more. Its type, or 0. */
static long hand_out(struct nonet_queue *queue)
{
	struct queue_sysv *sysv = &queue->with.sysv;
	long type = sysv->hand;

	sysv->hand = 0;
	if (type == 0 && watcher_collect(sysv_watcher(queue)) == 1)
		type = sysv->taken;
	return type;
}

/* Under the mutex: put one back that hand_out() gave, or that came when there was none; else it stays in hand. */
static bool hand_back(struct nonet_queue *queue, long type)
{
	if (sysv_put_back(queue, type))
		return true;
	queue->with.sysv.hand = type;
	return false;
}

static bool sysv_suits(const struct nonet_queue *queue, const struct nonet_queue_select *select, long type)
{
	const struct nonet_queue_select *ready = &queue->ready;

	return (select->which == ready->which && select->type == ready->type) ||
	       (select->which == NONET_QUEUE_TYPE && select->type == type);
}

/* Unless nobody has asked for the descriptor: then there can't be anything. */
static bool sysv_may_have_hand(struct nonet_queue *queue)
{
	return sysv_watcher(queue) && !sysv_is_foreign(queue);
}

long queue_sysv_take_hand(struct nonet_queue *queue, const struct nonet_queue_select *select)
{
	long type;

	if (!sysv_may_have_hand(queue))
		return 0;
	pthread_mutex_lock(&queue->with.sysv.mutex);
	type = hand_out(queue);
	if (type != 0 && !sysv_suits(queue, select, type)) {
		(void)hand_back(queue, type);
		type = 0;
	}
	pthread_mutex_unlock(&queue->with.sysv.mutex);
	return type;
}

bool queue_sysv_has_hand(struct nonet_queue *queue, const struct nonet_queue_select *select)
{
	bool has;
	long type;

	if (!sysv_may_have_hand(queue))
		return false;
	pthread_mutex_lock(&queue->with.sysv.mutex);
	type = hand_out(queue);
	has = type != 0 && !hand_back(queue, type) && sysv_suits(queue, select, type);
	pthread_mutex_unlock(&queue->with.sysv.mutex);
	return has;
}

/* Under the mutex, with nothing in @hand: whether such a message is there. What is wrong, the next receive finds out.
 */
static bool sysv_is_ready(struct nonet_queue *queue)
{
	struct sys_sysv_queue_status status;
	unsigned flags;
	ssize_t size;
	long type;

	if (queue->ready.which == NONET_QUEUE_FIRST)
		return sys_sysv_queue_status(queue->with.sysv.id, &status) < 0 || status.messages > 0;
	(void)queue_sysv_selection(&queue->ready, &type, &flags);
	size = sys_sysv_queue_receive(queue->with.sysv.id, &type, 0, type, flags);
	if (size == 0)
		(void)hand_back(queue, type);
	return size != -ENOMSG;
}

/* Under the mutex. */
static int sysv_arm(struct nonet_queue *queue)
{
	const long type = queue->with.sysv.hand;

	queue->with.sysv.hand = 0;
	if (type != 0)
		(void)hand_back(queue, type);
	if (type != 0 || sysv_is_ready(queue))
		return 1;
	return watcher_arm(sysv_watcher(queue));
}

int queue_sysv_arm(struct nonet_waitable *waitable)
{
	struct nonet_queue *queue = container_of(waitable, struct nonet_queue, waitable);
	int ready;

	if (sysv_is_foreign(queue))
		return -ECHILD;
	/* Nor a descriptor, and the reason is in its place. */
	if (!sysv_watcher(queue))
		return waitable->fd;
	pthread_mutex_lock(&queue->with.sysv.mutex);
	ready = sysv_arm(queue);
	pthread_mutex_unlock(&queue->with.sysv.mutex);
	return ready;
}

int queue_sysv_descriptor(struct nonet_queue *queue)
{
	struct queue_sysv *sysv = &queue->with.sysv;
	struct watcher *watcher;
	int error = 0;

	if (!(queue->flags & NONET_QUEUE_RECEIVE))
		return -EOPNOTSUPP;
	if (sysv_is_foreign(queue)) {
		queue->waitable.fd = -ECHILD;
		return -ECHILD;
	}
	if (sysv_watcher(queue))
		return queue->waitable.fd;
	pthread_mutex_lock(&sysv->mutex);
	if (!sysv_watcher(queue)) {
		error = watcher_new(&watch_job, queue, &watcher);
		queue->waitable.fd = error < 0 ? error : watcher_fd(watcher);
		if (error == 0)
			atomic_store_explicit(&sysv->watcher, watcher,
					      memory_order_release); /* [QUEUE-WATCH] pair: sysv_watcher() */
	}
	pthread_mutex_unlock(&sysv->mutex);
	return error < 0 ? error : queue->waitable.fd;
}

void queue_sysv_watch_close(struct nonet_queue *queue)
{
	watcher_free(sysv_watcher(queue));
	if (sysv_is_foreign(queue))
		return;
	pthread_mutex_destroy(&queue->with.sysv.mutex);
	if (queue->with.sysv.hand != 0)
		(void)sysv_put_back(queue, queue->with.sysv.hand);
}
