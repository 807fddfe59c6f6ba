/* SPDX-License-Identifier: Apache-2.0 */
/* A server that adds, and a client that calls it: the reply is the one to its own request, or an error says why not. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define CHANNEL "channel:example-sums"

/* Answers three requests, the last one with an error. */
static int serve(void)
{
	struct nonet_message request;
	struct nonet_server *server;
	int64_t sum;
	int result = nonet_server_open(CHANNEL, NULL, &server, NULL);

	for (int i = 0; i < 3 && result == 0; i++) {
		result = nonet_server_next(server, nonet_after(NONET_S(5)), &request);
		if (result == 0 && request.size == 2 * sizeof(sum)) {
			sum = ((const int64_t *)request.data)[0] + ((const int64_t *)request.data)[1];
			result = nonet_server_reply(server, &request, 0, &sum, sizeof(sum), NONET_NOW);
		} else if (result == 0) {
			result = nonet_server_reply(server, &request, -EINVAL, "two numbers", 11, NONET_NOW);
		}
	}
	nonet_server_close(server);
	return result < 0;
}

int main(void)
{
	const struct nonet_channel_options calls = {.size = sizeof(calls), .flags = NONET_CHANNEL_CALLS};
	const struct nonet_call_options waiting = {.size = sizeof(waiting), .flags = NONET_CALL_WAIT};
	int64_t numbers[2] = {20, 1}, sum = 0;
	struct nonet_client *client = NULL;
	struct nonet_reply reply;
	int result, status;

	if (nonet_channel_create(CHANNEL, &calls, NULL) < 0)
		return 1;
	if (fork() == 0)
		_exit(serve());
	result = nonet_client_open(CHANNEL, &waiting, &client, NULL);
	for (int i = 0; i < 3 && result == 0; i++, numbers[1] *= 2) {
		result = nonet_client_call(client, numbers, i < 2 ? 16 : 8, nonet_after(NONET_S(5)), &reply);
		if (result == 0 && reply.code == 0)
			printf("the sum is %d\n", (int)*(const int64_t *)reply.data);
		else if (result == 0)
			printf("refused: %.*s\n", (int)reply.size, (const char *)reply.data);
		sum += result == 0 && reply.code == 0 ? *(const int64_t *)reply.data : 0;
		result = result < 0 ? result : nonet_client_release(client, &reply);
	}
	nonet_client_close(client);
	(void)wait(&status);
	return nonet_channel_unlink(CHANNEL, NULL) < 0 || status != 0 || sum != 43;
}
