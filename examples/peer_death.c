/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side is killed by SIGKILL while we wait for it. A pipe and a connection tell at once. A datagram socket,
 * which has no connection to lose, tells the next time that we send. The killer is our own SIGALRM handler, which
 * interrupts the wait; that never shows.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static volatile sig_atomic_t victim;
static _Atomic nonet_time killed;

static void on_alarm(int number)
{
	(void)number;
	atomic_store_explicit(&killed, nonet_clock(), memory_order_relaxed);
	kill((pid_t)victim, SIGKILL);
}

/* A child that holds what it inherited, and has 20 ms to live. */
static void doom(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}};

	victim = fork();
	if (victim < 0) {
		perror("fork");
		exit(1);
	}
	while (victim == 0)
		pause();
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void tell(const char *what, int result)
{
	nonet_time passed = nonet_clock() - atomic_load_explicit(&killed, memory_order_relaxed);

	printf("%-38s %-13s %6lld us after the kill\n", what, nonet_error_name(result), (long long)passed / 1000);
	waitpid((pid_t)victim, NULL, 0);
}

static int lose_pipe(struct nonet_error *error)
{
	struct nonet_pipe *reader, *writer;
	char text[64];
	size_t size;
	int result = nonet_pipe_new(NULL, &reader, &writer, error);

	if (result < 0)
		return result;
	doom();
	nonet_pipe_close(writer);
	tell("pipe, receive", nonet_pipe_receive(reader, text, sizeof(text), nonet_after(NONET_S(5)), &size));
	nonet_pipe_close(reader);
	return 0;
}

static int lose_unix(const char *what, enum nonet_unix_type type, const char *unread, struct nonet_error *error)
{
	struct nonet_unix *ours, *theirs;
	char text[64];
	size_t size;
	int result = nonet_unix_pair(type, NULL, &ours, &theirs, error);

	if (result < 0)
		return result;
	if (unread)
		result = nonet_unix_send(ours, unread, 1, NONET_NOW);
	doom();
	nonet_unix_close(theirs);
	tell(what, nonet_unix_receive(ours, text, sizeof(text), nonet_after(NONET_MS(500)), &size));
	if (type == NONET_UNIX_DATAGRAM)
		tell("datagrams, send", nonet_unix_send(ours, "anybody?", 8, NONET_NOW));
	nonet_unix_close(ours);
	return result;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct nonet_error error;

	sigaction(SIGALRM, &action, NULL);
	if (lose_pipe(&error) < 0 || lose_unix("stream, receive", NONET_UNIX_STREAM, NULL, &error) < 0 ||
	    lose_unix("packets, receive", NONET_UNIX_SEQPACKET, NULL, &error) < 0 ||
	    lose_unix("stream, receive; it left our message", NONET_UNIX_STREAM, "!", &error) < 0 ||
	    lose_unix("packets, receive; it left our packet", NONET_UNIX_SEQPACKET, "!", &error) < 0 ||
	    lose_unix("datagrams, receive", NONET_UNIX_DATAGRAM, NULL, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	return 0;
}
