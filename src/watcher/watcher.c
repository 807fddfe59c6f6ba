/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/watcher.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "sys/cancel.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/thread.h"

/*
 * Invariants, all under the mutex:
 *
 * 1. The bell is readable exactly in RUNG.
 * 2. block() is called in ARMED only, and rings if the watcher is still ARMED when it returns; WITHDRAWN says that
 *    somebody waits for the helper to come out, and takes what it brings. Nobody else changes the state meanwhile.
 * 3. @holding: block() returned 1 and release() is there: somebody has to collect it, or release().
 *
 * Only block() and release() run without the mutex; release() with @releasing, so that nobody collects what is being
 * given back.
 */
enum watcher_state {
	WATCHER_IDLE,
	WATCHER_ARMED,
	WATCHER_RUNG,
	WATCHER_WITHDRAWN,
};

struct watcher {
	const struct watcher_job *job;
	void *object;
	int bell;            /* an eventfd */
	unsigned generation; /* of the process whose thread the helper is */
	pthread_t thread;

	pthread_mutex_t mutex;   /* of all below */
	pthread_cond_t ordered;  /* the helper waits for something to do */
	pthread_cond_t returned; /* others wait for the helper: it is out of block(), or of release() */
	enum watcher_state state;
	bool blocking;
	bool holding;
	bool releasing;
	bool ending;
	nonet_time rung_at;
};

/* How long an interrupt may be on its way, or have come too early, before the next. */
#define WATCHER_INTERRUPT_AGAIN NONET_MS(1)

static bool watcher_is_foreign(const struct watcher *watcher)
{
	return watcher->generation != sys_generation();
}

/* The eventfd's counter is 0 or 1, so neither can fail, nor wait. */
static void watcher_ring(struct watcher *watcher)
{
	watcher->state = WATCHER_RUNG;
	watcher->rung_at = nonet_clock();
	(void)sys_counter_write(watcher->bell, 1);
}

static void watcher_silence(struct watcher *watcher, enum watcher_state state)
{
	uint64_t rings;

	if (watcher->state == WATCHER_RUNG)
		(void)sys_counter_read(watcher->bell, &rings);
	watcher->state = state;
}

static void watcher_block(struct watcher *watcher)
{
	int result;

	watcher->blocking = true;
	pthread_mutex_unlock(&watcher->mutex);
	result = watcher->job->block(watcher->object);
	pthread_mutex_lock(&watcher->mutex);
	watcher->blocking = false;
	if (result == 1 && watcher->job->release)
		watcher->holding = true;
	if (watcher->state == WATCHER_ARMED && result != -EINTR)
		watcher_ring(watcher);
	pthread_cond_broadcast(&watcher->returned);
}

static void watcher_release(struct watcher *watcher)
{
	bool released;

	watcher->holding = false;
	watcher->releasing = true;
	pthread_mutex_unlock(&watcher->mutex);
	released = watcher->job->release(watcher->object);
	pthread_mutex_lock(&watcher->mutex);
	watcher->releasing = false;
	watcher->holding = !released;
	watcher->rung_at = nonet_clock();
	pthread_cond_broadcast(&watcher->returned);
}

static void watcher_wait_for_collection(struct watcher *watcher)
{
	const nonet_time until = watcher->rung_at + watcher->job->patience;
	const struct timespec time = time_to_timespec(until);

	if (pthread_cond_timedwait(&watcher->ordered, &watcher->mutex, &time) != ETIMEDOUT)
		return;
	if (watcher->holding && watcher->state == WATCHER_RUNG)
		watcher_release(watcher);
}

static void *watcher_thread(void *argument)
{
	struct watcher *watcher = argument;

	sys_thread_allow_interrupts();
	pthread_mutex_lock(&watcher->mutex);
	while (!watcher->ending) {
		if (watcher->state == WATCHER_ARMED)
			watcher_block(watcher);
		else if (watcher->state == WATCHER_RUNG && watcher->holding)
			watcher_wait_for_collection(watcher);
		else
			pthread_cond_wait(&watcher->ordered, &watcher->mutex);
	}
	pthread_mutex_unlock(&watcher->mutex);
	return NULL;
}

/* None of these can fail on Linux: they only fill in memory. */
static void watcher_init_locks(struct watcher *watcher)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&watcher->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watcher->ordered, &attributes);
	pthread_cond_init(&watcher->returned, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void watcher_done_locks(struct watcher *watcher)
{
	pthread_cond_destroy(&watcher->returned);
	pthread_cond_destroy(&watcher->ordered);
	pthread_mutex_destroy(&watcher->mutex);
}

int watcher_new(const struct watcher_job *job, void *object, struct watcher **ret_watcher)
{
	struct watcher *watcher = sys_allocate(sizeof(*watcher));
	int error;

	if (!watcher)
		return -ENOMEM;
	watcher->job = job;
	watcher->object = object;
	watcher->generation = sys_generation();
	watcher->bell = sys_eventfd_create();
	if (watcher->bell < 0) {
		error = watcher->bell;
		sys_free(watcher);
		return error;
	}
	watcher_init_locks(watcher);
	error = sys_thread_start("nonet-watcher", watcher_thread, watcher, &watcher->thread);
	if (error < 0) {
		watcher_done_locks(watcher);
		sys_close(&watcher->bell);
		sys_free(watcher);
		return error;
	}
	*ret_watcher = watcher;
	return 0;
}

int watcher_fd(const struct watcher *watcher)
{
	return watcher->bell;
}

/* Under the mutex: until nothing is being given back, nor the helper called out of block(): both are short. */
static void watcher_settle(struct watcher *watcher)
{
	const int cancel = sys_cancel_off();

	while (watcher->releasing || watcher->state == WATCHER_WITHDRAWN)
		pthread_cond_wait(&watcher->returned, &watcher->mutex);
	sys_cancel_restore(cancel);
}

int watcher_arm(struct watcher *watcher)
{
	int ready;

	if (watcher_is_foreign(watcher))
		return -ECHILD;
	pthread_mutex_lock(&watcher->mutex);
	watcher_settle(watcher);
	ready = watcher->holding;
	if (!ready && watcher->state != WATCHER_ARMED) {
		watcher_silence(watcher, WATCHER_ARMED);
		pthread_cond_signal(&watcher->ordered);
	}
	pthread_mutex_unlock(&watcher->mutex);
	return ready;
}

/* Under the mutex, which is let go meanwhile: get the helper out of block(). */
static void watcher_interrupt(struct watcher *watcher)
{
	const int cancel = sys_cancel_off();

	pthread_mutex_unlock(&watcher->mutex);
	/* Not under the mutex: who else interrupts may be waiting for it. */
	sys_thread_interrupts_begin();
	pthread_mutex_lock(&watcher->mutex);
	while (watcher->blocking) {
		const struct timespec again = time_to_timespec(nonet_clock() + WATCHER_INTERRUPT_AGAIN);

		sys_thread_interrupt(watcher->thread);
		(void)pthread_cond_timedwait(&watcher->returned, &watcher->mutex, &again);
	}
	sys_thread_interrupts_end();
	sys_cancel_restore(cancel);
}

/* Under the mutex: as watcher_disarm(). */
static int watcher_withdraw(struct watcher *watcher)
{
	int collected;

	watcher_settle(watcher);
	watcher_silence(watcher, WATCHER_WITHDRAWN);
	if (watcher->blocking)
		watcher_interrupt(watcher);
	watcher_silence(watcher, WATCHER_IDLE);
	collected = watcher->holding;
	watcher->holding = false;
	/* It may be waiting for a collection that has been, others for the end of this. */
	pthread_cond_signal(&watcher->ordered);
	pthread_cond_broadcast(&watcher->returned);
	return collected;
}

int watcher_disarm(struct watcher *watcher)
{
	int collected;

	if (watcher_is_foreign(watcher))
		return -ECHILD;
	pthread_mutex_lock(&watcher->mutex);
	collected = watcher_withdraw(watcher);
	pthread_mutex_unlock(&watcher->mutex);
	return collected;
}

int watcher_dismiss(struct watcher *watcher)
{
	int collected;
	bool waits;

	if (watcher_is_foreign(watcher))
		return -ECHILD;
	pthread_mutex_lock(&watcher->mutex);
	watcher_settle(watcher);
	waits = watcher->state != WATCHER_IDLE;
	collected = watcher_withdraw(watcher);
	if (waits)
		watcher_ring(watcher);
	pthread_mutex_unlock(&watcher->mutex);
	return collected;
}

void watcher_rest(struct watcher *watcher)
{
	if (watcher_is_foreign(watcher))
		return;
	pthread_mutex_lock(&watcher->mutex);
	/* A helper that is in block() finds it rung when it comes out. */
	if (watcher->state == WATCHER_ARMED)
		watcher_ring(watcher);
	pthread_mutex_unlock(&watcher->mutex);
}

int watcher_collect(struct watcher *watcher)
{
	int collected = 0;

	if (watcher_is_foreign(watcher))
		return -ECHILD;
	pthread_mutex_lock(&watcher->mutex);
	watcher_settle(watcher);
	if (watcher->holding)
		collected = watcher_withdraw(watcher);
	pthread_mutex_unlock(&watcher->mutex);
	return collected;
}

struct watcher *watcher_free(struct watcher *watcher)
{
	if (!watcher)
		return NULL;
	/* The locks of a child are as its parent's threads left them: not touched. */
	if (!watcher_is_foreign(watcher)) {
		pthread_mutex_lock(&watcher->mutex);
		watcher->ending = true;
		if (watcher_withdraw(watcher))
			(void)watcher->job->release(watcher->object);
		pthread_mutex_unlock(&watcher->mutex);
		sys_thread_join(watcher->thread);
		watcher_done_locks(watcher);
	}
	sys_close(&watcher->bell);
	return sys_free(watcher);
}
