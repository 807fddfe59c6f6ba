/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <nonet/time.h>

#include "stream/frame.h"

/*
 * Whole messages, and plain bytes, over a byte stream: the part that pipes, UNIX streams and TCP share.
 *
 * Sending. A message has one image on the wire, chunk after chunk, and sending is moving a position through it. If the
 * deadline passes in the middle of a chunk, the rest of that chunk is *owed*: zeros and an ABANDONED verdict, sent
 * before anything else, so that the peer drops the message and stays in step. Between chunks nothing is owed, and the
 * next message says FRAME_ABANDON. Either way no half message is ever seen, and nothing of the caller's has to be kept.
 *
 * Receiving. Bytes are read ahead into a buffer, except where the rest of a payload can go straight to its place. One
 * message at a time is *partial*; it lies in the caller's buffer during a call and is stashed when the call ends
 * without it. Where several write (a pipe), whole small messages may stand between the pieces of a large one.
 *
 * The two halves share nothing that is written, so one thread may send while another receives.
 */
struct stream;

/* How a carrier is asked to read or write. */
enum {
	STREAM_MAY_BLOCK = 1, /* there is no deadline: the carrier may sleep in the call, but needn't */
	STREAM_PLAIN = 2,     /* bytes that are no message's: what comes beside them is to be dropped */
};

struct stream_carrier {
	/*
	 * Bytes: more than 0; 0 at the end; -EAGAIN; or -errno. A write takes what there is room for, but an atomic
	 * carrier takes up to PIPE_BUF whole or not. @how: STREAM_*.
	 */
	ssize_t (*read)(struct stream *stream, const struct iovec *vector, int count, unsigned how);
	ssize_t (*write)(struct stream *stream, const struct iovec *vector, int count, unsigned how);
	/* Keep other writers' messages of several chunks away, or NULL: 0, -EAGAIN, or -errno. */
	int (*lock)(struct stream *stream);
	void (*unlock)(struct stream *stream);
	/* A message that announced descriptors is dropped, or NULL if the carrier takes none. */
	void (*drop_descriptors)(struct stream *stream);
	uint32_t chunk_limit; /* largest payload of a chunk; if atomic, of the last one less the verdict */
	bool atomic;          /* a chunk is written whole or not at all; other writers may come between chunks */
};

struct stream_sender {
	uint8_t owed_header[FRAME_HEADER_SIZE];
	uint64_t owed_done;  /* bytes of the owed chunk that were sent */
	uint64_t owed_size;  /* of the owed chunk with header and verdict; 0: nothing is owed */
	unsigned owed_by;    /* sys_generation(): a forked child that closes its copy of the handle leaves it to this
				process */
	uint8_t id;          /* of this sender's messages */
	bool abandon;        /* the next message has to say FRAME_ABANDON */
	uint8_t descriptors; /* to announce in the next message; set by the UNIX carrier */
};

struct stream_receiver {
	/* A message that announces more descriptors is -EMSGSIZE, and stays; set by the UNIX carrier for each call. */
	uint8_t descriptors_room;

	uint8_t *ahead; /* what was read ahead: [start, end) */
	size_t start;
	size_t end;
	/* A message may be ready that the descriptor doesn't show. A thread that waits may look while another receives.
	 */
	atomic_bool ready;
	bool starved;     /* what is read ahead isn't enough for the next message */
	unsigned dropped; /* pieces and messages, in this call */
	bool broken;      /* no frame was found where one has to be: -EBADMSG for ever */

	/* The chunk whose header was taken last. */
	bool chunk_open;
	struct frame_header chunk;
	uint32_t chunk_left; /* of its payload */
	bool skip;           /* it belongs to no message that we have: drop it */
	bool skip_told;      /* that a message was lost was said already */

	/* The message that is being received. */
	bool partial;
	uint8_t partial_id;
	uint8_t partial_descriptors;
	uint32_t partial_total;
	uint32_t partial_got;
	uint32_t placed; /* of the next chunk's payload: in the caller's buffer before its header was looked at */
	uint8_t *stash;  /* where it lies between calls; NULL: nothing of it was received yet, or a call is on */
};

struct stream {
	const struct stream_carrier *carrier;
	int fd;
	uint32_t message_size; /* the largest that is sent or received */
	struct stream_sender sender;
	struct stream_receiver receiver;
};

/* Largest message that a stream can be told to carry, and what it carries unless told. */
#define STREAM_MESSAGE_LIMIT   (1u << 30)
#define STREAM_MESSAGE_DEFAULT (16u << 20)

/* @fd stays the owner's. @message_size: 0 for the default. */
void stream_init(struct stream *stream, const struct stream_carrier *carrier, int fd, uint64_t message_size);

/* Another sender from now on, in a forked child: with an id of this process, and nothing given up. */
void stream_become_sender(struct stream *stream);

/* Frees what was kept; what this process owes is sent if there is room. */
void stream_done(struct stream *stream);

/* Up to here a message is copied together: cheaper than to have the kernel fetch it from three places. */
#define STREAM_COPY 2048

/* Whether a message is sent by one write, if there is room, without anything to be thought of before. */
static inline bool stream_is_plain_case(const struct stream *stream, size_t size)
{
	const size_t frame = FRAME_HEADER_SIZE + FRAME_VERDICT_SIZE;

	return size <= STREAM_COPY - frame && size < stream->carrier->chunk_limit && size <= stream->message_size &&
	       !stream->sender.owed_size && !stream->sender.abandon;
}

/* What goes out of such a message; returns its size. */
static inline size_t stream_image(const struct stream *stream, const void *message, size_t size,
				  uint8_t ret_bytes[STREAM_COPY])
{
	const struct frame_header header = {
		.flags = FRAME_FIRST | FRAME_LAST,
		.descriptors = stream->sender.descriptors,
		.id = stream->sender.id,
		.size = (uint32_t)size,
		.total = (uint32_t)size,
	};

	frame_encode(&header, ret_bytes);
	if (size > 0)
		memcpy(ret_bytes + FRAME_HEADER_SIZE, message, size);
	ret_bytes[FRAME_HEADER_SIZE + size] = FRAME_WHOLE;
	return size + FRAME_HEADER_SIZE + FRAME_VERDICT_SIZE;
}

/*
 * Any message; and one that is a plain case, of which the first write said @first. stream_send() in stream/hot.h calls
 * them. Return: 0, or -EMSGSIZE, -EAGAIN, -ETIMEDOUT, or what the carrier says.
 */
int stream_send_any(struct stream *stream, const void *message, size_t size, nonet_time deadline);
int stream_send_begun(struct stream *stream, const void *message, size_t size, ssize_t first, nonet_time deadline);

/* Pay what is owed. Return: 0, or -EAGAIN, -ETIMEDOUT, or what the carrier says. */
int stream_settle(struct stream *stream, nonet_time deadline);

/*
 * Return: 0, or -EPIPE (the end), -EBADMSG, -EMSGSIZE, -ENOMEM, -EAGAIN, -ETIMEDOUT, or what the carrier says.
 * @ret_descriptors: as announced with the message
 */
int stream_receive(struct stream *stream, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size,
		   uint8_t *ret_descriptors);

/* Wait for a message's beginning: its size, and how many descriptors it announces. */
int stream_peek(struct stream *stream, nonet_time deadline, size_t *ret_size, uint8_t *ret_descriptors);

static inline unsigned stream_how(nonet_time deadline)
{
	return deadline == NONET_FOREVER ? STREAM_MAY_BLOCK : 0;
}

/* Whether a message may be ready that the descriptor doesn't show: 1 or 0. */
int stream_arm(struct stream *stream);

/* The receiver has changed: find out anew whether a message may be ready. */
void stream_update(struct stream *stream);

/* How many bytes were read ahead. */
static inline size_t stream_ahead(const struct stream *stream)
{
	return stream->receiver.end - stream->receiver.start;
}

/* Some of them, up to @capacity: returns how many. */
size_t stream_take_ahead(struct stream *stream, void *buffer, size_t capacity);

#endif
