/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP client that knows a name and a port: looking up, connecting, asking and the answer share one deadline. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* What answers here: a line for a line, in plain bytes, as programs that know nothing of nonet do. */
static int be_server(struct nonet_socket_listener *listener)
{
	struct nonet_socket *client;
	char line[64];
	size_t size;
	int result = nonet_socket_accept(listener, nonet_after(NONET_S(5)), &client);

	if (result == 0)
		result = nonet_socket_read(client, line, sizeof(line), nonet_after(NONET_S(5)), &size);
	return result < 0 ? result : nonet_socket_write(client, "seven\n", 6, nonet_after(NONET_S(5)), NULL);
}

int main(void)
{
	const nonet_time deadline = nonet_after(NONET_S(5));
	struct nonet_socket_listener *listener;
	struct nonet_socket_name name;
	struct nonet_socket *server;
	struct nonet_error error;
	char port[8], answer[64];
	size_t size = 0;
	int result, status = 1;

	if (nonet_socket_listen("localhost", "0", NULL, deadline, &listener, &error) < 0 ||
	    nonet_socket_listener_get_name(listener, &name) < 0)
		return 1;
	if (fork() == 0)
		_exit(be_server(listener) < 0);
	nonet_socket_listener_close(listener);

	snprintf(port, sizeof(port), "%d", name.port);
	result = nonet_socket_connect("localhost", port, NONET_SOCKET_TCP, NULL, deadline, &server, &error);
	if (result == 0) {
		result = nonet_socket_write(server, "how many?\n", 10, deadline, NULL);
		if (result == 0)
			result = nonet_socket_read(server, answer, sizeof(answer), deadline, &size);
		if (result == 0)
			printf("%s:%s says: %.*s", name.host, port, (int)size, answer);
		else
			nonet_socket_explain(server, result, &error);
		nonet_socket_close(server);
	}
	if (result < 0)
		fprintf(stderr, "%s\n", error.text);
	wait(&status);
	return result < 0 || status != 0;
}
