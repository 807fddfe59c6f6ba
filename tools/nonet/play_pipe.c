/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>

#include <nonet/pipe.h>

/* Two anonymous pipes, one each way, between the tour and its partner. */
struct pipes {
	struct nonet_pipe *there[2]; /* reader, writer */
	struct nonet_pipe *back[2];
	struct link link;
	struct partner partner;
};

static int pipe_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	return nonet_pipe_send(object, message, size, deadline);
}

static int pipe_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	return nonet_pipe_receive(object, buffer, capacity, deadline, ret_size);
}

/* Keeps one end each way. That the others are closed is what makes a partner's death visible. */
static void keep(struct pipes *pipes, struct nonet_pipe **reader, struct nonet_pipe **writer)
{
	struct nonet_pipe **ends[] = {&pipes->there[0], &pipes->there[1], &pipes->back[0], &pipes->back[1]};
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] != reader && ends[i] != writer)
			*ends[i] = nonet_pipe_close(*ends[i]);
	if (reader && writer)
		pipes->link = (struct link){pipe_send, pipe_receive, *writer, *reader};
}

static void serve(void *data)
{
	struct pipes *pipes = data;

	keep(pipes, &pipes->there[0], &pipes->back[1]);
	play_serve(&pipes->link, NULL, NULL);
}

static int play(struct pipes *pipes, struct score *score)
{
	int r;

	r = nonet_pipe_new(NULL, &pipes->there[0], &pipes->there[1], NULL);
	if (r == 0)
		r = nonet_pipe_new(NULL, &pipes->back[0], &pipes->back[1], NULL);
	if (r < 0)
		return play_failed(score, "making a pipe", r);
	r = partner_start(&pipes->partner, serve, pipes);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	keep(pipes, &pipes->back[0], &pipes->there[1]);
	r = play_ping_pong(&pipes->link, score);
	if (r == 0)
		r = play_stream(&pipes->link, score);
	if (r == 0)
		r = play_deadline(&pipes->link, score);
	if (r == 0)
		r = play_kill(&pipes->link, &pipes->partner, -EPIPE, score);
	return r;
}

int play_pipes(struct score *score)
{
	struct pipes pipes = {0};
	int r;

	r = play(&pipes, score);
	partner_end(&pipes.partner);
	keep(&pipes, NULL, NULL);
	return r;
}
