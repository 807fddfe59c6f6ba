/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_RWLOCK_H
#define NONET_RWLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * A lock between processes that many may have for reading, or one for writing. It is held by a thread. A reader who
 * ends with it, however he does, has changed nothing: his place is freed, and nobody is told. If a writer does, the
 * next one gets the lock, for writing, and is told: -EOWNERDEAD.
 *
 *   rwlock:NAME, rwlock:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *
 * Writers come first: while one waits, no new reader gets in. Only one waits so at a time; when he lets go, the other
 * writers and the readers go on in no particular order. So readers starve while writers follow one another without a
 * pause, and writers never wait for more than those who read when they came, and other writers. If the writer in
 * front is stopped (SIGSTOP), new readers and other writers wait for him until he goes on, or dies, or their deadline.
 *
 * Locking a free one makes no system call and allocates nothing, but for the first time that a thread does it in a
 * domain. Readers on different CPUs don't slow each other down: each has a place of his own in the object.
 *
 * A handle may be used by many threads at once. In a forked child it is the parent's (-ECHILD); the child opens its
 * own.
 */
struct nonet_rwlock;

/* Flags of struct nonet_rwlock_options. */
#define NONET_RWLOCK_MAY_EXIST 1u /* create: one that is there is opened, and stays as it is */
#define NONET_RWLOCK_TRACE     2u /* keeps its last 64 operations, who and when; costs some 100 ns each */

struct nonet_rwlock_options {
	uint32_t size;        /* sizeof(struct nonet_rwlock_options) */
	uint32_t flags;       /* NONET_RWLOCK_* */
	uint32_t mode;        /* permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t rank;        /* 0: none; else it may be locked only by who holds what has lower ranks, or none */
	uint32_t readers;     /* that may have it at once: 64, 128, 256, 512 or 1024; 0: 128. A writer looks at all */
	uint32_t reserved[3]; /* zero */
};

/**
 * nonet_rwlock_create() - make a lock of readers and writers
 * @address:    rwlock:NAME or rwlock:DIR/NAME
 * @options:    or NULL
 * @ret_rwlock: not locked; closed with nonet_rwlock_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * The domain's directory is made too, for the owner alone, if there is none. Nobody ever sees half a lock.
 *
 * Return: 0, or
 *   -EEXIST      there is one
 *   -EINVAL      not the address of a lock of this kind; bad @options
 *   -EPERM       the directory can't be trusted: others may write there, or the default one is another user's
 *   -EPROTO      the domain, or with NONET_RWLOCK_MAY_EXIST the lock, is of another version of the library
 *   -EXDEV, -EBADMSG   NONET_RWLOCK_MAY_EXIST: the one that is there was copied from another domain, or is damaged
 *   -EUSERS      the domain has as many members as it takes: 4096
 *   -ESTALE      the domain was removed while this process was a member of it
 *   -EAGAIN      others make and remove it all the time
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM, -EOPNOTSUPP, -EISDIR, -ENOLCK, -ENOSYS, -ENODEV, -ETXTBSY   as open(2), mkdir(2), fallocate(2),
 *                linkat(2), mmap(2), fcntl(2), getrandom(2)
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_create(const char *address, const struct nonet_rwlock_options *options,
						      struct nonet_rwlock **ret_rwlock, struct nonet_error *reterr);

/**
 * nonet_rwlock_open() - open a lock that is there
 * @address:    rwlock:NAME or rwlock:DIR/NAME
 * @ret_rwlock: closed with nonet_rwlock_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL, -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   as nonet_rwlock_create()
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EOPNOTSUPP, -ENOLCK, -ENODEV, -ETXTBSY   as there
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_open(const char *address, struct nonet_rwlock **ret_rwlock,
						    struct nonet_error *reterr);

/**
 * nonet_rwlock_close() - close a handle
 * @rwlock: may be NULL. What a thread holds stays held, until the thread ends or unlocks it by another handle
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_rwlock *nonet_rwlock_close(struct nonet_rwlock *rwlock);

/**
 * nonet_rwlock_unlink() - remove a lock's name
 * @address: rwlock:NAME or rwlock:DIR/NAME
 * @reterr:  NULL, or where to put the sentence
 *
 * Who has it open goes on with it; who makes one of that name afterwards has another.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   others       as nonet_rwlock_open(), unlink(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_unlink(const char *address, struct nonet_error *reterr);

/**
 * nonet_rwlock_read_lock() - take it for reading
 * @rwlock:   a handle
 * @deadline: when to give up; NONET_NOW: only try
 *
 * With -EOWNERDEAD it is held *for writing*: the last writer ended while he had it, what it guards may be half-done,
 * and who finds out may mend it. See nonet_rwlock_write_lock(), and nonet_rwlock_downgrade() for the way back to
 * reading.
 *
 * Return: 0, or
 *   -EOWNERDEAD  taken for writing, from a writer who is dead
 *   -EAGAIN      somebody writes, or waits or tries to, and @deadline is NONET_NOW
 *   -ETIMEDOUT   so until @deadline
 *   -EBUSY       as many read as the lock has places for
 *   -EDEADLK     this thread has it; or it holds something whose rank isn't lower: nonet_rwlock_explain() names both
 *   -ENOTRECOVERABLE   its state was given up
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this object can't be used any more
 *   -ESTALE      the domain was removed: others may have another lock by this name
 *   -EUSERS      as many threads as a domain takes: 32767
 *   -ENOLCK      this thread holds 32 locks with ranks
 *   -ENOSPC, -EDQUOT, -EFBIG, -ENOMEM, -EMFILE, -ENFILE, -EACCES, -EIO, -EINVAL, -ENOLCK, -EOPNOTSUPP, -EAGAIN
 *                the first time in this thread: as open(2), fallocate(2), mmap(2), fcntl(2)
 * But for 0 and -EOWNERDEAD, nothing was taken.
 * Context: any thread; not in a signal handler.
 * Source: pthread_rwlock_rdlock(3), futex(2), get_robust_list(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_read_lock(struct nonet_rwlock *rwlock, nonet_time deadline);

/**
 * nonet_rwlock_write_lock() - take it for writing
 * @rwlock:   a handle
 * @deadline: when to give up; NONET_NOW: only try. A try keeps readers out while it looks
 *
 * With -EOWNERDEAD it is held: the last writer ended while he had it, and what it guards may be half-done. Put it right
 * and call nonet_rwlock_recover(). Who unlocks without that, has found it past mending: from then on the lock is
 * -ENOTRECOVERABLE for all. Should he end as well, the next one is told -EOWNERDEAD again. A writer who ends while he
 * waits has changed nothing, and nobody is told.
 *
 * The death of a reader or writer wakes a waiter at once (some 50 us), but for a thread inside a system call, which
 * dies when that returns; 100 ms later at most if who was to be woken has died too, while a core dump is written, and
 * where the kernel couldn't mark the death.
 *
 * Return: 0, or
 *   -EOWNERDEAD  taken, from a writer who is dead
 *   -EAGAIN      others have it, or a reader looks whether he can, and @deadline is NONET_NOW
 *   -ETIMEDOUT   others had it until @deadline
 *   -EDEADLK     this thread has it, for reading or writing; or it holds something whose rank isn't lower
 *   -ENOTRECOVERABLE, -ECHILD, -EBADMSG, -ESTALE, -EUSERS, -ENOLCK, and those of the first time
 *                as nonet_rwlock_read_lock()
 * But for 0 and -EOWNERDEAD, nothing was taken.
 * Context: any thread; not in a signal handler.
 * Source: pthread_rwlock_wrlock(3), futex(2), get_robust_list(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_write_lock(struct nonet_rwlock *rwlock, nonet_time deadline);

/**
 * nonet_rwlock_upgrade() - write what one reads
 * @rwlock:   held for reading by this thread
 * @deadline: when to give up; NONET_NOW: only if no other reads
 *
 * Nobody writes in between: what was read is still so. That is why it is refused at once if another waits to write,
 * be it an upgrader or not: he waits for this reader, and this one would for him. Then unlock, lock for writing, and
 * read again.
 *
 * Return: 0, it is held for writing; or, and it is held for reading as before
 *   -EDEADLK     another waits to write
 *   -EAGAIN      others read, and @deadline is NONET_NOW
 *   -ETIMEDOUT   others read until @deadline
 *   -EPERM       this thread doesn't read
 *   -ECHILD, -EBADMSG, -ESTALE, -ENOTRECOVERABLE, and those of the first time   as nonet_rwlock_read_lock()
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_upgrade(struct nonet_rwlock *rwlock, nonet_time deadline);

/**
 * nonet_rwlock_downgrade() - go on as a reader
 * @rwlock: held for writing by this thread
 *
 * No other writes in between. Waits for nobody.
 *
 * Return: 0, it is held for reading; or, and it is held for writing as before
 *   -EPERM       this thread doesn't write
 *   -EINVAL      its last writer died, and it isn't recovered yet
 *   -EBUSY       it has no place now: more readers wait than there are places
 *   -ECHILD, -EBADMSG, and those of the first time   as nonet_rwlock_read_lock()
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_downgrade(struct nonet_rwlock *rwlock);

/**
 * nonet_rwlock_unlock() - let go of it
 * @rwlock: held by this thread, for reading or writing
 *
 * Return: 0, or
 *   -EPERM       this thread doesn't hold it
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged
 *   and as nonet_rwlock_read_lock(), the first time in this thread
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_unlock(struct nonet_rwlock *rwlock);

/**
 * nonet_rwlock_recover() - what it guards is right again
 * @rwlock: held for writing, after -EOWNERDEAD
 *
 * Return: 0, or
 *   -EINVAL      there is nothing to recover
 *   -EPERM       this thread doesn't write
 *   -ECHILD, -EBADMSG   as nonet_rwlock_unlock()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_recover(struct nonet_rwlock *rwlock);

/* One who holds it, or is about to write. */
struct nonet_rwlock_holder {
	int32_t pid;     /* 0: dead, or a process outside our PID namespace */
	int32_t thread;  /* its thread id; 0 as @pid */
	uint32_t member; /* of the domain */
	uint32_t flags;  /* NONET_RWLOCK_* below */
	int64_t since; /* CLOCK_REALTIME in ns; 0: not known. He had it then: noted of a writer, once somebody waits */
	char name[24]; /* of the process, as it said */
};

#define NONET_RWLOCK_READS          1u
#define NONET_RWLOCK_WRITES         2u
#define NONET_RWLOCK_WAITS_TO_WRITE 4u /* for the readers, and keeps new ones out */
#define NONET_RWLOCK_IS_DEAD        8u
#define NONET_RWLOCK_HAS_WAITERS    16u /* maybe: somebody waits for this one */

/**
 * nonet_rwlock_look() - find out who holds it
 * @rwlock:      a handle
 * @ret_holders: room for @capacity; a writer, or who waits to be one, comes first. May be NULL if that is 0
 * @capacity:    how many to tell of at most
 * @ret_number:  how many there are: above @capacity, there are more
 *
 * As it was at some moment, each for himself; what members say of themselves isn't checked.
 *
 * Return: 0, or
 *   -ENOTRECOVERABLE   its state was given up: nobody can have it
 *   -EINVAL      @ret_holders is NULL, and @capacity isn't 0
 *   -ECHILD, -EBADMSG   as nonet_rwlock_unlock()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_look(struct nonet_rwlock *rwlock,
						    struct nonet_rwlock_holder *ret_holders, size_t capacity,
						    size_t *ret_number);

/**
 * nonet_rwlock_fd() - a descriptor for poll(2): POLLIN once it may be had
 * @rwlock: a handle
 * @how:    NONET_RWLOCK_READS or NONET_RWLOCK_WRITES: what it is wanted for. Each has a descriptor of its own
 *
 * To read, it tells that nobody writes or waits to; to write, that nobody reads either. It takes nothing, no waiter's
 * wake, and keeps nobody out: other than who waits in nonet_rwlock_write_lock(), a writer who waits so may find new
 * readers each time. It doesn't know who waits: a thread that has the lock itself waits for itself.
 *
 * It is a FIFO in the domain's directory, which whoever lets go of the lock writes to; the first call of this, of
 * nonet_rwlock_arm() or nonet_rwlock_waitable() makes it, and in each process two helper threads. One of them sleeps
 * until who has the lock dies, while it is armed, and looks every 100 ms, as nonet_rwlock_write_lock() does.
 *
 * Return: the descriptor, owned by @rwlock, or
 *   -EINVAL      @how is neither, or both; or as fcntl(2)
 *   -ECHILD      the handle is the parent's
 *   -EMFILE, -ENFILE, -ENOMEM   no descriptor, memory or thread is left
 *   -EUSERS      as many threads as a domain takes: 32767
 *   -ESTALE      the domain was removed
 *   -EBADMSG     the memory, or the domain's, was damaged
 *   -EACCES, -EPERM, -EEXIST, -ENOENT, -ENOSPC, -EDQUOT, -EFBIG, -EROFS, -EIO, -EAGAIN, -ENOLCK, -ENXIO, -ELOOP,
 *   -EOPNOTSUPP  as mkfifo(3), open(2), chmod(2), fallocate(2), mmap(2), fcntl(2)
 */
NONET_PUBLIC int nonet_rwlock_fd(struct nonet_rwlock *rwlock, uint32_t how);

/**
 * nonet_rwlock_arm() - make ready to sleep on the descriptor
 * @rwlock: a handle
 * @how:    as for nonet_rwlock_fd()
 *
 * Return: 1: it may be had, maybe from a writer who is dead; 0: the descriptor will tell; or as nonet_rwlock_fd().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_rwlock_arm(struct nonet_rwlock *rwlock, uint32_t how);

/**
 * nonet_rwlock_waitable() - what nonet_wait_set_add() wants
 * @rwlock: a handle
 * @how:    as for nonet_rwlock_fd(). The two may be in different sets
 *
 * Return: owned by @rwlock; NULL, which nonet_wait_set_add() refuses, if @how is neither or both.
 */
NONET_PUBLIC struct nonet_waitable *nonet_rwlock_waitable(struct nonet_rwlock *rwlock, uint32_t how);

/**
 * nonet_rwlock_explain() - say in a sentence why a call failed
 * @rwlock:    the lock that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 *
 * Context: the thread that made the call.
 */
NONET_PUBLIC void nonet_rwlock_explain(struct nonet_rwlock *rwlock, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
