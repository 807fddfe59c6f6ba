/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_PACKET_H
#define STREAM_PACKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * What UNIX packets and datagrams, UDP and ICMP share. A packet is taken whole or not at all, so a buffer that is too
 * small has to be found out before, or what doesn't fit must have a place. It has: behind the caller's buffer, the
 * kernel fills @bytes, which is as large as the largest. Nobody pays for it who gives buffers that are large enough.
 *
 * A packet that didn't fit, or whose size was asked for, is *held*: the next call gets it.
 */
struct packet {
	atomic_bool held; /* a thread that waits may look while another receives */
	uint8_t *bytes;   /* NULL until it is needed */
	size_t begin;     /* of the payload in it, behind headers */
	size_t size;
};

/* What is received with @bytes behind @buffer: how many parts, or -ENOMEM. @room: as large as the largest packet. */
int packet_vector(struct packet *packet, void *buffer, size_t capacity, size_t room, struct iovec ret_vector[2]);

/* The same of what is received into @bytes alone: 0 or -ENOMEM. */
int packet_allocate(struct packet *packet, size_t room);

/* It was received in two parts, and doesn't fit: put it together, and hold it. Return: -EMSGSIZE. */
int packet_keep(struct packet *packet, const void *buffer, size_t capacity);

void packet_done(struct packet *packet);

static inline bool packet_is_held(const struct packet *packet)
{
	return atomic_load_explicit(&packet->held, memory_order_relaxed);
}

static inline void packet_hold(struct packet *packet, bool held)
{
	atomic_store_explicit(&packet->held, held, memory_order_relaxed);
}

#endif
