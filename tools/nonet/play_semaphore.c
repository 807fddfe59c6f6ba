/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/semaphore.h>

/*
 * POSIX semaphores, whose names are gone as soon as both have them open: a permit of the first asks for one of the
 * second. And a System V semaphore, for the moment in which its holder is killed: it would outlive a killed tour.
 */
struct trio {
	struct nonet_semaphore *asked;
	struct nonet_semaphore *answered;
	struct nonet_semaphore *held;
	char held_address[64];
};

/* How long permits are counted. */
#define STREAM_TIME NONET_MS(100)

/* A permit is a message without bytes. */
static int ask(void *object, const void *message, size_t size, nonet_time deadline)
{
	(void)message;
	(void)size;
	(void)deadline;
	return nonet_semaphore_post(object, 1, 0);
}

static int be_answered(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	int r = nonet_semaphore_wait(object, 1, 0, deadline);

	(void)buffer;
	if (r == 0)
		*ret_size = capacity;
	return r;
}

static void answer(void *data)
{
	struct trio *trio = data;
	int r;

	do {
		r = nonet_semaphore_wait(trio->asked, 1, 0, NONET_FOREVER);
		if (r == 0)
			r = nonet_semaphore_post(trio->answered, 1, 0);
	} while (r == 0);
}

static void give(void *data)
{
	struct trio *trio = data;

	while (nonet_semaphore_post(trio->answered, 1, 0) == 0)
		;
}

static void hold(void *data)
{
	struct trio *trio = data;

	if (nonet_semaphore_wait(trio->held, 1, NONET_SEMAPHORE_UNDO, NONET_NOW) == 0 &&
	    nonet_semaphore_post(trio->answered, 1, 0) == 0)
		(void)!nonet_semaphore_wait(trio->asked, 1, 0, NONET_FOREVER);
}

static int open_nameless(const char *what, struct nonet_semaphore **ret_semaphore)
{
	char address[64];
	int r;

	snprintf(address, sizeof(address), "posixsem:/tour-%d-%s", (int)getpid(), what);
	r = nonet_semaphore_create(address, NULL, NONET_NOW, ret_semaphore, NULL);
	return r == 0 ? nonet_semaphore_unlink(address, NULL) : r;
}

static int play_round_trips(struct trio *trio, struct score *score)
{
	struct link link = {ask, be_answered, trio->asked, trio->answered};
	struct partner partner = {0};
	int r;

	r = partner_start(&partner, answer, trio);
	if (r < 0)
		return play_failed(score, "starting a process that answers", r);
	r = play_ping_pong(&link, score);
	if (r == 0) {
		score->exchanged[0] = '\0';
		PLAY_EXCHANGED(score, "permits, one way and back");
		r = play_deadline(&link, score);
	}
	partner_end(&partner);
	return r;
}

static int play_permits(struct trio *trio, struct score *score)
{
	struct partner partner = {0};
	nonet_time start, end;
	uint64_t count = 0;
	int r;

	r = partner_start(&partner, give, trio);
	start = nonet_clock();
	end = start + STREAM_TIME;
	while (r == 0 && nonet_clock() < end) {
		r = nonet_semaphore_wait(trio->answered, 1, 0, nonet_after(PLAY_PATIENCE));
		count++;
	}
	score->messages_per_s = (double)count * 1e9 / (double)(nonet_clock() - start);
	partner_end(&partner);
	while (nonet_semaphore_wait(trio->answered, 1, 0, NONET_NOW) == 0)
		;
	return r < 0 ? play_failed(score, "taking permits as fast as they come", r) : 0;
}

/* The partner holds the only permit, and is killed. */
static int play_undo(struct trio *trio, struct score *score)
{
	struct partner partner = {0};
	nonet_time start;
	int r;

	r = partner_start(&partner, hold, trio);
	if (r == 0)
		r = nonet_semaphore_wait(trio->answered, 1, 0, nonet_after(PLAY_PATIENCE));
	if (r == 0 && nonet_semaphore_wait(trio->held, 1, 0, NONET_NOW) != -EAGAIN)
		r = -EPROTO;
	start = nonet_clock();
	partner_end(&partner);
	if (r == 0)
		r = nonet_semaphore_wait(trio->held, 1, 0, nonet_after(PLAY_PATIENCE));
	if (r < 0)
		return play_failed(score, "giving back a killed holder's permit", r);
	PLAY_RULE(score, "peer killed: permit back after %s", PLAY_DURATION(nonet_clock() - start));
	return 0;
}

static int play_held(struct trio *trio, struct score *score)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 1};
	int r;

	snprintf(trio->held_address, sizeof(trio->held_address), "sysvsem:%d", 0x6e740000 ^ (int)getpid());
	r = nonet_semaphore_create(trio->held_address, &options, NONET_NOW, &trio->held, NULL);
	if (r < 0)
		return play_failed(score, "making a System V semaphore", r);
	r = play_undo(trio, score);
	if (nonet_semaphore_unlink(trio->held_address, NULL) < 0 && r == 0)
		r = play_failed(score, "removing a System V semaphore", -EPROTO);
	return r;
}

int play_semaphores(struct score *score)
{
	struct trio trio = {0};
	int r;

	r = open_nameless("asked", &trio.asked);
	if (r == 0)
		r = open_nameless("answered", &trio.answered);
	if (r < 0)
		play_failed(score, "making POSIX semaphores", r);
	if (r == 0)
		r = play_round_trips(&trio, score);
	if (r == 0)
		r = play_permits(&trio, score);
	if (r == 0)
		r = play_held(&trio, score);
	nonet_semaphore_close(trio.held);
	nonet_semaphore_close(trio.answered);
	nonet_semaphore_close(trio.asked);
	return r;
}
