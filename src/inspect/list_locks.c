/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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
	locks->count = 0;
	locks->list = sys_free(locks->list);
	locks->capacity = 0;
}

static bool locks_want(const struct locks *locks, const struct inspect_lock *lock)
{
	return look_wants(locks->look, lock->scheme);
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
	return error;
}

/* Where to note that @pid has such a lock: NULL if that is known, or all of the kind have been met. */
static struct held *locks_find_unmet(struct locks *locks, const struct inspect_lock *lock, pid_t pid, bool *ret_known)
{
	struct held *unmet = NULL;

	*ret_known = false;
	for (size_t i = 0; i < locks->count; i++) {
		struct held *held = &locks->list[i];

		if (!inspect_lock_is_same(&held->lock, lock))
			continue;
		*ret_known = true;
		if (held->pid == pid)
			return NULL;
		if (held->pid == 0 && !unmet)
			unmet = held;
	}
	return unmet;
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
	bool known;
	struct held *held = locks_find_unmet(locks, lock, link->pid, &known);
	int error;

	if (known && !held)
		return 0;
	/* Taken since; or by a process that has no number in our PID namespace, of which /proc/locks doesn't tell. */
	if (!known) {
		error = locks_add(locks, lock);
		if (error < 0)
			return error;
		held = &locks->list[locks->count - 1];
	}
	held->pid = link->pid;
	return held_set_path(locks, held, link->text);
}

static int locks_look_at(void *data, const struct process_link *link)
{
	struct locks *locks = data;
	struct inspect_lock lock;
	struct sys_lines lines;
	char path[64];
	int error;

	/* Not a socket, a pipe, or memory that has no path. */
	if (*link->text != '/' || strncmp(link->text, "/memfd:", strlen("/memfd:")) == 0)
		return 0;
	snprintf(path, sizeof(path), "fdinfo/%.20s", link->number);
	error = sys_lines_open(link->process, path, &lines);
	if (error < 0)
		return look_may_go_on(error) ? 0 : error;
	while ((error = sys_lines_next(&lines)) > 0) {
		const char *text = sys_lines_value(&lines, "lock");

		if (!text || !inspect_lock_read(text, &lock) || !locks_want(locks, &lock))
			continue;
		error = locks_meet(locks, link, &lock);
		if (error < 0)
			break;
	}
	sys_lines_close(&lines);
	return error < 0 && look_may_go_on(error) ? 0 : error;
}

/* By which another who was met knows the file, or NULL. */
static const struct held *locks_find_path(const struct locks *locks, const struct inspect_file *file)
{
	for (size_t i = 0; i < locks->count; i++)
		if (locks->list[i].path && inspect_file_is_same(&locks->list[i].lock.file, file))
			return &locks->list[i];
	return NULL;
}

static bool locks_have(const struct locks *locks, const struct inspect_lock *lock)
{
	for (size_t i = 0; i < locks->count; i++)
		if (inspect_lock_is_same(&locks->list[i].lock, lock))
			return true;
	return false;
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

static int locks_report_all(struct locks *locks)
{
	struct locks now = {.look = locks->look, .proc = locks->proc};
	int error = locks_read(&now);

	if (error < 0 && look_may_go_on(error)) {
		locks->look->list->coverage.places++;
		error = 0;
	}
	for (size_t i = 0; i < locks->count && error == 0; i++) {
		const struct held *held = &locks->list[i];
		const struct held *named = held->path ? held : locks_find_path(locks, &held->lock.file);

		/* What nobody was met with may have gone before he was looked at. */
		if (named && (held->path || locks_have(&now, &held->lock)))
			error = locks_report(locks, held, named);
		else if (locks_have(&now, &held->lock))
			locks->look->list->coverage.places++;
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
