/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/list.h"
#include "queue/queue.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/mqueue.h"

/*
 * The kernel gives a message only to a buffer as large as the queue's largest, so for a smaller one it is taken into a
 * buffer of ours, and if it doesn't fit stays there: in this handle's hand, a list in the order of taking. Who looks at
 * the hand takes all of it out in one exchange, and puts back what he leaves.
 *
 * [QUEUE-HAND]  Who takes the list out may read what is in it: it was written before the list was put there.
 */

static int posix_wait(struct nonet_queue *queue, short events, nonet_time deadline)
{
	int ready = sys_poll_one(queue->with.posix.fd, events, deadline);

	return ready < 0 ? ready : 0;
}

static int posix_send(struct nonet_queue *queue, const void *message, size_t size,
		      const struct nonet_queue_label *label, nonet_time deadline)
{
	int error;

	if (label->type > 1)
		return -EOPNOTSUPP;
	while ((error = sys_mqueue_send(queue->with.posix.fd, message, size, label->priority)) == -EAGAIN) {
		error = posix_wait(queue, POLLOUT, deadline);
		if (error < 0)
			return error;
	}
	return error;
}

static bool posix_has_hand(struct nonet_queue *queue)
{
	return atomic_load_explicit(&queue->with.posix.hand, memory_order_relaxed) != NULL;
}

static struct queue_hand *hand_forget(struct queue_hand *hand)
{
	struct queue_hand *next;

	for (; hand; hand = next) {
		next = hand->next;
		sys_free(hand);
	}
	return NULL;
}

/* All of it. In a forked child nothing: what its parent took is its parent's. */
static struct queue_hand *hand_take(struct nonet_queue *queue)
{
	struct queue_hand *hand = atomic_exchange_explicit(&queue->with.posix.hand, NULL,
							   memory_order_acquire); /* [QUEUE-HAND] pair: hand_put() */

	return hand && hand->generation != sys_generation() ? hand_forget(hand) : hand;
}

static void hand_append(struct queue_hand **list, struct queue_hand *more)
{
	while (*list)
		list = &(*list)->next;
	*list = more;
}

/* Another thread may have put something there meanwhile: it comes behind. */
static void hand_put(struct nonet_queue *queue, struct queue_hand *list)
{
	struct queue_hand *none = NULL;

	while (list && !atomic_compare_exchange_strong_explicit(&queue->with.posix.hand, &none, list,
								memory_order_release, /* [QUEUE-HAND] */
								memory_order_relaxed)) {
		hand_append(&list, hand_take(queue));
		none = NULL;
	}
}

/* The next message of the queue at the end of @list. Return: 0, -EAGAIN, -ENOMEM... */
static int hand_fetch(struct nonet_queue *queue, struct queue_hand **list)
{
	struct queue_hand *hand = sys_allocate(sizeof(*hand) + queue->message_size);
	ssize_t size;

	if (!hand)
		return -ENOMEM;
	size = sys_mqueue_receive(queue->with.posix.fd, hand->bytes, queue->message_size, &hand->priority);
	if (size < 0) {
		sys_free(hand);
		return (int)size;
	}
	hand->generation = sys_generation();
	hand->size = (size_t)size;
	hand_append(list, hand);
	return 0;
}

/* The first in hand, fetched if there is none, as long as that is possible without waiting. */
static int hand_look(struct nonet_queue *queue, struct queue_hand **ret_list)
{
	int error = 0;

	*ret_list = hand_take(queue);
	if (!*ret_list)
		error = hand_fetch(queue, ret_list);
	return error;
}

/* A wait set that was told that the descriptor tells all sleeps over what we leave. */
static void hand_leave(struct nonet_queue *queue, struct queue_hand *list)
{
	if (!list)
		return;
	hand_put(queue, list);
	waitable_touch(&queue->waitable);
}

__attribute__((noinline)) static int posix_receive_by_hand(struct nonet_queue *queue, void *buffer, size_t capacity,
							   nonet_time deadline, struct nonet_queue_message *ret_message)
{
	struct queue_hand *list;
	struct queue_hand *hand;
	int error;

	while ((error = hand_look(queue, &list)) == -EAGAIN) {
		error = posix_wait(queue, POLLIN, deadline);
		if (error < 0)
			return error;
	}
	if (error < 0)
		return error;
	hand = list;
	if (hand->size > capacity) {
		hand_leave(queue, list);
		return -EMSGSIZE;
	}
	if (hand->size > 0)
		memcpy(buffer, hand->bytes, hand->size);
	*ret_message = (struct nonet_queue_message){.size = hand->size, .priority = hand->priority};
	hand_leave(queue, hand->next);
	sys_free(hand);
	return 0;
}

static bool posix_can_select(const struct nonet_queue_select *select)
{
	return select->which <= NONET_QUEUE_HIGHEST;
}

static int posix_receive(struct nonet_queue *queue, void *buffer, size_t capacity,
			 const struct nonet_queue_select *select, nonet_time deadline,
			 struct nonet_queue_message *ret_message)
{
	unsigned priority;
	ssize_t size;
	int error;

	if (!posix_can_select(select))
		return -EOPNOTSUPP;
	if (capacity < queue->message_size || posix_has_hand(queue))
		return posix_receive_by_hand(queue, buffer, capacity, deadline, ret_message);
	while ((size = sys_mqueue_receive(queue->with.posix.fd, buffer, capacity, &priority)) == -EAGAIN) {
		error = posix_wait(queue, POLLIN, deadline);
		if (error < 0)
			return error;
	}
	if (size < 0)
		return (int)size;
	*ret_message = (struct nonet_queue_message){.size = (uint64_t)size, .priority = priority};
	return 0;
}

static int posix_message_size(struct nonet_queue *queue, const struct nonet_queue_select *select, nonet_time deadline,
			      size_t *ret_size)
{
	struct queue_hand *list;
	size_t size;
	int error;

	if (!posix_can_select(select))
		return -EOPNOTSUPP;
	while ((error = hand_look(queue, &list)) == -EAGAIN) {
		error = posix_wait(queue, POLLIN, deadline);
		if (error < 0)
			return error;
	}
	if (error < 0)
		return error;
	size = list->size;
	hand_leave(queue, list);
	*ret_size = size;
	return 0;
}

static int posix_peek(struct nonet_queue *queue, uint64_t index, void *buffer, size_t capacity,
		      struct nonet_queue_message *ret_message)
{
	(void)queue;
	(void)index;
	(void)buffer;
	(void)capacity;
	(void)ret_message;
	return -EOPNOTSUPP;
}

static int posix_drain(struct nonet_queue *queue, uint64_t *ret_count)
{
	struct sys_mqueue_status status;
	struct queue_hand *list = NULL;
	uint64_t count = 0;
	int error = sys_mqueue_status(queue->with.posix.fd, &status);

	if (error < 0)
		return error;
	list = hand_take(queue);
	for (struct queue_hand *hand = list; hand; hand = hand->next)
		count++;
	list = hand_forget(list);
	for (uint64_t left = status.messages; left > 0 && error == 0; left--) {
		error = hand_fetch(queue, &list);
		list = hand_forget(list);
		count += error == 0;
	}
	/* Others took the rest. */
	if (error < 0 && error != -EAGAIN)
		return error;
	*ret_count = count;
	return 0;
}

static int posix_status(struct nonet_queue *queue, struct nonet_queue_status *ret_status)
{
	struct sys_mqueue_status status;
	uint64_t bytes = UINT64_MAX;
	struct stat file;
	int error = sys_mqueue_status(queue->with.posix.fd, &status);

	if (error == 0)
		error = sys_stat_fd(queue->with.posix.fd, &file);
	if (error == 0 && queue->flags & NONET_QUEUE_RECEIVE)
		error = sys_mqueue_bytes(queue->with.posix.fd, &bytes);
	if (error < 0)
		return error;
	*ret_status = (struct nonet_queue_status){
		.messages = status.messages,
		.bytes = bytes,
		.depth = status.depth,
		.capacity = status.depth * status.message_size,
		.message_size = status.message_size,
		.mode = file.st_mode & 0777,
		.uid = file.st_uid,
		.gid = file.st_gid,
	};
	return 0;
}

static int posix_notify(struct nonet_queue *queue, int number, int value)
{
	if (number < 0)
		return -EINVAL;
	return sys_mqueue_notify(queue->with.posix.fd, number, value);
}

static int posix_descriptor(struct nonet_queue *queue)
{
	return queue->waitable.fd;
}

int queue_posix_arm(struct nonet_waitable *waitable)
{
	return posix_has_hand(container_of(waitable, struct nonet_queue, waitable));
}

/* Whoever opened it only to receive may still be allowed to send. */
static void posix_put_back(struct nonet_queue *queue, const struct queue_hand *hand)
{
	const bool sends = queue->flags & NONET_QUEUE_SEND;
	int fd = sends ? queue->with.posix.fd : sys_reopen(queue->with.posix.fd, O_WRONLY | O_NONBLOCK);

	if (fd >= 0)
		(void)sys_mqueue_send(fd, hand->bytes, hand->size, hand->priority);
	if (!sends)
		sys_close(&fd);
}

static void posix_close(struct nonet_queue *queue)
{
	struct queue_hand *list = hand_take(queue);

	for (const struct queue_hand *hand = list; hand; hand = hand->next)
		posix_put_back(queue, hand);
	hand_forget(list);
	sys_close(&queue->with.posix.fd);
}

const struct queue_carrier queue_posix_carrier = {
	.send = posix_send,
	.receive = posix_receive,
	.message_size = posix_message_size,
	.peek = posix_peek,
	.drain = posix_drain,
	.status = posix_status,
	.notify = posix_notify,
	.descriptor = posix_descriptor,
	.close = posix_close,
};
