/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_MUTEX_H
#define NONET_MUTEX_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Mutual exclusion between processes, by a word in memory that they share. A mutex is held by a thread. If that thread,
 * or its process, ends with it, however it does, the next one gets the mutex and is told: -EOWNERDEAD.
 *
 *   mutex:NAME, mutex:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *   nonet_mutex_place()           in memory of the program's own, which processes share
 *
 * Locking and unlocking a free mutex makes no system call and allocates nothing, but for the first time that a thread
 * does it in a domain. Waiters are served in no particular order; who comes by may be faster than who was woken.
 *
 * A handle may be used by many threads at once. In a forked child it is the parent's (-ECHILD); the child opens its
 * own.
 */
struct nonet_mutex;

/* Flags of struct nonet_mutex_options. */
#define NONET_MUTEX_MAY_EXIST 1u /* create: one that is there is opened, and stays as it is */
#define NONET_MUTEX_RECURSIVE 2u /* who holds it may lock it again, 16383 times, and has to unlock it as often */
#define NONET_MUTEX_TRACE     4u /* keeps its last 64 operations, who and when; costs some 100 ns each */

struct nonet_mutex_options {
	uint32_t size;        /* sizeof(struct nonet_mutex_options) */
	uint32_t flags;       /* NONET_MUTEX_* */
	uint32_t mode;        /* permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t rank;        /* 0: none; else it may be locked only by who holds mutexes of lower ranks, or none */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_mutex_create() - make a mutex
 * @address:   mutex:NAME or mutex:DIR/NAME
 * @options:   or NULL
 * @ret_mutex: not locked; closed with nonet_mutex_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * The domain's directory is made too, for the owner alone, if there is none. Nobody ever sees half a mutex.
 *
 * Return: 0, or
 *   -EEXIST      there is one
 *   -EINVAL      not the address of a mutex; bad @options
 *   -EPERM       the directory can't be trusted: others may write there, or the default one is another user's
 *   -EPROTO      the domain, or with NONET_MUTEX_MAY_EXIST the mutex, is of another version of the library
 *   -EXDEV, -EBADMSG   NONET_MUTEX_MAY_EXIST: the one that is there was copied from another domain, or is damaged
 *   -EUSERS      the domain has as many members as it takes: 4096
 *   -ESTALE      the domain was removed while this process was a member of it
 *   -EAGAIN      others make and remove it all the time
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM, -EOPNOTSUPP, -EISDIR, -ENOLCK, -ENOSYS, -ENODEV, -ETXTBSY   as open(2), mkdir(2), fallocate(2),
 *                linkat(2), mmap(2), fcntl(2), getrandom(2)
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_create(const char *address, const struct nonet_mutex_options *options,
						     struct nonet_mutex **ret_mutex, struct nonet_error *reterr);

/**
 * nonet_mutex_open() - open a mutex that is there
 * @address:   mutex:NAME or mutex:DIR/NAME
 * @ret_mutex: closed with nonet_mutex_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL, -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   as nonet_mutex_create()
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EOPNOTSUPP, -ENOLCK, -ENODEV, -ETXTBSY   as there
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_open(const char *address, struct nonet_mutex **ret_mutex,
						   struct nonet_error *reterr);

/**
 * nonet_mutex_close() - close a handle
 * @mutex: may be NULL. A lock that a thread holds stays held, until the thread ends or unlocks it by another handle
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_mutex *nonet_mutex_close(struct nonet_mutex *mutex);

/**
 * nonet_mutex_unlink() - remove a mutex's name
 * @address: mutex:NAME or mutex:DIR/NAME
 * @reterr:  NULL, or where to put the sentence
 *
 * Who has it open goes on with it; who makes one of that name afterwards has another.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   others       as nonet_mutex_open(), unlink(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_unlink(const char *address, struct nonet_error *reterr);

/* What a mutex needs in the program's own shared memory, in bytes; at an address that is a multiple of 64. */
#define NONET_MUTEX_PLACE_SIZE 64

/* Flag of nonet_mutex_place(): the mutex is made; else it is there. */
#define NONET_MUTEX_MAKE 0x100u

/**
 * nonet_mutex_place() - a mutex in memory of the program's own
 * @place:     NONET_MUTEX_PLACE_SIZE bytes at a multiple of 64, mapped shared by all who use it; stays mapped until the
 *             handle is closed
 * @directory: of the domain in which those who use it know each other; NULL: the default one
 * @options:   or NULL; flags may have NONET_MUTEX_MAKE; mode is 0
 * @ret_mutex: closed with nonet_mutex_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * Who makes it must see to it that nobody else looks before this returns. The memory should be guarded
 * (nonet_memory(3)) where others might truncate it: this doesn't.
 *
 * Return: 0, or
 *   -EINVAL      @place is NULL, or not a multiple of 64; bad @options
 *   -EPROTO      there is no mutex, or one of another version of the library
 *   -EXDEV       it was made in another domain
 *   others       as nonet_mutex_create(), for the domain
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_place(void *place, const char *directory,
						    const struct nonet_mutex_options *options,
						    struct nonet_mutex **ret_mutex, struct nonet_error *reterr);

/**
 * nonet_mutex_lock() - take the mutex
 * @mutex:    a handle
 * @deadline: when to give up; NONET_NOW: only try
 *
 * With -EOWNERDEAD the mutex is held: its last owner ended while he had it, and what it guards may be half-done. Put it
 * right and call nonet_mutex_recover(). Who unlocks without that, has found it past mending: from then on the mutex is
 * -ENOTRECOVERABLE for all. Should he end as well, the next one is told -EOWNERDEAD again.
 *
 * The death of an owner wakes a waiter at once (some 50 us), but for a thread inside a system call, which dies when
 * that returns; 100 ms later at most if who was to be woken has died too, while a core dump is written, and where the
 * kernel couldn't mark the death. Where futex_waitv(2) is forbidden (seccomp(2)) it is looked for every 10 ms.
 *
 * Return: 0, or
 *   -EOWNERDEAD  taken, from an owner who is dead
 *   -EAGAIN      somebody has it, and @deadline is NONET_NOW; or NONET_MUTEX_RECURSIVE: locked too often
 *   -ETIMEDOUT   somebody had it until @deadline
 *   -EDEADLK     this thread has it; or it holds a mutex whose rank isn't lower: nonet_mutex_explain() names both
 *   -ENOTRECOVERABLE   its state was given up
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this object can't be used any more
 *   -ESTALE      the domain was removed: others may have another mutex by this name
 *   -EUSERS      as many threads as a domain takes: 32767
 *   -EFAULT      the memory of nonet_mutex_place() can't be reached
 *   -ENOLCK      this thread holds 32 mutexes with ranks
 *   -ENOSPC, -EDQUOT, -EFBIG, -ENOMEM, -EMFILE, -ENFILE, -EACCES, -EIO, -EINVAL, -ENOLCK, -EOPNOTSUPP, -EAGAIN
 *                the first time in this thread: as open(2), fallocate(2), mmap(2), fcntl(2)
 * But for 0 and -EOWNERDEAD, nothing was taken.
 * Context: any thread; not in a signal handler.
 * Source: pthread_mutex_lock(3), futex(2), get_robust_list(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_lock(struct nonet_mutex *mutex, nonet_time deadline);

/**
 * nonet_mutex_unlock() - let go of it
 * @mutex: a handle
 *
 * Return: 0, or
 *   -EPERM       this thread doesn't hold it
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged
 *   and as nonet_mutex_lock(), the first time in this thread
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_unlock(struct nonet_mutex *mutex);

/**
 * nonet_mutex_recover() - what the mutex guards is right again
 * @mutex: held, after -EOWNERDEAD
 *
 * Return: 0, or
 *   -EINVAL      there is nothing to recover
 *   -EPERM       this thread doesn't hold it
 *   -ECHILD, -EBADMSG   as nonet_mutex_unlock()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_recover(struct nonet_mutex *mutex);

/* Who holds a mutex. */
struct nonet_mutex_holder {
	int32_t pid;     /* 0: nobody, or a process outside our PID namespace */
	int32_t thread;  /* its thread id; 0 as @pid */
	uint32_t member; /* of the domain */
	uint32_t flags;  /* NONET_MUTEX_HOLDER_* */
	int64_t since;   /* CLOCK_REALTIME in ns; 0: not known. It had it then: noted once somebody waits */
	char name[24];   /* of the process, as it said */
};

#define NONET_MUTEX_IS_HELD     1u
#define NONET_MUTEX_IS_DEAD     2u /* its owner is dead: the next one is told -EOWNERDEAD */
#define NONET_MUTEX_HAS_WAITERS 4u /* maybe */
#define NONET_MUTEX_IS_GIVEN_UP 8u /* -ENOTRECOVERABLE */

/**
 * nonet_mutex_look() - find out who holds it
 * @mutex:      a handle
 * @ret_holder: as it was at some moment; what members say of themselves isn't checked
 *
 * Return: 0, or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_look(struct nonet_mutex *mutex, struct nonet_mutex_holder *ret_holder);

/**
 * nonet_mutex_fd() - a descriptor for poll(2): POLLIN once it may be free
 * @mutex: a handle
 *
 * It is a FIFO in the domain's directory, which whoever unlocks the mutex writes to; the first call of this, of
 * nonet_mutex_arm() or nonet_mutex_waitable() makes it, and in each process two helper threads. One of them sleeps
 * until the owner dies, while the mutex is armed, and looks every 100 ms, as nonet_mutex_lock() does. It takes nothing,
 * and no waiter's wake.
 *
 * Return: the descriptor, owned by @mutex, or
 *   -EOPNOTSUPP  a mutex of nonet_mutex_place() has none; or as fcntl(2)
 *   -ECHILD      the handle is the parent's
 *   -EMFILE, -ENFILE, -ENOMEM   no descriptor, memory or thread is left
 *   -EUSERS      as many threads as a domain takes: 32767
 *   -ESTALE      the domain was removed
 *   -EBADMSG     the memory, or the domain's, was damaged
 *   -EACCES, -EPERM, -EEXIST, -ENOENT, -ENOSPC, -EDQUOT, -EFBIG, -EROFS, -EIO, -EINVAL, -EAGAIN, -ENOLCK, -ENXIO,
 * -ELOOP as mkfifo(3), open(2), chmod(2), fallocate(2), mmap(2), fcntl(2)
 */
NONET_PUBLIC int nonet_mutex_fd(struct nonet_mutex *mutex);

/**
 * nonet_mutex_arm() - make ready to sleep on the descriptor
 * @mutex: a handle
 *
 * Return: 1: it may be free, or its owner is dead; 0: the descriptor will tell; or as nonet_mutex_fd().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mutex_arm(struct nonet_mutex *mutex);

/** nonet_mutex_waitable() - what nonet_wait_set_add() wants. Owned by @mutex. */
NONET_PUBLIC struct nonet_waitable *nonet_mutex_waitable(struct nonet_mutex *mutex);

/**
 * nonet_mutex_explain() - say in a sentence why a call failed
 * @mutex:     the mutex that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 *
 * Context: the thread that made the call.
 */
NONET_PUBLIC void nonet_mutex_explain(struct nonet_mutex *mutex, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
