/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <nonet/channel.h>

#include "channel/channel_layout.h"
#include "domain/object_layout.h"
#include "hostile/hostile.h"

/*
 * A channel of each policy in turn has the one that makes it; who opens it publishes or reads, or both. Sizes and data
 * of messages are what the hostile one made of them: they lie within the lane, and can be read to the last byte.
 */

#define LANE UINT64_C(65536)

/* The lanes, seats and positions that members write to. */
#define LANES 2u
#define SEATS 8u

struct ends {
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message held[4];
	unsigned holds;
};

static void close_it(void *object)
{
	struct ends *ends = object;

	if (!ends)
		return;
	nonet_publisher_close(ends->publisher);
	nonet_subscriber_close(ends->subscriber);
	free(ends);
}

/* Who finds all lanes taken reads only. */
static int open_it(const char *address, void **ret_object)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_HISTORY};
	struct ends *ends = calloc(1, sizeof(*ends));
	int result;

	if (!ends)
		return -ENOMEM;
	result = nonet_subscriber_open(address, &options, &ends->subscriber, NULL);
	if (result == 0) {
		result = nonet_publisher_open(address, &ends->publisher, NULL);
		result = result == -EUSERS ? 0 : result;
	}
	if (result < 0)
		close_it(ends);
	else
		*ret_object = ends;
	return result;
}

static int make(const char *address, void **ret_object)
{
	static _Atomic uint32_t made;
	const struct nonet_channel_options options = {
		.size = sizeof(options),
		.flags = NONET_CHANNEL_MAY_EXIST,
		.policy = atomic_fetch_add(&made, 1) % 2 ? NONET_CHANNEL_DROP : NONET_CHANNEL_BLOCK,
		.lane = LANE,
		.publishers = LANES,
		.subscribers = SEATS,
	};
	int result = nonet_channel_create(address, &options, NULL);

	return result < 0 ? result : open_it(address, ret_object);
}

/* All of it, so that a size that is too large is a fault. */
static int read_bytes(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	unsigned sum = 0;

	if (size > LANE / 2)
		return -EOVERFLOW;
	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return (int)(sum & 1);
}

static int release(struct ends *ends, unsigned which)
{
	const int result = nonet_subscriber_release(ends->subscriber, &ends->held[which]);

	ends->held[which] = ends->held[--ends->holds];
	return result;
}

static int take(struct ends *ends, nonet_time deadline)
{
	struct nonet_message *message;
	int result;

	if (ends->holds == 4)
		return release(ends, (unsigned)deadline % 4);
	message = &ends->held[ends->holds];
	result = nonet_subscriber_take(ends->subscriber, deadline, message);
	if (result < 0)
		return result;
	ends->holds++;
	return read_bytes(message->data, message->size);
}

static int publish(struct ends *ends, struct test_random *random, nonet_time deadline)
{
	static const char bytes[4096];
	const size_t size = test_random_next(random) % 8 ? test_random_next(random) % 300
							 : test_random_next(random) % (LANE / 2 - 63);
	void *buffer;
	int result;

	if (!ends->publisher)
		return 0;
	if (size <= sizeof(bytes) && test_random_next(random) % 2)
		return nonet_publisher_send(ends->publisher, bytes, size, deadline);
	result = nonet_publisher_loan(ends->publisher, size, deadline, &buffer);
	if (result < 0)
		return result;
	memset(buffer, 'm', size);
	if (test_random_next(random) % 16 == 0)
		return nonet_publisher_abort(ends->publisher);
	return nonet_publisher_publish(ends->publisher, size, test_random_next(random) % 4 ? 0 : NONET_CHANNEL_MORE);
}

static int use(void *object, struct test_random *random, nonet_time deadline)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EBADMSG, -ESTALE, -ECHILD, -EPIPE, -ENOBUFS};
	static _Thread_local char buffer[LANE / 2];
	struct ends *ends = object;
	struct nonet_error error;

	switch (test_random_next(random) % 12) {
	case 0:
		nonet_subscriber_explain(ends->subscriber, codes[test_random_next(random) % 7], &error);
		return error.code;
	case 1:
		return nonet_subscriber_arm(ends->subscriber);
	case 2:
		return ends->holds > 0 ? release(ends, 0) : 0;
	case 3:
	case 4:
		return take(ends, deadline);
	case 5:
	case 6:
		return nonet_subscriber_receive(ends->subscriber, buffer, sizeof(buffer), deadline, NULL);
	default:
		return publish(ends, random, deadline);
	}
}

/* A channel excludes nobody: what it can promise is that a message gets through. */
static int count(void *object, uint64_t *number)
{
	struct ends *ends = object;
	char byte = 'n';
	int result = 0;

	/* What others have sent meanwhile is read, so that nobody has to wait. */
	while (result >= 0)
		result = nonet_subscriber_receive(ends->subscriber, &byte, 1, NONET_NOW, NULL);
	result = result == -EAGAIN ? 0 : result;
	if (result == 0 && ends->publisher) {
		result = nonet_publisher_send(ends->publisher, &byte, 1, NONET_NOW);
		result = result == -EAGAIN ? 0 : result;
		if (result == 0)
			result = nonet_subscriber_receive(ends->subscriber, &byte, 1, NONET_NOW, NULL);
		result = result == -EAGAIN ? 0 : result;
	}
	atomic_fetch_add((_Atomic uint64_t *)number, 1);
	return result;
}

/* The first page of the first ring: whoever comes anew reads there. */
#define PAYLOAD                                                                                                     \
	(sizeof(struct channel_board) + LANES * sizeof(struct channel_lane) + SEATS * sizeof(struct channel_seat) + \
	 (size_t)LANES * SEATS * sizeof(struct channel_position))
#define RING ((OBJECT_PAYLOAD + PAYLOAD + 4095) / 4096 * 4096)

/* A record's header, a position, a mark's number. */
static uint64_t word_of_a_channel(struct test_random *random)
{
	static const uint64_t lengths[] = {0, 8, 100, LANE / 2 - 64, LANE / 2, LANE, LANE * 2, CHANNEL_LENGTH};
	const uint64_t length = lengths[test_random_next(random) % (sizeof(lengths) / sizeof(lengths[0]))];
	const uint64_t sequence = test_random_next(random) % 2 ? 0 : test_random_next(random) % 16;

	switch (test_random_next(random) % 4) {
	case 0:
		return test_random_next(random) % (2 * LANE) & ~UINT64_C(7);
	case 1:
		return (test_random_next(random) % 64 * (LANE / CHANNEL_STEPS)) | CHANNEL_READS;
	default:
		return length | sequence << CHANNEL_SEQUENCE_SHIFT | CHANNEL_VALID |
		       (test_random_next(random) % 4 ? 0 : CHANNEL_NOTE);
	}
}

/* As the header has them. */
static const int errors[] = {
	-EEXIST,  -ENOENT, -EINVAL, -EPERM,   -EPROTO,   -EXDEV,  -EBADMSG,   -EUSERS,     -ESTALE, -EAGAIN,
	-ENOTDIR, -EACCES, -ELOOP,  -EISDIR,  -ENOSPC,   -EFBIG,  -EMFILE,    -ENFILE,     -ENOMEM, -ENOLCK,
	-ENODEV,  -EDQUOT, -EPIPE,  -ENOBUFS, -EMSGSIZE, -ECHILD, -ETIMEDOUT, -EOPNOTSUPP, 0,
};

const struct hostile_kind hostile_kind = {
	.name = "channel",
	.make = make,
	.open = open_it,
	.close = close_it,
	.use = use,
	.count = count,
	.errors = errors,
	.scheme = "channel",
	.begin = offsetof(struct channel_board, lives),
	.size = PAYLOAD - offsetof(struct channel_board, lives),
	.data_begin = RING,
	.data_size = 4096,
	.word = word_of_a_channel,
};
