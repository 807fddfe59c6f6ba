/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <nonet/channel.h>
#include <nonet/version.h>

/* nonet's channels, one for each direction, in a domain of their own: written in place, read in place. */
struct channel_end {
	struct nonet_publisher *out;
	struct nonet_subscriber *in;
	size_t size;
};

static void channel_version(char *text, size_t room)
{
	snprintf(text, room, "%s", nonet_version());
}

static void channel_close(void *handle)
{
	struct channel_end *end = handle;

	if (!end)
		return;
	nonet_publisher_close(end->out);
	nonet_subscriber_close(end->in);
	free(end);
}

/* A power of two, as a lane has to be. */
static uint64_t channel_lane(size_t size)
{
	uint64_t lane = 65536;

	while (lane < peer_slots(size) * size)
		lane *= 2;
	return lane;
}

static int channel_open(const struct peer_session *session, void **ret_end)
{
	const struct nonet_subscriber_options polling = {.size = sizeof(polling), .flags = NONET_SUBSCRIBER_POLL};
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.flags = NONET_CHANNEL_MAY_EXIST,
		.lane = channel_lane(session->size),
	};
	struct channel_end *end = calloc(1, sizeof(*end));
	struct nonet_error why = {.text = ""};
	char out[256];
	char in[256];
	int error;

	if (!end)
		return -ENOMEM;
	end->size = session->size;
	snprintf(out, sizeof(out), "channel:%s/%s", session->directory, session->side ? "b" : "a");
	snprintf(in, sizeof(in), "channel:%s/%s", session->directory, session->side ? "a" : "b");
	error = nonet_channel_create(out, &options, &why);
	if (!error)
		error = nonet_channel_create(in, &options, &why);
	if (!error)
		error = nonet_publisher_open(out, &end->out, &why);
	if (!error)
		error = nonet_subscriber_open(in, &polling, &end->in, &why);
	if (error < 0) {
		fprintf(stderr, "%s\n", why.text);
		channel_close(end);
		return error;
	}
	*ret_end = end;
	return 0;
}

static int channel_send(void *handle, void *message, size_t count)
{
	struct channel_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *room;
		int error = nonet_publisher_loan(end->out, end->size, NONET_FOREVER, &room);

		if (error < 0)
			return error;
		peer_next(message);
		peer_copy(room, message, end->size);
		error = nonet_publisher_publish(end->out, end->size, 0);
		if (error < 0)
			return error;
	}
	return 0;
}

static int channel_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct channel_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		struct nonet_message message;
		int error = nonet_subscriber_take(end->in, NONET_FOREVER, &message);

		if (error < 0)
			return error;
		if (message.size != end->size)
			return -EPROTO;
		peer_take(reader, message.data, message.size);
		error = nonet_subscriber_release(end->in, &message);
		if (error < 0)
			return error;
	}
	return 0;
}

const struct peer peer_channel = {
	.mode = "polls, in place, one message a call",
	.version = channel_version,
	.open = channel_open,
	.send = channel_send,
	.receive = channel_receive,
	.close = channel_close,
};
