/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_version.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * DPDK: rte_ring between one producer and one consumer, in bulks, in memory of ours: no environment layer, huge page or
 * device. Messages of 8 and 64 bytes are its elements; larger ones lie in slots beside it, twice as many as it has
 * elements, whose numbers are. A bulk is a quarter of the ring at most: so that who could put message N into the ring
 * knows that N - slots was read, since the consumer takes the next bulk only after it.
 */
#define DPDK_BULK 32u

struct dpdk_end {
	struct rte_ring *out;
	struct rte_ring *in;
	char *out_slots;
	char *in_slots;
	char *bulk; /* elements on their way in or out */
	size_t size;
	size_t slots;
	unsigned element; /* bytes of one */
	unsigned most;    /* elements of a bulk */
	size_t sent;
};

static void dpdk_version(char *text, size_t room)
{
	snprintf(text, room, "%s", rte_version());
}

static void dpdk_close(void *handle)
{
	struct dpdk_end *end = handle;

	if (end)
		free(end->bulk);
	free(end);
}

static int dpdk_open(const struct peer_session *session, void **ret_end)
{
	struct dpdk_end *end = calloc(1, sizeof(*end));
	unsigned entries = (unsigned)peer_slots(session->size);
	ssize_t ring;
	int error = 0;

	if (!end)
		return -ENOMEM;
	end->size = session->size;
	end->slots = 2 * entries;
	end->element = session->size <= 64 ? (unsigned)session->size : (unsigned)sizeof(uint64_t);
	end->most = entries / 4 < DPDK_BULK ? entries / 4 : DPDK_BULK;
	end->bulk = malloc((size_t)end->element * end->most);
	ring = rte_ring_get_memsize_elem(end->element, entries);
	if (!end->bulk || ring < 0) {
		dpdk_close(end);
		return -ENOMEM;
	}
	for (int side = 0; side < 2 && !error; side++) {
		char *memory = (char *)session->memory + (side ? session->memory_size / 2 / 4096 * 4096 : 0);
		bool out = side == session->side;

		if (session->side == 0)
			error = rte_ring_init((void *)memory, side ? "b" : "a", entries, RING_F_SP_ENQ | RING_F_SC_DEQ);
		*(out ? &end->out : &end->in) = (void *)memory;
		*(out ? &end->out_slots : &end->in_slots) = memory + ((size_t)ring + 63) / 64 * 64;
	}
	if (error)
		dpdk_close(end);
	else
		*ret_end = end;
	return error;
}

static int dpdk_send(void *handle, void *message, size_t count)
{
	struct dpdk_end *end = handle;
	size_t put = 0;

	while (put < count) {
		unsigned bulk = count - put < end->most ? (unsigned)(count - put) : end->most;

		for (unsigned i = 0; i < bulk; i++) {
			uint64_t slot = end->sent++ & (end->slots - 1);

			peer_next(message);
			if (end->element == end->size) {
				peer_copy(end->bulk + i * end->element, message, end->size);
				continue;
			}
			peer_copy(end->out_slots + slot * end->size, message, end->size);
			memcpy(end->bulk + i * end->element, &slot, sizeof(slot));
		}
		while (!rte_ring_sp_enqueue_bulk_elem(end->out, end->bulk, end->element, bulk, NULL))
			peer_relax();
		put += bulk;
	}
	return 0;
}

static int dpdk_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct dpdk_end *end = handle;
	size_t got = 0;

	while (got < count) {
		unsigned most = count - got < end->most ? (unsigned)(count - got) : end->most;
		unsigned bulk = rte_ring_sc_dequeue_burst_elem(end->in, end->bulk, end->element, most, NULL);

		if (!bulk)
			peer_relax();
		for (unsigned i = 0; i < bulk; i++) {
			const char *element = end->bulk + i * end->element;

			if (end->element == end->size)
				peer_take(reader, element, end->size);
			else
				peer_take(reader, end->in_slots + peer_word(element, 0) * end->size, end->size);
		}
		got += bulk;
	}
	return 0;
}

const struct peer nonet_peer = {
	.mode = "polls, one producer and one consumer, in bulks of up to 32, its own memory management unused",
	.version = dpdk_version,
	.open = dpdk_open,
	.send = dpdk_send,
	.receive = dpdk_receive,
	.close = dpdk_close,
};
