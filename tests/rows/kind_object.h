/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROWS_KIND_OBJECT_H
#define ROWS_KIND_OBJECT_H

#include <stdint.h>

#include <nonet/channel.h>
#include <nonet/condition.h>
#include <nonet/event.h>
#include <nonet/mutex.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "rows/kind.h"

/* A process's handles of an object: what kinds are made of. */
struct row_object {
	struct nonet_mutex *mutex; /* or the condition's */
	struct nonet_rwlock *rwlock;
	struct nonet_condition *condition;
	struct nonet_event *event;
	struct nonet_semaphore *semaphore;
	const char *channel; /* its address */
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	uint64_t seen; /* how often it had happened: what is waited for is more */
};

enum row_way {
	ROW_CREATE,
	ROW_OPEN,
	ROW_REACH
};

int row_channel_get(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr);
void row_channel_close(struct row_object *object);

/* Who waits is a subscriber, and there is no message. */
int row_message_take(struct row_object *object);
int row_message_give(struct row_object *object);
int row_message_wait(struct row_object *object, nonet_time deadline);

/* Who waits is a publisher, whose lane is full; who has it is a subscriber that doesn't read. */
int row_room_take(struct row_object *object);
int row_room_give(struct row_object *object);
int row_room_wait(struct row_object *object, nonet_time deadline);

#endif
