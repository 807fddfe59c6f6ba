/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"

int sys_create_unnamed(int directory)
{
	int fd = sys_fault(SYS_CALL_OPEN);
	int cancel;

	if (fd < 0)
		return fd;
	cancel = sys_cancel_off();
	do
		fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0);
	while (fd < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return fd < 0 ? -errno : fd;
}

int sys_create_at(int directory, const char *name)
{
	int fd = sys_fault(SYS_CALL_OPEN);
	int cancel;

	if (fd < 0)
		return fd;
	cancel = sys_cancel_off();
	do
		fd = openat(directory, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0);
	while (fd < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return fd < 0 ? -errno : fd;
}

int sys_link_at(int fd, int directory, const char *name)
{
	int error = sys_fault(SYS_CALL_LINK);
	char path[SYS_FD_PATH_SIZE];

	if (error < 0)
		return error;
	sys_fd_path(fd, path);
	if (linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* No /proc: by descriptor, which wants a right, or a kernel that lets the opener. */
	if (errno == ENOENT && linkat(fd, "", directory, name, AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

int sys_rename_new(int directory, const char *from, const char *to)
{
	int error = sys_fault(SYS_CALL_RENAME);

	if (error < 0)
		return error;
	return renameat2(directory, from, directory, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/* Past RLIMIT_FSIZE the kernel sends SIGXFSZ besides -EFBIG, which ends a process that doesn't expect it. */
static int backing_fits(uint64_t end)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -errno;
	return limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur ? 0 : -EFBIG;
}

int sys_allocate_file(int fd, off_t from, off_t size, bool keep_size)
{
	int error = sys_fault(SYS_CALL_FALLOCATE);
	int cancel;

	if (error == 0)
		error = backing_fits((uint64_t)from + (uint64_t)size);
	if (error < 0)
		return error;
	cancel = sys_cancel_off();
	/* Not posix_fallocate(3), which where the file system can't writes into each block, into a peer's data too. */
	error = fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, from, size) < 0 ? -errno : 0;
	sys_cancel_restore(cancel);
	return error;
}

int sys_truncate(int fd, off_t size)
{
	int result = sys_fault(SYS_CALL_TRUNCATE);

	if (result == 0)
		result = backing_fits((uint64_t)size);
	if (result < 0)
		return result;
	do
		result = ftruncate(fd, size);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}

int sys_sync_file(int fd)
{
	int result = sys_fault(SYS_CALL_FSYNC);
	int cancel;

	if (result < 0)
		return result;
	cancel = sys_cancel_off();
	do
		result = fsync(fd);
	while (result < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return result < 0 ? -errno : 0;
}

int sys_sync_data(int fd)
{
	int result = sys_fault(SYS_CALL_FSYNC);

	if (result < 0)
		return result;
	/* By syscall(2): see sys/cancel.h. */
	do
		result = (int)syscall(SYS_fdatasync, fd);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}

int sys_write_start(int fd, off_t from, off_t size)
{
	int result = sys_fault(SYS_CALL_FSYNC);
	int cancel;

	if (result < 0)
		return result;
	cancel = sys_cancel_off();
	do
		result = sync_file_range(fd, from, size, SYNC_FILE_RANGE_WRITE);
	while (result < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return result < 0 ? -errno : 0;
}

static int backing_file_system(int fd, struct statfs *ret_status)
{
	int error = sys_fault(SYS_CALL_STATFS);

	if (error < 0)
		return error;
	do
		error = fstatfs(fd, ret_status);
	while (error < 0 && errno == EINTR);
	return error < 0 ? -errno : 0;
}

int sys_file_page_size(int fd, size_t *ret_size, bool *ret_huge)
{
	struct statfs status;
	int error = backing_file_system(fd, &status);

	if (error < 0)
		return error;
	*ret_huge = status.f_type == HUGETLBFS_MAGIC;
	*ret_size = *ret_huge ? (size_t)status.f_bsize : (size_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int sys_file_is_in_memory(int fd)
{
	struct statfs status;
	int error = backing_file_system(fd, &status);

	return error < 0 ? error : status.f_type == TMPFS_MAGIC;
}
