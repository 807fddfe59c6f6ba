/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "domain/domain_private.h"
#include "guard/whole.h"
#include "sys/backing.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/look.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "sys/process.h"

/* So often somebody may make or remove the file between our looking and our opening, before we say so. */
#define TURNS 64

/* Domains that this process has joined, and, in a child, those of its ancestors. They are never freed. */
static struct domain *domains;
static pthread_mutex_t domains_lock = PTHREAD_MUTEX_INITIALIZER;

static void domains_before_fork(void)
{
	pthread_mutex_lock(&domains_lock);
}

static void domains_after_fork(void)
{
	pthread_mutex_unlock(&domains_lock);
}

/* So that no child inherits the lock from a thread that it doesn't have. */
static void domains_watch_for_forks(void)
{
	(void)pthread_atfork(domains_before_fork, domains_after_fork, domains_after_fork);
}

char *domain_default_path(void)
{
	const char *named = secure_getenv("NONET_DOMAIN");
	char path[64];

	if (named && *named)
		return sys_copy_string(named);
	snprintf(path, sizeof(path), DOMAIN_DEFAULT "%lu", (unsigned long)sys_effective_user());
	return sys_copy_string(path);
}

/* Who may write into the directory may replace what is in it: those have to be trusted. */
static int domain_check_directory(int fd, const char *path, bool is_default, struct nonet_error *reterr)
{
	struct stat status;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error_set(reterr, error, "can't look at the domain's directory %s: %s", path,
				 error_reason(error));
	if (!S_ISDIR(status.st_mode))
		return error_set(reterr, -ENOTDIR, "%s isn't a directory, so it can't hold a domain", path);
	if (status.st_mode & 02)
		return error_set(reterr, -EPERM,
				 "anybody may write into %s, so what is there can't be trusted; name a directory that "
				 "only its owner, or a group, may write into",
				 path);
	if (is_default && (status.st_uid != sys_effective_user() || status.st_mode & 077))
		return error_set(reterr, -EPERM,
				 "%s belongs to another user, or lets others in; remove it, or name another directory "
				 "in NONET_DOMAIN",
				 path);
	return 0;
}

static int domain_open_directory(const char *path, bool is_default, bool make, int *ret_fd, struct nonet_error *reterr)
{
	/* A link that somebody has put into /dev/shm isn't followed; one that was named is what was meant. */
	const int flags = O_PATH | O_DIRECTORY | (is_default ? O_NOFOLLOW : 0);
	int fd = sys_open(path, flags);
	int error;

	if (fd == -ENOENT && make) {
		error = sys_make_directory(path, 0700);
		if (error < 0 && error != -EEXIST)
			return error_set(reterr, error, "can't make the domain's directory %s: %s", path,
					 error_reason(error));
		fd = sys_open(path, flags);
	}
	if (fd < 0)
		return error_set(reterr, fd, "can't open the domain's directory %s: %s", path, error_reason(fd));
	error = domain_check_directory(fd, path, is_default, reterr);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

/* Whoever may write into the directory may be a member; nobody else. */
static int domain_file_mode(int directory, mode_t *ret_mode)
{
	struct stat status;
	int error = sys_stat_fd(directory, &status);

	if (error < 0)
		return error;
	*ret_mode = 0600 | ((status.st_mode & 020) ? 0060 : 0);
	return 0;
}

static int domain_fill(int fd)
{
	struct domain_header *header;
	void *base;
	int error = sys_truncate(fd, (off_t)DOMAIN_SIZE);

	if (error == 0)
		error = sys_map(fd, 0, DOMAIN_PAGE, SYS_MAP_WRITE, &base);
	if (error < 0)
		return error;
	/* Nobody else has the file yet; its one page has room. */
	header = base;
	error = sys_random(header->id, sizeof(header->id));
	header->version = DOMAIN_VERSION;
	header->layout = DOMAIN_LAYOUT;
	header->made = sys_clock_real();
	atomic_store_explicit(&header->slots, 1, memory_order_relaxed);
	atomic_store_explicit(&header->magic, DOMAIN_MAGIC, memory_order_release); /* [DOMAIN-MAGIC] */
	(void)sys_unmap(base, DOMAIN_PAGE);
	return error;
}

/* Return: 0 also if somebody else was first. */
static int domain_make_file(int directory)
{
	struct whole whole;
	mode_t mode;
	int fd;
	int error = domain_file_mode(directory, &mode);

	if (error < 0)
		return error;
	error = whole_make(&whole, directory, DOMAIN_FILE, DOMAIN_PAGE, mode, true);
	if (error < 0)
		return error == -EEXIST ? 0 : error;
	fd = whole.fd;
	error = domain_fill(fd);
	if (error == 0)
		error = whole_publish(&whole, DOMAIN_FILE);
	if (error < 0)
		whole_drop(&whole);
	else
		sys_close(&fd);
	return error == -EEXIST ? 0 : error;
}

static int domain_open_file(int directory, bool make, int *ret_fd)
{
	int fd = -ENOENT;
	int error = 0;

	for (int turn = 0; turn < TURNS && error == 0; turn++) {
		/* O_NONBLOCK: should it be a FIFO, a device. */
		fd = sys_open_at(directory, DOMAIN_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd != -ENOENT || !make)
			break;
		error = domain_make_file(directory);
	}
	if (error < 0)
		return error;
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

/* Return: 1 it is; 0 it is another, or nothing has the number; or -errno, it can't be told. */
static int domain_is_file(int fd, const struct domain_file *file)
{
	struct stat status;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error == -EBADF ? 0 : error;
	return status.st_dev == file->device && status.st_ino == file->inode;
}

int domain_directory(struct domain *domain, int *ret_directory)
{
	int fd = atomic_load_explicit(&domain->directory, memory_order_relaxed);
	int result = domain_is_file(fd, &domain->directory_file);

	if (result == 0) {
		fd = sys_open(domain->path, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
		result = domain_is_file(fd, &domain->directory_file);
		if (result <= 0) {
			sys_close(&fd);
			return result == 0 ? -ESTALE : result;
		}
		/* Two threads at once leave one too many open, once. The old number is somebody else's. */
		atomic_store_explicit(&domain->directory, fd, memory_order_relaxed);
	}
	if (result < 0)
		return result;
	*ret_directory = fd;
	return 0;
}

static int domain_try_open(struct domain *domain, int *ret_fd)
{
	int directory;
	int fd;
	int error = domain_directory(domain, &directory);

	if (error < 0)
		return error;
	fd = sys_open_at(directory, DOMAIN_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP ? -ESTALE : fd;
	error = domain_is_file(fd, &domain->file);
	if (error <= 0) {
		sys_close(&fd);
		return error == 0 ? -ESTALE : error;
	}
	*ret_fd = fd;
	return 0;
}

int domain_open_again(struct domain *domain, int *ret_fd)
{
	const int error = domain_try_open(domain, ret_fd);

	/* Where nobody could be asked, nothing new is known. */
	if (error == 0 || error == -ESTALE)
		atomic_store_explicit(&domain->removed, error == -ESTALE, memory_order_relaxed);
	return error;
}

static int domain_check_file(const struct stat *status, const char *path, struct nonet_error *reterr)
{
	if (!S_ISREG(status->st_mode) || (size_t)status->st_size != DOMAIN_SIZE)
		return error_set(reterr, -EPROTO,
				 "%s/" DOMAIN_FILE
				 " isn't a domain's file of this version of the library; if nobody uses "
				 "it, remove the directory",
				 path);
	return 0;
}

static int domain_check_header(struct domain *domain, struct nonet_error *reterr)
{
	const struct domain_header *header = domain_header(domain);
	/* [DOMAIN-MAGIC] pair: domain_fill(), whose stores came before. */
	const uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
	const uint32_t version = header->version;
	const uint32_t layout = header->layout;

	domain->id[0] = header->id[0];
	domain->id[1] = header->id[1];
	if (guard_map_is_poisoned(&domain->map))
		return error_set(reterr, -EBADMSG, "%s/" DOMAIN_FILE " was cut off while it was opened", domain->path);
	if (magic != DOMAIN_MAGIC || version != DOMAIN_VERSION || layout != DOMAIN_LAYOUT)
		return error_set(reterr, -EPROTO,
				 "the domain in %s is of another version of the library (%u, layout %08x; here %u, "
				 "%08x); stop its members and remove the directory, or use the same version",
				 domain->path, version, layout, DOMAIN_VERSION, DOMAIN_LAYOUT);
	return 0;
}

static int domain_map(struct domain *domain, int fd, struct nonet_error *reterr)
{
	int error = guard_map(&domain->map, fd, 0, DOMAIN_SIZE, SYS_MAP_WRITE | SYS_MAP_SPARSE, DOMAIN_PAGE);

	if (error == -ENOMEM)
		return error_set(reterr, error,
				 "can't map %s/" DOMAIN_FILE
				 ": there is no room for %zu MiB of addresses, nearly all of them holes (ulimit -v)",
				 domain->path, DOMAIN_SIZE >> 20);
	if (error < 0)
		return error_set(reterr, error, "can't map %s/" DOMAIN_FILE ": %s", domain->path, error_reason(error));
	/* Of no use to a reader of dumps, and a dump is a time in which others wait for us. Where it can't, it can't.
	 */
	(void)sys_map_advise(domain->map.base, domain->map.mapped, SYS_MAP_NOT_DUMPED);
	return domain_check_header(domain, reterr);
}

/* For when the descriptor is gone: absolute, whatever the working directory will be. */
char *domain_find_path(int directory, const char *path)
{
	char link[SYS_FD_PATH_SIZE];
	char found[4096];
	int size;

	sys_fd_path(directory, link);
	size = sys_read_link(AT_FDCWD, link, found, sizeof(found));
	return sys_copy_string(size > 0 && found[0] == '/' ? found : path);
}

static struct domain *domain_free(struct domain *domain)
{
	int directory;

	if (!domain)
		return NULL;
	guard_map_done(&domain->map);
	pthread_mutex_destroy(&domain->threads_lock);
	pthread_mutex_destroy(&domain->helper_lock);
	directory = atomic_load_explicit(&domain->directory, memory_order_relaxed);
	sys_close(&directory);
	sys_free(domain->path);
	return sys_free(domain);
}

/* Takes over @directory. */
static int domain_new(int directory, const char *path, int fd, const struct stat *status, struct domain **ret_domain,
		      struct nonet_error *reterr)
{
	struct domain *domain = sys_allocate(sizeof(*domain));
	struct stat above;
	int error;

	if (!domain) {
		sys_close(&directory);
		return error_set(reterr, -ENOMEM, "no memory for the domain %s", path);
	}
	atomic_store_explicit(&domain->directory, directory, memory_order_relaxed);
	domain->generation = sys_generation();
	domain->file = (struct domain_file){status->st_dev, status->st_ino};
	pthread_mutex_init(&domain->threads_lock, NULL);
	pthread_mutex_init(&domain->helper_lock, NULL);
	domain->path = domain_find_path(directory, path);
	error = domain->path ? sys_stat_fd(directory, &above) : -ENOMEM;
	if (error < 0) {
		error_set(reterr, error, "can't join the domain in %s: %s", path, error_reason(error));
	} else {
		domain->directory_file = (struct domain_file){above.st_dev, above.st_ino};
		error = domain_map(domain, fd, reterr);
	}
	if (error == 0)
		error = domain_member_take(domain, fd, reterr);
	if (error < 0) {
		domain_free(domain);
		return error;
	}
	*ret_domain = domain;
	return 0;
}

static struct domain *domain_find(const struct stat *status)
{
	for (struct domain *domain = domains; domain; domain = domain->next)
		if (domain->generation == sys_generation() && domain->file.device == status->st_dev &&
		    domain->file.inode == status->st_ino)
			return domain;
	return NULL;
}

/* Under the lock. Takes over @directory. */
static int domain_find_or_join(int directory, const char *path, bool make, struct domain **ret_domain,
			       struct nonet_error *reterr)
{
	struct domain *domain;
	struct stat status;
	int fd = -1;
	int error = domain_open_file(directory, make, &fd);

	if (error < 0) {
		sys_close(&directory);
		return error == -ENOENT ? error_set(reterr, error,
						    "there is no domain in %s: nobody has made an object there", path)
					: error_set(reterr, error, "can't open %s/" DOMAIN_FILE ": %s", path,
						    error_reason(error));
	}
	error = sys_stat_fd(fd, &status);
	error = error < 0 ? error_set(reterr, error, "can't look at %s/" DOMAIN_FILE ": %s", path, error_reason(error))
			  : domain_check_file(&status, path, reterr);
	domain = error < 0 ? NULL : domain_find(&status);
	if (domain && guard_map_is_poisoned(&domain->map))
		error = error_set(
			reterr, -EBADMSG,
			"%s/" DOMAIN_FILE
			" was cut off while this process was a member; stop its members and remove the directory",
			path);
	if (error < 0 || domain) {
		sys_close(&directory);
	} else {
		error = domain_new(directory, path, fd, &status, &domain, reterr);
		if (error == 0) {
			domain->next = domains;
			domains = domain;
		}
	}
	sys_close(&fd);
	if (error == 0)
		*ret_domain = domain;
	return error;
}

char *domain_path(const char *directory, bool *ret_default)
{
	*ret_default = !directory && !secure_getenv("NONET_DOMAIN");
	return directory ? sys_copy_string(directory) : domain_default_path();
}

int domain_find_directory(const char *directory, int *ret_fd, struct nonet_error *reterr)
{
	bool is_default;
	char *path = domain_path(directory, &is_default);
	int error;

	if (!path)
		return error_set(reterr, -ENOMEM, "no memory for a domain's path");
	error = domain_open_directory(path, is_default, false, ret_fd, reterr);
	sys_free(path);
	return error;
}

int domain_join(const char *directory, bool make, struct domain **ret_domain, struct nonet_error *reterr)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool is_default;
	char *path = domain_path(directory, &is_default);
	int fd = -1;
	int error;

	if (!path)
		return error_set(reterr, -ENOMEM, "no memory for a domain's path");
	pthread_once(&once, domains_watch_for_forks);
	error = domain_open_directory(path, is_default, make, &fd, reterr);
	if (error < 0) {
		sys_free(path);
		return error;
	}
	pthread_mutex_lock(&domains_lock);
	error = domain_find_or_join(fd, path, make, ret_domain, reterr);
	pthread_mutex_unlock(&domains_lock);
	sys_free(path);
	return error;
}
