/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "domain/domain_private.h"
#include "domain/member.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/look.h"
#include "sys/memory.h"

/*
 * A domain that is only looked at. Who may read an object needn't be let into its domain, whose file is for who may
 * write in the directory: then it isn't known which domain it is, nor who of its members is alive.
 */

struct domain *domain_unobserve(struct domain *domain)
{
	int directory;

	if (!domain)
		return NULL;
	directory = atomic_load_explicit(&domain->directory, memory_order_relaxed);
	sys_close(&directory);
	sys_free(domain->path);
	return sys_free(domain);
}

/* .domain, to be read: a descriptor, or -errno; -EACCES is one that isn't for us. */
static int observe_open(int directory)
{
	/* O_NONBLOCK: should it be a FIFO, a device. */
	return sys_open_at(directory, DOMAIN_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

static int observe_read(struct domain *domain, int fd, struct nonet_error *reterr)
{
	struct domain_header header;
	struct stat status;
	int size = sys_stat_fd(fd, &status);

	if (size == 0 && S_ISREG(status.st_mode))
		size = sys_read_at(fd, &header, sizeof(header), 0);
	if (size < 0)
		return error_set(reterr, size, "can't read %s/" DOMAIN_FILE ": %s", domain->path, error_reason(size));
	if (size != sizeof(header) || atomic_load_explicit(&header.magic, memory_order_relaxed) != DOMAIN_MAGIC ||
	    header.version != DOMAIN_VERSION || header.layout != DOMAIN_LAYOUT)
		return error_set(reterr, -EPROTO,
				 "the domain in %s isn't one of this version of the library; use the same version, or "
				 "stop its members and remove the directory",
				 domain->path);
	domain->id[0] = header.id[0];
	domain->id[1] = header.id[1];
	return 0;
}

/* Which file it is: what a removed domain is told by. */
static int observe_file(struct domain *domain, int directory, struct nonet_error *reterr)
{
	struct stat status;
	int fd;
	int error = sys_stat_at(directory, DOMAIN_FILE, &status);

	if (error == -ENOENT)
		return error_set(reterr, error, "there is no domain in %s: nobody has made an object there",
				 domain->path);
	if (error < 0)
		return error_set(reterr, error, "can't look at %s/" DOMAIN_FILE ": %s", domain->path,
				 error_reason(error));
	domain->file = (struct domain_file){status.st_dev, status.st_ino};
	fd = observe_open(directory);
	if (fd == -EACCES || fd == -EPERM)
		return 0;
	if (fd < 0)
		return error_set(reterr, fd, "can't open %s/" DOMAIN_FILE ": %s", domain->path, error_reason(fd));
	error = observe_read(domain, fd, reterr);
	sys_close(&fd);
	return error;
}

int domain_observe(const char *directory, struct domain **ret_domain, struct nonet_error *reterr)
{
	struct domain *domain = sys_allocate(sizeof(*domain));
	bool is_default;
	char *path = domain ? domain_path(directory, &is_default) : NULL;
	struct stat status;
	int fd = -1;
	int error;

	if (!path) {
		sys_free(domain);
		return error_set(reterr, -ENOMEM, "no memory to look at a domain");
	}
	domain->generation = sys_generation();
	error = domain_find_directory(directory, &fd, reterr);
	atomic_store_explicit(&domain->directory, fd, memory_order_relaxed);
	if (error == 0) {
		domain->path = domain_find_path(fd, path);
		error = domain->path ? sys_stat_fd(fd, &status) : -ENOMEM;
		if (error < 0)
			error_set(reterr, error, "can't look at the domain in %s: %s", path, error_reason(error));
	}
	if (error == 0) {
		domain->directory_file = (struct domain_file){status.st_dev, status.st_ino};
		error = observe_file(domain, fd, reterr);
	}
	sys_free(path);
	if (error < 0)
		domain_unobserve(domain);
	else
		*ret_domain = domain;
	return error;
}

/* By the table in life.h, for the whole process: what its threads' words say is no news to who can't write. */
static int observe_member(const struct domain *domain, int fd, uint32_t member, uint32_t generation)
{
	_Atomic uint32_t seen;
	struct stat status;
	int result = sys_stat_fd(fd, &status);

	if (result == 0 && (status.st_dev != domain->file.device || status.st_ino != domain->file.inode))
		return -ESTALE;
	if (result == 0)
		result = sys_read_at(fd, &seen, sizeof(seen), (off_t)DOMAIN_MEMBER(member));
	if (result < 0)
		return result;
	if (result != sizeof(seen))
		return -EBADMSG;
	/* [MEMBER-NEW] A member's number goes to others only once its lock is free. pair: member_introduce() */
	if (atomic_load_explicit(&seen, memory_order_relaxed) != generation)
		return 0;
	result = domain_member_lives(domain, fd, member);
	return result < 0 ? result : result != 0;
}

int domain_observe_life(struct domain *domain, uint32_t member, uint32_t generation)
{
	int directory;
	int fd;
	int result = domain_directory(domain, &directory);

	if (result < 0)
		return result;
	fd = observe_open(directory);
	if (fd < 0)
		return fd;
	result = observe_member(domain, fd, member % DOMAIN_MEMBERS, generation);
	sys_close(&fd);
	return result;
}
