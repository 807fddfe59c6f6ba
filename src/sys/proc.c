/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"
#include "sys/files.h"
#include "sys/look.h"

/* Return: 1, or 0 for a thread that has ended, in so far as it takes no signals any more. */
static int proc_thread(int tasks, const char *id, struct sys_thread *ret_thread)
{
	struct sys_lines lines;
	struct sys_thread thread = {.id = (pid_t)strtol(id, NULL, 10)};
	bool alive = true;
	const char *value;
	char path[32];
	int more;

	snprintf(path, sizeof(path), "%.15s/status", id);
	more = sys_lines_open(tasks, path, &lines);
	if (more < 0)
		return more == -ENOENT || more == -ESRCH ? 0 : more;
	while ((more = sys_lines_next(&lines)) > 0) {
		value = sys_lines_value(&lines, "Name");
		if (value)
			snprintf(thread.name, sizeof(thread.name), "%.15s", value);
		value = sys_lines_value(&lines, "State");
		/* A main thread that has left by pthread_exit(3) stays as a zombie, with an empty mask. */
		if (value && (*value == 'Z' || *value == 'X'))
			alive = false;
		value = sys_lines_value(&lines, "SigBlk");
		if (value)
			thread.blocked = strtoull(value, NULL, 16);
	}
	sys_lines_close(&lines);
	if (more < 0)
		return more == -ESRCH ? 0 : more;
	*ret_thread = thread;
	return alive;
}

int sys_thread_find_unblocked(uint64_t mask, struct sys_thread *ret_thread)
{
	struct sys_directory tasks;
	struct sys_thread thread;
	unsigned char type;
	const char *id;
	int found = sys_directory_open(AT_FDCWD, "/proc/self/task", &tasks);

	if (found < 0)
		return found;
	while ((found = sys_directory_next(&tasks, &id, &type)) > 0) {
		found = proc_thread(tasks.fd, id, &thread);
		if (found < 0 || (found && (mask & ~thread.blocked)))
			break;
	}
	sys_directory_close(&tasks);
	if (found == 1)
		*ret_thread = thread;
	return found;
}

/* Whether the numbers that /proc shows are ours: it may be mounted for another PID namespace. */
static bool proc_is_ours(void)
{
	char text[16];
	ssize_t size = sys_fault(SYS_CALL_STAT);

	if (size == 0)
		size = readlink("/proc/self", text, sizeof(text) - 1);
	if (size < 0)
		return false;
	text[size] = 0;
	return strtol(text, NULL, 10) == getpid();
}

int sys_pidfd_number(int pidfd, pid_t *ret_pid)
{
	struct sys_lines lines;
	long number = 0;
	char path[48];
	int more;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	more = sys_lines_open(AT_FDCWD, path, &lines);
	if (more < 0)
		return more;
	while ((more = sys_lines_next(&lines)) > 0) {
		const char *value = sys_lines_value(&lines, "Pid");

		if (value)
			number = strtol(value, NULL, 10);
	}
	sys_lines_close(&lines);
	if (more < 0)
		return more;
	/* -1 of a process that was reaped. */
	*ret_pid = number > 0 && proc_is_ours() ? (pid_t)number : 0;
	return 0;
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
