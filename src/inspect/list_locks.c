/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/inspect_lock.h"
#include "inspect/list.h"
#include "inspect/mounts.h"
#include "inspect/processes.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"

/*
 * File locks. /proc/locks has each of the host, with the file as a device and an inode number: its path is known to who
 * has the file open, and whether he has the lock is in /proc/PID/fdinfo. So a lock whose holder can't be looked into is
 * listed only if somebody else is met who has the file locked, and else counted as a place that wasn't seen.
 *
 * inspect_holders.c tells more of one file: all who share a lock, and who waits for it.
 */
struct held {
	struct inspect_lock lock;
	uint64_t waiters;
	pid_t pid;  /* 0: not met */
	char *path; /* by which he knows the file, or NULL */
	bool removed;
};

struct locks {
	struct look *look;
	const char *proc;
	struct mounts mounts;
	struct held *list;
	size_t count, capacity;
	size_t known; /* the first so many are from /proc/locks, and in order */
};

static int locks_add(struct locks *locks, const struct inspect_lock *lock)
{
	if (locks->count == locks->capacity) {
		size_t capacity = locks->capacity ? 2 * locks->capacity : 64;
		struct held *larger = sys_reallocate(locks->list, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		locks->list = larger;
		locks->capacity = capacity;
	}
	locks->list[locks->count++] = (struct held){.lock = *lock};
	return 0;
}

static void locks_forget(struct locks *locks)
{
	for (size_t i = 0; i < locks->count; i++)
		sys_free(locks->list[i].path);
	locks->list = sys_free(locks->list);
	locks->count = locks->known = locks->capacity = 0;
}

static bool locks_want(const struct locks *locks, const struct inspect_lock *lock)
{
	return look_wants(locks->look, lock->scheme);
}

static int compare_held(const void *a, const void *b)
{
	return inspect_lock_compare(&((const struct held *)a)->lock, &((const struct held *)b)->lock);
}

/* Anybody may have very many: what is done for each must not take all of them. */
static void locks_sort(struct locks *locks)
{
	size_t kept = 0;

	if (locks->count > 0)
		qsort(locks->list, locks->count, sizeof(*locks->list), compare_held);
	/* The table isn't read at one stroke, and as others come and go a line may come again. Two can't have this. */
	for (size_t i = 0; i < locks->count; i++) {
		if (kept > 0 && locks->list[i].lock.mode == SYS_LOCK_EXCLUSIVE &&
		    inspect_lock_is_same(&locks->list[kept - 1].lock, &locks->list[i].lock))
			continue;
		locks->list[kept++] = locks->list[i];
	}
	locks->count = kept;
	locks->known = kept;
}

/* The first that isn't before @lock, of those that are in order. */
static size_t locks_find(const struct locks *locks, const struct inspect_lock *lock)
{
	size_t low = 0, high = locks->known;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (inspect_lock_compare(&locks->list[middle].lock, lock) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool locks_have(const struct locks *locks, const struct inspect_lock *lock)
{
	const size_t at = locks_find(locks, lock);

	return at < locks->known && inspect_lock_is_same(&locks->list[at].lock, lock);
}

/* Who waits stands behind who has it; and of what isn't ours (leases) both are passed over. */
static int locks_read(struct locks *locks)
{
	bool behind_ours = false;
	struct inspect_lock lock;
	struct sys_lines lines;
	char path[PATH_MAX];
	int error;

	snprintf(path, sizeof(path), "%s/locks", locks->proc);
	error = sys_lines_open(AT_FDCWD, path, &lines);
	if (error < 0)
		return error;
	while ((error = sys_lines_next(&lines)) > 0) {
		bool is_lock = inspect_lock_read(lines.line, &lock);

		if (is_lock && lock.waits) {
			if (behind_ours)
				locks->list[locks->count - 1].waiters++;
			continue;
		}
		behind_ours = is_lock && locks_want(locks, &lock);
		error = behind_ours ? locks_add(locks, &lock) : 0;
		if (error < 0)
			break;
	}
	sys_lines_close(&lines);
	locks_sort(locks);
	return error;
}

/*
 * Where to note that @pid has such a lock, from the @at-th on, where such ones are. NULL: that is known, or as many
 * have been met as there are; *@ret_any: there is one.
 */
static struct held *locks_find_unmet(struct locks *locks, size_t at, const struct inspect_lock *lock, pid_t pid,
				     bool *ret_any)
{
	struct held *unmet = NULL;

	*ret_any = false;
	for (; at < locks->count && inspect_lock_is_same(&locks->list[at].lock, lock); at++) {
		*ret_any = true;
		if (locks->list[at].pid == pid)
			return NULL;
		if (locks->list[at].pid == 0) {
			unmet = &locks->list[at];
			break;
		}
	}
	return unmet;
}

/*
 * A flock that isn't in the list: its taker has no number in our PID namespace, or has ended. Whoever else has it has
 * inherited it. There is one for each descriptor at most; of other locks those that were taken since are passed over.
 */
static int locks_add_hidden(struct locks *locks, const struct inspect_lock *lock, struct held **ret_held)
{
	int error;

	*ret_held = NULL;
	if (lock->scheme != NONET_SCHEME_FLOCK)
		return 0;
	for (size_t i = locks->known; i < locks->count; i++)
		if (inspect_lock_is_same(&locks->list[i].lock, lock))
			return 0;
	error = locks_add(locks, lock);
	if (error == 0)
		*ret_held = &locks->list[locks->count - 1];
	return error;
}

/* What stands in a link for a file without a path (unlink(2)). */
#define DELETED " (deleted)"

static int held_set_path(struct locks *locks, struct held *held, const char *text)
{
	const size_t length = strlen(text);
	struct stat info;

	held->path = sys_copy_string(text);
	if (!held->path)
		return -ENOMEM;
	if (length <= strlen(DELETED) || strcmp(text + length - strlen(DELETED), DELETED) != 0)
		return 0;
	/* Unless it is called so. */
	if (!mounts_may_hang(&locks->mounts, text) && sys_stat_at(AT_FDCWD, text, &info) == 0)
		return 0;
	held->path[length - strlen(DELETED)] = 0;
	held->removed = true;
	return 0;
}

static int locks_meet(struct locks *locks, const struct process_link *link, const struct inspect_lock *lock)
{
	bool any;
	struct held *held = locks_find_unmet(locks, locks_find(locks, lock), lock, link->pid, &any);
	int error = any ? 0 : locks_add_hidden(locks, lock, &held);

	if (error < 0 || !held)
		return error;
	held->pid = link->pid;
	return held_set_path(locks, held, link->text);
}

static int locks_look_at(void *data, const struct process_link *link)
{
	struct locks *locks = data;
	struct inspect_lock lock;
	struct sys_lines lines;
	int error;

	/* Not a socket, a pipe, or memory that has no path. */
	if (*link->text != '/' || strncmp(link->text, "/memfd:", strlen("/memfd:")) == 0)
		return 0;
	error = process_link_open(link, &lines);
	if (error < 0)
		return look_may_go_on(error) ? 0 : error;
	while ((error = sys_lines_next(&lines)) > 0) {
		const char *text = sys_lines_value(&lines, "lock");

		/* The rest of this process isn't seen. */
		if (text && nonet_clock() >= locks->look->deadline) {
			sys_lines_close(&lines);
			return -EACCES;
		}
		if (!text || !inspect_lock_read(text, &lock) || !locks_want(locks, &lock))
			continue;
		error = locks_meet(locks, link, &lock);
		if (error < 0)
			break;
	}
	sys_lines_close(&lines);
	return error < 0 && look_may_go_on(error) ? 0 : error;
}

static int locks_report(const struct locks *locks, const struct held *held, const struct held *named)
{
	struct nonet_inspect_object object = {
		.scheme = held->lock.scheme,
		.known = NONET_INSPECT_BYTES | NONET_INSPECT_COUNT | NONET_INSPECT_WAITERS,
		.bytes = (uint64_t)held->lock.range.length,
		.count = (uint64_t)held->lock.range.start,
		.waiters = held->waiters,
		.pid = held->pid,
	};

	/* Of who couldn't be looked into the kernel tells who took it, which mostly is who has it; -1 is nobody. */
	if (object.pid == 0 && held->lock.taker > 0)
		object.pid = held->lock.taker;
	if (object.pid != 0)
		object.known |= NONET_INSPECT_PID;
	if (held->lock.mode == SYS_LOCK_SHARED)
		object.flags |= NONET_INSPECT_SHARED;
	if (named->removed)
		object.flags |= NONET_INSPECT_REMOVED;
	return list_add_name(locks->look->list, &object, named->path);
}

/* Those of one file, from the @first to before @end. What nobody was met with may have gone before he was looked at. */
static int locks_report_file(const struct locks *locks, size_t first, size_t end, const struct locks *now)
{
	const struct held *named = NULL;
	int error = 0;

	for (size_t i = first; i < end && !named; i++)
		if (locks->list[i].path)
			named = &locks->list[i];
	for (size_t i = first; i < end && error == 0; i++) {
		const struct held *held = &locks->list[i];

		if (held->path)
			error = locks_report(locks, held, held);
		else if (locks_have(now, &held->lock) && named)
			error = locks_report(locks, held, named);
		else if (locks_have(now, &held->lock))
			locks->look->list->coverage.places++;
	}
	return error;
}

static int locks_report_all(struct locks *locks)
{
	struct locks now = {.look = locks->look, .proc = locks->proc};
	int error = locks_read(&now);
	size_t end;

	if (error < 0 && look_may_go_on(error)) {
		locks->look->list->coverage.places++;
		error = 0;
	}
	/* Hidden ones among the others of their file. */
	locks_sort(locks);
	for (size_t first = 0; first < locks->count && error == 0; first = end) {
		for (end = first + 1; end < locks->count; end++)
			if (!inspect_file_is_same(&locks->list[first].lock.file, &locks->list[end].lock.file))
				break;
		error = locks_report_file(locks, first, end, &now);
	}
	locks_forget(&now);
	return error;
}

static int locks_look(struct locks *locks)
{
	struct look *look = locks->look;
	int error = locks_read(locks);

	/* A kernel without them. */
	if (error < 0) {
		look->list->coverage.places += error != -ENOENT;
		return look_may_go_on(error) ? 0 : error;
	}
	/* A flock whose taker has ended isn't in the list that a PID namespace sees. */
	if (locks->count > 0 || look_wants(look, NONET_SCHEME_FLOCK))
		error = processes_each_link(locks->proc, look->deadline, locks_look_at, locks, &look->list->coverage);
	return error < 0 ? error : locks_report_all(locks);
}

int look_at_locks_in(const char *proc, struct look *look)
{
	struct locks locks = {.look = look, .proc = proc};
	int error;

	if (!look_wants(look, NONET_SCHEME_OFDLOCK) && !look_wants(look, NONET_SCHEME_POSIXLOCK) &&
	    !look_wants(look, NONET_SCHEME_FLOCK))
		return 0;
	error = mounts_read(&locks.mounts);
	if (error < 0)
		return error;
	error = locks_look(&locks);
	mounts_done(&locks.mounts);
	locks_forget(&locks);
	return error;
}

int look_at_locks(struct look *look)
{
	return look_at_locks_in("/proc", look);
}
