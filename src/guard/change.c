/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/change.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/list.h"
#include "base/time.h"
#include "sys/changes.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"

static int change_waitable_arm(struct nonet_waitable *waitable)
{
	return change_arm(container_of(waitable, struct change, waitable));
}

int change_arm(struct change *change)
{
	return atomic_load_explicit(&change->pending, memory_order_relaxed) != 0;
}

void change_init(struct change *change)
{
	change->fd = -1;
	change->generation = sys_generation();
	atomic_store_explicit(&change->pending, 0, memory_order_relaxed);
	waitable_init(&change->waitable, -1, change_waitable_arm);
}

void change_done(struct change *change)
{
	if (change->fd < 0)
		return;
	waitable_done(&change->waitable);
	sys_close(&change->fd);
}

int change_watch(struct change *change, int fd)
{
	int inotify;
	int watch;

	/* An inotify instance is shared by fork: each event would be the one's or the other's. */
	if (change->generation != sys_generation())
		return -ECHILD;
	if (change->fd >= 0)
		return 0;
	inotify = sys_inotify_create();
	if (inotify < 0)
		return inotify;
	watch = sys_inotify_watch(inotify, fd);
	if (watch < 0) {
		sys_close(&inotify);
		return watch;
	}
	change->fd = inotify;
	waitable_init(&change->waitable, inotify, change_waitable_arm);
	return 0;
}

/* What the name leads to by now. */
static int change_of_name(const char *path, const struct stat *ours, uint32_t *changes)
{
	struct stat named;
	int fd = sys_open(path, O_PATH);
	int error = fd < 0 ? fd : sys_stat_fd(fd, &named);

	sys_close(&fd);
	if (error == -ENOENT)
		*changes |= CHANGE_REMOVED;
	else if (error == 0 && (named.st_dev != ours->st_dev || named.st_ino != ours->st_ino))
		*changes |= CHANGE_REPLACED;
	return error == -ENOENT ? 0 : error;
}

static int change_look(int fd, const char *path, uint64_t end, uint32_t *changes)
{
	struct stat status;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error;
	if ((uint64_t)status.st_size < end)
		*changes |= CHANGE_SHRANK;
	else if ((uint64_t)status.st_size > end)
		*changes |= CHANGE_GREW;
	return path ? change_of_name(path, &status, changes) : 0;
}

/* What was read from the watch is kept until it can be told. */
static int change_tell(struct change *change, int fd, const char *path, uint64_t end, uint32_t *ret_changes)
{
	uint32_t changes = atomic_load_explicit(&change->pending, memory_order_relaxed);
	int error = 0;

	/*
	 * A file that was made without a name loses its watch with the name that it got (the descriptor's dentry is
	 * another one). What happens from here on is told again, what happened before is looked at now.
	 */
	if (change->ended)
		error = sys_inotify_watch(change->fd, fd);
	if (error >= 0) {
		change->ended = false;
		error = change_look(fd, path, end, &changes);
	}
	if (error < 0) {
		/* The descriptor doesn't show it any more. */
		waitable_touch(&change->waitable);
		return error;
	}
	atomic_store_explicit(&change->pending, 0, memory_order_relaxed);
	*ret_changes = changes & ~CHANGE_UNKNOWN;
	return 0;
}

/* How often somebody else may keep a call that may not wait, by what doesn't matter. */
#define CHANGE_TURNS 8

static bool change_is_over(int turn, nonet_time deadline)
{
	return turn >= CHANGE_TURNS && (deadline == NONET_NOW || nonet_clock() >= deadline);
}

int change_take(struct change *change, int fd, const char *path, uint64_t end, nonet_time deadline,
		uint32_t *ret_changes)
{
	uint32_t changes;
	bool written;
	bool ended;
	int error = change_watch(change, fd);

	if (error < 0)
		return error;
	for (int turn = 0;; turn = turn < CHANGE_TURNS ? turn + 1 : turn) {
		if (!change_arm(change)) {
			error = sys_inotify_read(change->fd, &written, &ended);
			if (error == -EAGAIN) {
				error = sys_poll_one(change->fd, POLLIN, deadline);
				if (error < 0)
					return error;
				continue;
			}
			if (error < 0)
				return error;
			change->ended |= ended;
			atomic_store_explicit(&change->pending, CHANGE_UNKNOWN | (written ? CHANGE_WRITTEN : 0),
					      memory_order_relaxed);
		}
		error = change_tell(change, fd, path, end, &changes);
		if (error < 0)
			return error;
		/* Else its mode was changed, or its times. */
		if (changes != 0) {
			*ret_changes = changes;
			return 0;
		}
		if (change_is_over(turn, deadline)) {
			/* There is more: who waits for an edge of the descriptor may have had the last. */
			atomic_store_explicit(&change->pending, CHANGE_UNKNOWN, memory_order_relaxed);
			waitable_touch(&change->waitable);
			return time_expired(deadline);
		}
	}
}
