/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/inspect_holders.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "inspect/inspect_file.h"
#include "inspect/inspect_lock.h"
#include "inspect/processes.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"
#include "sys/proc.h"

/*
 * What knows what:
 *
 * /proc/locks has each lock of the host, with who took it; not of open file descriptions, nor who has an inherited one.
 * It hides classic locks and flocks of whoever has no number in its PID namespace.
 * /proc/PID/fdinfo/FD has the locks that are held by that description: so everybody who has it. It takes the right to
 * trace the process. Who waits isn't there.
 *
 * So holders come from fdinfo, waiters from /proc/locks, those for a lock of an open file description from what their
 * threads are doing; and what is in /proc/locks before and after the walk, and was met nowhere, has an unknown holder.
 */

struct holder {
	struct nonet_inspect_holder told; /* first: what is given out */
	int32_t taker;
};

struct nonet_inspect_holders {
	struct nonet_inspect_coverage coverage;
	struct holder *list;
	size_t count, room;
};

struct lock_list {
	struct inspect_lock *list;
	size_t count, room;
};

struct search {
	struct nonet_inspect_holders *found;
	int proc;
	int place; /* of the file, open so long that the mount's number is no other's */
	struct inspect_file file;
	struct inspect_mount mount;
	enum nonet_scheme scheme;
	struct sys_lock_range range;
	bool ofd_waits; /* somebody waits for a lock of an open file description */
	bool cut;       /* the deadline has come */
	nonet_time deadline;
};

/* A process while it is looked at. */
struct process {
	int directory;
	int32_t pid;
	char name[16];
	bool has_file; /* a descriptor of it */
};

/* The list with room for one more, moved maybe; or NULL, and it is as it was. */
static void *list_reserve(void *list, size_t item, size_t count, size_t *room)
{
	const size_t wanted = *room ? 2 * *room : 16;
	void *more;

	if (count < *room)
		return list;
	more = sys_reallocate(list, wanted * item);
	if (more)
		*room = wanted;
	return more;
}

static bool search_wants(const struct search *search, const struct inspect_lock *lock)
{
	const bool whole = search->scheme == NONET_SCHEME_FLOCK;

	return inspect_file_is_same(&lock->file, &search->file) && (lock->scheme == NONET_SCHEME_FLOCK) == whole &&
	       inspect_ranges_overlap(&lock->range, &search->range);
}

static bool holder_is(const struct holder *holder, const struct inspect_lock *lock)
{
	return holder->told.waits == lock->waits && holder->told.scheme == (uint32_t)lock->scheme &&
	       holder->told.mode == (uint32_t)lock->mode && holder->told.start == lock->range.start &&
	       holder->told.length == lock->range.length && holder->taker == lock->taker;
}

/* Once for each process and lock. */
static int search_add(struct search *search, const struct process *process, const struct inspect_lock *lock)
{
	struct nonet_inspect_holders *found = search->found;
	struct holder *holder;

	for (size_t i = 0; process->pid != 0 && i < found->count; i++) {
		if (found->list[i].told.pid == process->pid && holder_is(&found->list[i], lock))
			return 0;
	}
	holder = list_reserve(found->list, sizeof(*holder), found->count, &found->room);
	if (!holder)
		return -ENOMEM;
	found->list = holder;
	holder += found->count++;
	*holder = (struct holder){
		.told =
			{
				.pid = process->pid,
				.waits = lock->waits,
				.scheme = (uint32_t)lock->scheme,
				.mode = (uint32_t)lock->mode,
				.start = lock->range.start,
				.length = lock->range.length,
			},
		.taker = lock->taker,
	};
	memcpy(holder->told.name, process->name, sizeof(process->name));
	return 0;
}

/* It ended while it was looked at, or this descriptor of it was closed. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

static bool is_denied(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* The locks on the file, of all who have or want them. */
static int read_locks(struct search *search, struct lock_list *locks)
{
	struct inspect_lock *more;
	struct inspect_lock lock;
	struct sys_lines lines;
	int error = sys_lines_open(search->proc, "locks", &lines);

	if (error < 0)
		return error;
	while ((error = sys_lines_next(&lines)) > 0) {
		if (!inspect_lock_read(lines.line, &lock) || !search_wants(search, &lock))
			continue;
		more = list_reserve(locks->list, sizeof(*more), locks->count, &locks->room);
		if (!more) {
			error = -ENOMEM;
			break;
		}
		locks->list = more;
		more[locks->count++] = lock;
	}
	sys_lines_close(&lines);
	return error;
}

static size_t count_locks(const struct lock_list *locks, const struct inspect_lock *lock, size_t end)
{
	size_t count = 0;

	for (size_t i = 0; i < end; i++)
		count += inspect_lock_is_same(&locks->list[i], lock);
	return count;
}

static int look_at_descriptor(struct search *search, struct process *process, int descriptors, const char *number)
{
	struct sys_lines lines;
	struct inspect_lock lock;
	int error = sys_lines_open(descriptors, number, &lines);

	if (error < 0)
		return error;
	while ((error = sys_lines_next(&lines)) > 0) {
		const char *inode = sys_lines_value(&lines, "ino");
		const char *text = sys_lines_value(&lines, "lock");

		if (inode && strtoull(inode, NULL, 10) != search->file.inode)
			break;
		if (inode)
			process->has_file = true;
		if (text && inspect_lock_read(text, &lock) && search_wants(search, &lock)) {
			error = search_add(search, process, &lock);
			if (error < 0)
				break;
		}
	}
	sys_lines_close(&lines);
	return error < 0 ? error : 0;
}

static bool search_is_over(struct search *search)
{
	if (!search->cut && search->deadline != NONET_FOREVER && nonet_clock() >= search->deadline) {
		search->cut = true;
		search->found->coverage.places++;
	}
	return search->cut;
}

static int look_at_descriptors(struct search *search, struct process *process)
{
	struct sys_directory names;
	unsigned char type;
	const char *number;
	int error = sys_directory_open(process->directory, "fdinfo", &names);

	if (error < 0)
		return error;
	while (!search_is_over(search) && (error = sys_directory_next(&names, &number, &type)) > 0) {
		error = look_at_descriptor(search, process, names.fd, number);
		if (error < 0 && !is_gone(error))
			break;
	}
	sys_directory_close(&names);
	return error < 0 ? error : 0;
}

static int look_at_task(struct search *search, struct process *process, int tasks, const char *task)
{
	struct inspect_lock lock = {.scheme = NONET_SCHEME_OFDLOCK, .waits = true, .taker = -1};
	int fd;
	int error = sys_task_waits_for_ofd_lock(tasks, task, &fd, &lock.mode, &lock.range);

	if (error <= 0)
		return error;
	error = inspect_file_of_descriptor(process->directory, fd, &search->mount, &lock.file);
	if (error <= 0)
		return error;
	return search_wants(search, &lock) ? search_add(search, process, &lock) : 0;
}

static int look_at_tasks(struct search *search, struct process *process)
{
	struct sys_directory names;
	unsigned char type;
	const char *task;
	int error = sys_directory_open(process->directory, "task", &names);

	if (error < 0)
		return error;
	while (!search_is_over(search) && (error = sys_directory_next(&names, &task, &type)) > 0) {
		error = look_at_task(search, process, names.fd, task);
		if (error < 0 && !is_gone(error))
			break;
	}
	sys_directory_close(&names);
	return error < 0 ? error : 0;
}

/* Its name, if it has one that we may see. */
static void name_process(struct process *process)
{
	struct sys_lines lines;

	if (sys_lines_open(process->directory, "comm", &lines) < 0)
		return;
	if (sys_lines_next(&lines) == 1)
		snprintf(process->name, sizeof(process->name), "%.15s", lines.line);
	sys_lines_close(&lines);
}

/* Return: 0, -ENOENT or -ESRCH if it is gone. */
static int open_process(const struct search *search, int32_t pid, struct process *ret_process)
{
	char path[16];
	int directory;

	snprintf(path, sizeof(path), "%" PRId32, pid);
	directory = sys_open_at(search->proc, path, O_PATH | O_DIRECTORY);
	if (directory < 0)
		return directory;
	*ret_process = (struct process){.directory = directory, .pid = pid};
	name_process(ret_process);
	return 0;
}

static int look_at_process(void *data, pid_t pid, int directory)
{
	struct search *search = data;
	struct process process = {.directory = directory, .pid = pid};
	int error;

	if (search_is_over(search))
		return -EACCES;
	name_process(&process);
	error = look_at_descriptors(search, &process);
	if (error == 0 && process.has_file && search->ofd_waits)
		error = look_at_tasks(search, &process);
	return error;
}

/* Whether it is a process that we couldn't look into: else, if it had the lock, it would have been found. */
static bool may_have_it(const struct search *search, int32_t pid, struct process *ret_process)
{
	struct process process;
	struct sys_directory names;
	int error;

	if (pid <= 0 || open_process(search, pid, &process) < 0)
		return false;
	error = sys_directory_open(process.directory, "fdinfo", &names);
	if (error == 0)
		sys_directory_close(&names);
	sys_close(&process.directory);
	*ret_process = process;
	return is_denied(error) || search->cut;
}

/* @count locks of one description that the kernel has, and that were met nowhere. */
static int add_unmet(struct search *search, const struct inspect_lock *lock, size_t count)
{
	struct process process = {.pid = 0};
	int error = 0;

	if (lock->waits && lock->taker > 0) {
		if (open_process(search, lock->taker, &process) == 0)
			sys_close(&process.directory);
		process.pid = lock->taker;
		return search_add(search, &process, lock);
	}
	if (!may_have_it(search, lock->taker, &process))
		process = (struct process){.pid = 0};
	for (size_t i = 0; error == 0 && i < count; i++)
		error = search_add(search, &process, lock);
	return error;
}

static int add_all_unmet(struct search *search, const struct lock_list *before, const struct lock_list *after)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct inspect_lock *lock = &after->list[i];
		const size_t before_count = count_locks(before, lock, before->count);
		const size_t after_count = count_locks(after, lock, after->count);
		size_t count = before_count < after_count ? before_count : after_count;
		size_t met = 0;
		int error;

		/* Who waits is told by the second reading alone; equal ones are told together, with the first. */
		if (lock->waits && lock->taker > 0)
			count = after_count;
		/*
		 * The table isn't read at one stroke, and as others come and go a line may come again. Two can't have
		 * an exclusive one.
		 */
		if (!lock->waits && lock->mode == SYS_LOCK_EXCLUSIVE && count > 1)
			count = 1;
		if (count_locks(after, lock, i) > 0)
			continue;
		for (size_t j = 0; j < search->found->count; j++)
			met += holder_is(&search->found->list[j], lock);
		if (met >= count)
			continue;
		error = add_unmet(search, lock, count - met);
		if (error < 0)
			return error;
	}
	return 0;
}

static int compare_holders(const void *a, const void *b)
{
	const struct nonet_inspect_holder *x = &((const struct holder *)a)->told;
	const struct nonet_inspect_holder *y = &((const struct holder *)b)->told;

	if (x->waits != y->waits)
		return x->waits < y->waits ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int search_holders(struct search *search)
{
	struct lock_list before = {.list = NULL};
	struct lock_list after = {.list = NULL};
	int error = read_locks(search, &before);

	search->found->coverage.hidden = processes_hidden(search->proc);
	for (size_t i = 0; i < before.count; i++)
		search->ofd_waits |= before.list[i].waits && before.list[i].scheme == NONET_SCHEME_OFDLOCK;
	/* An inherited flock whose taker has ended isn't in the list that a PID namespace sees. */
	if (error == 0 && (before.count > 0 || search->scheme == NONET_SCHEME_FLOCK))
		error = processes_each(search->proc, NONET_FOREVER, look_at_process, search, &search->found->coverage);
	if (error == 0)
		error = read_locks(search, &after);
	if (error == 0)
		error = add_all_unmet(search, &before, &after);
	if (error == 0 && search->found->count > 0)
		qsort(search->found->list, search->found->count, sizeof(*search->found->list), compare_holders);
	sys_free(before.list);
	sys_free(after.list);
	return error;
}

/* Of a file whose mount isn't in our tree, @error, or 0, is what came of the watch. */
static int refuse_unwatched(const char *path, int error, struct nonet_error *reterr)
{
	const char *why = error_reason(error);

	if (error == 0)
		why = "this kernel doesn't tell";
	else if (is_denied(error))
		why = "without it only who may read the file is told";
	else if (error == -ENOSPC)
		why = "without it an inotify watch is needed, and none is left (fs.inotify.max_user_watches)";
	else if (error == -EMFILE)
		why = "without it inotify is needed, and it can't be had (fs.inotify.max_user_instances, ulimit -n)";
	return error_set(
		reterr, error == 0 ? -ENOENT : error,
		"can't find out which device %s is on, as its mount isn't in /proc/self/mountinfo (a chroot?): %s",
		path, why);
}

/* Which file the path leads to, in the kernel's words. Nothing but its place is opened. */
static int search_file(struct search *search, const char *path, struct nonet_error *reterr)
{
	int self, error;

	search->place = sys_open(path, O_PATH);
	if (search->place < 0)
		return error_set(reterr, search->place, "can't look for who locks %s: %s", path,
				 error_reason(search->place));
	/* Of this thread: the main thread may have ended. */
	error = self = sys_open_at(search->proc, "thread-self", O_PATH | O_DIRECTORY);
	if (error >= 0)
		error = inspect_file_of_place(self, search->place, &search->file, &search->mount);
	if (error < 0)
		error_set(reterr, error,
			  "can't find out which device %s is on, without which its locks aren't told from others: %s",
			  path, error_reason(error));
	if (error == 0) {
		error = inspect_file_of_watch(self, search->place, &search->file, &search->mount);
		if (error <= 0)
			error = refuse_unwatched(path, error, reterr);
	}
	sys_close(&self);
	return error < 0 ? error : 0;
}

static int search_address(struct search *search, const struct nonet_address *address, struct nonet_error *reterr)
{
	const enum nonet_scheme scheme = nonet_address_scheme(address);

	if (scheme != NONET_SCHEME_OFDLOCK && scheme != NONET_SCHEME_POSIXLOCK && scheme != NONET_SCHEME_FLOCK)
		return error_set(reterr, -EOPNOTSUPP,
				 "who has %s: isn't known; of ofdlock:, posixlock: and flock: it can be found out",
				 nonet_scheme_name(scheme));
	search->scheme = scheme;
	(void)!nonet_address_number(address, NONET_ADDRESS_START, &search->range.start);
	(void)!nonet_address_number(address, NONET_ADDRESS_LENGTH, &search->range.length);
	return search_file(search, nonet_address_name(address, NULL), reterr);
}

static int check_options(const struct nonet_inspect_options *options, struct nonet_error *reterr)
{
	if (!options)
		return 0;
	if (options->size != sizeof(*options) || options->flags || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL,
				 "the options of a look for holders have a wrong size, or aren't zero");
	return 0;
}

int inspect_holders_in(const char *proc, const char *address, const struct nonet_inspect_options *options,
		       nonet_time deadline, struct nonet_inspect_holders **ret_holders, struct nonet_error *reterr)
{
	struct search search = {.proc = -1, .place = -1, .deadline = deadline};
	struct nonet_address *parsed = NULL;
	int error = check_options(options, reterr);

	if (error == 0)
		error = nonet_address_parse(address, &parsed, reterr);
	if (error < 0)
		return error;
	search.found = sys_allocate(sizeof(*search.found));
	search.proc = search.found ? sys_open(proc, O_PATH | O_DIRECTORY) : -ENOMEM;
	if (search.proc < 0) {
		error = search.proc;
		error_set(reterr, error, "can't look for holders in %s: %s", proc, error_reason(error));
	} else {
		error = search_address(&search, parsed, reterr);
		if (error == 0) {
			error = search_holders(&search);
			if (error < 0)
				error_set(reterr, error, "can't look for who has %s: %s", address, error_reason(error));
		}
		sys_close(&search.place);
		sys_close(&search.proc);
	}
	nonet_address_free(parsed);
	if (error < 0)
		nonet_inspect_holders_free(search.found);
	else
		*ret_holders = search.found;
	return error;
}

int nonet_inspect_holders(const char *address, const struct nonet_inspect_options *options, nonet_time deadline,
			  struct nonet_inspect_holders **ret_holders, struct nonet_error *reterr)
{
	return inspect_holders_in("/proc", address, options, deadline, ret_holders, reterr);
}

size_t nonet_inspect_holders_count(const struct nonet_inspect_holders *holders)
{
	return holders->count;
}

const struct nonet_inspect_holder *nonet_inspect_holders_get(const struct nonet_inspect_holders *holders, size_t index)
{
	return index < holders->count ? &holders->list[index].told : NULL;
}

const struct nonet_inspect_coverage *nonet_inspect_holders_coverage(const struct nonet_inspect_holders *holders)
{
	return &holders->coverage;
}

struct nonet_inspect_holders *nonet_inspect_holders_free(struct nonet_inspect_holders *holders)
{
	if (!holders)
		return NULL;
	sys_free(holders->list);
	return sys_free(holders);
}
