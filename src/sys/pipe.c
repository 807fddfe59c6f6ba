/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fault.h"

/* Linux 6.18; older headers don't have it. */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

/* Once pwritev2() has said that it doesn't know RWF_NOSIGNAL. Only ever set, and every thread finds out the same. */
static atomic_bool pipe_no_nosignal;

int sys_pipe(int ret_fds[2])
{
	int error = sys_fault(SYS_CALL_PIPE);

	if (error < 0)
		return error;
	return pipe2(ret_fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int sys_make_fifo(int directory, const char *name, mode_t mode)
{
	int error = sys_fault(SYS_CALL_MKFIFO);

	if (error < 0)
		return error;
	return mkfifoat(directory, name, mode) < 0 ? -errno : 0;
}

ssize_t sys_pipe_read(int fd, const struct iovec *vector, int count)
{
	ssize_t size = sys_fault(SYS_CALL_READ);

	if (size < 0)
		return size;
	do
		size = count == 1 ? read(fd, vector->iov_base, vector->iov_len) : readv(fd, vector, count);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : size;
}

/* What pipe_quiet_begin() found, for pipe_quiet_end(). */
struct pipe_quiet {
	sigset_t old;
	bool pending; /* a SIGPIPE was waiting already: it isn't ours to take */
};

static int pipe_quiet_begin(struct pipe_quiet *quiet)
{
	int error = sys_fault(SYS_CALL_SIGMASK);
	sigset_t pipe;
	sigset_t waiting;

	if (error < 0)
		return error;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	error = pthread_sigmask(SIG_BLOCK, &pipe, &quiet->old);
	if (error > 0)
		return -error;
	/* Only a blocked signal can be pending for longer than an instant. */
	quiet->pending = false;
	if (sigismember(&quiet->old, SIGPIPE)) {
		sigpending(&waiting);
		quiet->pending = sigismember(&waiting, SIGPIPE);
	}
	return 0;
}

static void pipe_quiet_end(const struct pipe_quiet *quiet)
{
	static const struct timespec no_time = {0, 0};
	sigset_t pipe;

	/* Whatever the call said: one that moved some bytes before it found no reader has raised the signal too. */
	if (!quiet->pending) {
		sigemptyset(&pipe);
		sigaddset(&pipe, SIGPIPE);
		while (sigtimedwait(&pipe, NULL, &no_time) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &quiet->old, NULL);
}

static ssize_t pipe_write_masked(int fd, const struct iovec *vector, int count)
{
	struct pipe_quiet quiet;
	ssize_t size = pipe_quiet_begin(&quiet);

	if (size < 0)
		return size;
	do
		size = writev(fd, vector, count);
	while (size < 0 && errno == EINTR);
	size = size < 0 ? -errno : size;
	pipe_quiet_end(&quiet);
	return size;
}

ssize_t sys_pipe_write(int fd, const struct iovec *vector, int count)
{
	ssize_t size = sys_fault(SYS_CALL_WRITE);

	/* A fault of this kind is how tests force the fallback. */
	if (size == -EOPNOTSUPP)
		return pipe_write_masked(fd, vector, count);
	if (size < 0)
		return size;
	if (atomic_load_explicit(&pipe_no_nosignal, memory_order_relaxed))
		return pipe_write_masked(fd, vector, count);
	do
		size = pwritev2(fd, vector, count, -1, RWF_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	if (size >= 0)
		return size;
	/*
	 * ENOSYS: an emulator that has the call's elder brothers alone, such as qemu-user. EPERM: a seccomp filter that
	 * lets only those through; a pipe itself has no such error.
	 */
	if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS && errno != EPERM)
		return -errno;
	atomic_store_explicit(&pipe_no_nosignal, true, memory_order_relaxed);
	return pipe_write_masked(fd, vector, count);
}

int sys_pipe_capacity(int fd)
{
	int capacity = sys_fault(SYS_CALL_FCNTL);

	if (capacity < 0)
		return capacity;
	capacity = fcntl(fd, F_GETPIPE_SZ);
	return capacity < 0 ? -errno : capacity;
}

int sys_pipe_set_capacity(int fd, int capacity)
{
	int error = sys_fault(SYS_CALL_FCNTL);

	if (error < 0)
		return error;
	return fcntl(fd, F_SETPIPE_SZ, capacity) < 0 ? -errno : 0;
}

ssize_t sys_splice(int from, int to, size_t size)
{
	struct pipe_quiet quiet;
	ssize_t moved = sys_fault(SYS_CALL_SPLICE);

	if (moved < 0)
		return moved;
	moved = pipe_quiet_begin(&quiet);
	if (moved < 0)
		return moved;
	do
		moved = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (moved < 0 && errno == EINTR);
	moved = moved < 0 ? -errno : moved;
	pipe_quiet_end(&quiet);
	return moved;
}

ssize_t sys_tee(int from, int to, size_t size)
{
	struct pipe_quiet quiet;
	ssize_t copied = sys_fault(SYS_CALL_SPLICE);

	if (copied < 0)
		return copied;
	copied = pipe_quiet_begin(&quiet);
	if (copied < 0)
		return copied;
	do
		copied = tee(from, to, size, SPLICE_F_NONBLOCK);
	while (copied < 0 && errno == EINTR);
	copied = copied < 0 ? -errno : copied;
	pipe_quiet_end(&quiet);
	return copied;
}

ssize_t sys_vmsplice(int fd, const void *bytes, size_t size)
{
	struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
	struct pipe_quiet quiet;
	ssize_t put = sys_fault(SYS_CALL_SPLICE);

	if (put < 0)
		return put;
	put = pipe_quiet_begin(&quiet);
	if (put < 0)
		return put;
	do
		put = vmsplice(fd, &vector, 1, SPLICE_F_NONBLOCK);
	while (put < 0 && errno == EINTR);
	put = put < 0 ? -errno : put;
	pipe_quiet_end(&quiet);
	return put;
}
