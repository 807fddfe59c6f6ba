/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/list.h"
#include "sys/files.h"
#include "sys/look.h"

struct walk {
	int (*each)(void *data, const struct process_link *link);
	void *data;
	char text[PATH_MAX];
};

int process_link_open(const struct process_link *link, struct sys_lines *ret_lines)
{
	char path[64];

	snprintf(path, sizeof(path), "fdinfo/%.20s", link->number);
	return sys_lines_open(link->process, path, ret_lines);
}

static int walk_links(void *data, pid_t pid, int process)
{
	struct process_link link = {.pid = pid, .process = process};
	struct walk *walk = data;
	struct sys_directory fds;
	unsigned char type;
	int more = sys_directory_open(process, "fd", &fds);

	if (more < 0)
		return more;
	while ((more = sys_directory_next(&fds, &link.number, &type)) > 0) {
		/* Closed meanwhile. */
		if (sys_read_link(fds.fd, link.number, walk->text, sizeof(walk->text)) < 0)
			continue;
		link.text = walk->text;
		more = walk->each(walk->data, &link);
		if (more < 0)
			break;
	}
	sys_directory_close(&fds);
	return more;
}

int processes_each_link(const char *proc, nonet_time deadline, int (*each)(void *data, const struct process_link *link),
			void *data, struct nonet_inspect_coverage *coverage)
{
	struct walk walk = {.each = each, .data = data};
	int directory = sys_open(proc, O_PATH | O_DIRECTORY);
	int error;

	if (directory < 0)
		return directory;
	error = processes_each(directory, deadline, walk_links, &walk, coverage);
	sys_close(&directory);
	return error;
}

static int look_at_process(int proc, const char *name, int (*each)(void *data, pid_t pid, int process), void *data)
{
	/* Held, it stays this process's directory: after its end nothing is found in it, whoever has the number. */
	int process = sys_open_at(proc, name, O_PATH | O_DIRECTORY);
	int error;

	if (process < 0)
		return process;
	error = each(data, (pid_t)strtol(name, NULL, 10), process);
	sys_close(&process);
	return error;
}

/* The first PID namespace of a host: PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h, part of its ABI. */
#define FIRST_NAMESPACE "pid:[4026531836]"

uint32_t processes_hidden(int proc)
{
	struct stat status;
	char text[32];
	uint32_t hidden = 0;

	/* Each namespace has its process 1 as long as it has any. */
	if (sys_stat_at(proc, "1", &status) == -ENOENT)
		hidden |= NONET_INSPECT_HIDES_PROCESSES;
	if (sys_read_link(proc, "thread-self/ns/pid", text, sizeof(text)) >= 0 && strcmp(text, FIRST_NAMESPACE) != 0)
		hidden |= NONET_INSPECT_HIDES_OUTSIDE;
	return hidden;
}

int processes_each(int proc, nonet_time deadline, int (*each)(void *data, pid_t pid, int process), void *data,
		   struct nonet_inspect_coverage *coverage)
{
	struct sys_directory names;
	const char *name;
	unsigned char type;
	int error = sys_directory_open(proc, ".", &names);

	if (error < 0)
		return error;
	coverage->processes = 0;
	coverage->unreadable = 0;
	coverage->hidden = processes_hidden(proc);
	while ((error = sys_directory_next(&names, &name, &type)) > 0) {
		if (*name < '1' || *name > '9')
			continue;
		coverage->processes++;
		error = nonet_clock() < deadline ? look_at_process(names.fd, name, each, data) : -EACCES;
		if (error == -EACCES || error == -EPERM)
			coverage->unreadable++;
		else if (error == -ENOENT || error == -ESRCH)
			coverage->processes--;
		else if (error < 0)
			break;
	}
	sys_directory_close(&names);
	return error;
}
