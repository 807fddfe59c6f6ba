/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_PROCESSES_H
#define INSPECT_PROCESSES_H

#include <sys/types.h>

#include <nonet/time.h>

struct nonet_inspect_coverage;

/* A descriptor of some process, while it is looked at. */
struct process_link {
	pid_t pid;
	int process;        /* the directory /proc/PID */
	const char *number; /* the descriptor's */
	const char *text;   /* what /proc/PID/fd/NUMBER leads to: "socket:[4711]", "/a/path" */
};

/*
 * Call @each for every descriptor of every process that may be looked at, until the deadline; processes that end
 * meanwhile are passed over. *@coverage counts what there was and what couldn't be read.
 *
 * Return: 0, or what @each returned below 0, or -ENOENT without /proc, -ENOMEM, -EMFILE, -ENFILE.
 */
int processes_each_link(nonet_time deadline, int (*each)(void *data, const struct process_link *link), void *data,
			struct nonet_inspect_coverage *coverage);

#endif
