/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "queue/queue.h"
#include "sys/fork.h"
#include "sys/ipc_key.h"
#include "sys/privilege.h"
#include "sys/sysv_queue.h"

/* What the limits are where nobody has set them (msgctl(2)). */
static const struct sys_sysv_queue_limits default_limits = {
	.message_size = 8192,
	.capacity = 16384,
	.queues = 32000,
};

/* How often one that is there and is gone in turns is tried: each turn needs somebody who makes or removes it. */
#define SYSV_TURNS 100

/* For sentences, and for what no harm comes of: default_limits where the kernel doesn't tell. */
static struct sys_sysv_queue_limits sysv_limits(void)
{
	struct sys_sysv_queue_limits limits;

	return sys_sysv_queue_limits(&limits) < 0 ? default_limits : limits;
}

/* @what is as it stands in a sentence: "open the queue". */
static int sysv_failed(int error, const char *what, const struct nonet_address *address, struct nonet_error *reterr)
{
	const char *text = nonet_address_text(address);

	switch (error) {
	case -ENOSYS:
		return error_set(reterr, -EOPNOTSUPP,
				 "can't %s %s: this kernel was built without System V message queues; posixmq: needs "
				 "none",
				 what, text);
	case -ENOENT:
		return error_set(reterr, error, "can't %s %s: there is none", what, text);
	case -EACCES:
	case -EPERM:
		return error_set(reterr, error, "can't %s %s: its owner and mode don't let this user", what, text);
	default:
		return error_set(reterr, error, "can't %s %s: %s", what, text, error_reason(error));
	}
}

/* The key: -ENODATA for id=N. The sentence is said. */
static int sysv_key(const struct nonet_address *address, int32_t *ret_key, struct nonet_error *reterr)
{
	const char *path = nonet_address_name(address, NULL);
	int64_t number;
	int error;

	if (!path) {
		error = nonet_address_number(address, NONET_ADDRESS_KEY, &number);
		if (error == 0)
			*ret_key = (int32_t)(uint32_t)number;
		return error;
	}
	error = nonet_address_number(address, NONET_ADDRESS_PROJECT, &number);
	if (error == 0)
		error = sys_ipc_key(path, (int)number, ret_key);
	if (error < 0)
		return error_set(reterr, error, "can't make a key of the file of %s: %s", nonet_address_text(address),
				 error_reason(error));
	return 0;
}

/* An id says nothing of what it lets us do; who may receive is told. */
static int sysv_check_id(int id, unsigned access)
{
	struct sys_sysv_queue_status status;
	int error = sys_sysv_queue_status(id, &status);

	if (error == -EINVAL || error == -EIDRM)
		return -ENOENT;
	return error == -EACCES && !(access & 0400) ? 0 : error;
}

/* Return: the id, asked for @access; the sentence is said. */
static int sysv_find(const struct nonet_address *address, unsigned access, const char *what, struct nonet_error *reterr)
{
	int64_t number;
	int32_t key;
	int error;
	int id;

	if (nonet_address_number(address, NONET_ADDRESS_ID, &number) == 0) {
		error = sysv_check_id((int)number, access);
		return error < 0 ? sysv_failed(error, what, address, reterr) : (int)number;
	}
	error = sysv_key(address, &key, reterr);
	if (error < 0)
		return error;
	id = sys_sysv_queue_open(key, access);
	return id < 0 ? sysv_failed(id, what, address, reterr) : id;
}

static void sysv_init(struct nonet_queue *queue, int id)
{
	struct queue_sysv *sysv = &queue->with.sysv;

	queue->carrier = &queue_sysv_carrier;
	queue->message_size = sysv_limits().message_size;
	sysv->id = id;
	sysv->generation = sys_generation();
	/* Can't fail on Linux: it only fills in memory. */
	pthread_mutex_init(&sysv->mutex, NULL);
	waitable_init(&queue->waitable, -EOPNOTSUPP, queue_sysv_arm);
}

static unsigned sysv_access(const struct nonet_queue *queue)
{
	return (queue->flags & NONET_QUEUE_RECEIVE ? 0400 : 0) | (queue->flags & NONET_QUEUE_SEND ? 0200 : 0);
}

int queue_sysv_open(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr)
{
	int id = sysv_find(queue->address, sysv_access(queue), "open the queue", reterr);

	(void)options;
	if (id < 0)
		return id;
	sysv_init(queue, id);
	return 0;
}

/* The room for what is asked; 0: as the system is set up. */
static uint64_t sysv_room(const struct nonet_queue_options *options, const struct sys_sysv_queue_limits *limits)
{
	const uint64_t size = options->message_size ? options->message_size : limits->message_size;

	/* Neither is over 32 bits. */
	if (options->depth)
		return options->depth * size;
	return size > limits->capacity ? size : 0;
}

static int sysv_refuse_room(const char *address, unsigned long long room, const struct sys_sysv_queue_limits *limits,
			    struct nonet_error *reterr)
{
	return error_set(reterr, -EPERM,
			 "can't make %s with room for %llu bytes: this system allows %llu; raise it as root: "
			 "sysctl -w kernel.msgmnb=%llu",
			 address, room, (unsigned long long)limits->capacity, room);
}

/* What can be known before the kernel is asked: so that there isn't a queue first, which then can't have its room. */
static int sysv_check_limits(const struct nonet_queue_options *options, uint64_t room, const char *address,
			     struct nonet_error *reterr)
{
	const unsigned long long size = options->message_size;
	struct sys_sysv_queue_limits limits;

	if (sys_sysv_queue_limits(&limits) < 0)
		return 0;
	if (size > limits.message_size)
		return error_set(reterr, -EINVAL,
				 "can't make %s for messages of %llu bytes: this system allows %llu; raise it as root: "
				 "sysctl -w kernel.msgmax=%llu",
				 address, size, (unsigned long long)limits.message_size, size);
	if (room > limits.capacity && !sys_may_exceed_limits())
		return sysv_refuse_room(address, room, &limits, reterr);
	return 0;
}

static int sysv_create_failed(int error, const struct nonet_address *address, int32_t key, uint64_t room,
			      struct nonet_error *reterr)
{
	const struct sys_sysv_queue_limits limits = sysv_limits();
	const char *text = nonet_address_text(address);

	switch (error) {
	case -EEXIST:
		return nonet_address_name(address, NULL) ? error_set_key_exists(reterr, text, (uint32_t)key)
							 : error_set_exists(reterr, text);
	case -ENOSPC:
		return error_set(reterr, error,
				 "can't make %s: this system has as many System V queues as it may have (%llu); remove "
				 "some (ipcs -q, ipcrm), or raise it as root: sysctl -w kernel.msgmni=N",
				 text, (unsigned long long)limits.queues);
	case -EPERM:
		return sysv_refuse_room(text, room, &limits, reterr);
	default:
		return sysv_failed(error, "make the queue", address, reterr);
	}
}

/* A new one with that room, if it isn't 0. Return: the id; -EIDRM: somebody has removed it at once. */
static int sysv_make(int32_t key, unsigned mode, uint64_t room)
{
	int id = sys_sysv_queue_create(key, mode);
	int error;

	if (id < 0 || room == 0)
		return id;
	error = sys_sysv_queue_set_capacity(id, room);
	if (error < 0)
		(void)sys_sysv_queue_remove(id);
	return error == -EINVAL ? -EIDRM : error < 0 ? error : id;
}

int queue_sysv_create(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr)
{
	const struct sys_sysv_queue_limits limits = sysv_limits();
	const uint64_t room = sysv_room(options, &limits);
	const bool reuse = options->flags & NONET_QUEUE_REUSE;
	const char *address = nonet_address_text(queue->address);
	struct nonet_error why = {.position = -1};
	int id = -EEXIST;
	int32_t key;
	int refused;
	int error = sysv_key(queue->address, &key, reterr);

	if (error == -ENODATA)
		return error_set(reterr, -EINVAL,
				 "can't make %s: the kernel gives a new queue its id; make it by a KEY or PATH#PROJ",
				 address);
	if (error < 0)
		return error;
	refused = sysv_check_limits(options, room, address, &why);
	if (refused < 0) {
		/* One that is there needs no room. */
		error = reuse ? queue_sysv_open(queue, options, reterr) : -ENOENT;
		if (error == -ENOENT)
			*reterr = why;
		return error == -ENOENT ? refused : error;
	}
	for (int turn = 0; turn < SYSV_TURNS; turn++) {
		id = sysv_make(key, options->mode, room);
		if ((id != -EEXIST && id != -EIDRM) || !reuse)
			break;
		error = id == -EEXIST ? queue_sysv_open(queue, options, reterr) : -ENOENT;
		if (error != -ENOENT)
			return error;
	}
	if (id < 0)
		return sysv_create_failed(id, queue->address, key, room, reterr);
	sysv_init(queue, id);
	return 0;
}

int queue_sysv_unlink(const struct nonet_address *address, struct nonet_error *reterr)
{
	int id = sysv_find(address, 0, "remove the queue", reterr);
	int error;

	if (id < 0)
		return id;
	/* By its id: one that has been made in its place meanwhile isn't hit. */
	error = sys_sysv_queue_remove(id);
	if (error == -EINVAL || error == -EIDRM)
		error = -ENOENT;
	return error < 0 ? sysv_failed(error, "remove the queue", address, reterr) : 0;
}
