/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <nonet/process.h>
#include <nonet/signal.h>

/* One side: a real-time signal with a value to the other is a message. */
struct side {
	struct nonet_signal *signal;
	pid_t other;
	struct nonet_process *process; /* the tour's: its partner, whose death ends a receive */
	struct nonet_wait_set *set;    /* of these two */
};

/* A full queue has no event for room in it: look again soon. */
static void wait_for_room(void)
{
	const struct timespec soon = {.tv_nsec = 50000};

	nanosleep(&soon, NULL);
}

/* A message's first byte is all that a signal carries; 0 stands for one that isn't of PLAY_MESSAGE bytes. */
static int signal_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	const struct side *side = object;
	const int value = size == PLAY_MESSAGE ? *(const char *)message : 0;
	int r;

	while ((r = nonet_signal_send(side->other, SIGRTMIN, &value, NULL)) == -EAGAIN && nonet_clock() < deadline)
		wait_for_room();
	return r;
}

/* Return: 0 if a signal may be there, -EPIPE if the partner has died. */
static int signal_wait(struct side *side, nonet_time deadline)
{
	struct nonet_wait_event event;
	size_t count;
	int r;

	r = nonet_wait(side->set, &event, 1, deadline, &count);
	return r == 0 && event.data == side->process ? -EPIPE : r;
}

static int signal_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct side *side = object;
	struct nonet_signal_info info;
	int r;

	if (!side->set) {
		r = nonet_signal_receive(side->signal, deadline, &info);
	} else {
		while ((r = nonet_signal_receive(side->signal, NONET_NOW, &info)) == -EAGAIN) {
			r = signal_wait(side, deadline);
			if (r < 0)
				break;
		}
	}
	if (r < 0)
		return r;
	*(char *)buffer = (char)info.value;
	*ret_size = info.value && capacity >= PLAY_MESSAGE ? PLAY_MESSAGE : 1;
	return 0;
}

static int open_side(struct side *side)
{
	return nonet_signal_open((const int[]){SIGRTMIN}, 1, NULL, &side->signal, NULL);
}

/* The partner's: what was blocked before the fork is pending until it has its own receiver. */
static void serve(void *data)
{
	struct side *tours = data, own = {.other = getppid()};
	struct link link = {signal_send, signal_receive, &own, &own};

	nonet_signal_close(tours->signal);
	if (open_side(&own) == 0)
		play_serve(&link, NULL, NULL);
}

static int start(struct side *side, struct partner *partner)
{
	int r;

	r = open_side(side);
	if (r == 0)
		r = partner_start(partner, serve, side);
	if (r < 0)
		return r;
	side->other = partner->pid;
	r = nonet_process_open(partner->pid, &side->process, NULL);
	if (r == 0)
		r = nonet_wait_set_new(&side->set, NULL);
	if (r == 0)
		r = nonet_wait_set_add(side->set, nonet_signal_waitable(side->signal), NONET_WAIT_RECEIVE, side);
	if (r == 0)
		r = nonet_wait_set_add(side->set, nonet_process_waitable(side->process), NONET_WAIT_RECEIVE,
				       side->process);
	return r;
}

/* Whether a signal says who sent it, and with what. */
static int show_sender(struct side *side, struct score *score)
{
	struct nonet_signal_info info;
	int r;

	r = play_request(&(struct link){signal_send, signal_receive, side, side}, PLAY_ECHO);
	if (r == 0)
		r = nonet_signal_receive(side->signal, nonet_after(PLAY_PATIENCE), &info);
	if (r == 0 && (info.pid != side->other || info.value != PLAY_ECHO))
		r = -EPROTO;
	if (r < 0)
		return play_failed(score, "telling the sender", r);
	PLAY_EXCHANGED(score, "%s brings sender and value", nonet_signal_name(info.number));
	return 0;
}

int play_signals(struct score *score)
{
	struct side side = {0};
	struct link link = {signal_send, signal_receive, &side, &side};
	struct partner partner = {0};
	int r;

	r = start(&side, &partner);
	if (r < 0)
		play_failed(score, "starting a process that receives signals", r);
	if (r == 0)
		r = play_ping_pong(&link, score);
	if (r == 0) {
		/* Each was a value of 4 bytes, and not a message of PLAY_MESSAGE. */
		score->exchanged[0] = '\0';
		PLAY_EXCHANGED(score, "round trips with a value of 4 bytes");
		r = play_stream(&link, score);
	}
	if (r == 0)
		r = show_sender(&side, score);
	if (r == 0)
		r = play_deadline(&link, score);
	if (r == 0)
		r = play_kill(&link, &partner, -EPIPE, score);
	partner_end(&partner);
	nonet_wait_set_free(side.set);
	nonet_process_close(side.process);
	nonet_signal_close(side.signal);
	return r;
}
