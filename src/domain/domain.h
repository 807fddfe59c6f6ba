/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <nonet/address.h>
#include <nonet/error.h>
#include <nonet/time.h>

#include "domain/claim.h"
#include "domain/domain_layout.h"
#include "guard/guard_map.h"

/*
 * A domain, as a process that is a member of it has it. It becomes one with the first object that it opens there, and
 * stays one until it ends: its threads are known to others by slots, which the kernel marks when they die. A forked
 * child isn't a member until it opens something itself.
 */

/* Nobody sleeps longer without looking again: it covers whoever was to wake him and died before. */
#define DOMAIN_INTERVAL NONET_MS(100)

struct domain_thread;

struct domain {
	struct domain *next;
	unsigned generation;  /* of the process that is the member */
	atomic_int directory; /* O_PATH; domain_directory() gives it out */
	char *path;           /* of the directory, absolute where /proc tells */
	struct domain_file {
		dev_t device;
		ino_t inode;
	} file, directory_file; /* .domain, and the directory */
	struct guard_map map;
	uint64_t id[2];
	atomic_bool removed; /* as domain_open_again() found it last */

	uint32_t member;
	uint32_t member_generation;

	pthread_mutex_t threads_lock;
	struct domain_thread *threads; /* that have a slot, or had one, of this process */
	pthread_mutex_t helper_lock;   /* held while the helper is started */
	_Atomic uint64_t helper;       /* the owner that stands for the whole process; 0: none yet */
};

/*
 * Become a member of the domain in @directory, or the default one if that is NULL; at once if the process is one.
 * @make: make directory and domain if there is none
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EPERM       others could write there who shouldn't; or the default directory isn't this user's
 *   -EPROTO      .domain isn't a domain's file, or of another version of the library
 *   -EBADMSG     .domain was cut off
 *   -EUSERS      there are DOMAIN_MEMBERS members
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOSPC, -EDQUOT, -EROFS, -EIO, -EMFILE, -ENFILE, -ENOMEM, -EINVAL
 */
int domain_join(const char *directory, bool make, struct domain **ret_domain, struct nonet_error *reterr);

/* Its directory, for who isn't a member and needn't be. The errors of domain_join() that have to do with it. */
int domain_find_directory(const char *directory, int *ret_fd, struct nonet_error *reterr);

/*
 * A domain, as who looks at it without being a member has it: no page of it is mapped, and no other process can tell.
 * So nothing may be asked of it but its directory, domain_open_again() and domain_observe_life().
 * @ret_domain: one of its own, until domain_unobserve(); its id is 0 where its file may not be read
 *
 * Return: as domain_join() that makes none.
 */
int domain_observe(const char *directory, struct domain **ret_domain, struct nonet_error *reterr);

/* Takes NULL, which it returns. */
struct domain *domain_unobserve(struct domain *domain);

/*
 * Of a domain that is observed: whether this generation of a member is there, or is just going.
 *
 * Return: 1, 0: gone with all of its threads; or -errno, nobody can be asked.
 */
int domain_observe_life(struct domain *domain, uint32_t member, uint32_t generation);

/* The directory that is meant by NULL, freed with sys_free(); NULL: no memory. */
char *domain_default_path(void);

static inline struct domain_header *domain_header(const struct domain *domain)
{
	return (struct domain_header *)domain->map.base;
}

static inline struct domain_member *domain_member(const struct domain *domain, uint32_t member)
{
	return (struct domain_member *)((char *)domain->map.base + DOMAIN_MEMBER(member));
}

/* @slot: at most what a claim can name, so that there is always a page */
static inline struct domain_slot *domain_slot(const struct domain *domain, uint32_t slot)
{
	return (struct domain_slot *)((char *)domain->map.base + DOMAIN_SLOT(slot));
}

/*
 * The directory's descriptor. A daemon may have closed all that it doesn't know, and something else have the number:
 * then it is opened again. -ESTALE: its path leads elsewhere, or nowhere.
 */
int domain_directory(struct domain *domain, int *ret_directory);

/*
 * .domain, opened anew: a description of its own for locks. -ESTALE: the file isn't there any more, or is another, so
 * that this process's domain is not what newcomers find.
 */
int domain_open_again(struct domain *domain, int *ret_fd);

#endif
