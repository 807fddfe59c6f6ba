/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "bench_channel.h"

/*
 * nonet's channel where not one waits for the other: bursts that several subscribers read afterwards, two publishers,
 * and messages that come at a rate of their own.
 */

/* What a burst leaves of a lane: nobody waits for room. */
#define BURST_BYTES ((size_t)512 << 10)

/* Between two messages of BENCH_LOAD. */
#define INTERVAL (NONET_S(1) / BENCH_RATE)

/* Until who reads them waits for them. */
#define LOAD_BEGINS NONET_US(200)

static int crowd_join(struct bench_link *link)
{
	const struct bench_channel *channel = link->state;
	const struct bench_case *what = link->what;

	if (what->publishers > 1) {
		if (link->place == 0)
			return bench_channel_join(link, NULL, channel->there);
		return link->place <= what->publishers ? bench_channel_join(link, channel->there, NULL) : 0;
	}
	if (link->place == 0)
		return bench_channel_join(link, channel->there, NULL);
	return link->place <= what->subscribers ? bench_channel_join(link, NULL, channel->there) : 0;
}

LOOP int crowd_put(struct bench_link *link)
{
	return channel_publish(link, 1);
}

LOOP int crowd_take(struct bench_link *link)
{
	return channel_take(link, 1, NONET_FOREVER);
}

/* What a message takes its publisher: nobody reads meanwhile. */
static int lead_burst(struct bench_link *link, struct bench_slice *slice)
{
	const nonet_time end = nonet_after(slice->length);
	const uint64_t size = link->what->size + 8, messages = BURST_BYTES / size;
	double blocks[LOOP_BLOCKS];
	size_t count = 0;
	nonet_time before;
	uint64_t i;
	int r = 0;

	do {
		before = nonet_clock();
		for (i = 0; i < messages && r == 0; i++)
			r = crowd_put(link);
		if (count < LOOP_BLOCKS)
			blocks[count++] = (double)(nonet_clock() - before) / (double)messages;
		bench_order(link, messages);
		if (r == 0)
			r = bench_answered(link);
	} while (r == 0 && nonet_clock() < end);
	slice->each = statistics_median(blocks, count);
	return r;
}

/*
 * From the time that a message was meant to go, not from when it went: else whoever holds everything up would keep the
 * messages that come too late out of the figures.
 */
static int lead_load(struct bench_link *link, struct bench_slice *slice)
{
	const uint64_t messages = (uint64_t)(slice->length / INTERVAL) + 1;
	nonet_time when;
	uint64_t i;
	int r = 0;

	bench_order(link, messages);
	when = nonet_after(LOAD_BEGINS);
	for (i = 0; i < messages && r == 0; i++, when += INTERVAL) {
		while (nonet_clock() < when)
			bench_pause();
		memcpy(link->message, &when, sizeof(when));
		r = crowd_put(link);
	}
	if (r == 0)
		r = bench_answered(link);
	slice->each = (double)histogram_at(&link->shared->run, 0.5);
	return r;
}

static int follow_load(struct bench_link *link)
{
	uint64_t count = 0;
	nonet_time when;
	int r;

	do {
		r = channel_receive(link, NONET_FOREVER);
		if (r < 0)
			return r;
		memcpy(&when, link->buffer, sizeof(when));
		histogram_add(&link->shared->run, nonet_clock() - when);
	} while (loop_last(link) != ++count);
	return 0;
}

/* The others publish until they are told to stop; what is there is read until they have. */
static int lead_publishers(struct bench_link *link, struct bench_slice *slice)
{
	const nonet_time start = nonet_clock();
	uint64_t i, count = 0;
	int all = 0, r = 0;

	bench_order(link, 0);
	do {
		for (i = 0; i < link->block && r == 0; i++)
			r = crowd_take(link);
		count += i;
	} while (r == 0 && nonet_clock() - start < slice->length);
	slice->each = (double)(nonet_clock() - start) / (double)count;
	loop_set_block(link, slice->each, LOOP_BLOCK_STREAM);
	loop_say_last(link, 1);
	/* Once all have stopped, until nothing is left. */
	while (r == 0 || (r == -EAGAIN && !all)) {
		if (r == -EAGAIN)
			all = bench_has_answered(link);
		r = all < 0 ? all : channel_take(link, 1, NONET_NOW);
	}
	return r == -EAGAIN ? 0 : r;
}

static int follow_publishers(struct bench_link *link)
{
	int r;

	do
		r = crowd_put(link);
	while (r == 0 && loop_last(link) == 0);
	return r;
}

static int crowd_lead(struct bench_link *link, struct bench_slice *slice)
{
	if (link->what->publishers > 1)
		return lead_publishers(link, slice);
	return link->what->mode == BENCH_LOAD ? lead_load(link, slice) : lead_burst(link, slice);
}

static int crowd_follow(struct bench_link *link)
{
	const struct bench_case *what = link->what;

	if (what->publishers > 1)
		return link->place <= what->publishers ? follow_publishers(link) : 0;
	if (link->place > what->subscribers)
		return 0;
	return what->mode == BENCH_LOAD ? follow_load(link) : loop_drain(link, crowd_take);
}

const struct bench_way bench_way_crowd = {
	.prepare = bench_channel_prepare,
	.discard = bench_channel_discard,
	.join = crowd_join,
	.lead = crowd_lead,
	.follow = crowd_follow,
};
