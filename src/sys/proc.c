/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/proc.h"

#include <dirent.h>
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

/* Lines are short, but that of a process's groups, which nobody here asks for; what doesn't fit is cut off. */
struct proc_file {
	int fd;
	size_t next, end;
	char buffer[1024];
	char line[64];
};

static int proc_fill(struct proc_file *file)
{
	ssize_t size = sys_fault(SYS_CALL_READ);

	if (size < 0)
		return (int)size;
	do
		size = read(file->fd, file->buffer, sizeof(file->buffer));
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	file->next = 0;
	file->end = (size_t)size;
	return size > 0;
}

/* Return: 1 there is a line, 0 at the end. */
static int proc_line(struct proc_file *file)
{
	size_t length = 0;

	for (;;) {
		if (file->next == file->end) {
			int more = proc_fill(file);

			if (more <= 0)
				return more;
		}
		if (file->buffer[file->next] == '\n')
			break;
		if (length + 1 < sizeof(file->line))
			file->line[length++] = file->buffer[file->next];
		file->next++;
	}
	file->next++;
	file->line[length] = 0;
	return 1;
}

/* What stands behind "KEY:" and white space, or NULL. */
static const char *proc_value(const char *line, const char *key)
{
	const size_t length = strlen(key);

	if (strncmp(line, key, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	return line + strspn(line, " \t");
}

/* Return: 1, or 0 for a thread that has ended, in so far as it takes no signals any more. */
static int proc_thread(int tasks, const char *id, struct sys_thread *ret_thread)
{
	struct proc_file file = {.fd = -1};
	struct sys_thread thread = {.id = (pid_t)strtol(id, NULL, 10)};
	bool alive = true;
	const char *value;
	char path[32];
	int more;

	snprintf(path, sizeof(path), "%.15s/status", id);
	file.fd = sys_open_at(tasks, path, O_RDONLY);
	if (file.fd < 0)
		return file.fd == -ENOENT || file.fd == -ESRCH ? 0 : file.fd;
	while ((more = proc_line(&file)) > 0) {
		value = proc_value(file.line, "Name");
		if (value)
			snprintf(thread.name, sizeof(thread.name), "%.15s", value);
		value = proc_value(file.line, "State");
		/* A main thread that has left by pthread_exit(3) stays as a zombie, with an empty mask. */
		if (value && (*value == 'Z' || *value == 'X'))
			alive = false;
		value = proc_value(file.line, "SigBlk");
		if (value)
			thread.blocked = strtoull(value, NULL, 16);
	}
	sys_close(&file.fd);
	if (more < 0)
		return more == -ESRCH ? 0 : more;
	*ret_thread = thread;
	return alive;
}

static int proc_find_unblocked(int tasks, uint64_t mask, struct sys_thread *ret_thread)
{
	_Alignas(struct dirent64) char entries[2048];
	struct sys_thread thread;
	long size;

	for (;;) {
		size = sys_fault(SYS_CALL_READDIR);
		if (size == 0) {
			size = syscall(SYS_getdents64, tasks, entries, sizeof(entries));
			size = size < 0 ? -errno : size;
		}
		if (size <= 0)
			return (int)size;
		for (long at = 0; at < size;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			int found = 0;

			at += entry->d_reclen;
			if (entry->d_name[0] != '.')
				found = proc_thread(tasks, entry->d_name, &thread);
			if (found < 0)
				return found;
			if (found && (mask & ~thread.blocked)) {
				*ret_thread = thread;
				return 1;
			}
		}
	}
}

int sys_thread_find_unblocked(uint64_t mask, struct sys_thread *ret_thread)
{
	int tasks = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	int found;

	if (tasks < 0)
		return tasks;
	found = proc_find_unblocked(tasks, mask, ret_thread);
	sys_close(&tasks);
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
	struct proc_file file = {.fd = -1};
	long number = 0;
	char path[48];
	int more;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file.fd = sys_open(path, O_RDONLY);
	if (file.fd < 0)
		return file.fd;
	while ((more = proc_line(&file)) > 0) {
		const char *value = proc_value(file.line, "Pid");

		if (value)
			number = strtol(value, NULL, 10);
	}
	sys_close(&file.fd);
	if (more < 0)
		return more;
	/* -1 of a process that was reaped. */
	*ret_pid = number > 0 && proc_is_ours() ? (pid_t)number : 0;
	return 0;
}
