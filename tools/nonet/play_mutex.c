/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/error.h>
#include <nonet/mutex.h>

/* A mutex in a domain of the tour's own, which the partner has when it is killed. */
struct mutexes {
	char domain[32];
	char address[48];
	struct nonet_mutex *mutex;
	int told[2]; /* a pipe: the partner has the mutex */
	struct partner partner;
};

#define ROUNDS   10000
#define BATCH    100 /* one is over before the clock can tell */
#define DEADLINE NONET_MS(2)

/* With a handle of its own: the tour's is the parent's. */
static void serve(void *data)
{
	const struct mutexes *mutexes = data;
	struct nonet_mutex *own;

	if (nonet_mutex_open(mutexes->address, &own, NULL) == 0 && nonet_mutex_lock(own, NONET_FOREVER) == 0 &&
	    write(mutexes->told[1], "x", 1) == 1)
		pause();
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Takes it and lets go of it, again and again. */
static int measure(struct nonet_mutex *mutex, struct score *score)
{
	static int64_t times[ROUNDS];
	const nonet_time begin = nonet_clock();
	size_t i, j;
	int r = 0;

	for (i = 0; i < ROUNDS && r == 0; i++) {
		const nonet_time start = nonet_clock();

		for (j = 0; j < BATCH && r == 0; j++) {
			r = nonet_mutex_lock(mutex, NONET_NOW);
			if (r == 0)
				r = nonet_mutex_unlock(mutex);
		}
		times[i] = (nonet_clock() - start) / BATCH;
	}
	if (r < 0)
		return play_failed(score, "locking a mutex", r);
	score->messages_per_s = (double)ROUNDS * BATCH / ((double)(nonet_clock() - begin) / 1e9);
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	score->p50 = times[ROUNDS / 2];
	score->p99 = times[ROUNDS * 99 / 100];
	PLAY_EXCHANGED(score, "%d times locked and unlocked, without a system call", ROUNDS * BATCH);
	return 0;
}

/* The partner has the mutex. */
static int show_rules(struct mutexes *mutexes, struct score *score)
{
	nonet_time start = nonet_clock();
	int r;

	r = nonet_mutex_lock(mutexes->mutex, nonet_after(DEADLINE));
	if (r != -ETIMEDOUT)
		return play_failed(score, "keeping a deadline", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "deadline of %s: %s after %s", PLAY_DURATION(DEADLINE), nonet_error_name(r),
		  PLAY_DURATION(nonet_clock() - start));
	start = nonet_clock();
	kill(mutexes->partner.pid, SIGKILL);
	r = nonet_mutex_lock(mutexes->mutex, nonet_after(PLAY_PATIENCE));
	if (r != -EOWNERDEAD)
		return play_failed(score, "taking over from one that was killed", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "holder killed: %s after %s", nonet_error_name(r), PLAY_DURATION(nonet_clock() - start));
	r = nonet_mutex_recover(mutexes->mutex);
	if (r == 0)
		r = nonet_mutex_unlock(mutexes->mutex);
	return r < 0 ? play_failed(score, "recovering", r) : 0;
}

static int play(struct mutexes *mutexes, struct score *score)
{
	char byte;
	int r;

	r = nonet_mutex_create(mutexes->address, NULL, &mutexes->mutex, NULL);
	if (r < 0)
		return play_failed(score, "making a mutex", r);
	r = measure(mutexes->mutex, score);
	if (r < 0)
		return r;
	if (pipe(mutexes->told) < 0)
		return play_failed(score, "making a pipe", -errno);
	r = partner_start(&mutexes->partner, serve, mutexes);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	close(mutexes->told[1]);
	mutexes->told[1] = -1;
	if (read(mutexes->told[0], &byte, 1) != 1)
		return play_failed(score, "locking in another process", -EPROTO);
	return show_rules(mutexes, score);
}

static void remove_domain(const struct mutexes *mutexes)
{
	char path[64];

	(void)!nonet_mutex_unlink(mutexes->address, NULL);
	snprintf(path, sizeof(path), "%s/.domain", mutexes->domain);
	unlink(path);
	rmdir(mutexes->domain);
}

int play_mutexes(struct score *score)
{
	struct mutexes mutexes = {.domain = "/dev/shm/nonet-tour-XXXXXX", .told = {-1, -1}};
	int r;

	if (!mkdtemp(mutexes.domain))
		return play_failed(score, "making a folder in /dev/shm", -errno);
	snprintf(mutexes.address, sizeof(mutexes.address), "mutex:%s/m", mutexes.domain);
	r = play(&mutexes, score);
	partner_end(&mutexes.partner);
	nonet_mutex_close(mutexes.mutex);
	remove_domain(&mutexes);
	if (mutexes.told[0] >= 0)
		close(mutexes.told[0]);
	if (mutexes.told[1] >= 0)
		close(mutexes.told[1]);
	return r;
}
