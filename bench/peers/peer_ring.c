/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The limit of throughput: a bare ring of slots between one sender and one receiver, with two indices that each keeps a
 * copy of the other's of, and stores its own of in bulks. It tells nobody who died, lets nobody sleep, and believes
 * whatever is written in it.
 *
 * [RING-HEAD]  stored after the messages below it: who has seen it may read them
 * [RING-TAIL]  stored after they were read: who has seen it may write over them
 */
#define RING_BULK 32u

struct ring {
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) char slots[];
};

struct ring_end {
	struct ring *out;
	struct ring *in;
	size_t size;
	uint64_t slots;
	uint64_t bulk;
	uint64_t head;       /* of out: what was written */
	uint64_t head_told;  /* and what the other side was told of it */
	uint64_t tail_known; /* what we know of the other side's */
	uint64_t tail;       /* of in, likewise */
	uint64_t tail_told;
	uint64_t head_known;
};

static void ring_version(char *text, size_t room)
{
	snprintf(text, room, "-");
}

static int ring_open(const struct peer_session *session, void **ret_end)
{
	struct ring_end *end = calloc(1, sizeof(*end));
	char *half = (char *)session->memory + session->memory_size / 2 / 4096 * 4096;

	if (!end)
		return -ENOMEM;
	end->out = session->side ? (void *)half : session->memory;
	end->in = session->side ? session->memory : (void *)half;
	end->size = session->size;
	end->slots = peer_slots(session->size);
	end->bulk = end->slots / 4 < RING_BULK ? end->slots / 4 : RING_BULK;
	*ret_end = end;
	return 0;
}

static void ring_tell_head(struct ring_end *end)
{
	if (end->head_told == end->head)
		return;
	end->head_told = end->head;
	atomic_store_explicit(&end->out->head, end->head, memory_order_release); /* [RING-HEAD] */
}

static void ring_tell_tail(struct ring_end *end)
{
	if (end->tail_told == end->tail)
		return;
	end->tail_told = end->tail;
	atomic_store_explicit(&end->in->tail, end->tail, memory_order_release); /* [RING-TAIL] */
}

static int ring_send(void *handle, void *message, size_t count)
{
	struct ring_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		while (end->head - end->tail_known == end->slots) {
			ring_tell_head(end);
			end->tail_known = atomic_load_explicit(&end->out->tail, memory_order_acquire); /* [RING-TAIL] */
			peer_relax();
		}
		peer_next(message);
		peer_copy(end->out->slots + (end->head & (end->slots - 1)) * end->size, message, end->size);
		end->head++;
		if (end->head - end->head_told == end->bulk)
			ring_tell_head(end);
	}
	ring_tell_head(end);
	return 0;
}

static int ring_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct ring_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		while (end->head_known == end->tail) {
			ring_tell_tail(end);
			end->head_known = atomic_load_explicit(&end->in->head, memory_order_acquire); /* [RING-HEAD] */
			if (end->head_known == end->tail)
				peer_relax();
		}
		peer_take(reader, end->in->slots + (end->tail & (end->slots - 1)) * end->size, end->size);
		end->tail++;
		if (end->tail - end->tail_told == end->bulk)
			ring_tell_tail(end);
	}
	/* One that is waited for tells at once, so that the next call's first look isn't what the sender waits for. */
	ring_tell_tail(end);
	return 0;
}

static void ring_close(void *handle)
{
	free(handle);
}

const struct peer peer_ring = {
	.mode = "a bare ring in bulks of 32, polled: the limit of throughput",
	.version = ring_version,
	.open = ring_open,
	.send = ring_send,
	.receive = ring_receive,
	.close = ring_close,
};
