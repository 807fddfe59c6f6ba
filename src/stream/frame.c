/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/frame.h"

#include <errno.h>

static void frame_store32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t frame_load32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void frame_encode(const struct frame_header *header, uint8_t ret_bytes[FRAME_HEADER_SIZE])
{
	ret_bytes[0] = FRAME_MAGIC;
	ret_bytes[1] = header->flags;
	ret_bytes[2] = header->descriptors;
	ret_bytes[3] = header->id;
	frame_store32(ret_bytes + 4, header->size);
	frame_store32(ret_bytes + 8, header->total);
	frame_store32(ret_bytes + 12, header->offset);
}

int frame_decode(const uint8_t bytes[FRAME_HEADER_SIZE], uint32_t chunk_limit, struct frame_header *ret_header)
{
	struct frame_header header = {
		.flags = bytes[1],
		.descriptors = bytes[2],
		.id = bytes[3],
		.size = frame_load32(bytes + 4),
		.total = frame_load32(bytes + 8),
		.offset = frame_load32(bytes + 12),
	};
	const int first = header.flags & FRAME_FIRST;
	const int last = header.flags & FRAME_LAST;

	if (bytes[0] != FRAME_MAGIC || header.flags & ~(FRAME_FIRST | FRAME_LAST | FRAME_ABANDON))
		return -EBADMSG;
	if (header.size > chunk_limit || header.descriptors > FRAME_DESCRIPTORS_MAX)
		return -EBADMSG;
	if (first ? header.offset != 0 : header.descriptors || header.flags & FRAME_ABANDON)
		return -EBADMSG;
	/* Within the message; and the last chunk ends it. */
	if (header.offset > header.total || header.size > header.total - header.offset)
		return -EBADMSG;
	if (last && header.size != header.total - header.offset)
		return -EBADMSG;
	/* Only the end may be empty: every other chunk has to bring the message forward. */
	if (header.size == 0 && !last)
		return -EBADMSG;
	*ret_header = header;
	return 0;
}
