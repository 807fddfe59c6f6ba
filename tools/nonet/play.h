/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_PLAY_H
#define NONET_TOOL_PLAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/time.h>

/*
 * The tour's players. Each has two processes play one mechanism, and tells what it measured. To add one: a file with
 * its play function, and its row in cmd_tour.c.
 */

/* What a play found. Times in nanoseconds; negative: not measured. */
struct score {
	int64_t p50;
	int64_t p99;
	double messages_per_s;
	char exchanged[256]; /* what went over it: notes, each on a line */
	char rules[256];     /* what the rules showed; or why it failed: notes too */
};

/* Return: 0, or a negative errno: then score->rules says what failed. */
typedef int play_function(struct score *score);

play_function play_filelocks;
play_function play_mapfiles;
play_function play_memory;
play_function play_mutexes;
play_function play_pipes;
play_function play_queues;
play_function play_semaphores;
play_function play_signals;
play_function play_sockets;
play_function play_unix;

/* Appends to score->exchanged or score->rules, each on a line of its own. */
void play_note(char *note, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define PLAY_EXCHANGED(score, ...) play_note((score)->exchanged, sizeof((score)->exchanged), __VA_ARGS__)
#define PLAY_RULE(score, ...)      play_note((score)->rules, sizeof((score)->rules), __VA_ARGS__)

/* Says in the score that @what failed. Return: @code. */
int play_failed(struct score *score, const char *what, int code);

/* A duration for people: "85 us". */
const char *play_duration(int64_t duration, char *text, size_t size);
#define PLAY_DURATION(duration) play_duration(duration, (char[32]){0}, 32)

/* An empty file of the tour's own, below TMPDIR or /tmp. Return: its descriptor, or a negative errno. */
int play_file(char *path, size_t size);

/* Messages both ways, whatever carries them. */
struct link {
	int (*send)(void *object, const void *message, size_t size, nonet_time deadline);
	int (*receive)(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size);
	void *sender;   /* what send() is called with */
	void *receiver; /* what receive() is called with */
};

/* The other process. */
struct partner {
	pid_t pid; /* 0: none */
};

/*
 * Forks. The child calls serve(data), which ends by itself once its link does, and never returns into the command. It
 * is killed if the tour dies. Return: 0 or a negative errno.
 */
int partner_start(struct partner *partner, void (*serve)(void *data), void *data);

/* Kills it, unless it is gone, and reaps it. */
void partner_end(struct partner *partner);

/*
 * The partner's side of the plays below: does what the messages say until the link ends. @special, or NULL, serves
 * the messages that are the mechanism's own: they begin with PLAY_SPECIAL.
 */
void play_serve(struct link *link, int (*special)(void *data), void *data);

/* The size of the messages that are measured. */
#define PLAY_MESSAGE ((size_t)64)

/* How long a call may take in a tour before that is a failure. */
#define PLAY_PATIENCE NONET_S(1)

enum play_request {
	PLAY_ECHO = 'e',
	PLAY_STREAM = 's',
	PLAY_SPECIAL = 'x',
};

/* Sends a request of PLAY_MESSAGE bytes. */
int play_request(struct link *link, enum play_request request);

/* A message goes there and back, again and again; half of the time is one message's. */
int play_ping_pong(struct link *link, struct score *score);

/* The partner sends as fast as it can. */
int play_stream(struct link *link, struct score *score);

/* Nothing comes: the call ends at its deadline. */
int play_deadline(struct link *link, struct score *score);

/* The partner is killed: the call ends with @expected. */
int play_kill(struct link *link, struct partner *partner, int expected, struct score *score);

#endif
