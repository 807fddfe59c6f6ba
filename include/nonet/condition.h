/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_CONDITION_H
#define NONET_CONDITION_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/mutex.h>
#include <nonet/time.h>

NONET_BEGIN_DECLS

/*
 * Waiting, between processes, until something that a mutex guards has changed. A condition has no state that a waiter
 * or a waker could leave behind when he is killed.
 *
 *   condition:NAME, condition:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *   nonet_condition_place()               in memory of the program's own, which processes share
 *
 *   nonet_mutex_lock(mutex, deadline)
 *   while (there is nothing to do)
 *           nonet_condition_wait(condition, mutex, deadline)
 *
 * A wait may end for no reason, so what was waited for is looked at again. No wake is lost: who changes it with the
 * mutex held, and signals afterwards, wakes who waited then; should either be killed meanwhile, the others return
 * within 100 ms.
 *
 * The mutex may be named or placed, and different waiters may use different ones. A handle may be used by many threads
 * at once. In a forked child it is the parent's (-ECHILD); the child opens its own.
 */
struct nonet_condition;

/* Flags of struct nonet_condition_options. */
#define NONET_CONDITION_MAY_EXIST 1u /* create: one that is there is opened, and stays as it is */

struct nonet_condition_options {
	uint32_t size;        /* sizeof(struct nonet_condition_options) */
	uint32_t flags;       /* NONET_CONDITION_* */
	uint32_t mode;        /* permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t reserved[5]; /* zero */
};

/**
 * nonet_condition_create() - make a condition
 * @address:       condition:NAME or condition:DIR/NAME
 * @options:       or NULL
 * @ret_condition: closed with nonet_condition_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * The domain's directory is made too, for the owner alone, if there is none. Nobody ever sees half a condition.
 *
 * Return: 0, or
 *   -EEXIST      there is one
 *   -EINVAL      not the address of a condition; bad @options
 *   -EPERM       the directory can't be trusted: others may write there, or the default one is another user's
 *   -EPROTO      the domain, or with NONET_CONDITION_MAY_EXIST the condition, is of another version of the library
 *   -EXDEV, -EBADMSG   NONET_CONDITION_MAY_EXIST: the one that is there was copied from another domain, or is damaged
 *   -EUSERS      the domain has as many members as it takes: 4096
 *   -ESTALE      the domain was removed while this process was a member of it
 *   -EAGAIN      others make and remove it all the time
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM, -EOPNOTSUPP, -EISDIR, -ENOLCK, -ENOSYS, -ENODEV, -ETXTBSY   as open(2), mkdir(2), fallocate(2),
 *                linkat(2), mmap(2), fcntl(2), getrandom(2)
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_create(const char *address,
							 const struct nonet_condition_options *options,
							 struct nonet_condition **ret_condition,
							 struct nonet_error *reterr);

/**
 * nonet_condition_open() - open a condition that is there
 * @address:       condition:NAME or condition:DIR/NAME
 * @ret_condition: closed with nonet_condition_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL, -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   as nonet_condition_create()
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EOPNOTSUPP, -ENOLCK, -ENODEV, -ETXTBSY   as there
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_open(const char *address, struct nonet_condition **ret_condition,
						       struct nonet_error *reterr);

/**
 * nonet_condition_close() - close a handle
 * @condition: may be NULL; nobody waits by this handle
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_condition *nonet_condition_close(struct nonet_condition *condition);

/**
 * nonet_condition_unlink() - remove a condition's name
 * @address: condition:NAME or condition:DIR/NAME
 * @reterr:  NULL, or where to put the sentence
 *
 * Who has it open goes on with it; who makes one of that name afterwards has another.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   others       as nonet_condition_open(), unlink(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_unlink(const char *address, struct nonet_error *reterr);

/* What a condition needs in the program's own shared memory, in bytes; at an address that is a multiple of 64. */
#define NONET_CONDITION_PLACE_SIZE 64

/* Flag of nonet_condition_place(): the condition is made; else it is there. */
#define NONET_CONDITION_MAKE 0x100u

/**
 * nonet_condition_place() - a condition in memory of the program's own
 * @place:         NONET_CONDITION_PLACE_SIZE bytes at a multiple of 64, mapped shared by all who use it; stays mapped
 *                 until the handle is closed
 * @options:       or NULL; flags may have NONET_CONDITION_MAKE; mode is 0
 * @ret_condition: closed with nonet_condition_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * Who makes it must see to it that nobody else looks before this returns. The memory should be guarded
 * (nonet_memory(3)) where others might truncate it: this doesn't. It belongs to no domain.
 *
 * Return: 0, or
 *   -EINVAL      @place is NULL, or not a multiple of 64; bad @options
 *   -EPROTO      there is no condition, or one of another version of the library
 *   -ENOMEM
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_place(void *place, const struct nonet_condition_options *options,
							struct nonet_condition **ret_condition,
							struct nonet_error *reterr);

/**
 * nonet_condition_wait() - let go of the mutex, and sleep until somebody signals
 * @condition: a handle
 * @mutex:     held by this thread, once
 * @deadline:  when to give up sleeping
 *
 * The mutex is taken again before this returns, after the deadline too, however long others have it.
 *
 * Return: 0, somebody signalled, or nobody did; the mutex is held; or
 *   -ETIMEDOUT   nobody signalled before @deadline; the mutex is held
 *   -EOWNERDEAD  the mutex's last owner died, who had it meanwhile; it is held: see nonet_mutex_lock()
 * or, and all is as before the call:
 *   -EAGAIN      @deadline is NONET_NOW
 *   -EPERM       this thread doesn't hold the mutex
 *   -EINVAL      it holds it more than once, or hasn't recovered it since it was told -EOWNERDEAD
 *   -EDEADLK     it holds something of the mutex's rank or a higher one as well, so that it couldn't take it again
 *   -ECHILD      a handle is the parent's
 *   -EBADMSG     the condition's memory, or the mutex's, was damaged before
 *   others       as nonet_mutex_unlock(), the first time in this thread
 * or, and the mutex isn't held:
 *   -ENOTRECOVERABLE   it was given up meanwhile
 *   others       as nonet_mutex_lock()
 * or what ended the sleep; the mutex is held, unless it was damaged as well, of which nonet_mutex_unlock() tells:
 *   -EBADMSG     the condition's memory was damaged
 *   -ESTALE      its domain was removed: who signals may have another condition by this name
 *   -EFAULT, -ENOMEM   as futex(2)
 * Context: any thread; not in a signal handler.
 * Source: pthread_cond_timedwait(3), futex(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_wait(struct nonet_condition *condition, struct nonet_mutex *mutex,
						       nonet_time deadline);

/**
 * nonet_condition_signal() - wake one who waits
 * @condition: a handle
 *
 * At least one, if there is one. Whether the mutex is held doesn't matter. If nobody waits, nothing happens, and no
 * system call is made, but for the first time after somebody did.
 *
 * Return: 0, or
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged
 * Context: any thread.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_signal(struct nonet_condition *condition);

/**
 * nonet_condition_broadcast() - wake all who wait
 * @condition: a handle
 *
 * Return: as nonet_condition_signal().
 * Context: any thread.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_condition_broadcast(struct nonet_condition *condition);

/**
 * nonet_condition_explain() - say in a sentence why a call failed
 * @condition: the condition that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 *
 * What happened to the mutex, nonet_mutex_explain() says.
 */
NONET_PUBLIC void nonet_condition_explain(struct nonet_condition *condition, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
