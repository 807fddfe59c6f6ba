/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/packet.h"

#include <errno.h>
#include <string.h>

#include "sys/memory.h"

int packet_allocate(struct packet *packet, size_t room)
{
	if (!packet->bytes)
		packet->bytes = sys_allocate(room);
	return packet->bytes ? 0 : -ENOMEM;
}

int packet_vector(struct packet *packet, void *buffer, size_t capacity, size_t room, struct iovec ret_vector[2])
{
	ret_vector[0] = (struct iovec){.iov_base = buffer, .iov_len = capacity};
	if (capacity >= room)
		return 1;
	if (packet_allocate(packet, room) < 0)
		return -ENOMEM;
	ret_vector[1] = (struct iovec){.iov_base = packet->bytes + capacity, .iov_len = room - capacity};
	return 2;
}

int packet_keep(struct packet *packet, const void *buffer, size_t capacity)
{
	if (capacity > 0)
		memcpy(packet->bytes, buffer, capacity);
	packet_hold(packet, true);
	return -EMSGSIZE;
}

void packet_done(struct packet *packet)
{
	packet->bytes = sys_free(packet->bytes);
}
