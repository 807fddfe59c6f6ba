/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"

int sys_mqueue_open(const char *name, int access)
{
	int fd = sys_fault(SYS_CALL_MQUEUE_OPEN);

	if (fd < 0)
		return fd;
	fd = mq_open(name, access | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sys_mqueue_create(const char *name, int access, mode_t mode, const struct sys_mqueue_status *size)
{
	struct mq_attr attributes = {0};
	int fd = sys_fault(SYS_CALL_MQUEUE_OPEN);

	if (fd < 0)
		return fd;
	if (size) {
		attributes.mq_maxmsg = (long)size->depth;
		attributes.mq_msgsize = (long)size->message_size;
	}
	fd = mq_open(name, access | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, mode, size ? &attributes : NULL);
	return fd < 0 ? -errno : fd;
}

int sys_mqueue_unlink(const char *name)
{
	int error = sys_fault(SYS_CALL_MQUEUE_UNLINK);

	if (error < 0)
		return error;
	return mq_unlink(name) < 0 ? -errno : 0;
}

int sys_mqueue_send(int fd, const void *bytes, size_t size, unsigned priority)
{
	int error = sys_fault(SYS_CALL_MQUEUE_SEND);

	if (error < 0)
		return error;
	/* No bytes may be nowhere for us, but not for the kernel. And see sys/cancel.h. */
	return syscall(SYS_mq_timedsend, fd, bytes ? bytes : "", size, priority, NULL) < 0 ? -errno : 0;
}

ssize_t sys_mqueue_receive(int fd, void *buffer, size_t size, unsigned *ret_priority)
{
	ssize_t got = sys_fault(SYS_CALL_MQUEUE_RECEIVE);

	if (got < 0)
		return got;
	got = syscall(SYS_mq_timedreceive, fd, buffer, size, ret_priority, NULL);
	return got < 0 ? -errno : got;
}

int sys_mqueue_status(int fd, struct sys_mqueue_status *ret_status)
{
	struct mq_attr attributes;
	int error = sys_fault(SYS_CALL_MQUEUE_STATUS);

	if (error < 0)
		return error;
	if (mq_getattr(fd, &attributes) < 0)
		return -errno;
	*ret_status = (struct sys_mqueue_status){
		.depth = (uint64_t)attributes.mq_maxmsg,
		.message_size = (uint64_t)attributes.mq_msgsize,
		.messages = (uint64_t)attributes.mq_curmsgs,
	};
	return 0;
}

int sys_mqueue_bytes(int fd, uint64_t *ret_bytes)
{
	static const char before[] = "QSIZE:";
	ssize_t size = sys_fault(SYS_CALL_READ);
	char text[128];
	int cancel;

	if (size < 0)
		return (int)size;
	/* Read as a file, it tells of itself: mq_overview(7). */
	cancel = sys_cancel_off();
	size = pread(fd, text, sizeof(text) - 1, 0);
	sys_cancel_restore(cancel);
	if (size < 0)
		return -errno;
	text[size] = '\0';
	if (strncmp(text, before, sizeof(before) - 1) != 0)
		return -EINVAL;
	*ret_bytes = strtoull(text + sizeof(before) - 1, NULL, 10);
	return 0;
}

int sys_mqueue_notify(int fd, int number, int value)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
	int error = sys_fault(SYS_CALL_MQUEUE_NOTIFY);

	if (error < 0)
		return error;
	event.sigev_value.sival_int = value;
	return mq_notify(fd, number ? &event : NULL) < 0 ? -errno : 0;
}

uint64_t sys_mqueue_limit(void)
{
	struct rlimit limit;

	/* Can't fail: the kernel knows the limit, and the memory is ours. */
	if (getrlimit(RLIMIT_MSGQUEUE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}
