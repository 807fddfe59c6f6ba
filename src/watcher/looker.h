/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WATCHER_LOOKER_H
#define WATCHER_LOOKER_H

#include <stdbool.h>

#include <nonet/time.h>

/*
 * What the kernel gives neither a descriptor nor a call to wait in has to be looked at again and again: a POSIX
 * semaphore. A looker is a descriptor for one such thing. One helper thread of the process looks at all that are armed,
 * every LOOKER_INTERVAL, and makes the descriptor of each that is ready readable. It sleeps while none is armed.
 *
 * It looks only when armed, once: readable, it stays so until it is armed again.
 */
struct looker;

#define LOOKER_INTERVAL NONET_MS(10)

/* By the helper, which looks at nothing else meanwhile: whether @object is ready. */
typedef bool looker_look(void *object);

/*
 * A looker, idle; the process's first starts the helper. @object outlives it.
 *
 * Return: 0, or -EMFILE, -ENFILE, -ENOMEM.
 */
int looker_new(looker_look *look, void *object, struct looker **ret_looker);

/* The descriptor: POLLIN once ready. */
int looker_fd(const struct looker *looker);

/*
 * Look at it from now on, if it isn't yet; the descriptor isn't readable any more.
 *
 * Return: 0, or -ECHILD: the helper is the parent's. Never waits long: may be called as a waitable's arm.
 */
int looker_arm(struct looker *looker);

/* Nobody waits any more: look no more. Should somebody wait nevertheless, the descriptor tells him to look himself. */
void looker_rest(struct looker *looker);

/*
 * @object isn't looked at any more. The process's last ends the helper. In a forked child only the descriptor is
 * closed. Returns NULL.
 */
struct looker *looker_free(struct looker *looker);

#endif
