/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_LOOPS_H
#define NONET_TOOL_BENCH_LOOPS_H

#include <string.h>

#include "bench.h"
#include "bench_statistics.h"

/*
 * A slice, for whatever puts and takes messages. A way gives its functions as constants and gets them inlined: a call
 * by pointer would be a good part of what is measured.
 *
 * put() and take() return 0 or a negative errno; flush(), which may be NULL, shows what put() has kept back.
 */
#define LOOP static inline __attribute__((always_inline))

typedef int loop_call(struct bench_link *link);

/* A block is as many messages as take so long: reading the clock for it takes some 20 ns. */
#define LOOP_BLOCK_TRIP   NONET_US(5)
#define LOOP_BLOCK_STREAM NONET_US(20)
#define LOOP_BLOCK_MOST   16384
#define LOOP_BLOCKS       2048

/* What a message is made of and read by, in all ways the same: as fast as a program could, for its sizes are known. */
LOOP void loop_fill(void *to, const void *from, size_t size)
{
	switch (size) {
	case 8:
		memcpy(to, from, 8);
		break;
	case 56:
		memcpy(to, from, 56);
		break;
	case 64:
		memcpy(to, from, 64);
		break;
	default:
		memcpy(to, from, size);
		break;
	}
}

/* What the processor does best by itself: of large messages, often more than a library's copy. */
LOOP void loop_fill_by_string(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
#else
	memcpy(to, from, size);
#endif
}

/* @size: a multiple of 8 */
LOOP uint64_t loop_sum(const void *from, size_t size)
{
	const uint64_t *words = from;
	uint64_t a = 0, b = 0, c = 0, d = 0;
	size_t i, count = size / 8;

	/* Four sums, so that the additions don't wait for each other. */
	for (i = 0; i + 4 <= count; i += 4) {
		a += words[i];
		b += words[i + 1];
		c += words[i + 2];
		d += words[i + 3];
	}
	for (; i < count; i++)
		a += words[i];
	return a + b + c + d;
}

/* [BENCH-LAST] The message that comes next tells that it is the last: whoever takes it has seen this. */
LOOP void loop_say_last(struct bench_link *link, uint64_t last)
{
	atomic_store_explicit(&link->shared->last, last, memory_order_release); /* [BENCH-LAST] */
}

LOOP uint64_t loop_last(struct bench_link *link)
{
	return atomic_load_explicit(&link->shared->last, memory_order_acquire); /* [BENCH-LAST] */
}

/* For blocks that took so long each: how many messages the next ones are to have. */
static inline void loop_set_block(struct bench_link *link, double each, nonet_time length)
{
	const double wanted = each > 0 ? (double)length / each : 1;

	link->block = wanted < 1 ? 1 : wanted > LOOP_BLOCK_MOST ? LOOP_BLOCK_MOST : (uint64_t)wanted;
}

/* Round trips, the clock being read after each @block of them. */
LOOP int loop_trips(struct bench_link *link, loop_call *put, loop_call *take, nonet_time end, uint64_t block,
		    double *ret_each)
{
	double blocks[LOOP_BLOCKS];
	nonet_time before = nonet_clock(), now;
	size_t count = 0;
	uint64_t i;
	int r = 0;

	do {
		for (i = 0; i < block && r == 0; i++) {
			r = put(link);
			if (r == 0)
				r = take(link);
		}
		if (r < 0)
			return r;
		now = nonet_clock();
		if (block == 1)
			histogram_add(&link->shared->run, (now - before) / 2);
		if (count < LOOP_BLOCKS)
			blocks[count++] = (double)(now - before) / (2.0 * (double)block);
		before = now;
	} while (now < end);
	*ret_each = statistics_median(blocks, count);
	return 0;
}

/*
 * To and fro. The percentiles are of single round trips, between which the clock is read; where one is so short that
 * this counts, half of the slice is of blocks, and the median theirs.
 */
LOOP int loop_ping(struct bench_link *link, struct bench_slice *slice, loop_call *put, loop_call *take)
{
	const nonet_time start = nonet_clock();
	const int blocks = link->block > 1;
	int r;

	r = loop_trips(link, put, take, start + slice->length / (blocks ? 2 : 1), 1, &slice->each);
	if (r == 0 && blocks)
		r = loop_trips(link, put, take, start + slice->length, link->block, &slice->each);
	if (r < 0)
		return r;
	loop_set_block(link, 2 * slice->each, LOOP_BLOCK_TRIP);
	loop_say_last(link, 1);
	r = put(link);
	return r == 0 ? take(link) : r;
}

LOOP int loop_pong(struct bench_link *link, loop_call *put, loop_call *take)
{
	uint64_t last = 0;
	int r = 0;

	while (r == 0 && last == 0) {
		r = take(link);
		last = loop_last(link);
		if (r == 0)
			r = put(link);
	}
	return r;
}

/* One way. It is over when all have been read, by all. */
LOOP int loop_stream(struct bench_link *link, struct bench_slice *slice, loop_call *put, loop_call *flush)
{
	const nonet_time start = nonet_clock();
	uint64_t i, count = 0;
	int r = 0;

	while (r == 0 && (count == 0 || nonet_clock() - start < slice->length)) {
		for (i = 0; i < link->block && r == 0; i++)
			r = put(link);
		count += i;
	}
	loop_say_last(link, count + 1);
	if (r == 0)
		r = put(link);
	if (r == 0 && flush)
		r = flush(link);
	if (r == 0)
		r = bench_answered(link);
	slice->each = (double)(nonet_clock() - start) / (double)(count + 1);
	loop_set_block(link, slice->each, LOOP_BLOCK_STREAM);
	return r;
}

LOOP int loop_drain(struct bench_link *link, loop_call *take)
{
	uint64_t count = 0;
	int r;

	do
		r = take(link);
	while (r == 0 && loop_last(link) != ++count);
	return r;
}

LOOP int loop_lead(struct bench_link *link, struct bench_slice *slice, loop_call *put, loop_call *take,
		   loop_call *flush)
{
	bench_order(link, 0);
	if (link->what->mode == BENCH_STREAM)
		return loop_stream(link, slice, put, flush);
	return loop_ping(link, slice, put, take);
}

LOOP int loop_follow(struct bench_link *link, loop_call *put, loop_call *take)
{
	return link->what->mode == BENCH_STREAM ? loop_drain(link, take) : loop_pong(link, put, take);
}

#endif
