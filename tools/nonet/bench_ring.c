/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench_loops.h"

/*
 * The limit of a stream: a ring of places of one size between one writer and one reader, with nothing that a program
 * would want besides: no deadline, no sleep, no length, no second reader, and after a death it is garbage. Either side
 * looks at the other's index only when what it had seen is used up, and shows its own by batches.
 *
 * [BENCH-RING]  Who sees the tail sees the messages before it; who sees the head may write over what is before it.
 */
#define BATCH      64u
#define RING_LEAST ((size_t)1 << 20)
#define RING_SLOTS 4u

struct indexes {
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) _Atomic uint64_t head;
};

/* One way; each side's copy of the other's index is its own. */
struct ring {
	struct indexes *shared;
	char *slots;
	uint64_t tail, tail_seen;
	uint64_t head, head_seen;
};

struct rings {
	char *memory;
	size_t length;
	size_t stride;
	uint64_t count, mask, batch;
	struct ring give, take;
};

/* As much memory as a lane of the channel has. */
static void measure(struct rings *rings, size_t size)
{
	size_t bytes = RING_LEAST;

	for (rings->stride = 8; rings->stride < size; rings->stride *= 2)
		;
	while (bytes < RING_SLOTS * rings->stride)
		bytes *= 2;
	rings->count = bytes / rings->stride;
	rings->mask = rings->count - 1;
	rings->length = 2 * (4096 + bytes);
}

static int ring_prepare(struct bench_link *link)
{
	struct rings *rings = calloc(1, sizeof(*rings));
	const int batched = link->what->kind != BENCH_SINGLE && link->what->mode == BENCH_STREAM;

	link->state = rings;
	if (!rings)
		return -ENOMEM;
	measure(rings, link->what->size);
	rings->batch = !batched ? 1 : BATCH < rings->count / 4 ? BATCH : rings->count / 4;
	rings->memory =
		mmap(NULL, rings->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rings->memory != MAP_FAILED)
		return 0;
	rings->memory = NULL;
	return -errno;
}

static void ring_discard(struct bench_link *link)
{
	struct rings *rings = link->state;

	if (rings && rings->memory)
		munmap(rings->memory, rings->length);
	free(rings);
}

static int ring_join(struct bench_link *link)
{
	struct rings *rings = link->state;
	char *there = rings->memory, *back = rings->memory + rings->length / 2;
	char *give = link->place == 0 ? there : back, *take = link->place == 0 ? back : there;

	rings->give = (struct ring){.shared = (struct indexes *)give, .slots = give + 4096};
	rings->take = (struct ring){.shared = (struct indexes *)take, .slots = take + 4096};
	return 0;
}

LOOP int ring_put(struct bench_link *link, int by_string)
{
	struct rings *rings = link->state;
	struct ring *ring = &rings->give;
	char *slot = ring->slots + (ring->tail & rings->mask) * rings->stride;

	while (ring->tail - ring->head_seen == rings->count) {
		/* [BENCH-RING] pair: ring_take() */
		ring->head_seen = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
		if (ring->tail - ring->head_seen == rings->count)
			bench_pause();
	}
	if (by_string)
		loop_fill_by_string(slot, link->message, link->what->size);
	else
		loop_fill(slot, link->message, link->what->size);
	if ((++ring->tail & (rings->batch - 1)) == 0)
		/* [BENCH-RING] pair: ring_take() */
		atomic_store_explicit(&ring->shared->tail, ring->tail, memory_order_release);
	return 0;
}

static inline int ring_put_plain(struct bench_link *link)
{
	return ring_put(link, 0);
}

static inline int ring_put_string(struct bench_link *link)
{
	return ring_put(link, 1);
}

static inline int ring_flush(struct bench_link *link)
{
	struct rings *rings = link->state;

	/* [BENCH-RING] pair: ring_take() */
	atomic_store_explicit(&rings->give.shared->tail, rings->give.tail, memory_order_release);
	return 0;
}

static inline int ring_take(struct bench_link *link)
{
	struct rings *rings = link->state;
	struct ring *ring = &rings->take;

	while (ring->head == ring->tail_seen) {
		/* [BENCH-RING] pair: ring_put(), ring_flush() */
		ring->tail_seen = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
		if (ring->head == ring->tail_seen)
			bench_pause();
	}
	link->sum += loop_sum(ring->slots + (ring->head & rings->mask) * rings->stride, link->what->size);
	if ((++ring->head & (rings->batch - 1)) == 0)
		/* [BENCH-RING] pair: ring_put() */
		atomic_store_explicit(&ring->shared->head, ring->head, memory_order_release);
	return 0;
}

static int ring_lead(struct bench_link *link, struct bench_slice *slice)
{
	if (link->what->kind == BENCH_BATCH_STRING)
		return loop_lead(link, slice, ring_put_string, ring_take, ring_flush);
	return loop_lead(link, slice, ring_put_plain, ring_take, ring_flush);
}

static int ring_follow(struct bench_link *link)
{
	if (link->what->kind == BENCH_BATCH_STRING)
		return loop_follow(link, ring_put_string, ring_take);
	return loop_follow(link, ring_put_plain, ring_take);
}

const struct bench_way bench_way_ring = {
	.prepare = ring_prepare,
	.discard = ring_discard,
	.join = ring_join,
	.lead = ring_lead,
	.follow = ring_follow,
};
