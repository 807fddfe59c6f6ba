/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * The frame around messages on a byte stream: docs/frame.md is the document, this the code. Pure.
 *
 * A message is one or more chunks, each a header and a payload; the last has one more byte, the verdict.
 *
 * offset  size  header field
 *  0      1     magic 0x6e
 *  1      1     flags
 *  2      1     descriptors: how many come with the message (in a FIRST chunk on a UNIX socket)
 *  3      1     id: tells the pieces of one message from those of others
 *  4      4     size of this chunk's payload, little-endian
 *  8      4     total: size of the message
 * 12      4     offset: where in it the payload belongs
 *
 * 16 bytes, so that the kernel copies payloads between places that are aligned alike: docs/adr/0004.
 */
#define FRAME_HEADER_SIZE     16
#define FRAME_VERDICT_SIZE    1
#define FRAME_MAGIC           0x6e
#define FRAME_DESCRIPTORS_MAX 253

enum {
	FRAME_FIRST = 1,   /* begins a message */
	FRAME_LAST = 2,    /* ends it: a verdict follows the payload */
	FRAME_ABANDON = 4, /* in FIRST: the sender gave up its message @id before; what came of it is to be dropped */
};

/* The verdict. */
enum {
	FRAME_ABANDONED = 0, /* the chunk was filled up with zeros when its sender ran out of time: drop the message */
	FRAME_WHOLE = 1,
};

struct frame_header {
	uint8_t flags;
	uint8_t descriptors;
	uint8_t id;
	uint32_t size;
	uint32_t total;
	uint32_t offset;
};

void frame_encode(const struct frame_header *header, uint8_t ret_bytes[FRAME_HEADER_SIZE]);

/*
 * Read a header and check all that can be checked of it alone.
 * @chunk_limit: largest payload of one chunk on this carrier, in bytes
 * Return: 0, or -EBADMSG: this is not a frame, and where the next one begins can't be known.
 */
int frame_decode(const uint8_t bytes[FRAME_HEADER_SIZE], uint32_t chunk_limit, struct frame_header *ret_header);

#endif
