/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/time.h"
#include "filelock/filelock.h"
#include "sys/event.h"
#include "sys/fork.h"

/* By the helper. */
static int filelock_block(void *object)
{
	struct nonet_filelock *lock = object;
	int error = lock->carrier->set(lock->file->fd, lock->waited, &lock->range, true);

	if (error == 0)
		return 1;
	if (error != -EINTR)
		lock->failure = error;
	return error;
}

/* By the helper, or by who frees it: back to what the handle has. That needs no wait, and can't fail. */
static bool filelock_give_back(void *object)
{
	struct nonet_filelock *lock = object;

	(void)lock->carrier->set(lock->file->fd, lock->held, &lock->range, false);
	return true;
}

static const struct watcher_job filelock_job = {
	.block = filelock_block,
	.release = filelock_give_back,
	.patience = NONET_FILELOCK_PATIENCE,
};

int filelock_watch(struct nonet_filelock *lock)
{
	int error;

	if (lock->watcher)
		return lock->watcher_generation == sys_generation() ? 0 : -ECHILD;
	error = watcher_new(&filelock_job, lock, &lock->watcher);
	if (error < 0)
		return error;
	lock->watcher_generation = sys_generation();
	pthread_mutex_init(&lock->mutex, NULL);
	return 0;
}

void filelock_free_watcher(struct nonet_filelock *lock)
{
	if (lock->watcher && lock->watcher_generation == sys_generation())
		pthread_mutex_destroy(&lock->mutex);
	lock->watcher = watcher_free(lock->watcher);
}

/* Whether a wait set's thread may be here: else the mutex needn't be there, or is as the parent's threads left it. */
static bool filelock_is_watched(const struct nonet_filelock *lock)
{
	return lock->watcher && lock->watcher_generation == sys_generation();
}

static bool filelock_disarm(struct nonet_filelock *lock)
{
	if (!lock->armed)
		return false;
	lock->armed = false;
	return watcher_disarm(lock->watcher) == 1;
}

bool filelock_stop_waiting(struct nonet_filelock *lock, enum sys_lock_mode mode)
{
	bool ours;

	if (!filelock_is_watched(lock)) {
		lock->wanted = SYS_LOCK_NONE;
		return false;
	}
	pthread_mutex_lock(&lock->mutex);
	lock->wanted = SYS_LOCK_NONE;
	ours = filelock_disarm(lock);
	pthread_mutex_unlock(&lock->mutex);
	if (!ours)
		return false;
	if (lock->waited == mode)
		return true;
	filelock_give_back(lock);
	return false;
}

void filelock_want(struct nonet_filelock *lock, enum sys_lock_mode mode)
{
	if (!filelock_is_watched(lock)) {
		lock->wanted = mode;
		return;
	}
	pthread_mutex_lock(&lock->mutex);
	lock->wanted = mode;
	pthread_mutex_unlock(&lock->mutex);
	waitable_touch(&lock->waitable);
}

/* Under the mutex, or where nobody arms. */
static int filelock_arm_for(struct nonet_filelock *lock, enum sys_lock_mode mode)
{
	if (!lock->armed) {
		lock->waited = mode;
		lock->failure = 0;
		lock->armed = true;
	}
	return watcher_arm(lock->watcher);
}

int filelock_arm(struct nonet_waitable *waitable)
{
	struct nonet_filelock *lock = container_of(waitable, struct nonet_filelock, waitable);
	int ready = 0;

	if (!filelock_is_watched(lock))
		return -ECHILD;
	pthread_mutex_lock(&lock->mutex);
	if (lock->wanted != SYS_LOCK_NONE)
		ready = filelock_arm_for(lock, lock->wanted);
	pthread_mutex_unlock(&lock->mutex);
	return ready;
}

/* What it leaves its set for is nobody's business to wait for, nor to have. By a set's thread, as the arm. */
void filelock_rest(struct nonet_waitable *waitable)
{
	struct nonet_filelock *lock = container_of(waitable, struct nonet_filelock, waitable);

	if (!filelock_is_watched(lock))
		return;
	pthread_mutex_lock(&lock->mutex);
	/* Else the helper is idle, or waits for a thread that is in nonet_filelock_lock(). */
	if (lock->wanted != SYS_LOCK_NONE && lock->armed && watcher_dismiss(lock->watcher) == 1)
		(void)filelock_give_back(lock);
	pthread_mutex_unlock(&lock->mutex);
}

int filelock_wait_by_helper(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline)
{
	int error;

	for (;;) {
		(void)filelock_arm_for(lock, mode);
		error = sys_poll_one(watcher_fd(lock->watcher), POLLIN, deadline);
		/* Whatever poll(2) said: who has it, has it. */
		if (filelock_disarm(lock))
			return 0;
		if (lock->failure < 0)
			return lock->failure;
		if (error < 0)
			return error;
		/* It was there, and we came so late that the helper has given it back. */
	}
}
