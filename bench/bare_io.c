/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* Linux 6.18 */
#endif

struct timespec bare_left(nonet_time deadline)
{
	struct timespec now;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = deadline - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	if (left < 0)
		left = 0;
	return (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
}

int bare_wait(int fd, short events, nonet_time deadline)
{
	struct pollfd item = {.fd = fd, .events = events};
	struct timespec left;
	int count;

	if (deadline == NONET_NOW)
		return -EAGAIN;
	do {
		left = bare_left(deadline);
		count = ppoll(&item, 1, deadline == NONET_FOREVER ? NULL : &left, NULL);
	} while (count < 0 && errno == EINTR); /* a signal doesn't end the wait, nor make it longer */
	if (count < 0)
		return -errno;
	return count > 0 ? 0 : -ETIMEDOUT;
}

/* Before Linux 6.18 the one way not to die of SIGPIPE, and to leave the process's disposition alone. */
static ssize_t bare_write_masked(int fd, const struct iovec *vector, int count)
{
	static const struct timespec no_time;
	sigset_t pipe;
	sigset_t old;
	ssize_t size;
	int error;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	size = writev(fd, vector, count);
	error = errno;
	/* Ours, as it is sent to the thread; unless SIGPIPE was blocked before, when it may stay. */
	if (size < 0 && error == EPIPE && !sigismember(&old, SIGPIPE))
		sigtimedwait(&pipe, NULL, &no_time);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return size;
}

/* No SIGPIPE. Not for EINTR: a non-blocking write isn't interrupted, but the callers take no chance. */
ssize_t bare_write(int fd, const struct iovec *vector, int count)
{
	static bool old_kernel;
	ssize_t size;

	if (old_kernel)
		return bare_write_masked(fd, vector, count);
	size = pwritev2(fd, vector, count, -1, RWF_NOSIGNAL);
	if (size >= 0 || (errno != EOPNOTSUPP && errno != EINVAL))
		return size;
	old_kernel = true;
	return bare_write_masked(fd, vector, count);
}

/* All of it, by the deadline. */
int bare_write_all(int fd, const void *bytes, size_t size, nonet_time deadline)
{
	struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};

	while (vector.iov_len > 0) {
		ssize_t written = bare_write(fd, &vector, 1);
		int error = 0;

		if (written >= 0) {
			vector.iov_base = (char *)vector.iov_base + written;
			vector.iov_len -= (size_t)written;
		} else if (errno == EAGAIN) {
			error = bare_wait(fd, POLLOUT, deadline);
		} else if (errno != EINTR) {
			error = -errno;
		}
		if (error < 0)
			return error;
	}
	return 0;
}

/* Exactly so many, by the deadline. */
int bare_read_all(int fd, void *buffer, size_t size, nonet_time deadline)
{
	char *place = buffer;

	while (size > 0) {
		ssize_t got = read(fd, place, size);
		int error = 0;

		if (got > 0) {
			place += got;
			size -= (size_t)got;
		} else if (got == 0) {
			error = -EPIPE; /* the last writer has gone */
		} else if (errno == EAGAIN) {
			error = bare_wait(fd, POLLIN, deadline);
		} else if (errno != EINTR) {
			error = -errno;
		}
		if (error < 0)
			return error;
	}
	return 0;
}

int bare_descriptors(struct msghdr *message, int *ret_descriptor)
{
	int found = 0;

	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
		size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
			if (found++ == 0)
				*ret_descriptor = fd;
			else
				close(fd);
		}
	}
	return found;
}
