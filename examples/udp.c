/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: a server that answers whoever asked, and a client that asks again if nothing comes: datagrams may be lost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* It doesn't answer the first time. */
static int be_server(struct nonet_socket *socket)
{
	struct nonet_socket_name from;
	char question[64];
	size_t size;
	int result;

	for (int i = 0; i < 2; i++) {
		result = nonet_socket_receive_from(socket, question, sizeof(question), nonet_after(NONET_S(5)), &from,
						   &size);
		if (result < 0)
			return result;
	}
	return nonet_socket_send_to(socket, &from, "noon", 4, nonet_after(NONET_S(5)));
}

int main(void)
{
	struct nonet_socket *server, *client;
	struct nonet_socket_name name;
	char port[8], answer[64];
	int result, tries = 0;
	size_t size = 0;

	/* "::" and 0.0.0.0 at once: clients of IPv6 and IPv4. */
	if (nonet_socket_bind(NULL, "0", NULL, NONET_NOW, &server, NULL) < 0 ||
	    nonet_socket_get_name(server, &name) < 0)
		return 1;
	if (fork() == 0)
		_exit(be_server(server) < 0);
	nonet_socket_close(server);

	snprintf(port, sizeof(port), "%d", name.port);
	if (nonet_socket_connect("127.0.0.1", port, NONET_SOCKET_UDP, NULL, NONET_NOW, &client, NULL) < 0)
		return 1;
	do {
		result = nonet_socket_send(client, "what time is it?", 16, nonet_after(NONET_S(1)));
		if (result == 0)
			result = nonet_socket_receive(client, answer, sizeof(answer), nonet_after(NONET_MS(50)), &size);
	} while (result == -ETIMEDOUT && ++tries < 20);
	nonet_socket_close(client);
	if (result == 0)
		printf("it is %.*s, said when asked again\n", (int)size, answer);
	wait(NULL);
	return result < 0 || tries == 0;
}
