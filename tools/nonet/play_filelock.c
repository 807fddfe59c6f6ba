/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/error.h>
#include <nonet/filelock.h>

/* A file that the tour and its partner lock in turn, and a second one by which they tell each other. */
struct locks {
	char path[256];
	struct nonet_filelock *lock;
	int told[2]; /* a pipe: the partner has the lock */
	struct partner partner;
};

#define ROUNDS_TIME  NONET_MS(250)
#define ROUNDS_MAX   20000
#define DEADLINE     NONET_MS(2)
#define HOLD_ADDRESS 288

static int open_lock(struct locks *locks, const char *scheme, struct nonet_filelock **ret_lock)
{
	char address[HOLD_ADDRESS];

	snprintf(address, sizeof(address), "%s:%s", scheme, locks->path);
	return nonet_filelock_open(address, NULL, ret_lock, NULL);
}

/* With a handle of its own: what a forked child has of the tour's holds the same lock. */
static void serve(void *data)
{
	struct locks *locks = data;
	struct nonet_filelock *own;

	nonet_filelock_close(locks->lock);
	if (open_lock(locks, "ofdlock", &own) == 0 &&
	    nonet_filelock_lock(own, NONET_FILELOCK_EXCLUSIVE, NONET_FOREVER) == 0 &&
	    write(locks->told[1], "x", 1) == 1)
		pause();
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Takes the lock and lets go of it, again and again. */
static int measure(struct nonet_filelock *lock, struct score *score)
{
	const nonet_time begin = nonet_clock(), end = begin + ROUNDS_TIME;
	int64_t *times = malloc(ROUNDS_MAX * sizeof(*times));
	size_t count = 0;
	int r = times ? 0 : -ENOMEM;

	while (r == 0 && count < ROUNDS_MAX) {
		const nonet_time start = nonet_clock();

		if (start >= end)
			break;
		r = nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW);
		if (r == 0)
			r = nonet_filelock_unlock(lock);
		times[count++] = nonet_clock() - start;
	}
	if (r == 0) {
		score->messages_per_s = (double)count / ((double)(nonet_clock() - begin) / 1e9);
		qsort(times, count, sizeof(*times), compare);
		score->p50 = times[count / 2];
		score->p99 = times[count * 99 / 100];
		PLAY_EXCHANGED(score, "%zu times locked and unlocked", count);
	}
	free(times);
	return r < 0 ? play_failed(score, "locking a file", r) : 0;
}

/* Shared locks of all three kinds live side by side, and an exclusive one of the first two doesn't. */
static int show_kinds(struct locks *locks, struct score *score)
{
	struct nonet_filelock *classic = NULL, *whole = NULL;
	int r;

	r = nonet_filelock_lock(locks->lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW);
	if (r == 0)
		r = open_lock(locks, "posixlock", &classic);
	if (r == 0 && nonet_filelock_lock(classic, NONET_FILELOCK_SHARED, NONET_NOW) != -EAGAIN)
		r = -EPROTO;
	if (r == 0)
		r = open_lock(locks, "flock", &whole);
	if (r == 0)
		r = nonet_filelock_lock(whole, NONET_FILELOCK_EXCLUSIVE, NONET_NOW);
	if (r == 0)
		r = nonet_filelock_unlock(locks->lock);
	nonet_filelock_close(classic);
	nonet_filelock_close(whole);
	if (r < 0)
		return play_failed(score, "locking by three kinds", r);
	PLAY_EXCHANGED(score, "an OFD lock excluded a classic one");
	return 0;
}

/* The partner has the lock. */
static int show_rules(struct locks *locks, struct score *score)
{
	nonet_time start = nonet_clock();
	int r;

	r = nonet_filelock_lock(locks->lock, NONET_FILELOCK_EXCLUSIVE, nonet_after(DEADLINE));
	if (r != -ETIMEDOUT)
		return play_failed(score, "keeping a deadline", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "deadline of %s: %s after %s", PLAY_DURATION(DEADLINE), nonet_error_name(r),
		  PLAY_DURATION(nonet_clock() - start));
	start = nonet_clock();
	kill(locks->partner.pid, SIGKILL);
	r = nonet_filelock_lock(locks->lock, NONET_FILELOCK_EXCLUSIVE, nonet_after(PLAY_PATIENCE));
	if (r < 0)
		return play_failed(score, "getting the lock of one that was killed", r);
	PLAY_RULE(score, "holder killed: lock gained after %s", PLAY_DURATION(nonet_clock() - start));
	return 0;
}

static int play(struct locks *locks, struct score *score)
{
	char byte;
	int r;

	r = open_lock(locks, "ofdlock", &locks->lock);
	if (r < 0)
		return play_failed(score, "opening a file to lock", r);
	r = measure(locks->lock, score);
	if (r == 0)
		r = show_kinds(locks, score);
	if (r < 0)
		return r;
	if (pipe(locks->told) < 0)
		return play_failed(score, "making a pipe", -errno);
	r = partner_start(&locks->partner, serve, locks);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	close(locks->told[1]);
	locks->told[1] = -1;
	if (read(locks->told[0], &byte, 1) != 1)
		return play_failed(score, "locking in another process", -EPROTO);
	return show_rules(locks, score);
}

int play_filelocks(struct score *score)
{
	struct locks locks = {.told = {-1, -1}};
	int fd, r;

	fd = play_file(locks.path, sizeof(locks.path));
	if (fd < 0)
		return play_failed(score, "making a file", fd);
	close(fd);
	r = play(&locks, score);
	partner_end(&locks.partner);
	nonet_filelock_close(locks.lock);
	unlink(locks.path);
	if (locks.told[0] >= 0)
		close(locks.told[0]);
	if (locks.told[1] >= 0)
		close(locks.told[1]);
	return r;
}
