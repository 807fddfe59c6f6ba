/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/filelocks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"

/* The one that takes a struct flock with offsets of 64 bits. */
#ifdef SYS_fcntl64
#define RECORD_CALL SYS_fcntl64
#else
#define RECORD_CALL SYS_fcntl
#endif

static const short record_types[] = {
	[SYS_LOCK_NONE] = F_UNLCK,
	[SYS_LOCK_SHARED] = F_RDLCK,
	[SYS_LOCK_EXCLUSIVE] = F_WRLCK,
};

static const int whole_types[] = {
	[SYS_LOCK_NONE] = LOCK_UN,
	[SYS_LOCK_SHARED] = LOCK_SH,
	[SYS_LOCK_EXCLUSIVE] = LOCK_EX,
};

static struct flock record_lock(enum sys_lock_mode mode, const struct sys_lock_range *range)
{
	return (struct flock){
		.l_type = record_types[mode],
		.l_whence = SEEK_SET,
		.l_start = range->start,
		.l_len = range->length,
	};
}

static int record_set(int fd, int command, enum sys_lock_mode mode, const struct sys_lock_range *range)
{
	struct flock lock = record_lock(mode, range);
	int error = sys_fault(SYS_CALL_LOCK);

	if (error < 0)
		return error;
	/* Not fcntl(3), in which a thread that waits can be cancelled: see sys/cancel.h. */
	error = (int)syscall(RECORD_CALL, fd, command, &lock);
	if (error == 0)
		return 0;
	/* POSIX allows either. */
	return errno == EACCES ? -EAGAIN : -errno;
}

int sys_ofd_lock(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait)
{
	return record_set(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, mode, range);
}

int sys_posix_lock(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait)
{
	return record_set(fd, wait ? F_SETLKW : F_SETLK, mode, range);
}

int sys_record_lock_in_way(int fd, bool ofd, enum sys_lock_mode mode, const struct sys_lock_range *range,
			   pid_t *ret_pid)
{
	struct flock lock = record_lock(mode, range);
	int error = sys_fault(SYS_CALL_LOCK);

	if (error < 0)
		return error;
	if (fcntl(fd, ofd ? F_OFD_GETLK : F_GETLK, &lock) < 0)
		return -errno;
	if (lock.l_type == F_UNLCK)
		return 0;
	*ret_pid = lock.l_pid > 0 ? lock.l_pid : lock.l_pid < 0 ? -1 : 0;
	return 1;
}

int sys_whole_lock(int fd, enum sys_lock_mode mode, bool wait)
{
	int error = sys_fault(SYS_CALL_FLOCK);

	if (error < 0)
		return error;
	return flock(fd, whole_types[mode] | (wait ? 0 : LOCK_NB)) < 0 ? -errno : 0;
}

int sys_lock_file_create(const char *path, mode_t mode)
{
	int fd = sys_fault(SYS_CALL_OPEN);
	int cancel;

	if (fd < 0)
		return fd;
	cancel = sys_cancel_off();
	do
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return fd < 0 ? -errno : fd;
}
