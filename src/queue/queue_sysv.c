/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/time.h"
#include "queue/queue.h"
#include "sys/clock.h"
#include "sys/memory.h"
#include "sys/sysv_queue.h"

/*
 * The kernel takes and gives a message with its type before its bytes, so each is copied once. What is up to this large
 * has its place on the stack: kernel.msgmax, where nobody has raised it.
 */
#define SYSV_STACK 8192

union sysv_message {
	long type;
	uint8_t bytes[SYS_SYSV_QUEUE_HEADER + SYSV_STACK];
};

/* One that may be larger than that. */
struct sysv_space {
	union sysv_message small;
	union sysv_message *message; /* @small, or memory of its own */
	size_t size;                 /* behind the type */
};

static void space_init(struct sysv_space *space, size_t size)
{
	space->message = &space->small;
	space->size = size < SYSV_STACK ? size : SYSV_STACK;
}

static void space_done(struct sysv_space *space)
{
	if (space->message != &space->small)
		sys_free(space->message);
}

static int space_grow(struct sysv_space *space, size_t size)
{
	union sysv_message *message = sys_allocate_buffer(SYS_SYSV_QUEUE_HEADER + size);

	if (!message)
		return -ENOMEM;
	space_done(space);
	space->message = message;
	space->size = size;
	return 0;
}

/* To the next size on the way to @most. */
static int space_grow_towards(struct sysv_space *space, size_t most)
{
	if (space->size >= most)
		return -EMSGSIZE;
	return space_grow(space, space->size < most / 4 ? space->size * 4 : most);
}

/* A queue that was removed: the kernel says one or the other. Other reasons for EINVAL were looked at before. */
static int sysv_code(ssize_t code)
{
	if (code == -EINVAL)
		return -EIDRM;
	if (code == -ENOMSG)
		return -EAGAIN;
	return code == -E2BIG ? -EMSGSIZE : (int)code;
}

int queue_sysv_selection(const struct nonet_queue_select *select, long *ret_type, unsigned *ret_flags)
{
	/* A long has 64 bits on all that we run on but 32-bit machines, whose kernel knows no larger types. */
	const long type = select->type > LONG_MAX ? LONG_MAX : (long)select->type;

	*ret_flags = select->which == NONET_QUEUE_EXCEPT ? SYS_SYSV_QUEUE_EXCEPT : 0;
	switch ((enum nonet_queue_which)select->which) {
	case NONET_QUEUE_FIRST:
		*ret_type = 0;
		return 0;
	case NONET_QUEUE_TYPE:
	case NONET_QUEUE_EXCEPT:
		*ret_type = type;
		return 0;
	case NONET_QUEUE_LOWEST:
		*ret_type = -type;
		return 0;
	case NONET_QUEUE_HIGHEST:
		break;
	}
	return -EOPNOTSUPP;
}

/* Why a message of @size wasn't taken, or didn't find room: it may be too large for the queue, and wait for ever. */
static int sysv_why_not(struct nonet_queue *queue, size_t size, int code)
{
	struct sys_sysv_queue_status status;
	int error;

	if (code != -EINVAL && code != -EAGAIN)
		return code;
	error = sys_sysv_queue_status(queue->with.sysv.id, &status);
	if (code == -EINVAL)
		return error == -EINVAL || error == -EIDRM ? -EIDRM : -EMSGSIZE;
	return error == 0 && size > status.capacity ? -EMSGSIZE : code;
}

static int sysv_send_message(struct nonet_queue *queue, const void *message, size_t size, nonet_time deadline)
{
	int error = sys_sysv_queue_send(queue->with.sysv.id, message, size, 0);

	if (error == 0)
		return 0;
	error = sysv_why_not(queue, size, error);
	if (error != -EAGAIN || deadline == NONET_NOW)
		return error;
	if (deadline != NONET_FOREVER)
		return sysv_why_not(queue, size, queue_sysv_send_until(queue, message, size, deadline));
	do
		error = sys_sysv_queue_send(queue->with.sysv.id, message, size, SYS_SYSV_QUEUE_WAIT);
	while (error == -EINTR);
	return sysv_why_not(queue, size, error);
}

static int sysv_send(struct nonet_queue *queue, const void *message, size_t size, const struct nonet_queue_label *label,
		     nonet_time deadline)
{
	struct sysv_space space;
	int error = 0;

	if (label->priority > 0)
		return -EOPNOTSUPP;
	if (label->type > LONG_MAX)
		return -EINVAL;
	if (size > INT32_MAX)
		return -EMSGSIZE;
	space_init(&space, size);
	if (size > SYSV_STACK)
		error = space_grow(&space, size);
	if (error < 0)
		return error;
	space.message->type = label->type ? (long)label->type : 1;
	if (size > 0)
		memcpy(space.message->bytes + SYS_SYSV_QUEUE_HEADER, message, size);
	error = sysv_send_message(queue, space.message, size, deadline);
	space_done(&space);
	return error;
}

/* Until there is one. Return: as sys_sysv_queue_receive(), or -EAGAIN, -ETIMEDOUT. */
static ssize_t sysv_wait(struct nonet_queue *queue, struct sysv_space *space, long type, unsigned flags,
			 nonet_time deadline)
{
	ssize_t size;

	if (deadline == NONET_NOW)
		return -EAGAIN;
	if (deadline != NONET_FOREVER)
		return queue_sysv_receive_until(queue, space->message, space->size, type, flags, deadline);
	do
		size = sys_sysv_queue_receive(queue->with.sysv.id, space->message, space->size, type,
					      flags | SYS_SYSV_QUEUE_WAIT);
	while (size == -EINTR);
	return size;
}

static int sysv_receive(struct nonet_queue *queue, void *buffer, size_t capacity,
			const struct nonet_queue_select *select, nonet_time deadline,
			struct nonet_queue_message *ret_message)
{
	struct sysv_space space;
	unsigned flags;
	ssize_t size;
	long type;
	int error = queue_sysv_selection(select, &type, &flags);

	if (error < 0)
		return error;
	space.small.type = queue_sysv_take_hand(queue, select);
	if (space.small.type != 0) {
		*ret_message = (struct nonet_queue_message){.type = space.small.type};
		return 0;
	}
	space_init(&space, capacity);
	for (;;) {
		size = sys_sysv_queue_receive(queue->with.sysv.id, space.message, space.size, type, flags);
		if (size == -ENOMSG)
			size = sysv_wait(queue, &space, type, flags, deadline);
		if (size != -E2BIG || space.size == capacity)
			break;
		size = space_grow_towards(&space, capacity);
		if (size < 0)
			break;
	}
	if (size > 0)
		memcpy(buffer, space.message->bytes + SYS_SYSV_QUEUE_HEADER, (size_t)size);
	if (size >= 0)
		*ret_message = (struct nonet_queue_message){.size = (uint64_t)size, .type = space.message->type};
	space_done(&space);
	return size < 0 ? sysv_code(size) : 0;
}

/* Copy the @index-th message into @space, which grows as it must. */
static ssize_t sysv_copy(struct nonet_queue *queue, uint64_t index, struct sysv_space *space)
{
	ssize_t size;

	if (index > LONG_MAX)
		return -EAGAIN;
	for (;;) {
		size = sys_sysv_queue_receive(queue->with.sysv.id, space->message, space->size, (long)index,
					      SYS_SYSV_QUEUE_COPY);
		if (size != -E2BIG)
			break;
		size = space_grow_towards(space, INT32_MAX);
		if (size < 0)
			break;
	}
	if (size == -ENOSYS)
		return -EOPNOTSUPP;
	/* Also of one that was sent before somebody lowered kernel.msgmax. */
	return size < 0 ? sysv_code(sysv_why_not(queue, 0, (int)size)) : size;
}

static int sysv_peek(struct nonet_queue *queue, uint64_t index, void *buffer, size_t capacity,
		     struct nonet_queue_message *ret_message)
{
	struct sysv_space space;
	ssize_t size;

	space_init(&space, SYSV_STACK);
	size = sysv_copy(queue, index, &space);
	if (size >= 0) {
		const size_t copied = (size_t)size < capacity ? (size_t)size : capacity;

		if (copied > 0)
			memcpy(buffer, space.message->bytes + SYS_SYSV_QUEUE_HEADER, copied);
		*ret_message = (struct nonet_queue_message){.size = (uint64_t)size, .type = space.message->type};
	}
	space_done(&space);
	return size < 0 ? (int)size : 0;
}

static bool sysv_matches(const struct nonet_queue_select *select, long type)
{
	switch ((enum nonet_queue_which)select->which) {
	case NONET_QUEUE_TYPE:
		return type == select->type;
	case NONET_QUEUE_LOWEST:
		return type <= select->type;
	case NONET_QUEUE_EXCEPT:
		return type != select->type;
	default:
		return true;
	}
}

/* The size of the message that a receive would get now. The queue is walked: it may change meanwhile. */
static int sysv_find(struct nonet_queue *queue, const struct nonet_queue_select *select, struct sysv_space *space,
		     size_t *ret_size)
{
	const bool lowest = select->which == NONET_QUEUE_LOWEST;
	long found = 0;
	ssize_t size;

	for (uint64_t index = 0;; index++) {
		size = sysv_copy(queue, index, space);
		if (size < 0)
			break;
		if (!sysv_matches(select, space->message->type) || (found && space->message->type >= found))
			continue;
		found = space->message->type;
		*ret_size = (size_t)size;
		if (!lowest || found == 1)
			return 0;
	}
	return found ? 0 : (int)size;
}

static int sysv_message_size(struct nonet_queue *queue, const struct nonet_queue_select *select, nonet_time deadline,
			     size_t *ret_size)
{
	struct sys_retry retry = {0};
	struct sysv_space space;
	unsigned flags;
	size_t size = 0;
	long type;
	int error = queue_sysv_selection(select, &type, &flags);

	if (error < 0)
		return error;
	/* What is in hand is empty; behind the others of its type it is found as they are. */
	if (queue_sysv_has_hand(queue, select)) {
		*ret_size = 0;
		return 0;
	}
	space_init(&space, SYSV_STACK);
	while ((error = sysv_find(queue, select, &space, &size)) == -EAGAIN) {
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			break;
	}
	space_done(&space);
	if (error == 0)
		*ret_size = size;
	return error;
}

static int sysv_drain(struct nonet_queue *queue, uint64_t *ret_count)
{
	const struct nonet_queue_select any = {.size = sizeof(any)};
	struct sys_sysv_queue_status status;
	struct sysv_space space;
	uint64_t count = queue_sysv_take_hand(queue, &any) != 0;
	ssize_t size = 0;
	int error = sys_sysv_queue_status(queue->with.sysv.id, &status);

	if (error < 0)
		return sysv_code(error);
	space_init(&space, SYSV_STACK);
	while (status.messages > 0 && size >= 0) {
		size = sys_sysv_queue_receive(queue->with.sysv.id, space.message, space.size, 0, 0);
		if (size == -E2BIG) {
			size = space_grow_towards(&space, INT32_MAX);
			continue;
		}
		count += size >= 0;
		status.messages -= size >= 0;
	}
	space_done(&space);
	/* Others took the rest. */
	if (size < 0 && size != -ENOMSG)
		return sysv_code(size);
	*ret_count = count;
	return 0;
}

static int sysv_status(struct nonet_queue *queue, struct nonet_queue_status *ret_status)
{
	struct sys_sysv_queue_status status;
	int error = sys_sysv_queue_status(queue->with.sysv.id, &status);

	if (error < 0)
		return sysv_code(error);
	*ret_status = (struct nonet_queue_status){
		.messages = status.messages,
		.bytes = status.bytes,
		.depth = status.capacity,
		.capacity = status.capacity,
		.message_size = queue->message_size < status.capacity ? queue->message_size : status.capacity,
		.mode = status.mode,
		.uid = status.uid,
		.gid = status.gid,
		.last_sender = status.last_sender,
		.last_receiver = status.last_receiver,
	};
	return 0;
}

static int sysv_notify(struct nonet_queue *queue, int number, int value)
{
	(void)queue;
	(void)number;
	(void)value;
	return -EOPNOTSUPP;
}

static void sysv_close(struct nonet_queue *queue)
{
	queue_sysv_call_close(queue);
	queue_sysv_watch_close(queue);
}

const struct queue_carrier queue_sysv_carrier = {
	.send = sysv_send,
	.receive = sysv_receive,
	.message_size = sysv_message_size,
	.peek = sysv_peek,
	.drain = sysv_drain,
	.status = sysv_status,
	.notify = sysv_notify,
	.descriptor = queue_sysv_descriptor,
	.close = sysv_close,
};
