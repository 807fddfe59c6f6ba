/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <ck_ring.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Concurrency Kit: ck_ring between one producer and one consumer, which moves pointers. A message of 8 bytes is the
 * pointer; larger ones lie in slots beside the ring, twice as many as it has entries: who could put message N into it
 * knows that N - slots was read, since the consumer takes the next one only after it.
 */
struct ck_half {
	_Alignas(64) struct ck_ring ring;
	_Alignas(64) struct ck_ring_buffer buffer[];
};

struct ck_end {
	struct ck_half *out;
	struct ck_half *in;
	char *out_slots;
	char *in_slots;
	size_t size;
	size_t entries;
	size_t sent;
};

/* Of a packaged header without a library: what the package is. */
static void ck_version(char *text, size_t room)
{
	snprintf(text, room, "Concurrency Kit %s", CK_PACKAGE_VERSION);
}

static int ck_open(const struct peer_session *session, void **ret_end)
{
	struct ck_end *end = calloc(1, sizeof(*end));
	char *half[2];

	if (!end)
		return -ENOMEM;
	half[0] = session->memory;
	half[1] = (char *)session->memory + session->memory_size / 2 / 4096 * 4096;
	end->size = session->size;
	end->entries = peer_slots(session->size);
	end->out = (void *)half[session->side];
	end->in = (void *)half[!session->side];
	end->out_slots = (char *)&end->out->buffer[end->entries];
	end->in_slots = (char *)&end->in->buffer[end->entries];
	/* One entry stays empty. */
	if (session->side == 0) {
		ck_ring_init(&end->out->ring, (unsigned)end->entries);
		ck_ring_init(&end->in->ring, (unsigned)end->entries);
	}
	*ret_end = end;
	return 0;
}

static void ck_put(struct ck_end *end, void *entry)
{
	while (!ck_ring_enqueue_spsc(&end->out->ring, end->out->buffer, entry))
		peer_relax();
}

static int ck_send(void *handle, void *message, size_t count)
{
	struct ck_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		size_t slot = end->sent++ & (2 * end->entries - 1);

		peer_next(message);
		if (end->size == sizeof(uintptr_t)) {
			ck_put(end, (void *)(uintptr_t)peer_word(message, 0));
			continue;
		}
		peer_copy(end->out_slots + slot * end->size, message, end->size);
		/* From 1 on: the number of the slot, as the two have the memory at the same place by chance only. */
		ck_put(end, (void *)(slot + 1));
	}
	return 0;
}

static int ck_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct ck_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *entry;

		while (!ck_ring_dequeue_spsc(&end->in->ring, end->in->buffer, &entry))
			peer_relax();
		if (end->size == sizeof(uintptr_t))
			peer_take(reader, &entry, sizeof(entry));
		else
			peer_take(reader, end->in_slots + ((uintptr_t)entry - 1) * end->size, end->size);
	}
	return 0;
}

static void ck_close(void *handle)
{
	free(handle);
}

const struct peer nonet_peer = {
	.mode = "polls, one producer and one consumer, one message a call",
	.version = ck_version,
	.open = ck_open,
	.send = ck_send,
	.receive = ck_receive,
	.close = ck_close,
};
