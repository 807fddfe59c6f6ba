/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process, no threads, one nonet_wait(): a listener, its clients, a timer by which those are hung up on who are
 * silent for too long, and a wake object by which a signal handler says that a child has ended. Three clients talk, one
 * never says a word. When the last has ended, so does the server.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

enum {
	CLIENTS = 4,
	IDLE_MS = 300,
	TICK_MS = 100
};

static struct client {
	struct nonet_unix *socket;
	nonet_time last;
} clients[CLIENTS];
static struct nonet_wake *child_ended;

static void on_sigchld(int number)
{
	(void)number;
	nonet_wake_signal(child_ended);
}

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

/* A client's life: as many requests as its number says; the one that has none listens until it is hung up on. */
static int live(const char *name, int number)
{
	nonet_time deadline = nonet_after(NONET_S(10));
	struct nonet_unix *server;
	struct nonet_error error;
	char text[64];
	size_t size;
	int result = nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, deadline, &server, &error);

	if (result < 0)
		return fail(error.text);
	for (int i = 1; result == 0 && i <= number; i++) {
		int length = snprintf(text, sizeof(text), "client %d, request %d", number, i);

		result = nonet_unix_send(server, text, (size_t)length, deadline);
		if (result == 0)
			result = nonet_unix_receive(server, text, sizeof(text), deadline, &size);
	}
	if (number == 0)
		result = nonet_unix_receive(server, text, sizeof(text), deadline, &size);
	return result == 0 || result == -EPIPE || result == -ECONNRESET ? 0 : fail(nonet_error_name(result));
}

static void take_client(struct nonet_wait_set *set, struct nonet_unix_listener *listener)
{
	struct client *slot = clients;
	struct nonet_unix *socket;

	if (nonet_unix_accept(listener, NONET_NOW, &socket) < 0)
		return;
	while (slot < clients + CLIENTS && slot->socket)
		slot++;
	if (slot == clients + CLIENTS ||
	    nonet_wait_set_add(set, nonet_unix_waitable(socket), NONET_WAIT_RECEIVE, slot) < 0)
		nonet_unix_close(socket);
	else
		*slot = (struct client){socket, nonet_clock()};
}

static void serve(struct client *client)
{
	char text[64];
	size_t size;
	int result = nonet_unix_receive(client->socket, text, sizeof(text), NONET_NOW, &size);

	if (result == -EAGAIN)
		return;
	/* Nobody is waited for who doesn't take the answer. */
	if (result == 0)
		result = nonet_unix_send(client->socket, text, size, NONET_NOW);
	if (result == 0) {
		printf("%.*s\n", (int)size, text);
		client->last = nonet_clock();
	} else {
		client->socket = nonet_unix_close(client->socket);
	}
}

static void hang_up_on_the_silent(struct nonet_timer *timer)
{
	uint64_t times;

	if (nonet_timer_take(timer, NONET_NOW, &times) < 0)
		return;
	for (struct client *client = clients; client < clients + CLIENTS; client++) {
		if (!client->socket || nonet_clock() - client->last < NONET_MS(IDLE_MS))
			continue;
		printf("one said nothing for %d ms\n", IDLE_MS);
		client->socket = nonet_unix_close(client->socket);
	}
}

/* Serve until no child is left. */
static int run(struct nonet_wait_set *set, struct nonet_unix_listener *listener, struct nonet_timer *timer)
{
	nonet_time deadline = nonet_after(NONET_S(20));
	struct nonet_wait_event event;
	int failed = 0;
	size_t count;

	/* One event at a time: what one does can't close what another is about. */
	while (nonet_wait(set, &event, 1, deadline, &count) == 0) {
		if (event.data == listener) {
			take_client(set, listener);
		} else if (event.data == timer) {
			hang_up_on_the_silent(timer);
		} else if (event.data == child_ended) {
			int status;
			pid_t pid;

			nonet_wake_clear(child_ended);
			while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
				failed |= status != 0;
			if (pid < 0)
				return failed;
		} else {
			serve(event.data);
		}
	}
	return fail("the clients don't end");
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};
	struct nonet_unix_listener *listener;
	struct nonet_wait_set *set;
	struct nonet_timer *timer;
	struct nonet_error error;
	char name[64];
	int failed;

	snprintf(name, sizeof(name), "@nonet-unix-server-%d", (int)getpid());
	if (nonet_wake_new(&child_ended, &error) < 0 || nonet_timer_new(&timer, &error) < 0 ||
	    nonet_wait_set_new(&set, &error) < 0 ||
	    nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error) < 0)
		return fail(error.text);
	sigaction(SIGCHLD, &action, NULL);
	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0) {
			nonet_unix_listener_close(listener); /* the name is to end with the server */
			_exit(live(name, i));
		}
	if (nonet_wait_set_add(set, nonet_wake_waitable(child_ended), NONET_WAIT_RECEIVE, child_ended) < 0 ||
	    nonet_wait_set_add(set, nonet_timer_waitable(timer), NONET_WAIT_RECEIVE, timer) < 0 ||
	    nonet_wait_set_add(set, nonet_unix_listener_waitable(listener), NONET_WAIT_RECEIVE, listener) < 0 ||
	    nonet_timer_set(timer, nonet_after(NONET_MS(TICK_MS)), NONET_MS(TICK_MS)) < 0)
		failed = fail("can't wait");
	else
		failed = run(set, listener, timer);

	for (int i = 0; i < CLIENTS; i++)
		nonet_unix_close(clients[i].socket);
	nonet_unix_listener_close(listener);
	while (wait(NULL) > 0) /* after a failure: hung up on, they end */
		;
	nonet_wait_set_free(set);
	nonet_timer_free(timer);
	nonet_wake_free(child_ended);
	return failed;
}
