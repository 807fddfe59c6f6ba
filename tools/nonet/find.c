/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nonet/address.h>

#include "say.h"
#include "verb.h"

/* Over the kernel's longest name of a process, 15 bytes. */
#define COMM_SIZE 32

/* Return: how many bytes; 0 also if there is nothing for us to see; or a negative errno: we can't look. */
static int read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t got;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
	got = fread(text, 1, size - 1, file);
	fclose(file);
	text[got] = '\0';
	return (int)got;
}

/* Whether a process has that name: 1, 0, or a negative errno. No command line: a kernel thread, or it has ended. */
static int is_called(pid_t pid, const char *name)
{
	char command[4096], comm[COMM_SIZE];
	const char *last;
	int size = read_file(pid, "cmdline", command, sizeof(command));

	if (size <= 0)
		return size;
	last = strrchr(command, '/');
	if (strcmp(last ? last + 1 : command, name) == 0)
		return 1;
	size = read_file(pid, "comm", comm, sizeof(comm));
	if (size <= 0)
		return size;
	/* The newline at the end alone: a process can give itself a name that has some. */
	comm[size - 1] = '\0';
	return strcmp(comm, name) == 0;
}

/* Return: 0 or -ENOMEM; @process is the list's. */
static int append(struct found_list *list, struct nonet_process *process, pid_t pid)
{
	struct found *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items) {
		nonet_process_close(process);
		return -ENOMEM;
	}
	list->items = items;
	items[list->count] = (struct found){.process = process, .pid = pid};
	list->count++;
	return 0;
}

/* One that was passed over could be the one that is meant, or a second. Return: @code. */
static int cannot_look(pid_t pid, int code, struct nonet_error *error)
{
	error->code = code;
	snprintf(error->text, sizeof(error->text), "can't see what process %d is called: %s; nothing was done",
		 (int)pid, strerror(-code));
	error->position = -1;
	return code;
}

/* Return: 0, or a negative errno with @error. */
static int look_at(pid_t pid, const char *name, struct found_list *list, struct nonet_error *error)
{
	struct nonet_process *process;
	int r;

	if (pid == getpid())
		return 0;
	r = is_called(pid, name);
	if (r > 0)
		r = nonet_process_open(pid, &process, error);
	else
		return r < 0 ? cannot_look(pid, r, error) : 0;
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	/* Again, now that it is held: it may have ended in between, and its number may be another's. */
	r = is_called(pid, name);
	if (r > 0)
		return append(list, process, pid);
	nonet_process_close(process);
	return r < 0 ? cannot_look(pid, r, error) : 0;
}

/*
 * Whether /proc shows the processes that our numbers mean: mounted for another PID namespace, it would name one process
 * and have us signal another.
 */
static int proc_is_ours(void)
{
	char text[32];
	const ssize_t size = readlink("/proc/self", text, sizeof(text) - 1);

	if (size <= 0)
		return 0;
	text[size] = '\0';
	return strtol(text, NULL, 10) == getpid();
}

static int find_by_name(const char *name, struct found_list *list)
{
	struct nonet_error error = {.text = "no memory is left"};
	const struct dirent *entry;
	DIR *all = opendir("/proc");
	int r = 0;

	if (!all || !proc_is_ours()) {
		if (all)
			closedir(all);
		return say_failure("can't look for \"%s\": /proc %s; name it by pid:N", name,
				   all ? "doesn't show this PID namespace" : "can't be read");
	}
	do {
		errno = 0;
		entry = readdir(all);
		if (!entry && errno)
			r = say_failure("can't look for \"%s\": /proc: %s", name, strerror(errno));
		else if (entry && isdigit((unsigned char)entry->d_name[0]))
			r = look_at((pid_t)strtol(entry->d_name, NULL, 10), name, list, &error);
	} while (r == 0 && entry);
	closedir(all);
	if (r > 0)
		return r;
	if (r < 0)
		return say_error(&error, NULL);
	return list->count > 0 ? 0 : say_failure("no process is called \"%s\"", name);
}

static int find_by_number(int64_t pid, struct found_list *list)
{
	struct nonet_process *process;
	struct nonet_error error;

	if (nonet_process_open((pid_t)pid, &process, &error) < 0)
		return say_error(&error, NULL);
	return append(list, process, (pid_t)pid) < 0 ? say_failure("no memory is left") : 0;
}

static int too_many(const char *who, const struct found_list *list)
{
	size_t i;

	say_usage("%zu processes are called \"%s\": name one by pid:N, or all of them with --all", list->count, who);
	for (i = 0; i < list->count; i++)
		fprintf(stderr, "  pid:%d\n", (int)list->items[i].pid);
	return STATUS_USAGE;
}

static int is_number(const char *who)
{
	return who[0] && strspn(who, "0123456789") == strlen(who);
}

/* Return: 0 if it is pid:N, N, or no address at all; then *ret_pid is 0. Else the exit status. */
static int parse_who(const char *who, int64_t *ret_pid)
{
	struct nonet_address *address;
	struct nonet_error error;
	char text[32];
	int r = 0;

	*ret_pid = 0;
	if (!strchr(who, ':') && !is_number(who))
		return 0;
	if (is_number(who)) {
		snprintf(text, sizeof(text), "pid:%s", strlen(who) > 20 ? "x" : who);
		who = text;
	} else if (strncmp(who, "pid:", 4) != 0) {
		return say_usage("\"%s\" isn't pid:N, as processes are; if one is called that, say so by --name", who);
	}
	if (nonet_address_parse(who, &address, &error) < 0)
		return say_error(&error, who);
	if (nonet_address_number(address, NONET_ADDRESS_PID, ret_pid) < 0)
		r = say_usage("%s isn't a process: they are pid:N, or a name", who);
	nonet_address_free(address);
	return r;
}

int find_processes(const char *who, int how, struct found_list *ret_list)
{
	struct found_list list = {0};
	int64_t pid = 0;
	int r = 0;

	/* Of one whose argv[0] ends with a slash, and of what has none, that would be the last part. */
	if (!who[0])
		return say_usage("\"\" is no process's name: name it by pid:N");
	if (!(how & FIND_NAME))
		r = parse_who(who, &pid);
	if (r == 0)
		r = pid ? find_by_number(pid, &list) : find_by_name(who, &list);
	if (r == 0 && list.count > 1 && !(how & FIND_ALL))
		r = too_many(who, &list);
	if (r != 0) {
		find_free(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}

void find_free(struct found_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		nonet_process_close(list->items[i].process);
	free(list->items);
	*list = (struct found_list){0};
}
