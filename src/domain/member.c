/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "domain/domain_private.h"
#include "domain/member.h"
#include "sys/backing.h"
#include "sys/clock.h"
#include "sys/filelocks.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/mapping.h"
#include "sys/process.h"

/*
 * The life lock. A lock of an open file description is there as long as the description is: a mapping holds one too,
 * and unlike a descriptor it is closed by nobody who closes all that he doesn't know. A child would keep it alive,
 * so the child doesn't get the mapping (MADV_DONTFORK in madvise(2)); execve(2) ends it.
 */
static int member_keep_lock(int fd)
{
	void *base;
	int error = sys_map(fd, 0, DOMAIN_PAGE, 0, &base);

	if (error < 0)
		return error;
	error = sys_map_advise(base, DOMAIN_PAGE, SYS_MAP_NOT_FORKED);
	if (error < 0)
		(void)sys_unmap(base, DOMAIN_PAGE);
	return error;
}

/* The page is ours from here on; all that was in it is of one who is dead. */
static void member_introduce(struct domain *domain)
{
	struct domain_member *member = domain_member(domain, domain->member);
	const char *name = sys_program_name();

	domain->member_generation = atomic_load_explicit(&member->generation, memory_order_relaxed) + 1;
	atomic_store_explicit(&member->helper, 0, memory_order_relaxed);
	atomic_store_explicit(&member->more, 0, memory_order_relaxed);
	for (size_t i = 0; i < DOMAIN_OBJECTS; i++)
		atomic_store_explicit(&member->objects[i], 0, memory_order_relaxed);
	atomic_store_explicit(&member->pid, (int32_t)sys_process_id(), memory_order_relaxed);
	atomic_store_explicit(&member->pid_namespace, sys_pid_namespace(), memory_order_relaxed);
	atomic_store_explicit(&member->joined, sys_clock_real(), memory_order_relaxed);
	memset(member->name, 0, sizeof(member->name));
	memcpy(member->name, name, strnlen(name, sizeof(member->name)));
	/* [MEMBER-NEW] Whoever sees the new generation in a slot, or here, sees the rest. pair: life_ask() */
	atomic_store_explicit(&member->generation, domain->member_generation, memory_order_release);
}

/* One that nobody has, or whose process is dead; beginning behind the last that was taken, so the oldest is next. */
static int member_lock_one(const struct domain *domain, int fd, uint32_t *ret_member)
{
	struct domain_header *header = domain_header(domain);
	struct sys_lock_range byte = {.length = 1};
	uint32_t member;
	int error = -EAGAIN;

	for (uint32_t i = 0; i < DOMAIN_MEMBERS && error == -EAGAIN; i++) {
		member = atomic_fetch_add_explicit(&header->member_hint, 1, memory_order_relaxed) % DOMAIN_MEMBERS;
		byte.start = member;
		error = sys_ofd_lock(fd, SYS_LOCK_EXCLUSIVE, &byte, false);
	}
	if (error == 0)
		*ret_member = member;
	return error == -EAGAIN ? -EUSERS : error;
}

static int member_lock(struct domain *domain, int *ret_fd, struct nonet_error *reterr)
{
	int fd;
	/* A description of its own, which nobody else's descriptor unlocks by being closed. */
	int error = domain_open_again(domain, &fd);

	if (error < 0)
		return error_set(reterr, error, "can't open the domain in %s: %s", domain->path, error_reason(error));
	error = member_lock_one(domain, fd, &domain->member);
	if (error < 0) {
		sys_close(&fd);
		return error == -EUSERS ? error_set(reterr, error, "the domain in %s has %u members, and takes no more",
						    domain->path, DOMAIN_MEMBERS)
					: error_set(reterr, error, "can't become a member of the domain in %s: %s",
						    domain->path, error_reason(error));
	}
	*ret_fd = fd;
	return 0;
}

int domain_member_take(struct domain *domain, int fd, struct nonet_error *reterr)
{
	int own;
	int error = member_lock(domain, &own, reterr);

	if (error < 0)
		return error;
	error = sys_allocate_file(fd, (off_t)DOMAIN_MEMBER(domain->member), DOMAIN_PAGE, true);
	if (error == 0)
		error = member_keep_lock(own);
	sys_close(&own);
	if (error < 0)
		return error_set(reterr, error, "can't become a member of the domain in %s: %s", domain->path,
				 error_reason(error));
	member_introduce(domain);
	return 0;
}

int domain_member_lives(const struct domain *domain, int fd, uint32_t member)
{
	const struct sys_lock_range byte = {.start = member, .length = 1};
	pid_t nobody;

	(void)domain;
	return sys_record_lock_in_way(fd, true, SYS_LOCK_EXCLUSIVE, &byte, &nobody);
}

void domain_member_adds(const struct domain *domain, uint64_t object)
{
	struct domain_member *member = domain_member(domain, domain->member);

	for (size_t i = 0; i < DOMAIN_OBJECTS; i++) {
		uint64_t free = 0;

		/* Threads of ours only: one writer among processes, but not one thread. */
		if (atomic_compare_exchange_strong_explicit(&member->objects[i], &free, object, memory_order_relaxed,
							    memory_order_relaxed))
			return;
	}
	atomic_fetch_add_explicit(&member->more, 1, memory_order_relaxed);
}

void domain_member_removes(const struct domain *domain, uint64_t object)
{
	struct domain_member *member = domain_member(domain, domain->member);
	uint32_t more;

	for (size_t i = 0; i < DOMAIN_OBJECTS; i++) {
		uint64_t own = object;

		if (atomic_compare_exchange_strong_explicit(&member->objects[i], &own, 0, memory_order_relaxed,
							    memory_order_relaxed))
			return;
	}
	more = atomic_load_explicit(&member->more, memory_order_relaxed);
	while (more > 0 && !atomic_compare_exchange_weak_explicit(&member->more, &more, more - 1, memory_order_relaxed,
								  memory_order_relaxed))
		;
}
