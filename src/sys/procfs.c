/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"
#include "sys/files.h"

int sys_lines_open(int directory, const char *path, struct sys_lines *ret_lines)
{
	const int fd = sys_open_at(directory, path, O_RDONLY);

	if (fd < 0)
		return fd;
	ret_lines->fd = fd;
	ret_lines->next = 0;
	ret_lines->end = 0;
	return 0;
}

static int lines_fill(struct sys_lines *lines)
{
	ssize_t size = sys_fault(SYS_CALL_READ);

	if (size < 0)
		return (int)size;
	do
		size = read(lines->fd, lines->buffer, sizeof(lines->buffer));
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	lines->next = 0;
	lines->end = (size_t)size;
	return size > 0;
}

int sys_lines_next(struct sys_lines *lines)
{
	size_t length = 0;
	bool any = false;

	for (;;) {
		if (lines->next == lines->end) {
			int more = lines_fill(lines);

			if (more < 0)
				return more;
			/* A last line may have no end, as in "comm" of some kernels. */
			if (more == 0)
				break;
		}
		any = true;
		if (lines->buffer[lines->next++] == '\n')
			break;
		if (length + 1 < sizeof(lines->line))
			lines->line[length++] = lines->buffer[lines->next - 1];
	}
	lines->line[length] = 0;
	return any;
}

void sys_lines_close(struct sys_lines *lines)
{
	sys_close(&lines->fd);
}

/* What a thread of ours would have in its registers; see proc(5), /proc/PID/syscall. */
struct task_call {
	long number;
	unsigned long long arguments[3];
};

static int task_call(int tasks, const char *task, struct task_call *ret_call)
{
	struct task_call call;
	struct sys_lines lines;
	char path[48];
	int error;

	snprintf(path, sizeof(path), "%.20s/syscall", task);
	error = sys_lines_open(tasks, path, &lines);
	if (error < 0)
		return error;
	error = sys_lines_next(&lines);
	sys_lines_close(&lines);
	if (error < 0)
		return error;
	/* "running", or "-1" and two registers, of who is in no system call. */
	if (sscanf(lines.line, "%ld %llx %llx %llx", &call.number, &call.arguments[0], &call.arguments[1],
		   &call.arguments[2]) != 4)
		return 0;
	*ret_call = call;
	return 1;
}

static int task_read(int tasks, const char *task, unsigned long long address, void *bytes, size_t size)
{
	char path[48];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%.20s/mem", task);
	fd = sys_open_at(tasks, path, O_RDONLY);
	if (fd < 0)
		return fd;
	got = sys_fault(SYS_CALL_READ);
	if (got == 0)
		got = pread(fd, bytes, size, (off_t)address) == (ssize_t)size ? 0 : -ESRCH;
	sys_close(&fd);
	return (int)got;
}

int sys_task_waits_for_ofd_lock(int tasks, const char *task, int *ret_fd, enum sys_lock_mode *ret_mode,
				struct sys_lock_range *ret_range)
{
	struct sys_lock_range range = {0};
	struct task_call call;
	struct flock lock;
	int error = task_call(tasks, task, &call);

	if (error <= 0)
		return error;
	if (call.number != SYS_fcntl || call.arguments[1] != F_OFD_SETLKW)
		return 0;
	error = task_read(tasks, task, call.arguments[2], &lock, sizeof(lock));
	if (error < 0)
		return error;
	if (lock.l_whence == SEEK_SET && lock.l_start >= 0 && lock.l_len >= 0) {
		range.start = lock.l_start;
		range.length = lock.l_len;
	}
	*ret_fd = (int)call.arguments[0];
	*ret_mode = lock.l_type == F_RDLCK ? SYS_LOCK_SHARED : SYS_LOCK_EXCLUSIVE;
	*ret_range = range;
	return 1;
}
