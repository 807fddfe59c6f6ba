/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <nonet/pipe.h>
#include <nonet/unix.h>

/* What the partner writes into the pipe whose reader it passes. */
static const char proof[] = "through a descriptor";

/* A pair of sockets between the tour and its partner. */
struct sockets {
	struct nonet_unix *ours;
	struct nonet_unix *theirs;
	struct link link;
	struct partner partner;
};

static int socket_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	return nonet_unix_send(object, message, size, deadline);
}

static int socket_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	return nonet_unix_receive(object, buffer, capacity, deadline, ret_size);
}

static void use(struct sockets *sockets, struct nonet_unix *socket)
{
	sockets->link = (struct link){socket_send, socket_receive, socket, socket};
}

/* The partner's: makes a pipe, writes into it, and passes its reader. */
static int pass_descriptor(void *data)
{
	struct sockets *sockets = data;
	struct nonet_pipe *reader, *writer;
	int r, fd;

	r = nonet_pipe_new(NULL, &reader, &writer, NULL);
	if (r < 0)
		return r;
	r = nonet_pipe_send(writer, proof, sizeof(proof), nonet_after(PLAY_PATIENCE));
	fd = nonet_pipe_fd(reader);
	if (r == 0)
		r = nonet_unix_send_descriptors(sockets->theirs, "fd", 2, &fd, 1, nonet_after(PLAY_PATIENCE));
	nonet_pipe_close(writer);
	nonet_pipe_close(reader);
	return r;
}

/* Reads what the partner wrote into the pipe behind @fd, and consumes @fd. */
static int read_proof(int *fd)
{
	char text[sizeof(proof)];
	struct nonet_pipe *pipe;
	size_t size;
	int r;

	r = nonet_pipe_take_fd(fd, NULL, &pipe, NULL);
	if (r < 0)
		return r;
	r = nonet_pipe_receive(pipe, text, sizeof(text), nonet_after(PLAY_PATIENCE), &size);
	if (r == 0 && (size != sizeof(proof) || memcmp(text, proof, size) != 0))
		r = -EPROTO;
	nonet_pipe_close(pipe);
	return r;
}

static int take_descriptor(struct sockets *sockets, struct score *score)
{
	struct nonet_unix_ancillary ancillary = {.size = sizeof(ancillary), .descriptors_capacity = 1};
	nonet_time start = nonet_clock(), took;
	char message[PLAY_MESSAGE];
	size_t size;
	int r, fd = -1;

	ancillary.descriptors = &fd;
	r = play_request(&sockets->link, PLAY_SPECIAL);
	if (r == 0)
		r = nonet_unix_receive_with(sockets->ours, message, sizeof(message), &ancillary,
					    nonet_after(PLAY_PATIENCE), &size);
	took = nonet_clock() - start;
	if (r == 0 && ancillary.descriptors_count != 1)
		r = -EPROTO;
	if (r == 0)
		r = read_proof(&fd);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return play_failed(score, "passing a descriptor", r);
	PLAY_EXCHANGED(score, "pipe's reader passed in %s", PLAY_DURATION(took));
	return 0;
}

static void serve(void *data)
{
	struct sockets *sockets = data;

	sockets->ours = nonet_unix_close(sockets->ours);
	use(sockets, sockets->theirs);
	play_serve(&sockets->link, pass_descriptor, sockets);
}

static int start(struct sockets *sockets, enum nonet_unix_type type, struct score *score)
{
	int r;

	r = nonet_unix_pair(type, NULL, &sockets->ours, &sockets->theirs, NULL);
	if (r < 0)
		return play_failed(score, "making a pair of sockets", r);
	r = partner_start(&sockets->partner, serve, sockets);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	sockets->theirs = nonet_unix_close(sockets->theirs);
	use(sockets, sockets->ours);
	return 0;
}

static void stop(struct sockets *sockets)
{
	partner_end(&sockets->partner);
	nonet_unix_close(sockets->ours);
	nonet_unix_close(sockets->theirs);
}

static int play_streams(struct score *score)
{
	struct sockets sockets = {0};
	int r;

	r = start(&sockets, NONET_UNIX_STREAM, score);
	if (r == 0)
		r = play_ping_pong(&sockets.link, score);
	if (r == 0)
		r = play_stream(&sockets.link, score);
	if (r == 0)
		r = take_descriptor(&sockets, score);
	if (r == 0)
		r = play_deadline(&sockets.link, score);
	if (r == 0)
		r = play_kill(&sockets.link, &sockets.partner, -EPIPE, score);
	stop(&sockets);
	return r;
}

/* Only mentioned beside the stream's figures: they are one mechanism. */
static int play_packets(struct score *score)
{
	struct score packets = {.p50 = -1};
	struct sockets sockets = {0};
	int r;

	r = start(&sockets, NONET_UNIX_SEQPACKET, &packets);
	if (r == 0)
		r = play_ping_pong(&sockets.link, &packets);
	if (r == 0)
		r = play_kill(&sockets.link, &sockets.partner, -EPIPE, &packets);
	stop(&sockets);
	if (r < 0) {
		memcpy(score->rules, packets.rules, sizeof(score->rules));
		return r;
	}
	PLAY_EXCHANGED(score, "packets, %s: p50 %s", packets.exchanged, PLAY_DURATION(packets.p50));
	return 0;
}

int play_unix(struct score *score)
{
	int r;

	r = play_streams(score);
	return r < 0 ? r : play_packets(score);
}
