/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_FILELOCK_H
#define NONET_FILELOCK_H

#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * File locks, of three kinds. All are advisory, and end with the process that holds them.
 *
 *   ofdlock:PATH[,START+LENGTH]     belongs to the handle; of a range. The one to take
 *   posixlock:PATH[,START+LENGTH]   belongs to the process (classic, fcntl(2) F_SETLK): what SQLite and many others
 *                                   use. Excludes ofdlock: of an overlapping range, and the other way round
 *   flock:PATH                      belongs to the handle; of the whole file, or a directory: what flock(1) uses.
 *                                   Knows nothing of the other two
 *
 * The trap of classic locks: they are gone as soon as the process closes any descriptor of the file, and two handles of
 * one process don't exclude each other. So a second posixlock: handle for a file that this process has one for is
 * refused, and no descriptor that nonet closes drops one. What the program itself opens and closes there, nonet can't
 * see: it drops the lock, and nobody is told.
 *
 * One thread at a time uses a handle; others may have it in their wait set meanwhile. After fork() parent and child
 * share what an ofdlock: or flock: handle holds, until both have closed it, or one unlocks; only the parent can wait
 * for its handle by descriptor (-ECHILD in the child, until it opens its own). A posixlock: handle and what it holds
 * stay the parent's: -ECHILD in the child, for all calls that lock.
 *
 * On network file systems all this is as nfs(5), fcntl(2) and flock(2) say; nonet isn't tested there.
 */
struct nonet_filelock;

enum nonet_filelock_mode {
	NONET_FILELOCK_NONE = 0,
	NONET_FILELOCK_SHARED,    /* others may have it shared too */
	NONET_FILELOCK_EXCLUSIVE, /* nobody else has it */
};

/* Flags of struct nonet_filelock_options. */
#define NONET_FILELOCK_CREATE     1u /* make the file if there is none */
#define NONET_FILELOCK_READ_ONLY  2u /* open it for reading: all that shared locks, and flock:, need */
#define NONET_FILELOCK_CHECK_PATH 4u /* a lock on a file that hasn't its path any more is none: lock the new file */

struct nonet_filelock_options {
	uint32_t size;         /* sizeof(struct nonet_filelock_options) */
	uint32_t flags;        /* NONET_FILELOCK_* */
	uint32_t mode;         /* of a file that is made, 0 to 0777, exact whatever the umask; 0: 0600 */
	uint32_t reserved;     /* zero */
	uint64_t reserved2[2]; /* zero */
};

/* How long what a wait acquired is kept for who waits, if he doesn't call nonet_filelock_lock(): nonet_filelock_fd() */
#define NONET_FILELOCK_PATIENCE NONET_S(1)

/**
 * nonet_filelock_open() - open a file to lock it, or a range of it
 * @address:  ofdlock:, posixlock: or flock:, see nonet(7)
 * @options:  or NULL
 * @ret_lock: holds nothing yet; closed with nonet_filelock_close()
 * @reterr:   NULL, or where to put the sentence
 *
 * The file is opened for reading and writing, for flock: only for reading where that isn't allowed. A range may lie
 * behind its end. Who dies while he makes the file leaves it with fewer permissions than asked for, never with more.
 *
 * Return: 0, or
 *   -EINVAL      @address isn't an address; bad @options
 *   -EOPNOTSUPP  @address isn't of a file lock
 *   -ENOTSUP     the same number: not a regular file (nor a directory, of flock:)
 *   -EBUSY       posixlock: this process has a handle for the file
 *   -ENOENT      no such file, and no NONET_FILELOCK_CREATE
 *   -EAGAIN      somebody has a lease on the file (F_SETLEASE in fcntl(2)), who is told now to give it up
 *   -EACCES, -EPERM, -EROFS   not permitted; shared locks may be possible with NONET_FILELOCK_READ_ONLY
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOSPC, -EDQUOT, -EIO, -ETXTBSY, -EMFILE, -ENFILE, -ENOMEM   as open(2)
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_open(const char *address, const struct nonet_filelock_options *options,
						      struct nonet_filelock **ret_lock, struct nonet_error *reterr);

/**
 * nonet_filelock_lock() - take the lock, or change its mode
 * @lock:     a handle
 * @mode:     NONET_FILELOCK_SHARED or NONET_FILELOCK_EXCLUSIVE
 * @deadline: when to give up
 *
 * Taking twice what is held is fine, and needs one unlock. To change the mode: ofdlock: and posixlock: keep what is
 * held until they have the new mode, so that two who hold it shared, and both want it exclusively, wait for each other
 * (posixlock: finds that out). flock: lets go of what is held first: others may have had the lock in between, and after
 * a failure nothing is held.
 *
 * With a deadline a helper thread of the handle waits in the kernel; it is there until the handle is closed. Where
 * there can be none (no memory, no descriptors, a forked child) the lock is tried again every 5 ms. Without a deadline
 * the call itself waits there, and returns only with the lock or an error.
 *
 * Return: 0, or
 *   -EAGAIN      somebody else has it, and @deadline is NONET_NOW
 *   -ETIMEDOUT   somebody else had it until @deadline
 *   -EDEADLK     posixlock: who has it waits for one that this process has
 *   -EBADF       exclusive, and opened with NONET_FILELOCK_READ_ONLY: only flock: can do that
 *   -EINVAL      @mode isn't one to take
 *   -ECHILD      posixlock: the handle is the parent's
 *   -ENOLCK, -ENOSYS, -EOPNOTSUPP, -EIO, -ENOMEM   as fcntl(2), flock(2); some file systems have no locks
 *   with NONET_FILELOCK_CHECK_PATH, on a new file: as nonet_filelock_open(), then nothing is held; -ESTALE if the file
 *                was removed, and no NONET_FILELOCK_CREATE
 * Context: any thread; not in a signal handler. Signals don't end it.
 * Source: fcntl(2) F_OFD_SETLK, F_SETLK; flock(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_lock(struct nonet_filelock *lock, enum nonet_filelock_mode mode,
						      nonet_time deadline);

/**
 * nonet_filelock_unlock() - let go of it
 * @lock: a handle; may hold nothing
 *
 * Waiting for it by descriptor ends too. Processes that share the handle by fork() lose it as well.
 *
 * Return: 0, or -ECHILD (posixlock: the handle is the parent's), -ENOLCK, -EIO as fcntl(2).
 * Context: any thread.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_unlock(struct nonet_filelock *lock);

/** nonet_filelock_get_mode() - what the handle holds: NONET_FILELOCK_NONE, _SHARED or _EXCLUSIVE. */
NONET_PUBLIC enum nonet_filelock_mode nonet_filelock_get_mode(struct nonet_filelock *lock);

/**
 * nonet_filelock_set_range() - lock another range from now on
 * @lock:   a handle that holds nothing, ofdlock: or posixlock:
 * @start:  in bytes
 * @length: in bytes; 0: to the end of the file, however it grows
 *
 * Return: 0, or
 *   -EBUSY       it holds the old range: unlock it first
 *   -EINVAL      negative, or behind the last possible byte of a file
 *   -EOPNOTSUPP  flock: has no ranges
 *   -ECHILD      posixlock: the handle is the parent's
 * Context: any thread.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_set_range(struct nonet_filelock *lock, int64_t start, int64_t length);

/**
 * nonet_filelock_fd() - a descriptor for poll(2), POLLIN once the lock is there to be taken
 * @lock: a handle
 *
 * The kernel has no event for a file lock: who waits acquires. A helper thread of the handle takes the lock, in the
 * mode that nonet_filelock_lock() was asked for in vain before (exclusive if it wasn't asked yet; shared of a file that
 * was opened read-only), and the next nonet_filelock_lock() for that mode has it at once. If that doesn't come within
 * NONET_FILELOCK_PATIENCE the lock is let go of, and waited for again by the next nonet_filelock_arm(). So a handle
 * that is in no loop any more should be unlocked or closed, which ends the waiting; leaving a wait set ends it too, and
 * what was acquired for the set is let go of at once.
 *
 * Return: the descriptor, owned by @lock; or -EMFILE, -ENFILE, -ENOMEM, -ECHILD (the helper is the parent's).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_fd(struct nonet_filelock *lock);

/**
 * nonet_filelock_arm() - make ready to sleep on the descriptor
 * @lock: a handle
 *
 * Return: 1: it was acquired: call nonet_filelock_lock(); 0: the descriptor will tell, or there is nothing to wait for:
 *   it is held, or was unlocked and not asked for since; or
 *   -ECHILD      the handle is the parent's
 *   -EMFILE, -ENFILE, -ENOMEM
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_filelock_arm(struct nonet_filelock *lock);

/**
 * nonet_filelock_waitable() - what nonet_wait_set_add() wants, for NONET_WAIT_RECEIVE
 * @lock: a handle; see nonet_filelock_fd()
 *
 * Owned by @lock. Where there can be no descriptor, nonet_wait_set_add() says why.
 */
NONET_PUBLIC struct nonet_waitable *nonet_filelock_waitable(struct nonet_filelock *lock);

/**
 * nonet_filelock_explain() - say in a sentence why a call failed
 * @lock:      the handle that it was made on
 * @code:      what it returned
 * @ret_error: the sentence; where the kernel says who is in the way, it names him. nonet_inspect_holders() knows more
 */
NONET_PUBLIC void nonet_filelock_explain(struct nonet_filelock *lock, int code, struct nonet_error *ret_error);

/**
 * nonet_filelock_close() - let go of it and close the file
 * @lock: may be NULL; removed from its wait set
 *
 * What it holds, a forked child that shares the handle goes on holding; but not if this process has a posixlock: handle
 * for the file, which keeps the descriptor open: then it is let go of for both.
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_filelock *nonet_filelock_close(struct nonet_filelock *lock);

NONET_END_DECLS

#endif
