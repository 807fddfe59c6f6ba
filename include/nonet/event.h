/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_EVENT_H
#define NONET_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Events: something has happened, and whoever waits for it goes on; all of them. An event is set until it is cleared,
 * and counts how often it was set or pulsed, so that who remembers a count misses nothing that came in between.
 *
 *   event:NAME, event:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *
 * Nobody owns an event, and nothing about it has to be put right when a process dies: setting, clearing and pulsing are
 * one step each, which was done or wasn't. Who wakes others and is killed before he could leaves them to look
 * themselves, which they do every 100 ms.
 *
 * Setting, clearing and pulsing make no system call unless somebody waits, and none of the three ever waits.
 *
 * A handle may be used by many threads at once. In a forked child it is the parent's (-ECHILD); the child opens its
 * own.
 */
struct nonet_event;

/* Flags of struct nonet_event_options. */
#define NONET_EVENT_MAY_EXIST 1u /* create: one that is there is opened, and stays as it is */
#define NONET_EVENT_SET       2u /* it is set at first; its count is 0 nevertheless */
#define NONET_EVENT_TRACE     4u /* keeps its last 64 operations, who and when; costs some 100 ns each */

struct nonet_event_options {
	uint32_t size;        /* sizeof(struct nonet_event_options) */
	uint32_t flags;       /* NONET_EVENT_* */
	uint32_t mode;        /* permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t reserved_32; /* zero */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_event_create() - make an event
 * @address:   event:NAME or event:DIR/NAME
 * @options:   or NULL
 * @ret_event: closed with nonet_event_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * The domain's directory is made too, for the owner alone, if there is none. Nobody ever sees half an event.
 *
 * Return: 0, or
 *   -EEXIST      there is one
 *   -EINVAL      not the address of an event; bad @options
 *   -EPERM       the directory can't be trusted: others may write there, or the default one is another user's
 *   -EPROTO      the domain, or with NONET_EVENT_MAY_EXIST the event, is of another version of the library
 *   -EXDEV, -EBADMSG   NONET_EVENT_MAY_EXIST: the one that is there was copied from another domain, or is damaged
 *   -EUSERS      the domain has as many members as it takes: 4096
 *   -ESTALE      the domain was removed while this process was a member of it
 *   -EAGAIN      others make and remove it all the time
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM, -EOPNOTSUPP, -EISDIR, -ENOLCK, -ENOSYS, -ENODEV, -ETXTBSY   as open(2), mkdir(2), fallocate(2),
 *                linkat(2), mmap(2), fcntl(2), getrandom(2)
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_create(const char *address, const struct nonet_event_options *options,
						     struct nonet_event **ret_event, struct nonet_error *reterr);

/**
 * nonet_event_open() - open an event that is there
 * @address:   event:NAME or event:DIR/NAME
 * @ret_event: closed with nonet_event_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL, -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   as nonet_event_create()
 *   -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EOPNOTSUPP, -ENOLCK, -ENODEV, -ETXTBSY   as there
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_open(const char *address, struct nonet_event **ret_event,
						   struct nonet_error *reterr);

/**
 * nonet_event_close() - close a handle
 * @event: may be NULL; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_event *nonet_event_close(struct nonet_event *event);

/**
 * nonet_event_unlink() - remove an event's name
 * @address: event:NAME or event:DIR/NAME
 * @reterr:  NULL, or where to put the sentence
 *
 * Who has it open goes on with it; who makes one of that name afterwards has another.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   others       as nonet_event_open(), unlink(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_unlink(const char *address, struct nonet_error *reterr);

/**
 * nonet_event_set() - it has happened: who waits goes on, and so does who comes, until it is cleared
 * @event: a handle
 *
 * What was done before is seen by whoever goes on because of it. Set already, it counts once more.
 *
 * Return: 0, or
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this object can't be used any more
 *   with NONET_EVENT_TRACE, the first time in this thread: what nonet_mutex_lock() returns then
 * Context: any thread; not in a signal handler. Never waits.
 */
NONET_PUBLIC int nonet_event_set(struct nonet_event *event);

/**
 * nonet_event_pulse() - it has happened, and is over: who waits goes on, who comes waits for the next time
 * @event: a handle
 *
 * A set event is cleared by it. It counts once more.
 *
 * Return: as nonet_event_set().
 */
NONET_PUBLIC int nonet_event_pulse(struct nonet_event *event);

/**
 * nonet_event_clear() - who comes from now on waits
 * @event: a handle
 *
 * Return: 1 it was set, 0 it wasn't; or as nonet_event_set().
 */
NONET_PUBLIC int nonet_event_clear(struct nonet_event *event);

/**
 * nonet_event_wait() - wait until it is set, or was meanwhile
 * @event:    a handle
 * @deadline: when to give up; NONET_NOW: only look
 *
 * Return: 0, or
 *   -EAGAIN      it isn't set, and @deadline is NONET_NOW
 *   -ETIMEDOUT   it wasn't set, nor pulsed, before @deadline
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this object can't be used any more
 *   -ESTALE      the domain was removed: others may have another event by this name
 * Context: any thread; not in a signal handler.
 * Source: futex(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_wait(struct nonet_event *event, nonet_time deadline);

/**
 * nonet_event_wait_count() - wait until it has happened since
 * @event:     a handle
 * @seen:      a count, as nonet_event_look() or this gave it
 * @deadline:  when to give up; NONET_NOW: only look
 * @ret_count: the count now, which isn't @seen
 *
 * Whether it is set doesn't matter. From the difference one learns how often it has happened; counts go round at 2^61.
 *
 * Return: 0, or
 *   -EAGAIN      the count is @seen, and @deadline is NONET_NOW
 *   -ETIMEDOUT   it was @seen until @deadline
 *   -ECHILD, -EBADMSG, -ESTALE   as nonet_event_wait()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_wait_count(struct nonet_event *event, uint64_t seen, nonet_time deadline,
							 uint64_t *ret_count);

/* What is known of an event. */
struct nonet_event_info {
	uint64_t count; /* how often it was set or pulsed, modulo 2^61 */
	uint32_t flags; /* NONET_EVENT_IS_SET, NONET_EVENT_HAS_WAITERS */
	uint32_t reserved;
};

#define NONET_EVENT_IS_SET      1u
#define NONET_EVENT_HAS_WAITERS 2u /* maybe: somebody sleeps, or has armed its descriptor */

/**
 * nonet_event_look() - how it is now
 * @event:    a handle
 * @ret_info: all of it at one moment
 *
 * Return: 0, or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_look(struct nonet_event *event, struct nonet_event_info *ret_info);

/**
 * nonet_event_fd() - a descriptor for poll(2): POLLIN once it may have happened
 * @event: a handle
 *
 * It is a FIFO in the domain's directory, which whoever sets the event writes to; the first call of this, of
 * nonet_event_arm() or nonet_event_waitable() makes it, and in each process two helper threads: one looks every 100 ms
 * while something is armed, so that nothing is lost with a process that is killed between setting and writing.
 *
 * It tells that the event is set, or that its count isn't the one that this handle was told last, by
 * nonet_event_look(), nonet_event_wait() or nonet_event_wait_count(), whatever they returned, or when it was opened. So
 * that a pulse is seen, wait for it by its count.
 *
 * Return: the descriptor, owned by @event, or
 *   -ECHILD      the handle is the parent's
 *   -EMFILE, -ENFILE, -ENOMEM   no descriptor, memory or thread is left
 *   -EUSERS      as many threads as a domain takes: 32767
 *   -ESTALE      the domain was removed
 *   -EBADMSG     its file was damaged
 *   -EACCES, -EPERM, -EEXIST, -ENOENT, -ENOSPC, -EDQUOT, -EFBIG, -EROFS, -EIO, -EINVAL, -EAGAIN, -ENOLCK, -EOPNOTSUPP,
 *   -ENXIO, -ELOOP   as mkfifo(3), open(2), chmod(2), fallocate(2), mmap(2), fcntl(2)
 */
NONET_PUBLIC int nonet_event_fd(struct nonet_event *event);

/**
 * nonet_event_arm() - make ready to sleep on the descriptor
 * @event: a handle
 *
 * Return: 1: it may have happened; 0: the descriptor will tell; or as nonet_event_fd().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_event_arm(struct nonet_event *event);

/** nonet_event_waitable() - what nonet_wait_set_add() wants. Owned by @event. */
NONET_PUBLIC struct nonet_waitable *nonet_event_waitable(struct nonet_event *event);

/**
 * nonet_event_explain() - say in a sentence why a call failed
 * @event:     the event that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_event_explain(struct nonet_event *event, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
