/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_PROCESSES_H
#define INSPECT_PROCESSES_H

#include <sys/types.h>

#include <nonet/time.h>

struct nonet_inspect_coverage;
struct sys_lines;

/*
 * Call @each for every process in @proc, a directory that is or looks like /proc, until the deadline; @process is its
 * directory. Whom @each returns -EACCES or -EPERM for is counted as unreadable, as are those that it wasn't called for
 * in time; -ENOENT or -ESRCH: he ended meanwhile, and is passed over.
 *
 * Return: 0, or another error of @each, or -ENOENT without /proc, -ENOMEM, -EMFILE, -ENFILE.
 */
int processes_each(int proc, nonet_time deadline, int (*each)(void *data, pid_t pid, int process), void *data,
		   struct nonet_inspect_coverage *coverage);

/* A descriptor of some process, while it is looked at. */
struct process_link {
	pid_t pid;
	int process;        /* the directory /proc/PID */
	const char *number; /* the descriptor's */
	const char *text;   /* what /proc/PID/fd/NUMBER leads to: "socket:[4711]", "/a/path" */
};

/* The lines of its /proc/PID/fdinfo/NUMBER. Return: as sys_lines_open(). */
int process_link_open(const struct process_link *link, struct sys_lines *ret_lines);

/* The same for every descriptor of every process that may be looked at; @proc is mostly "/proc". */
int processes_each_link(const char *proc, nonet_time deadline, int (*each)(void *data, const struct process_link *link),
			void *data, struct nonet_inspect_coverage *coverage);

/* Which processes a /proc, open as a directory, has no trace of: NONET_INSPECT_HIDES_PROCESSES, _HIDES_OUTSIDE. */
uint32_t processes_hidden(int proc);

#endif
