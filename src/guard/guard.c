/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard.h"

#include <errno.h>
#include <signal.h>

#include "base/error.h"
#include "sys/bus.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/process.h"

/*
 * The table of guarded regions.
 *
 * A region's @word says who may do what with it, and every change of it is one compare-and-swap:
 *
 *   FREE -> CLAIMED -> LIVE       by whoever adds a region
 *   LIVE -> STOPPED -> LIVE/FREE  by its owner, to move or unmap it
 *   LIVE -> MENDING -> LIVE       by a handler, while it maps zeros
 *
 * Whoever finds a region MENDING or STOPPED pauses and tries again, a handler by letting the access be made again: so
 * one handler at a time works on a region, and none on memory that its owner has given back, where by then something
 * else may be mapped.
 *
 * A fork leaves the child with regions that other threads, which it doesn't have, were working on. They are told by the
 * generation in the word: MENDING is as good as LIVE then, since what a handler does is one system call that was made
 * or wasn't. STOPPED isn't: where the memory is now only the missing thread knew.
 *
 * [GUARD-WORD]   Who stores LIVE or FREE has stored begin, size and writable before; who takes the region from that
 *                state reads them after. Who looks at them without taking it may see halves, and takes it before he
 *                believes them.
 * [GUARD-CHUNK]  A chunk is linked once it is empty in full.
 */
enum guard_state {
	GUARD_FREE,
	GUARD_CLAIMED,
	GUARD_LIVE,
	GUARD_MENDING,
	GUARD_STOPPED,
};

#define GUARD_CHUNK  64
#define GUARD_PIECES 4096

struct guard_chunk {
	_Atomic(struct guard_chunk *) next;
	struct guard guards[GUARD_CHUNK];
};

static struct guard_chunk guard_first;
/* The handler is installed with the first region, unless the program has said that it doesn't want it. */
static atomic_bool guard_is_off;

static uint64_t guard_word(enum guard_state state)
{
	return (uint64_t)sys_generation() << 32 | state;
}

/* What the word means in this process. */
static enum guard_state guard_state(uint64_t word)
{
	const enum guard_state state = (enum guard_state)(word & UINT32_MAX);

	return state == GUARD_MENDING && word >> 32 != sys_generation() ? GUARD_LIVE : state;
}

static bool guard_covers(const struct guard *guard, uintptr_t address)
{
	return address - atomic_load_explicit(&guard->begin, memory_order_relaxed) <
	       atomic_load_explicit(&guard->size, memory_order_relaxed);
}

/* From LIVE to @state; false if it isn't LIVE. */
static bool guard_take(struct guard *guard, enum guard_state state)
{
	uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);

	/* [GUARD-WORD] pair: guard_give() */
	return guard_state(word) == GUARD_LIVE &&
	       atomic_compare_exchange_strong_explicit(&guard->word, &word, guard_word(state), memory_order_acquire,
						       memory_order_relaxed);
}

static void guard_give(struct guard *guard, enum guard_state state)
{
	/* [GUARD-WORD] pair: guard_take(), guard_claim() */
	atomic_store_explicit(&guard->word, guard_word(state), memory_order_release);
}

/* All of the region, as the size of a piece. */
#define GUARD_ALL 0

/* Put zeros in the piece around @address; the pieces of a size, a power of two, are aligned to it. */
static bool guard_replace_piece(const struct guard *guard, uintptr_t address, size_t piece, bool *ret_all)
{
	const uintptr_t begin = atomic_load_explicit(&guard->begin, memory_order_relaxed);
	const uintptr_t end = begin + atomic_load_explicit(&guard->size, memory_order_relaxed);
	const bool writable = atomic_load_explicit(&guard->writable, memory_order_relaxed);
	uintptr_t from = address & ~(piece - 1);
	uintptr_t size = piece;

	if (piece == GUARD_ALL) {
		from = begin;
		size = end - begin;
	} else if (from < begin) {
		size -= begin - from;
		from = begin;
	}
	if (size > end - from)
		size = end - from;
	*ret_all = from == begin && size == end - begin;
	/* Two threads faulted on one page, and the other was here first: what it wrote meanwhile stays. */
	return sys_bus_is_replaced((void *)from, size) || sys_bus_replace((void *)from, size, writable) == 0;
}

/*
 * Put zeros where there is nothing: the page, or the larger piece that the kernel insists on, where its pages are large
 * (-EINVAL) or the process has as many mappings as it may (-ENOMEM); in the end the whole region. So it is at once if
 * the holes are many: each may be a mapping of its own, of which a process has 65,530.
 */
static bool guard_replace(struct guard *guard, uintptr_t address)
{
	const bool many = atomic_fetch_add_explicit(&guard->pieces, 1, memory_order_relaxed) >= GUARD_PIECES;
	bool all;

	/* Less of it may still be had (overcommit_memory in proc(5)). */
	if (many && guard_replace_piece(guard, address, GUARD_ALL, &all))
		return true;
	for (size_t piece = (size_t)sys_page_size();; piece *= 2) {
		if (guard_replace_piece(guard, address, piece, &all))
			return true;
		if (all)
			return false;
	}
}

/* The region is ours. Return: false: the fault isn't in it after all. */
static bool guard_mend_taken(struct guard *guard, uintptr_t address, bool *ret_mended)
{
	const bool covers = guard_covers(guard, address);

	if (covers) {
		guard_poison(guard);
		*ret_mended = guard_replace(guard, address);
	}
	guard_give(guard, GUARD_LIVE);
	return covers;
}

/* A fault at @address in this region, or so it seems. */
static bool guard_mend_in(struct guard *guard, uintptr_t address, bool *ret_mended)
{
	sigset_t before;
	bool taken;
	bool done = true;

	/* A handler that faulted here while we have the region would wait for us, below itself, for ever. */
	sys_bus_hold(&before);
	taken = guard_take(guard, GUARD_MENDING);
	if (taken)
		done = guard_mend_taken(guard, address, ret_mended);
	sys_bus_let(&before);
	if (!taken) {
		/* Another handler, or its owner, has it: the access is tried again, until it succeeds or we have it. */
		sys_bus_pause();
		*ret_mended = true;
	}
	return done;
}

static bool guard_mend(void *address)
{
	struct guard_chunk *chunk = &guard_first;
	bool mended;

	while (chunk) {
		for (size_t i = 0; i < GUARD_CHUNK; i++) {
			struct guard *guard = &chunk->guards[i];
			const uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
			const enum guard_state state = guard_state(word);

			if (state == GUARD_FREE || state == GUARD_CLAIMED || !guard_covers(guard, (uintptr_t)address))
				continue;
			if (state == GUARD_STOPPED && word >> 32 != sys_generation())
				continue;
			if (guard_mend_in(guard, (uintptr_t)address, &mended))
				return mended;
		}
		/* [GUARD-CHUNK] pair: guard_claim() */
		chunk = atomic_load_explicit(&chunk->next, memory_order_acquire);
	}
	return false;
}

/* A region that nobody has, or NULL: no memory. */
static struct guard *guard_claim(void)
{
	struct guard_chunk *chunk = &guard_first;
	struct guard_chunk *next;
	struct guard_chunk *added;

	for (;;) {
		for (size_t i = 0; i < GUARD_CHUNK; i++) {
			struct guard *guard = &chunk->guards[i];
			uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);

			/* [GUARD-WORD] pair: guard_give() */
			if (guard_state(word) == GUARD_FREE &&
			    atomic_compare_exchange_strong_explicit(&guard->word, &word, guard_word(GUARD_CLAIMED),
								    memory_order_acquire, memory_order_relaxed))
				return guard;
		}
		/* [GUARD-CHUNK] pair: the exchange below */
		next = atomic_load_explicit(&chunk->next, memory_order_acquire);
		if (!next) {
			added = sys_allocate(sizeof(*added));
			if (!added)
				return NULL;
			/* [GUARD-CHUNK] pair: guard_mend(), and the load above */
			if (atomic_compare_exchange_strong_explicit(&chunk->next, &next, added, memory_order_acq_rel,
								    memory_order_acquire))
				next = added;
			else
				sys_free(added);
		}
		chunk = next;
	}
}

int guard_add(void *base, size_t size, bool writable, struct guard **ret_guard)
{
	struct guard *guard;
	int error = 0;

	if (!sys_bus_is_installed() && !atomic_load_explicit(&guard_is_off, memory_order_relaxed))
		error = sys_bus_install(guard_mend);
	if (error < 0)
		return error;
	guard = guard_claim();
	if (!guard)
		return -ENOMEM;
	atomic_store_explicit(&guard->poisoned, false, memory_order_relaxed);
	atomic_store_explicit(&guard->pieces, 0, memory_order_relaxed);
	guard_resume(guard, base, size, writable);
	*ret_guard = guard;
	return 0;
}

void guard_stop(struct guard *guard)
{
	while (!guard_take(guard, GUARD_STOPPED)) {
		const uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);

		/* The parent's thread was at it when we were forked: what is left is to give the region up. */
		if (guard_state(word) == GUARD_STOPPED && word >> 32 != sys_generation())
			return;
		sys_bus_pause();
	}
}

void guard_resume(struct guard *guard, void *base, size_t size, bool writable)
{
	atomic_store_explicit(&guard->begin, (uintptr_t)base, memory_order_relaxed);
	atomic_store_explicit(&guard->size, size, memory_order_relaxed);
	atomic_store_explicit(&guard->writable, writable, memory_order_relaxed);
	guard_give(guard, size ? GUARD_LIVE : GUARD_FREE);
}

int nonet_guard_install(struct nonet_error *reterr)
{
	int error = sys_bus_install(guard_mend);

	if (error < 0)
		return error_set(reterr, error, "can't install the handler of SIGBUS: %s", error_reason(error));
	atomic_store_explicit(&guard_is_off, false, memory_order_relaxed);
	return 0;
}

int nonet_guard_uninstall(void)
{
	atomic_store_explicit(&guard_is_off, true, memory_order_relaxed);
	return sys_bus_uninstall();
}

int nonet_guard_handle(int code, void *address)
{
	return code == BUS_ADRERR && guard_mend(address);
}
