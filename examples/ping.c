/* SPDX-License-Identifier: Apache-2.0 */
/* ping, in a few lines: how long the way to a host and back is, or why that can't be said. */
#include <errno.h>
#include <stdio.h>

#include <nonet/nonet.h>

int main(int argc, char **argv)
{
	const char *host = argc > 1 ? argv[1] : "127.0.0.1";
	char request[56] = "a ping", answer[56];
	struct nonet_socket *socket;
	struct nonet_error error;
	int result, answers = 0;
	nonet_time begin;
	size_t size;

	result = nonet_socket_connect(host, NULL, NONET_SOCKET_ICMP, NULL, nonet_after(NONET_S(2)), &socket, &error);
	if (result < 0) {
		fprintf(stderr, "%s\n", error.text);
		/* Without CAP_NET_RAW nobody may ping, which is no failure of this example. */
		return result == -EPERM ? 77 : 1;
	}
	for (int i = 0; i < 3; i++) {
		begin = nonet_clock();
		result = nonet_socket_send(socket, request, sizeof(request), NONET_NOW);
		if (result == 0)
			result = nonet_socket_receive(socket, answer, sizeof(answer), nonet_after(NONET_S(1)), &size);
		if (result < 0) {
			nonet_socket_explain(socket, result, &error);
			fprintf(stderr, "%s\n", error.text);
			continue;
		}
		answers++;
		printf("%zu bytes from %s and back: %lld us\n", size, host, (long long)(nonet_clock() - begin) / 1000);
	}
	nonet_socket_close(socket);
	return answers == 0;
}
