/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/error.h>

#define ROUNDS_WARM 200
#define ROUNDS_MAX  20000
#define ROUNDS_TIME NONET_MS(200)
#define STREAM_TIME NONET_MS(100)
#define STREAM_LOOK 256 /* messages between two looks at the clock */
#define DEADLINE    NONET_MS(2)

/* Nothing that is asked for is answered later than this, or the tour would take too long. */
static nonet_time patience(void)
{
	return nonet_after(PLAY_PATIENCE);
}

void play_note(char *note, size_t size, const char *format, ...)
{
	size_t used = strlen(note);
	va_list arguments;

	if (used > 0 && used + 1 < size)
		note[used++] = '\n';
	va_start(arguments, format);
	(void)vsnprintf(note + used, size - used, format, arguments);
	va_end(arguments);
}

int play_failed(struct score *score, const char *what, int code)
{
	score->rules[0] = '\0';
	PLAY_RULE(score, "%s failed: %s", what, nonet_error_name(code));
	return code;
}

const char *play_duration(int64_t duration, char *text, size_t size)
{
	if (duration < 10000)
		snprintf(text, size, "%.2f us", (double)duration / 1e3);
	else if (duration < 1000000)
		snprintf(text, size, "%.0f us", (double)duration / 1e3);
	else
		/* No wider than the others, or the table would outgrow a terminal on a busy machine. */
		snprintf(text, size, "%.*f ms", duration < 9995000 ? 2 : 0, (double)duration / 1e6);
	return text;
}

int play_file(char *path, size_t size)
{
	const char *directory = getenv("TMPDIR");
	int fd;

	if (!directory || *directory != '/')
		directory = "/tmp";
	if ((size_t)snprintf(path, size, "%s/nonet-tour-XXXXXX", directory) >= size)
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int partner_start(struct partner *partner, void (*serve)(void *data), void *data)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* the parent may have died before the first call: then nobody would send the signal */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			serve(data);
		_exit(0);
	}
	partner->pid = pid;
	return 0;
}

void partner_end(struct partner *partner)
{
	pid_t r;

	if (partner->pid == 0)
		return;
	kill(partner->pid, SIGKILL);
	do
		r = waitpid(partner->pid, NULL, 0);
	while (r < 0 && errno == EINTR);
	partner->pid = 0;
}

static int stream(struct link *link, const void *message)
{
	nonet_time end = nonet_after(STREAM_TIME);
	char last = 0;
	unsigned int i;
	int r;

	for (i = 0; i % STREAM_LOOK != 0 || nonet_clock() < end; i++) {
		r = link->send(link->sender, message, PLAY_MESSAGE, NONET_FOREVER);
		if (r < 0)
			return r;
	}
	return link->send(link->sender, &last, 1, NONET_FOREVER);
}

void play_serve(struct link *link, int (*special)(void *data), void *data)
{
	char message[PLAY_MESSAGE];
	size_t size;
	int r = 0;

	while (r == 0) {
		r = link->receive(link->receiver, message, sizeof(message), NONET_FOREVER, &size);
		if (r < 0 || size != sizeof(message))
			break;
		if (message[0] == PLAY_ECHO)
			r = link->send(link->sender, message, sizeof(message), NONET_FOREVER);
		else if (message[0] == PLAY_STREAM)
			r = stream(link, message);
		else
			r = special ? special(data) : -EPROTO;
	}
}

int play_request(struct link *link, enum play_request request)
{
	char message[PLAY_MESSAGE] = {(char)request};

	return link->send(link->sender, message, sizeof(message), patience());
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int round_trip(struct link *link, nonet_time deadline, int64_t *ret_took)
{
	char message[PLAY_MESSAGE] = {PLAY_ECHO};
	nonet_time start = nonet_clock();
	size_t size;
	int r;

	r = link->send(link->sender, message, sizeof(message), deadline);
	if (r == 0)
		r = link->receive(link->receiver, message, sizeof(message), deadline, &size);
	if (r == 0 && (size != sizeof(message) || message[0] != PLAY_ECHO))
		r = -EPROTO;
	*ret_took = nonet_clock() - start;
	return r;
}

int play_ping_pong(struct link *link, struct score *score)
{
	nonet_time deadline = patience(), end = 0;
	int64_t *times, took;
	size_t i, count = 0;
	int r = 0;

	times = malloc(ROUNDS_MAX * sizeof(*times));
	if (!times)
		return play_failed(score, "a round trip", -ENOMEM);
	for (i = 0; i < ROUNDS_WARM + ROUNDS_MAX; i++) {
		if (i == ROUNDS_WARM)
			end = nonet_after(ROUNDS_TIME);
		r = round_trip(link, deadline, &took);
		if (r < 0)
			break;
		if (i < ROUNDS_WARM)
			continue;
		times[count++] = took;
		if (nonet_clock() >= end)
			break;
	}
	if (r == 0) {
		qsort(times, count, sizeof(*times), compare);
		score->p50 = times[count / 2] / 2;
		score->p99 = times[count * 99 / 100] / 2;
		PLAY_EXCHANGED(score, "%zu round trips of %zu bytes", count, PLAY_MESSAGE);
	}
	free(times);
	return r < 0 ? play_failed(score, "a round trip", r) : 0;
}

int play_stream(struct link *link, struct score *score)
{
	char message[PLAY_MESSAGE];
	nonet_time start = 0, deadline = patience();
	uint64_t count = 0;
	size_t size;
	int r;

	r = play_request(link, PLAY_STREAM);
	while (r == 0) {
		r = link->receive(link->receiver, message, sizeof(message), deadline, &size);
		if (r < 0 || size != sizeof(message))
			break;
		if (count++ == 0) /* the partner's waking up isn't part of it, nor is this message */
			start = nonet_clock();
	}
	if (r == 0 && count < 2)
		r = -EPROTO;
	if (r < 0)
		return play_failed(score, "a stream of messages", r);
	score->messages_per_s = (double)(count - 1) / ((double)(nonet_clock() - start) / 1e9);
	PLAY_EXCHANGED(score, "%llu streamed", (unsigned long long)count);
	return 0;
}

int play_deadline(struct link *link, struct score *score)
{
	char message[PLAY_MESSAGE];
	nonet_time start = nonet_clock();
	size_t size;
	int r;

	r = link->receive(link->receiver, message, sizeof(message), nonet_after(DEADLINE), &size);
	if (r != -ETIMEDOUT)
		return play_failed(score, "keeping a deadline", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "deadline of %s: %s after %s", PLAY_DURATION(DEADLINE), nonet_error_name(r),
		  PLAY_DURATION(nonet_clock() - start));
	return 0;
}

int play_kill(struct link *link, struct partner *partner, int expected, struct score *score)
{
	char message[PLAY_MESSAGE];
	nonet_time start = nonet_clock();
	int64_t took;
	size_t size;
	int r;

	if (kill(partner->pid, SIGKILL) < 0)
		return play_failed(score, "killing the partner", -errno);
	r = link->receive(link->receiver, message, sizeof(message), patience(), &size);
	took = nonet_clock() - start;
	if (r != expected)
		return play_failed(score, "telling that the partner was killed", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "peer killed: %s after %s", nonet_error_name(r), PLAY_DURATION(took));
	partner_end(partner);
	return 0;
}
