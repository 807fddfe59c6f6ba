/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_LINK_MEET_H
#define CHANNEL_LINK_MEET_H

#include <nonet/memory.h>
#include <nonet/unix.h>

#include "channel/channel.h"
#include "channel/link_layout.h"

/*
 * How the two sides of a link meet. Each call fills @reterr where it fails. What the other side sends is -EBADMSG where
 * it isn't as link_layout.h says.
 */

/* A channel of that socket, which stays the caller's until link_keep(); its two pages are addresses alone so far. */
int link_begin(struct channel *channel, struct nonet_unix *socket, struct nonet_error *reterr);

/* It is open, and closes the socket. */
void link_keep(struct channel *channel, struct nonet_unix **socket);

/* Or it isn't: the socket is the caller's. */
void link_drop(struct channel *channel);

/* Memory of ours. @flags: NONET_MEMORY_HUGE*, which may make it longer */
int link_make(uint64_t length, uint32_t flags, struct nonet_memory **ret_memory, struct nonet_error *reterr);

/* Nobody gets more of it from now on than to read. */
int link_seal(struct nonet_memory *memory, struct nonet_error *reterr);

/* The other side's: sealed, exactly that long, and without a hole. On failure @fd is as it was. */
int link_take(int *fd, uint64_t length, struct nonet_memory **ret_memory, struct nonet_error *reterr);

/* Map page 0 or 1. @ours: to be written */
int link_map(struct channel *channel, unsigned page, struct nonet_memory *memory, bool ours,
	     struct nonet_error *reterr);

int link_send(struct nonet_unix *socket, const struct link_hello *hello, const int *fds, size_t count,
	      nonet_time deadline, struct nonet_error *reterr);

/*
 * A message of the side that @magic says, with exactly @count descriptors, which are the caller's.
 * Return: 0; -EAGAIN, -ETIMEDOUT, -EPIPE, -ECONNRESET, -EMFILE, -ENOMEM, -ENOBUFS; -EBADMSG; -EPROTO: another version's
 */
int link_receive(struct nonet_unix *socket, uint64_t magic, struct link_hello *ret_hello, int *ret_fds, size_t count,
		 nonet_time deadline, struct nonet_error *reterr);

#endif
