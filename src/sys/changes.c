/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/changes.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"

int sys_inotify_create(void)
{
	int fd = sys_fault(SYS_CALL_INOTIFY);

	if (fd < 0)
		return fd;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int sys_inotify_watch(int inotify, int fd)
{
	int watch = sys_fault(SYS_CALL_INOTIFY_WATCH);
	char path[SYS_FD_PATH_SIZE];

	if (watch < 0)
		return watch;
	/* The link in /proc is followed to the inode, whatever name it has now. */
	sys_fd_path(fd, path);
	/* A name taken away or put over is a change of the file's links, IN_ATTRIB; what is mapped isn't deleted. */
	watch = inotify_add_watch(inotify, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
	return watch < 0 ? -errno : watch;
}

/* 4096 events, as they have no name: somebody else may make them faster than we read. */
#define INOTIFY_READS 16

int sys_inotify_read(int inotify, bool *ret_written, bool *ret_ended)
{
	_Alignas(struct inotify_event) char buffer[4096];
	const struct inotify_event *event;
	ssize_t size = sys_fault(SYS_CALL_READ);
	uint32_t mask = 0;
	int cancel;

	if (size < 0)
		return (int)size;
	/* What can't be read now is said next time. */
	for (int reads = 0; reads < INOTIFY_READS; reads++) {
		cancel = sys_cancel_off();
		do
			size = read(inotify, buffer, sizeof(buffer));
		while (size < 0 && errno == EINTR);
		sys_cancel_restore(cancel);
		if (size <= 0)
			break;
		for (ssize_t at = 0; at < size; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(buffer + at);
			mask |= event->mask;
		}
	}
	if (mask == 0)
		return size < 0 ? -errno : -EAGAIN;
	/* A queue that ran over may have lost anything. */
	*ret_written = mask & (IN_MODIFY | IN_Q_OVERFLOW);
	*ret_ended = mask & IN_IGNORED;
	return 0;
}
