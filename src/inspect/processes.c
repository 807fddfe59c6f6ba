/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "inspect/list.h"
#include "sys/files.h"
#include "sys/look.h"

struct walk {
	int (*each)(void *data, const struct process_link *link);
	void *data;
	char text[PATH_MAX];
};

static int walk_links(struct walk *walk, struct process_link *link)
{
	struct sys_directory fds;
	unsigned char type;
	int more = sys_directory_open(link->process, "fd", &fds);

	if (more < 0)
		return more;
	while ((more = sys_directory_next(&fds, &link->number, &type)) > 0) {
		/* Closed meanwhile. */
		if (sys_read_link(fds.fd, link->number, walk->text, sizeof(walk->text)) < 0)
			continue;
		link->text = walk->text;
		more = walk->each(walk->data, link);
		if (more < 0)
			break;
	}
	sys_directory_close(&fds);
	return more;
}

/* Return: 0, or -EACCES: only others may see. */
static int walk_process(struct walk *walk, int proc, const char *name)
{
	struct process_link link = {.pid = (pid_t)strtol(name, NULL, 10)};
	int error;

	/* Held, it stays this process's directory: after its end nothing is found in it, whoever has the number. */
	link.process = sys_open_at(proc, name, O_PATH | O_DIRECTORY);
	if (link.process < 0)
		return link.process;
	error = walk_links(walk, &link);
	sys_close(&link.process);
	return error;
}

int processes_each_link(nonet_time deadline, int (*each)(void *data, const struct process_link *link), void *data,
			struct nonet_inspect_coverage *coverage)
{
	struct walk walk = {.each = each, .data = data};
	struct sys_directory proc;
	const char *name;
	unsigned char type;
	int error = sys_directory_open(AT_FDCWD, "/proc", &proc);

	if (error < 0)
		return error;
	coverage->processes = 0;
	coverage->unreadable = 0;
	while ((error = sys_directory_next(&proc, &name, &type)) > 0) {
		if (*name < '1' || *name > '9')
			continue;
		coverage->processes++;
		error = nonet_clock() < deadline ? walk_process(&walk, proc.fd, name) : -EACCES;
		if (error == -EACCES || error == -EPERM)
			coverage->unreadable++;
		else if (error == -ENOENT || error == -ESRCH)
			coverage->processes--;
		else if (error < 0)
			break;
	}
	sys_directory_close(&proc);
	return error;
}
