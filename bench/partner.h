/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PARTNER_H
#define BENCH_PARTNER_H

#include <sys/types.h>

#include "bench.h"
#include "line.h"

/* The second process: it does what the first one orders over a control socket, on its own core. */
struct partner {
	pid_t pid;
	int control;
	struct line *line;
	const struct bench_case *item;
	size_t size;
	void **ends; /* by way; the first process's */
	void *message;
	void *buffer;
};

/* Forks. @a are the ends that this process keeps, @b those of the partner: each closes the others. */
int partner_start(struct partner *partner, const struct bench_case *item, size_t size, void *a[WAYS], void *b[WAYS],
		  int cpu);
void partner_stop(struct partner *partner);

/* Hand a cache line to and fro. */
int partner_line(struct partner *partner, double *ret_hand_over);

/* @count round trips; @samples gets half of each in ns, and has to have room for them. */
int partner_latency(struct partner *partner, enum bench_way_index way, size_t count, double *samples);

/* @count messages from us to the partner: ns per message. */
int partner_throughput(struct partner *partner, enum bench_way_index way, size_t count, double *ret_each);

/* Message buffers of @size that are in memory already. */
int partner_buffers(size_t size, void **ret_message, void **ret_buffer);

/* What one slice may take at most; a call that isn't done by then has failed. */
nonet_time partner_deadline(void);

#endif
