/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WATCHER_WATCHER_H
#define WATCHER_WATCHER_H

#include <stdbool.h>

#include <nonet/time.h>

/*
 * Some things of the kernel can be waited for only in a call that blocks, and give no descriptor: a System V queue or
 * semaphore, a file lock. A watcher is a descriptor for one of them: a helper thread sits in that call, and makes the
 * descriptor readable when it returns.
 *
 * It watches only when armed, once: readable, it stays so until it is armed again. So an object's arm asks whether it
 * is ready now; if not, watcher_arm(). What became ready in between, the helper finds at once: no readiness is lost.
 */
struct watcher;

struct watcher_job {
	/*
	 * By the helper: wait, in one interruptible call, until the object is ready.
	 *
	 * Return: 1 it is (and maybe something was acquired), -EINTR: interrupted, nothing happened; any other -errno
	 * is readiness too: the object's next call finds out itself.
	 */
	int (*block)(void *object);

	/*
	 * By the helper: give back what block() acquired, since nobody came for it. NULL: it acquires nothing. The
	 * descriptor stays readable, and the helper idle until it is armed again.
	 *
	 * Return: false: it can't now. It is kept, to be collected, or given back after as long again.
	 */
	bool (*release)(void *object);
	nonet_time patience; /* after how many nanoseconds; with @release only */
};

/*
 * A watcher, with its descriptor and helper thread, idle. @job and @object outlive it.
 *
 * Return: 0, or -EMFILE, -ENFILE, -ENOMEM.
 */
int watcher_new(const struct watcher_job *job, void *object, struct watcher **ret_watcher);

/* The descriptor: POLLIN once ready. */
int watcher_fd(const struct watcher *watcher);

/*
 * Let it watch from now on, if it doesn't yet; the descriptor isn't readable any more. What was acquired and not
 * collected is kept: 1 says so.
 *
 * Return: 0; 1: ready, since block() acquired something that waits to be collected; -ECHILD: the helper is the
 * parent's. Never waits long: may be called as a waitable's arm.
 */
int watcher_arm(struct watcher *watcher);

/*
 * Watch no more; returns once the helper is out of block(). The descriptor isn't readable any more.
 *
 * Return: 1: block() had returned 1, and what it acquired is the caller's now; 0: it hadn't, or it was released;
 * -ECHILD.
 */
int watcher_disarm(struct watcher *watcher);

/*
 * Nobody waits any more: watch no more, without waiting for the helper to come out. Should somebody wait nevertheless,
 * the descriptor tells him that something may be ready. What was acquired is kept as before.
 */
void watcher_rest(struct watcher *watcher);

/*
 * As watcher_disarm(), for who isn't waited for any more by one of several: should another wait nevertheless, the
 * descriptor tells him that something may be ready, as with watcher_rest().
 */
int watcher_dismiss(struct watcher *watcher);

/*
 * As watcher_disarm(), but only if there is something to collect; else the helper goes on as it was.
 *
 * Return: 1 or 0 as there.
 */
int watcher_collect(struct watcher *watcher);

/* Stop the helper, release what wasn't collected, if that can be. In a forked child only the descriptor is closed.
 * Returns NULL. */
struct watcher *watcher_free(struct watcher *watcher);

#endif
