/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP server without threads: one nonet_wait() for the listener and for all who have connected. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int be_client(const char *port)
{
	struct nonet_socket *server;
	int result =
		nonet_socket_connect("127.0.0.1", port, NONET_SOCKET_TCP, NULL, nonet_after(NONET_S(5)), &server, NULL);

	return result < 0 ? result : nonet_socket_send(server, "hello", 5, nonet_after(NONET_S(5)));
}

int main(void)
{
	/* A client whose host vanishes is told of after two minutes or so, instead of never. */
	const struct nonet_socket_options options = {.size = sizeof(options), .keepalive_idle = NONET_S(60)};
	struct nonet_socket_listener *listener;
	struct nonet_socket *client;
	struct nonet_socket_name name;
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	int result, heard = 0, gone = 0;
	char port[8], text[64];
	size_t size;

	if (nonet_socket_listen("127.0.0.1", "0", &options, NONET_NOW, &listener, NULL) < 0 ||
	    nonet_socket_listener_get_name(listener, &name) < 0 || nonet_wait_set_new(&set, NULL) < 0 ||
	    nonet_wait_set_add(set, nonet_socket_listener_waitable(listener), NONET_WAIT_RECEIVE, listener) < 0)
		return 1;
	snprintf(port, sizeof(port), "%d", name.port);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(be_client(port) < 0);
	while (gone < 3 && nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &size) == 0) {
		if (event.data == listener) {
			if (nonet_socket_accept(listener, NONET_NOW, &client) == 0 &&
			    nonet_wait_set_add(set, nonet_socket_waitable(client), NONET_WAIT_RECEIVE, client) < 0)
				nonet_socket_close(client);
			continue;
		}
		client = event.data;
		result = nonet_socket_receive(client, text, sizeof(text), NONET_NOW, &size);
		heard += result == 0;
		if (result < 0 && result != -EAGAIN) {
			nonet_socket_close(client); /* it is gone; this takes it out of the set */
			gone++;
		}
	}
	nonet_wait_set_free(set);
	nonet_socket_listener_close(listener);
	printf("port %s: %d messages, and %d clients have gone again\n", port, heard, gone);
	return heard != 3 || gone != 3;
}
