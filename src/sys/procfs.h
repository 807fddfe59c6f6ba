/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROCFS_H
#define SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/filelocks.h"

/*
 * Reading what the kernel tells in /proc. Each returns 0 or more, or -errno. A process that ends meanwhile is -ENOENT
 * or -ESRCH, one that we may not look at -EACCES or -EPERM. EINTR is retried.
 */

/* The lines of a file; what is longer than @line is cut off. */
struct sys_lines {
	int fd;
	size_t next, end;
	char buffer[4096];
	char line[512];
};

int sys_lines_open(int directory, const char *path, struct sys_lines *ret_lines);
/* Return: 1 with the next in @lines->line, without its end; 0 at the end. */
int sys_lines_next(struct sys_lines *lines);
void sys_lines_close(struct sys_lines *lines);

/*
 * Whether a thread waits for a lock of an open file description now. @tasks is its process's directory "task".
 *
 * Return: 1 with the descriptor, and the mode and range that it waits for; 0 it does something else. A 32-bit program's
 * waiting isn't seen. A range that isn't given from the file's beginning is told as the whole file.
 */
int sys_task_waits_for_ofd_lock(int tasks, const char *task, int *ret_fd, enum sys_lock_mode *ret_mode,
				struct sys_lock_range *ret_range);

#endif
