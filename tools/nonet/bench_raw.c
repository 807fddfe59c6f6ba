/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_loops.h"

/*
 * What the hardware and the kernel take at least: a word that is handed over, by looking or by futex(2), and a message
 * that is written in one place of shared memory again and again.
 *
 * [BENCH-RAW]  Who sees the number of a message sees the message; who sees the number of its answer may write the next.
 */

/* A message each way. A short one is in its number's own line, a longer one begins with the next. */
struct place {
	_Alignas(64) _Atomic uint32_t number;
	uint32_t unused;
	char bytes[];
};

struct raw {
	char *memory; /* what is shared: two places */
	size_t length;
	struct place *give, *take;
	char *to, *from;
	uint32_t given, taken;
};

#define LINE   64u
#define INLINE (LINE - sizeof(uint64_t))
#define MOVING ((size_t)64 << 10) /* what is gone over before the first place comes again */

static size_t place_size(const struct bench_link *link)
{
	const size_t size = link->what->size;

	/* Whole pages: the memory's prefetchers don't bring the one to who writes the other. */
	if (link->what->way == &bench_way_copy && link->what->kind == BENCH_MOVING)
		return LINE + MOVING + 4096;
	return ((size <= INLINE ? 0 : size) + LINE + 4095) & ~(size_t)4095;
}

static int raw_prepare(struct bench_link *link)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	link->state = raw;
	if (!raw)
		return -ENOMEM;
	raw->length = 2 * place_size(link);
	raw->memory = mmap(NULL, raw->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (raw->memory != MAP_FAILED)
		return 0;
	raw->memory = NULL;
	return -errno;
}

static void raw_discard(struct bench_link *link)
{
	struct raw *raw = link->state;

	if (raw && raw->memory)
		munmap(raw->memory, raw->length);
	free(raw);
}

static int raw_join(struct bench_link *link)
{
	struct raw *raw = link->state;
	const size_t size = place_size(link), offset = link->what->size <= INLINE ? sizeof(uint64_t) : LINE;
	char *first = raw->memory, *second = raw->memory + size;

	raw->to = (link->place == 0 ? first : second) + offset;
	raw->from = (link->place == 0 ? second : first) + offset;
	raw->give = (struct place *)(raw->to - offset);
	raw->take = (struct place *)(raw->from - offset);
	return 0;
}

/* The one line that both write, in turns: nothing is handed over faster. */
static inline int line_put(struct bench_link *link)
{
	struct raw *raw = link->state;
	struct place *one = (struct place *)raw->memory;

	atomic_store_explicit(&one->number, ++raw->given, memory_order_release); /* [BENCH-RAW] */
	return 0;
}

LOOP int line_take(struct bench_link *link, int pauses)
{
	struct raw *raw = link->state;
	struct place *one = (struct place *)raw->memory;

	raw->given++;
	while (atomic_load_explicit(&one->number, memory_order_acquire) != raw->given) /* [BENCH-RAW] */
		if (pauses)
			bench_pause();
	return 0;
}

static inline int line_take_pausing(struct bench_link *link)
{
	return line_take(link, 1);
}

static inline int line_take_at_once(struct bench_link *link)
{
	return line_take(link, 0);
}

static int line_lead(struct bench_link *link, struct bench_slice *slice)
{
	bench_order(link, 0);
	if (link->what->kind == BENCH_PAUSE)
		return loop_ping(link, slice, line_put, line_take_pausing);
	return loop_ping(link, slice, line_put, line_take_at_once);
}

static int line_follow(struct bench_link *link)
{
	if (link->what->kind == BENCH_PAUSE)
		return loop_pong(link, line_put, line_take_pausing);
	return loop_pong(link, line_put, line_take_at_once);
}

const struct bench_way bench_way_line = {
	.prepare = raw_prepare,
	.discard = raw_discard,
	.join = raw_join,
	.lead = line_lead,
	.follow = line_follow,
};

LOOP int copy_put(struct bench_link *link, int by_string)
{
	struct raw *raw = link->state;

	if (by_string)
		loop_fill_by_string(raw->to, link->message, link->what->size);
	else
		loop_fill(raw->to, link->message, link->what->size);
	atomic_store_explicit(&raw->give->number, ++raw->given, memory_order_release); /* [BENCH-RAW] */
	return 0;
}

static inline int copy_put_plain(struct bench_link *link)
{
	return copy_put(link, 0);
}

static inline int copy_put_string(struct bench_link *link)
{
	return copy_put(link, 1);
}

static inline int copy_take(struct bench_link *link)
{
	struct raw *raw = link->state;

	raw->taken++;
	while (atomic_load_explicit(&raw->take->number, memory_order_acquire) != raw->taken) /* [BENCH-RAW] */
		bench_pause();
	link->sum += loop_sum(raw->from, link->what->size);
	return 0;
}

/* Where the message of a number is. @size: a power of two */
LOOP size_t copy_place(const struct bench_link *link, uint32_t number)
{
	return (number * link->what->size) & (MOVING - 1);
}

static inline int copy_put_moving(struct bench_link *link)
{
	struct raw *raw = link->state;

	raw->given++;
	loop_fill(raw->to + copy_place(link, raw->given), link->message, link->what->size);
	atomic_store_explicit(&raw->give->number, raw->given, memory_order_release); /* [BENCH-RAW] */
	return 0;
}

static inline int copy_take_moving(struct bench_link *link)
{
	struct raw *raw = link->state;

	raw->taken++;
	while (atomic_load_explicit(&raw->take->number, memory_order_acquire) != raw->taken) /* [BENCH-RAW] */
		bench_pause();
	link->sum += loop_sum(raw->from + copy_place(link, raw->taken), link->what->size);
	return 0;
}

static int copy_lead(struct bench_link *link, struct bench_slice *slice)
{
	bench_order(link, 0);
	if (link->what->kind == BENCH_MOVING)
		return loop_ping(link, slice, copy_put_moving, copy_take_moving);
	if (link->what->kind == BENCH_STRING)
		return loop_ping(link, slice, copy_put_string, copy_take);
	return loop_ping(link, slice, copy_put_plain, copy_take);
}

static int copy_follow(struct bench_link *link)
{
	if (link->what->kind == BENCH_MOVING)
		return loop_pong(link, copy_put_moving, copy_take_moving);
	if (link->what->kind == BENCH_STRING)
		return loop_pong(link, copy_put_string, copy_take);
	return loop_pong(link, copy_put_plain, copy_take);
}

const struct bench_way bench_way_copy = {
	.prepare = raw_prepare,
	.discard = raw_discard,
	.join = raw_join,
	.lead = copy_lead,
	.follow = copy_follow,
};

static inline int futex_put(struct bench_link *link)
{
	struct raw *raw = link->state;

	atomic_store_explicit(&raw->give->number, ++raw->given, memory_order_release); /* [BENCH-RAW] */
	return syscall(SYS_futex, &raw->give->number, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -errno : 0;
}

static inline int futex_take(struct bench_link *link)
{
	struct raw *raw = link->state;

	while (atomic_load_explicit(&raw->take->number, memory_order_acquire) == raw->taken) /* [BENCH-RAW] */
		if (syscall(SYS_futex, &raw->take->number, FUTEX_WAIT, raw->taken, NULL, NULL, 0) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			return -errno;
	raw->taken++;
	return 0;
}

static int futex_lead(struct bench_link *link, struct bench_slice *slice)
{
	bench_order(link, 0);
	return loop_ping(link, slice, futex_put, futex_take);
}

static int futex_follow(struct bench_link *link)
{
	return loop_pong(link, futex_put, futex_take);
}

const struct bench_way bench_way_futex = {
	.prepare = raw_prepare,
	.discard = raw_discard,
	.join = raw_join,
	.lead = futex_lead,
	.follow = futex_follow,
};

/* By the first process alone. */
static int memcpy_lead(struct bench_link *link, struct bench_slice *slice)
{
	const nonet_time start = nonet_clock();
	uint64_t i, count = 0;

	do {
		for (i = 0; i < link->block; i++) {
			memcpy(link->buffer, link->message, link->what->size);
			/* Somebody might look at it: it has to be done. */
			__asm__ volatile("" ::"r"(link->buffer) : "memory");
		}
		count += i;
	} while (nonet_clock() - start < slice->length);
	slice->each = (double)(nonet_clock() - start) / (double)count;
	loop_set_block(link, slice->each, LOOP_BLOCK_STREAM);
	return 0;
}

const struct bench_way bench_way_memcpy = {.lead = memcpy_lead};
