/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_FIND_H
#define NONET_TOOL_FIND_H

#include <stddef.h>
#include <sys/types.h>

#include <nonet/process.h>

/* A process that was meant, held from before its name was looked at: no other that gets its number is mistaken for it.
 */
struct found {
	struct nonet_process *process;
	pid_t pid;
};

struct found_list {
	struct found *items;
	size_t count;
};

enum find_how {
	FIND_ALL = 1,
	FIND_NAME = 2,
};

/*
 * The processes that @who means: pid:N, N, or a name, which is the kernel's (comm) or the last part of argv[0]. This
 * command itself is left out, and so is what has ended, and kernel threads.
 * @how: FIND_ALL: a name may mean several; otherwise they are listed on standard error, and it is wrong usage.
 *       FIND_NAME: it is a name, also if it looks like an address or a number.
 *
 * Return: 0 with at least one, to be freed with find_free(); else the exit status, after it said why.
 */
int find_processes(const char *who, int how, struct found_list *ret_list);

void find_free(struct found_list *list);

#endif
