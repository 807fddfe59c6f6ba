/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor_try.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/membarrier.h>

/* What the headers of a Debian 12 don't have yet, as in the kernel's. */
#define NOSIGNAL    0x00000100 /* RWF_NOSIGNAL, linux/fs.h */
#define PEER_PIDFD  77         /* SO_PEERPIDFD, asm-generic/socket.h */
#define PIDFS_MAGIC 0x50494446 /* PID_FS_MAGIC, linux/magic.h */

static int result_of(long result)
{
	return result < 0 ? -errno : 0;
}

int doctor_try_nosignal(void)
{
	char byte = 'x';
	struct iovec bytes = {.iov_base = &byte, .iov_len = sizeof(byte)};
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	r = result_of(pwritev2(ends[1], &bytes, 1, -1, NOSIGNAL));
	close(ends[0]);
	close(ends[1]);
	return r;
}

int doctor_try_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Of the last number, which no descriptor has. */
int doctor_try_close_range(void)
{
	return result_of(syscall(SYS_close_range, UINT_MAX, UINT_MAX, CLOSE_RANGE_CLOEXEC));
}

int doctor_try_pidfs(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0), r;
	struct statfs status;

	if (fd < 0)
		return errno;
	r = result_of(fstatfs(fd, &status));
	close(fd);
	if (r == 0 && status.f_type != PIDFS_MAGIC)
		r = -EOPNOTSUPP;
	return r;
}

int doctor_try_peer_pidfd(void)
{
	socklen_t size = sizeof(int);
	int ends[2], fd = -1, r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return errno;
	r = result_of(getsockopt(ends[0], SOL_SOCKET, PEER_PIDFD, &fd, &size));
	close(ends[0]);
	close(ends[1]);
	if (fd >= 0)
		close(fd);
	return r;
}

/* The word isn't what it is said to be: a kernel that knows the call has looked, says EAGAIN, and doesn't sleep. */
int doctor_try_futex_waitv(void)
{
	uint32_t word = 1;
	struct futex_waitv waiter = {.val = 0, .uaddr = (uintptr_t)&word, .flags = FUTEX_32};
	int r = result_of(syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, 0));

	return r == -EAGAIN ? 0 : r;
}

int doctor_try_membarrier(void)
{
	const int wanted = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
	int commands = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0)
		return -errno;
	return (commands & wanted) == wanted ? 0 : -EINVAL;
}

int doctor_try_wipe_on_fork(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (page == MAP_FAILED)
		return errno;
	r = result_of(madvise(page, size, MADV_WIPEONFORK));
	munmap(page, size);
	return r;
}

int doctor_try_ofd_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = memfd_create("nonet-doctor", MFD_CLOEXEC), r;

	if (fd < 0)
		return errno;
	r = result_of(fcntl(fd, F_OFD_SETLK, &lock));
	close(fd);
	return r;
}

int doctor_try_future_write(void)
{
	int fd = memfd_create("nonet-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	if (fd < 0)
		return errno;
	r = result_of(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	close(fd);
	return r;
}

int doctor_try_fallocate(void)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), r; /* it never has a name */

	if (fd < 0)
		return errno;
	r = result_of(fallocate(fd, 0, 0, 4096));
	close(fd);
	return r;
}

/* Without a place for the answer the call can only fail: by EFAULT where it is let in. */
int doctor_try_io_uring(void)
{
	int r = result_of(syscall(SYS_io_uring_setup, 1, NULL));

	return r == -EFAULT ? 0 : r;
}

/* In a child, which is then gone with the namespace. */
int doctor_try_user_namespace(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (child == 0)
		_exit(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : EINTR;
}
