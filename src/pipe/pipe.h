/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPE_PIPE_H
#define PIPE_PIPE_H

#include <stdbool.h>

#include <nonet/pipe.h>

#include "base/list.h"
#include "stream/stream.h"
#include "waitable/waitable.h"

/* One end of a pipe. Its descriptor is non-blocking, and its open file description is (where it can be) its own. */
struct nonet_pipe {
	struct stream stream; /* first: the carrier finds its pipe by it */
	struct nonet_waitable waitable;
	enum nonet_pipe_end end;
	char *path;       /* of a FIFO, NULL for a pipe without a name */
	int lock;         /* the open file description that holds the lock, -1: the end's own, or none */
	unsigned sender;  /* sys_generation() of the process whose id the stream's sender has */
	bool writer_seen; /* a reader's: before that, no bytes doesn't mean the end */
};

/* Whether all of @options is known and within its limits; NULL is. */
int pipe_check_options(const struct nonet_pipe_options *options, struct nonet_error *reterr);

/*
 * Make a handle of a descriptor, set its capacity. On failure @fd stays the caller's.
 * @path: copied, or NULL
 * @lock: keep other processes' large messages away by flock(2)
 */
int pipe_make(int fd, enum nonet_pipe_end end, const char *path, bool lock, const struct nonet_pipe_options *options,
	      struct nonet_pipe **ret_pipe, struct nonet_error *reterr);

#endif
