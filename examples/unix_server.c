/* SPDX-License-Identifier: Apache-2.0 */
/* A server without threads: one nonet_wait() for the listener and for all who have connected. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int be_client(const char *name)
{
	struct nonet_unix *server;
	int result = nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, nonet_after(NONET_S(5)), &server, NULL);

	return result < 0 ? result : nonet_unix_send(server, "hello", 5, nonet_after(NONET_S(5)));
}

int main(void)
{
	struct nonet_unix_listener *listener;
	struct nonet_wait_event event;
	struct nonet_unix *client;
	struct nonet_wait_set *set;
	struct nonet_error error = {.text = "can't wait for the listener"};
	char name[64], text[64];
	int result, heard = 0, gone = 0;
	size_t size;

	snprintf(name, sizeof(name), "@nonet-unix-server-%d", (int)getpid());
	if (nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error) < 0 ||
	    nonet_wait_set_new(&set, &error) < 0 ||
	    nonet_wait_set_add(set, nonet_unix_listener_waitable(listener), NONET_WAIT_RECEIVE, listener) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(be_client(name) < 0);
	while (gone < 3 && nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &size) == 0) {
		if (event.data == listener) {
			if (nonet_unix_accept(listener, NONET_NOW, &client) == 0 &&
			    nonet_wait_set_add(set, nonet_unix_waitable(client), NONET_WAIT_RECEIVE, client) < 0)
				nonet_unix_close(client);
			continue;
		}
		client = event.data;
		result = nonet_unix_receive(client, text, sizeof(text), NONET_NOW, &size);
		if (result == 0) {
			printf("a client says: %.*s\n", (int)size, text);
			heard++;
		} else if (result != -EAGAIN) {
			nonet_unix_close(client); /* it is gone; this takes it out of the set */
			gone++;
		}
	}
	nonet_wait_set_free(set);
	nonet_unix_listener_close(listener);
	printf("%d messages, and %d clients have gone again\n", heard, gone);
	return heard != 3 || gone != 3;
}
