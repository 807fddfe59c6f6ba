/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/thread.h"

#include <errno.h>

#include "domain/life.h"
#include "sys/backing.h"
#include "sys/filelocks.h"
#include "sys/files.h"
#include "sys/futex.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "sys/process.h"
#include "sys/robust.h"
#include "sys/thread.h"

/*
 * Taking a slot, so that whoever is killed here leaves nothing half-taken:
 *
 *   1. Have room for the slot's page, and map it with the page for the node behind it.
 *   2. Lock the slot's byte, without waiting: nobody else tries this slot meanwhile.
 *   3. Link the node into the thread's robust list. The slot's word is a dead thread's: the kernel wouldn't touch it.
 *   4. Say in the page who we are.
 *   5. One compare-and-swap: the word has our thread id, and the next generation. From here on the slot is ours, to be
 *      marked by the kernel.
 *   6. Unlock the byte.
 */

_Static_assert(offsetof(struct domain_slot, life) + SYS_ROBUST_DISTANCE == DOMAIN_PAGE,
	       "the node begins the next page");

_Thread_local struct domain_thread_last domain_thread_last;

/* All slots of the calling thread, one for each domain; in a child also those of the thread that forked. */
static _Thread_local struct domain_thread *thread_slots;

static struct sys_robust_node *thread_node(const struct domain_thread *thread)
{
	return (struct sys_robust_node *)((char *)thread->region + DOMAIN_PAGE);
}

/* Two pages; the second is kept, whatever slot the first will show. */
static int thread_reserve(struct domain_thread *thread)
{
	void *region;
	int error = sys_map_reserve(2 * (size_t)DOMAIN_PAGE, &region);

	if (error < 0)
		return error;
	error = sys_map_at((char *)region + DOMAIN_PAGE, -1, 0, DOMAIN_PAGE, SYS_MAP_WRITE | SYS_MAP_NOW);
	/* A child that isn't libc's (raw clone(2)) would write to our node. */
	if (error == 0)
		error = sys_map_advise((char *)region + DOMAIN_PAGE, DOMAIN_PAGE, SYS_MAP_NOT_FORKED);
	if (error < 0) {
		(void)sys_unmap(region, 2 * (size_t)DOMAIN_PAGE);
		return error;
	}
	thread->region = region;
	return 0;
}

static int thread_map_slot(const struct domain_thread *thread, int fd, uint32_t slot)
{
	/* Touched at once: else the kernel does it when it marks our death, while others wait for the mark. */
	int error = sys_map_at(thread->region, fd, (off_t)DOMAIN_SLOT(slot), DOMAIN_PAGE, SYS_MAP_WRITE | SYS_MAP_NOW);

	return error < 0 ? error : sys_map_advise(thread->region, DOMAIN_PAGE, SYS_MAP_NOT_FORKED);
}

static bool slot_is_free(uint64_t life)
{
	return life_is_dead(life) && life_generation(life) < DOMAIN_GENERATION;
}

/* Steps 3 to 5. Return: 1 taken, 0 somebody was faster. */
static int thread_claim(struct domain_thread *thread, uint32_t number)
{
	const struct domain *domain = thread->domain;
	struct domain_slot *slot = domain_slot(domain, number);
	const pid_t id = sys_thread_id();
	bool linked;
	uint64_t before = atomic_load_explicit(&slot->life, memory_order_relaxed);
	uint64_t after = life_word(SYS_LIFE_WAITERS | (uint32_t)id, life_generation(before) + 1);

	if (!slot_is_free(before))
		return 0;
	linked = sys_robust_link(thread_node(thread));
	atomic_store_explicit(&slot->member, domain->member, memory_order_relaxed);
	atomic_store_explicit(&slot->member_generation, domain->member_generation, memory_order_relaxed);
	atomic_store_explicit(&slot->thread, (int32_t)id, memory_order_relaxed);
	atomic_store_explicit(&slot->waits_for, 0, memory_order_relaxed);
	/* [SLOT-TAKE] Whoever sees the new generation sees whose slot it is. pair: life_look() */
	if (!atomic_compare_exchange_strong_explicit(&slot->life, &before, after, memory_order_acq_rel,
						     memory_order_relaxed)) {
		if (linked)
			sys_robust_unlink(thread_node(thread));
		return 0;
	}
	thread->linked = linked;
	thread->slot = number;
	thread->id = id;
	thread->owner = claim_owner(number, life_generation(after));
	return 1;
}

/* Return: 1 taken, 0 not this one. */
static int thread_try(struct domain_thread *thread, int fd, uint32_t slot)
{
	struct sys_lock_range byte = {.start = DOMAIN_SLOT_LOCK + (int64_t)slot, .length = 1};
	int result = sys_ofd_lock(fd, SYS_LOCK_EXCLUSIVE, &byte, false);

	if (result < 0)
		return result == -EAGAIN ? 0 : result;
	result = thread_map_slot(thread, fd, slot);
	if (result == 0)
		result = thread_claim(thread, slot);
	(void)sys_ofd_lock(fd, SYS_LOCK_NONE, &byte, false);
	return result;
}

/* One that was in use before, those first that are dead for longest: behind the last that was tried. */
static int thread_reuse(struct domain_thread *thread, int fd)
{
	struct domain_header *header = domain_header(thread->domain);
	uint32_t slots = atomic_load_explicit(&header->slots, memory_order_relaxed);
	int result = 0;

	if (slots > DOMAIN_SLOTS)
		slots = DOMAIN_SLOTS;
	for (uint32_t i = 1; i < slots && result == 0; i++) {
		const uint32_t hint = atomic_fetch_add_explicit(&header->slot_hint, 1, memory_order_relaxed);
		const uint32_t slot = 1 + hint % (slots - 1);
		const struct domain_slot *page = domain_slot(thread->domain, slot);

		if (slot_is_free(atomic_load_explicit(&page->life, memory_order_relaxed)))
			result = thread_try(thread, fd, slot);
	}
	return result;
}

/* One that nobody had yet. */
static int thread_extend(struct domain_thread *thread, int fd)
{
	struct domain_header *header = domain_header(thread->domain);
	int result = 0;

	for (unsigned turn = 0; turn < DOMAIN_SLOTS && result == 0; turn++) {
		uint32_t slot = atomic_load_explicit(&header->slots, memory_order_relaxed);

		if (slot == 0 || slot >= DOMAIN_SLOTS)
			return -EUSERS;
		/* Room first: who has the number without it would leave a slot that faults. */
		result = sys_allocate_file(fd, (off_t)DOMAIN_SLOT(slot), DOMAIN_PAGE, true);
		if (result < 0)
			return result;
		if (atomic_compare_exchange_strong_explicit(&header->slots, &slot, slot + 1, memory_order_relaxed,
							    memory_order_relaxed))
			result = thread_try(thread, fd, slot);
	}
	return result == 0 ? -EUSERS : result;
}

/* A slot that others may not see: given back, so that the record can be used again. */
static void thread_leave(struct domain_thread *thread)
{
	struct domain_slot *slot = domain_slot(thread->domain, thread->slot);

	atomic_store_explicit(&slot->life, life_word(SYS_LIFE_DIED, claim_generation(thread->owner)),
			      memory_order_relaxed);
	if (thread->linked)
		sys_robust_unlink(thread_node(thread));
	thread->owner = 0;
}

static int thread_take(struct domain_thread *thread)
{
	int fd;
	int result;

	if (guard_map_is_poisoned(&thread->domain->map))
		return -EBADMSG;
	result = domain_open_again(thread->domain, &fd);
	if (result < 0)
		return result;
	result = thread_reuse(thread, fd);
	if (result == 0)
		result = thread_extend(thread, fd);
	sys_close(&fd);
	if (guard_map_is_poisoned(&thread->domain->map)) {
		if (result == 1)
			thread_leave(thread);
		return -EBADMSG;
	}
	return result < 0 ? result : 0;
}

/*
 * A record whose thread has ended, or a new one; with two pages. The thread is gone once its id isn't known any more:
 * the life word, which peers can write, would do to end a slot, but not to give away memory that the kernel still
 * reads.
 */
static int thread_record(struct domain *domain, struct domain_thread **ret_thread)
{
	struct domain_thread *thread = domain->threads;
	int error;

	while (thread && thread->owner && sys_thread_is_there(thread->id))
		thread = thread->next;
	if (thread) {
		thread->owner = 0;
		*ret_thread = thread;
		return 0;
	}
	thread = sys_allocate(sizeof(*thread));
	if (!thread)
		return -ENOMEM;
	error = thread_reserve(thread);
	if (error < 0) {
		sys_free(thread);
		return error;
	}
	thread->domain = domain;
	thread->next = domain->threads;
	domain->threads = thread;
	*ret_thread = thread;
	return 0;
}

static int thread_new(struct domain *domain, struct domain_thread **ret_thread)
{
	struct domain_thread *thread;
	int error;

	pthread_mutex_lock(&domain->threads_lock);
	error = thread_record(domain, &thread);
	if (error == 0) {
		thread->ranks = 0;
		error = thread_take(thread);
	}
	pthread_mutex_unlock(&domain->threads_lock);
	if (error < 0)
		return error;
	thread->next_other = thread_slots;
	thread_slots = thread;
	*ret_thread = thread;
	return 0;
}

int domain_thread_find(struct domain *domain, struct domain_thread **ret_thread)
{
	struct domain_thread *thread = thread_slots;
	int error;

	while (thread && thread->domain != domain)
		thread = thread->next_other;
	if (!thread) {
		error = thread_new(domain, &thread);
		if (error < 0)
			return error;
	}
	domain_thread_last = (struct domain_thread_last){domain, thread->owner, thread};
	*ret_thread = thread;
	return 0;
}

struct helper {
	struct domain *domain;
	_Atomic uint32_t started; /* 0 not yet, 1 done */
	uint64_t owner;
	int error;
};

/* The process's own thread: it has a slot, and nothing to do. */
static void *helper_run(void *argument)
{
	static const _Atomic uint32_t forever;
	struct helper *helper = argument;
	struct domain_thread *thread;

	sys_thread_allow_faults();
	helper->error = domain_thread_find(helper->domain, &thread);
	if (helper->error == 0)
		helper->owner = thread->owner;
	const bool works = helper->error == 0;

	/* [HELPER-DONE] What it found out is there before it says so; then @argument is gone. pair: helper_start() */
	atomic_store_explicit(&helper->started, 1, memory_order_release);
	(void)sys_futex_wake(&helper->started, 1);
	while (works)
		(void)sys_futex_wait(&forever, 0, NONET_FOREVER);
	return NULL;
}

static int helper_start(struct domain *domain, uint64_t *ret_owner)
{
	struct helper helper = {.domain = domain};
	pthread_t thread;
	int error = sys_thread_start("nonet-life", helper_run, &helper, &thread);

	if (error < 0)
		return error;
	while (atomic_load_explicit(&helper.started, memory_order_acquire) == 0) /* [HELPER-DONE] pair: helper_run() */
		(void)sys_futex_wait(&helper.started, 0, NONET_FOREVER);
	if (helper.error < 0)
		sys_thread_join(thread);
	else
		sys_thread_detach(thread);
	*ret_owner = helper.owner;
	return helper.error;
}

int domain_process_owner(struct domain *domain, uint64_t *ret_owner)
{
	uint64_t owner = atomic_load_explicit(&domain->helper, memory_order_acquire); /* [HELPER-OWNER] */
	int error = 0;

	if (owner == 0) {
		pthread_mutex_lock(&domain->helper_lock);
		owner = atomic_load_explicit(&domain->helper, memory_order_relaxed);
		if (owner == 0)
			error = helper_start(domain, &owner);
		if (error == 0)
			atomic_store_explicit(&domain->helper, owner, memory_order_release); /* [HELPER-OWNER] */
		pthread_mutex_unlock(&domain->helper_lock);
	}
	if (error < 0)
		return error;
	*ret_owner = owner;
	return 0;
}
