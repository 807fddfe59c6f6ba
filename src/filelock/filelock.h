/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILELOCK_FILELOCK_H
#define FILELOCK_FILELOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <nonet/address.h>
#include <nonet/filelock.h>

#include "base/list.h"
#include "sys/filelocks.h"
#include "waitable/waitable.h"
#include "watcher/watcher.h"

/* What one kind of lock does; filelock_ofd.c, filelock_posix.c, filelock_flock.c. */
struct filelock_carrier {
	const char *scheme;
	bool of_process;      /* classic: one handle a file in a process, nothing left in a child */
	bool ranges;          /* can lock a part of the file */
	bool any_access;      /* exclusive locks of files that are open for reading; directories too */
	bool drops_on_change; /* what is held goes before the new mode is there */

	/* As the calls in sys/filelocks.h: 0, -EAGAIN, -EINTR if @wait, -errno. */
	int (*set)(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait);

	/* As sys_record_lock_in_way(); NULL: the kernel doesn't say. */
	int (*in_way)(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, pid_t *ret_pid);
};

extern const struct filelock_carrier filelock_ofd;
extern const struct filelock_carrier filelock_posix;
extern const struct filelock_carrier filelock_flock;

/*
 * A file that was opened to lock it (filelock_file.c). close(2) of any descriptor drops all classic locks that the
 * process has on that file; so these are closed only when it drops nobody's.
 */
struct filelock_file {
	int fd;
	bool read_only;
	bool classic;        /* in the table, for a handle of classic locks */
	unsigned generation; /* of the process that opened it */
	dev_t device;
	ino_t inode;
	struct list in_table; /* of the files with classic locks, or parked with one */
	struct list parked;
};

/*
 * One thread at a time calls, but a wait set may arm the handle from another. Invariants:
 *
 * 1. @held is what the kernel's lock is, but while the helper is ahead of us: it may have @waited already, until
 *    watcher_disarm() says whether it has.
 * 2. The helper watches only if @armed. @held, @waited and @file change only while it doesn't.
 * 3. @mutex guards @wanted and @armed against a wait set's thread; as nobody else is there before the handle has a
 *    watcher, it is taken only then.
 */
struct nonet_filelock {
	struct nonet_waitable waitable;
	const struct filelock_carrier *carrier;
	struct nonet_address *address;
	unsigned flags; /* NONET_FILELOCK_* */
	mode_t mode;    /* of a file that is made */
	struct filelock_file *file;
	struct sys_lock_range range;
	enum sys_lock_mode held;

	struct watcher *watcher;     /* NULL until somebody waits */
	unsigned watcher_generation; /* of the process whose helper it has */
	pthread_mutex_t mutex;
	enum sys_lock_mode wanted; /* what was asked for in vain: what a wait waits for */
	bool armed;
	enum sys_lock_mode waited; /* what the helper waits for, or has */
	int failure;               /* the helper's, once it is disarmed: -errno, or 0 */
};

static inline const char *filelock_path(const struct nonet_filelock *lock)
{
	return nonet_address_name(lock->address, NULL);
}

/*
 * Open the file that @lock's path leads to now, and make it where that is asked for. For classic locks it is in the
 * table then.
 *
 * Return: 0, or as nonet_filelock_open().
 */
int filelock_file_open(const struct nonet_filelock *lock, struct filelock_file **ret_file);

/*
 * Close it as soon as that drops nobody's locks. If that isn't now, what @lock holds on it is let go of, but by a child
 * that has it from its parent.
 */
void filelock_file_close(const struct nonet_filelock *lock, struct filelock_file *file);

/* Whether @lock's path leads to its very file: 1, 0 if to another or none, or -errno. */
int filelock_file_is_at_path(const struct nonet_filelock *lock);

/* Make the watcher, if there is none: 0, -EMFILE, -ENFILE, -ENOMEM, -ECHILD for a parent's. */
int filelock_watch(struct nonet_filelock *lock);

/* Wait for @mode by the helper until @deadline; nothing is armed before or after. As nonet_filelock_lock(). */
int filelock_wait_by_helper(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline);

/*
 * Nobody waits any more, and nothing is wanted. What a helper acquired is ours now if it is @mode, else given back.
 *
 * Return: whether it is ours.
 */
bool filelock_stop_waiting(struct nonet_filelock *lock, enum sys_lock_mode mode);

/* @mode was asked for in vain: it is what a wait waits for. */
void filelock_want(struct nonet_filelock *lock, enum sys_lock_mode mode);

/* Of the waitable. */
int filelock_arm(struct nonet_waitable *waitable);
void filelock_rest(struct nonet_waitable *waitable);

/* The helper's end. In a forked child only its descriptor is closed. */
void filelock_free_watcher(struct nonet_filelock *lock);

#endif
