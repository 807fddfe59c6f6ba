/* SPDX-License-Identifier: Apache-2.0 */
#include "rows/kind_object.h"

#include <errno.h>
#include <string.h>

#define LANE    65536u
#define MESSAGE 4000u /* in bytes: who has sent SENT of them, two lanes, waited for nobody */
#define SENT    (2 * LANE / MESSAGE)

static bool is_read(const char *address)
{
	return strcmp(address, "channel:row") == 0;
}

/* A subscriber of the one whose messages are waited for: from here on. The other one's come and go in take(), give().
 */
int row_channel_get(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.flags = way == ROW_REACH ? NONET_CHANNEL_MAY_EXIST : 0,
		.publishers = NONET_CHANNEL_PUBLISHERS,
		.subscribers = NONET_CHANNEL_SUBSCRIBERS,
		.lane = LANE,
	};
	int result = 0;

	object->channel = address;
	if (way != ROW_OPEN)
		result = nonet_channel_create(address, &options, reterr);
	if (result == 0 && (way == ROW_OPEN || (way == ROW_REACH && is_read(address))))
		result = nonet_subscriber_open(address, NULL, &object->subscriber, reterr);
	return result;
}

void row_channel_close(struct row_object *object)
{
	object->publisher = nonet_publisher_close(object->publisher);
	object->subscriber = nonet_subscriber_close(object->subscriber);
}

/* Once: the calls that are tried are what comes after it. */
static int publish(struct row_object *object)
{
	return object->publisher ? 0 : nonet_publisher_open(object->channel, &object->publisher, NULL);
}

int row_message_take(struct row_object *object)
{
	return publish(object);
}

int row_message_give(struct row_object *object)
{
	const int result = publish(object);

	return result < 0 ? result : nonet_publisher_send(object->publisher, "message", 7, NONET_NOW);
}

int row_message_wait(struct row_object *object, nonet_time deadline)
{
	struct nonet_message message;
	const int result = nonet_subscriber_take(object->subscriber, deadline, &message);

	return result < 0 ? result : nonet_subscriber_release(object->subscriber, &message);
}

int row_room_take(struct row_object *object)
{
	return object->subscriber ? 0 : nonet_subscriber_open(object->channel, NULL, &object->subscriber, NULL);
}

int row_room_give(struct row_object *object)
{
	if (!object->subscriber)
		return -EPERM;
	object->subscriber = nonet_subscriber_close(object->subscriber);
	return 0;
}

int row_room_wait(struct row_object *object, nonet_time deadline)
{
	static const char message[MESSAGE];
	int result = publish(object);

	for (unsigned i = 0; i < SENT && result == 0; i++)
		result = nonet_publisher_send(object->publisher, message, sizeof(message), deadline);
	return result;
}
