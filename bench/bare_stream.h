/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_STREAM_H
#define BENCH_BARE_STREAM_H

#include "bare.h"

/* What a receiver finds behind a payload; zero: the message was given up. */
#define STREAM_WHOLE 1

struct bare_stream {
	int fd;
	bool passes; /* descriptors come with messages: each call has to have room for them */
	size_t owed; /* of a message that was given up, with its verdict */
	/* What was read ahead: [at, end). There is as much room before AHEAD as after it, see bare_stream_straight().
	 */
	unsigned char *ahead;
	size_t at;
	size_t end;
	/* The message whose header was taken: @have bytes came, which lie in @kept between calls. */
	bool partial;
	size_t have;
	struct bare_header header;
	unsigned char *kept;
	/* A read ends behind the bytes that bring descriptors: at most those of this message and the next. */
	int received[2];
	int received_count;
};

/* @descriptor: -1 for none. */
int bare_stream_send(struct bare_stream *stream, const void *message, size_t size, int descriptor, nonet_time deadline);

#endif
