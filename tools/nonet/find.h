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

/*
 * The processes that @who means: pid:N, N, or a name, which is the kernel's (comm) or the last part of argv[0]. This
 * command itself is left out, and so is what has ended, and kernel threads.
 * @all: a name may mean several. Otherwise they are listed on standard error, and it is wrong usage.
 *
 * Return: 0 with at least one, to be freed with find_free(); else the exit status, after it said why.
 */
int find_processes(const char *who, int all, struct found_list *ret_list);

void find_free(struct found_list *list);

#endif
