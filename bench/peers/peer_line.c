/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The limit of latency: nothing but the message in memory that both see, its number in the same cache line as its first
 * bytes. One message is on its way at a time, so that its throughput says nothing.
 *
 * [LINE-FULL]   the number is stored after the message: who has seen it may read the message
 * [LINE-TAKEN]  the receiver stores it after reading: who has seen it may write the next message. The first message of
 *               a call needs no look at it: there was an answer to the last one of the call before
 */
struct line_slot {
	_Alignas(64) _Atomic uint64_t taken;
	_Alignas(64) _Atomic uint64_t full;
	char message[];
};

struct line_end {
	struct line_slot *out;
	struct line_slot *in;
	uint64_t sent;
	uint64_t received;
	size_t size;
};

static void line_version(char *text, size_t room)
{
	snprintf(text, room, "-");
}

static int line_open(const struct peer_session *session, void **ret_end)
{
	struct line_end *end = calloc(1, sizeof(*end));
	char *half = (char *)session->memory + session->memory_size / 2 / 4096 * 4096;

	if (!end)
		return -ENOMEM;
	end->out = session->side ? (void *)half : session->memory;
	end->in = session->side ? session->memory : (void *)half;
	end->size = session->size;
	*ret_end = end;
	return 0;
}

static int line_send(void *handle, void *message, size_t count)
{
	struct line_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		while (i &&
		       atomic_load_explicit(&end->out->taken, memory_order_acquire) != end->sent) /* [LINE-TAKEN] */
			peer_relax();
		peer_next(message);
		peer_copy(end->out->message, message, end->size);
		atomic_store_explicit(&end->out->full, ++end->sent, memory_order_release); /* [LINE-FULL] */
	}
	return 0;
}

static int line_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct line_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		end->received++;
		while (atomic_load_explicit(&end->in->full, memory_order_acquire) != end->received) /* [LINE-FULL] */
			peer_relax();
		peer_take(reader, end->in->message, end->size);
		atomic_store_explicit(&end->in->taken, end->received, memory_order_release); /* [LINE-TAKEN] */
	}
	return 0;
}

static void line_close(void *handle)
{
	free(handle);
}

const struct peer peer_line = {
	.mode = "one message at a time, polled: the limit of latency",
	.version = line_version,
	.open = line_open,
	.send = line_send,
	.receive = line_receive,
	.close = line_close,
};
