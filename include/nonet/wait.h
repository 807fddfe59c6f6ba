/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_WAIT_H
#define NONET_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>

NONET_BEGIN_DECLS

/*
 * Waiting for many things at once with one deadline. Everything that can be waited for has a
 * nonet_<object>_waitable(), a part of the object and owned by it, and for other event loops nonet_<object>_fd() and
 * nonet_<object>_arm().
 *
 * The rule for other loops: arm; if it says 1, act now; if 0, poll the descriptor (POLLIN) and come back. Then make
 * calls with NONET_NOW until -EAGAIN, and arm again. nonet_wait() follows the rule by itself.
 */
struct nonet_waitable;
struct nonet_wait_set;
struct nonet_timer;
struct nonet_wake;

/* What to wait for. An error or a peer's departure is reported as readiness of whatever was asked for. */
enum {
	NONET_WAIT_RECEIVE = 1, /* something can be received, accepted, taken */
	NONET_WAIT_SEND = 2,    /* there is room to send */
};

struct nonet_wait_event {
	void *data;      /* as given when the member was added */
	uint32_t events; /* NONET_WAIT_*: which may be ready; spurious readiness is allowed, lost readiness never */
	uint32_t reserved;
};

/**
 * nonet_wait_set_new() - make an empty set
 * @ret_set: the set, freed with nonet_wait_set_free()
 * @reterr:  NULL, or where to put the sentence
 *
 * Return: 0, or -EMFILE, -ENFILE, -ENOMEM.
 * Context: any thread; not in a signal handler. After fork() the child must not use the parent's sets (-ECHILD): an
 * epoll instance is shared with the parent. It may free them.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wait_set_new(struct nonet_wait_set **ret_set, struct nonet_error *reterr);

/**
 * nonet_wait_set_free() - remove all members, and free the set; the members themselves stay as they are
 * @set: may be NULL
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_wait_set *nonet_wait_set_free(struct nonet_wait_set *set);

/**
 * nonet_wait_set_add() - wait for an object too
 * @set:      a set
 * @waitable: of the object; a waitable is in one set at most. Closing the object removes it from its set
 * @events:   NONET_WAIT_RECEIVE, NONET_WAIT_SEND, or both
 * @data:     given back by nonet_wait(); not looked at
 *
 * Return: 0, or
 *   -EINVAL      @events is 0 or has unknown bits; @waitable is NULL, as that of memory or a mapped file that can't be
 *                watched: its nonet_<object>_fd() says why
 *   -EBUSY       @waitable is in a set already
 *   -ENOMEM, -ENOSPC   no memory, or the limit of epoll watches (/proc/sys/fs/epoll/max_user_watches)
 *   -ECHILD      the set is the parent's, or the object, and it can't be waited for here (its header says so)
 *   -EMFILE, -ENFILE   the object gets its descriptor when it is first waited for, and there is none left
 *   -EOPNOTSUPP  objects of this kind can't be waited for
 * Context: any thread, also while another waits on @set.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wait_set_add(struct nonet_wait_set *set, struct nonet_waitable *waitable,
						     uint32_t events, void *data);

/**
 * nonet_wait_set_change() - wait for other events of a member from now on
 * @set:      a set
 * @waitable: a member of it
 * @events:   as for nonet_wait_set_add()
 *
 * Return: 0, or -EINVAL, -ENOENT (no member), -ENOMEM, -ECHILD.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wait_set_change(struct nonet_wait_set *set, struct nonet_waitable *waitable,
							uint32_t events);

/**
 * nonet_wait_set_remove() - wait for an object no more
 * @set:      a set
 * @waitable: a member of it
 *
 * A call of nonet_wait() that another thread is in may still report it; one that begins afterwards doesn't. The same
 * holds for an object that is closed.
 *
 * Return: 0, or -ENOENT (no member), -ECHILD.
 */
NONET_PUBLIC int nonet_wait_set_remove(struct nonet_wait_set *set, struct nonet_waitable *waitable);

/**
 * nonet_wait_set_add_fd() - wait for any descriptor that poll(2) understands
 * @set:    a set
 * @fd:     stays the caller's, and must be removed before it is closed
 * @events: as for nonet_wait_set_add()
 * @data:   given back by nonet_wait()
 *
 * Return: as nonet_wait_set_add(), and
 *   -EBADF       @fd isn't open
 *   -EEXIST      @fd is in @set already
 *   -EPERM       @fd can't be waited for: a regular file or a directory is always ready
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wait_set_add_fd(struct nonet_wait_set *set, int fd, uint32_t events,
							void *data);

/**
 * nonet_wait_set_remove_fd() - wait for a descriptor no more
 * @set: a set
 * @fd:  added by nonet_wait_set_add_fd()
 *
 * Return: 0, or -ENOENT, -ECHILD.
 */
NONET_PUBLIC int nonet_wait_set_remove_fd(struct nonet_wait_set *set, int fd);

/**
 * nonet_wait() - wait until members of a set are ready
 * @set:        a set
 * @ret_events: room for @max events
 * @max:        how many are wanted at most, at least 1
 * @deadline:   when to give up
 * @ret_count:  how many came, at least 1
 *
 * Acting on one event may close the object of a later one in the same batch: ask for one at a time (@max 1), or look.
 *
 * A member that isn't drained is reported again by the next call. What costs is the number of ready members, not the
 * size of the set. If more than @max are ready, later calls get to the others: none is starved.
 *
 * Return: 0, or
 *   -EAGAIN      nothing is ready, and @deadline is NONET_NOW
 *   -ETIMEDOUT   nothing became ready before @deadline
 *   -EINVAL      @max is 0
 *   -ECHILD      the set is the parent's
 * Context: one thread waits on a set at a time; others may add, remove, and signal a wake. Not in a signal handler.
 * Source: epoll(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wait(struct nonet_wait_set *set, struct nonet_wait_event *ret_events,
					     size_t max, nonet_time deadline, size_t *ret_count);

/**
 * nonet_timer_new() - make a timer that isn't set
 * @ret_timer: the timer, freed with nonet_timer_free()
 * @reterr:    NULL, or where to put the sentence
 *
 * Return: 0, or -EMFILE, -ENFILE, -ENOMEM.
 * Source: timerfd_create(2), CLOCK_MONOTONIC.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_timer_new(struct nonet_timer **ret_timer, struct nonet_error *reterr);

/** nonet_timer_free() - free a timer; NULL is allowed. Return: NULL. */
NONET_PUBLIC struct nonet_timer *nonet_timer_free(struct nonet_timer *timer);

/**
 * nonet_timer_set() - say when a timer expires
 * @timer:    a timer
 * @first:    when it expires first; NONET_FOREVER stops it
 * @interval: nanoseconds between later expirations; 0 for just one
 *
 * Forgets expirations not yet taken.
 *
 * Return: 0, or -EINVAL (@interval is negative).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_timer_set(struct nonet_timer *timer, nonet_time first, nonet_time interval);

/**
 * nonet_timer_take() - wait for a timer to expire
 * @timer:     a timer
 * @deadline:  when to give up
 * @ret_count: how often it expired since it was set or taken last, at least 1
 *
 * Return: 0, or -EAGAIN, -ETIMEDOUT.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_timer_take(struct nonet_timer *timer, nonet_time deadline, uint64_t *ret_count);

NONET_PUBLIC int nonet_timer_fd(struct nonet_timer *timer);  /* the descriptor, owned by the timer */
NONET_PUBLIC int nonet_timer_arm(struct nonet_timer *timer); /* always 0: the descriptor tells all */
NONET_PUBLIC struct nonet_waitable *nonet_timer_waitable(struct nonet_timer *timer);

/**
 * nonet_wake_new() - make an object by which one thread, or a signal handler, ends another's wait
 * @ret_wake: the object, freed with nonet_wake_free()
 * @reterr:   NULL, or where to put the sentence
 *
 * Add its waitable to a set: nonet_wait() then returns once it is signalled. It stays signalled until cleared.
 *
 * Return: 0, or -EMFILE, -ENFILE, -ENOMEM.
 * Source: eventfd(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_wake_new(struct nonet_wake **ret_wake, struct nonet_error *reterr);

/** nonet_wake_free() - free a wake object; NULL is allowed. Return: NULL. */
NONET_PUBLIC struct nonet_wake *nonet_wake_free(struct nonet_wake *wake);

/**
 * nonet_wake_signal() - end the wait
 * @wake: a wake object
 *
 * Context: any thread, and signal handlers. Never waits. Can't fail.
 */
NONET_PUBLIC void nonet_wake_signal(struct nonet_wake *wake);

/**
 * nonet_wake_clear() - make a wake object ready for the next wait
 * @wake: a wake object
 *
 * Return: 1 if it had been signalled, else 0.
 */
NONET_PUBLIC int nonet_wake_clear(struct nonet_wake *wake);

NONET_PUBLIC int nonet_wake_fd(struct nonet_wake *wake);  /* the descriptor, owned by the object */
NONET_PUBLIC int nonet_wake_arm(struct nonet_wake *wake); /* always 0: the descriptor tells all */
NONET_PUBLIC struct nonet_waitable *nonet_wake_waitable(struct nonet_wake *wake);

NONET_END_DECLS

#endif
