/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/decimal.h"
#include "sys/cancel.h"
#include "sys/fault.h"

int sys_open_at(int directory, const char *name, int flags)
{
	int fd = sys_fault(SYS_CALL_OPEN);
	int cancel;

	if (fd < 0)
		return fd;
	cancel = sys_cancel_off();
	do
		fd = openat(directory, name, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return fd < 0 ? -errno : fd;
}

int sys_open(const char *path, int flags)
{
	return sys_open_at(AT_FDCWD, path, flags);
}

void sys_fd_path(int fd, char ret_path[SYS_FD_PATH_SIZE])
{
	*decimal_write(stpcpy(ret_path, "/proc/self/fd/"), (unsigned)fd) = '\0';
}

int sys_reopen(int fd, int flags)
{
	char link[SYS_FD_PATH_SIZE];

	sys_fd_path(fd, link);
	return sys_open(link, flags);
}

int sys_open_parent(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t size;

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return sys_open(".", O_PATH | O_DIRECTORY);
	size = slash == path ? 1 : (size_t)(slash - path);
	if (size >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, size);
	parent[size] = 0;
	return sys_open(parent, O_PATH | O_DIRECTORY);
}

/* Set once, and a function only: nothing comes with it. */
static _Atomic(sys_close_keeper *) close_keeper;

void sys_set_close_keeper(sys_close_keeper *keeper)
{
	atomic_store_explicit(&close_keeper, keeper, memory_order_relaxed);
}

/* No points of fault: neither call can fail on what is open, and what isn't is nobody's to keep. */
static bool close_is_kept(int fd)
{
	sys_close_keeper *keeper = atomic_load_explicit(&close_keeper, memory_order_relaxed);
	struct stat status;
	int flags;

	if (!keeper || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && !(flags & O_PATH) && keeper(fd, status.st_dev, status.st_ino);
}

void sys_close_now(int *fd)
{
	int cancel;

	if (*fd < 0)
		return;
	(void)sys_fault(SYS_CALL_CLOSE);
	/* Linux frees the number before anything can fail, so an error, EINTR too, must not be answered by a retry. */
	cancel = sys_cancel_off();
	close(*fd);
	sys_cancel_restore(cancel);
	*fd = -1;
}

void sys_close(int *fd)
{
	if (*fd >= 0 && close_is_kept(*fd))
		*fd = -1;
	sys_close_now(fd);
}

int sys_stat_fd(int fd, struct stat *ret_stat)
{
	int error = sys_fault(SYS_CALL_STAT);

	if (error < 0)
		return error;
	return fstat(fd, ret_stat) < 0 ? -errno : 0;
}

int sys_stat_at(int directory, const char *name, struct stat *ret_stat)
{
	int error = sys_fault(SYS_CALL_STAT);

	if (error < 0)
		return error;
	return fstatat(directory, name, ret_stat, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int stat_regular(int fd, struct stat *ret_status)
{
	struct stat status;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error;
	/* Only where it wasn't to be followed. */
	if (S_ISLNK(status.st_mode))
		return -ELOOP;
	if (!S_ISREG(status.st_mode))
		return -ENOTSUP;
	*ret_status = status;
	return 0;
}

/* @place: what was found to be a regular file; it is what is opened, whatever has its name by now. */
static int reopen_regular(int place, int directory, const char *name, int flags, struct stat *status)
{
	/* Nor wait for a lease's holder; and the link in /proc is a link. */
	const int safe = flags | O_NONBLOCK | O_NOCTTY;
	int fd = sys_reopen(place, safe & ~O_NOFOLLOW);
	int error;

	if (fd != -ENOENT)
		return fd;
	/* Without /proc it may be another one. */
	fd = sys_open_at(directory, name, safe);
	error = fd < 0 ? fd : stat_regular(fd, status);
	if (error == 0)
		return fd;
	sys_close(&fd);
	return error;
}

int sys_open_regular(int directory, const char *name, int flags, struct stat *ret_status)
{
	struct stat status;
	int place = sys_open_at(directory, name, O_PATH | (flags & O_NOFOLLOW));
	int fd = place < 0 ? place : stat_regular(place, &status);

	if (fd == 0)
		fd = reopen_regular(place, directory, name, flags, &status);
	sys_close(&place);
	if (fd >= 0)
		*ret_status = status;
	return fd;
}

int sys_chmod_fd(int fd, mode_t mode)
{
	int error = sys_fault(SYS_CALL_CHMOD);

	if (error < 0)
		return error;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

int sys_chmod_path_fd(int fd, mode_t mode)
{
	int error = sys_fault(SYS_CALL_CHMOD);
	char link[SYS_FD_PATH_SIZE];

	if (error < 0)
		return error;
	/* fchmod(2) refuses O_PATH descriptors; the link in /proc leads to the very file, whatever its name is now. */
	sys_fd_path(fd, link);
	return chmod(link, mode) < 0 ? -errno : 0;
}

int sys_make_directory(const char *path, mode_t mode)
{
	int error = sys_fault(SYS_CALL_MKDIR);

	if (error < 0)
		return error;
	/* No umask can give it more than was asked for; should it take some away, chmod(2) gives that back. */
	if (mkdir(path, mode) < 0)
		return -errno;
	return chmod(path, mode) < 0 ? -errno : 0;
}

int sys_unlink_at(int directory, const char *name)
{
	int error = sys_fault(SYS_CALL_UNLINK);

	if (error < 0)
		return error;
	return unlinkat(directory, name, 0) < 0 ? -errno : 0;
}

int sys_flock_try(int fd)
{
	int error = sys_fault(SYS_CALL_FLOCK);

	if (error < 0)
		return error;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

void sys_flock_release(int fd)
{
	flock(fd, LOCK_UN);
}

int sys_get_flags(int fd)
{
	int flags = sys_fault(SYS_CALL_FCNTL);

	if (flags < 0)
		return flags;
	flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -errno : flags;
}

int sys_set_flags(int fd, int flags)
{
	int error = sys_fault(SYS_CALL_FCNTL);

	if (error < 0)
		return error;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int sys_set_cloexec(int fd)
{
	int error = sys_fault(SYS_CALL_FCNTL);

	if (error < 0)
		return error;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int sys_duplicate(int fd)
{
	int copy = sys_fault(SYS_CALL_DUP);

	if (copy < 0)
		return copy;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : copy;
}

int sys_replace(int from, int to)
{
	int error = sys_fault(SYS_CALL_DUP);

	if (error < 0)
		return error;
	do
		error = dup3(from, to, O_CLOEXEC);
	while (error < 0 && (errno == EINTR || errno == EBUSY));
	return error < 0 ? -errno : 0;
}

int sys_queued(int fd, size_t *ret_size)
{
	int error = sys_fault(SYS_CALL_IOCTL);
	int queued;

	if (error < 0)
		return error;
	if (ioctl(fd, FIONREAD, &queued) < 0)
		return -errno;
	*ret_size = (size_t)queued;
	return 0;
}
