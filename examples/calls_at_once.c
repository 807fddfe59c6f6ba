/* SPDX-License-Identifier: Apache-2.0 */
/* Several calls at once: the server answers the last one first, each reply finds its call, and one is given up. */
#include <stdio.h>
#include <string.h>

#include <nonet/nonet.h>

#define CHANNEL "channel:example-calls"
#define CALLS   4

/* Requests are held where they were written, and answered in any order; the reply is written in place. */
static int answer(struct nonet_server *server)
{
	struct nonet_message requests[CALLS];
	void *buffer;
	int result = 0;

	for (int i = 0; i < CALLS && result == 0; i++)
		result = nonet_server_next(server, nonet_after(NONET_S(5)), &requests[i]);
	for (int i = CALLS - 1; i >= 0 && result == 0; i--) {
		result = nonet_server_loan(server, &requests[i], 2 * requests[i].size, NONET_NOW, &buffer);
		if (result < 0)
			break;
		memcpy(buffer, requests[i].data, requests[i].size);
		memcpy((char *)buffer + requests[i].size, requests[i].data, requests[i].size);
		result = nonet_server_commit(server, &requests[i], 0, 2 * requests[i].size);
	}
	return result;
}

int main(void)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .flags = NONET_CHANNEL_CALLS};
	static const char *const words[CALLS] = {"tom", "so", "ber", "can"};
	struct nonet_client *client = NULL;
	struct nonet_server *server = NULL;
	struct nonet_reply reply;
	uint64_t calls[CALLS];
	int result = nonet_channel_create(CHANNEL, &options, NULL);

	if (result < 0 || nonet_client_open(CHANNEL, NULL, &client, NULL) < 0 ||
	    nonet_server_open(CHANNEL, NULL, &server, NULL) < 0)
		result = -1;
	for (int i = 0; i < CALLS && result == 0; i++)
		result = nonet_client_begin(client, words[i], strlen(words[i]), NONET_NOW, &calls[i]);
	/* Its reply will come, and be nobody's. */
	if (result == 0)
		result = nonet_client_cancel(client, calls[2]);
	result = result < 0 ? result : answer(server);
	for (int i = 0; i < CALLS && result == 0; i += i == 1 ? 2 : 1) {
		result = nonet_client_end(client, calls[i], nonet_after(NONET_S(5)), &reply);
		if (result < 0)
			break;
		printf("%s: %.*s\n", words[i], (int)reply.size, (const char *)reply.data);
		result = nonet_client_release(client, &reply);
	}
	nonet_server_close(server);
	nonet_client_close(client);
	return nonet_channel_unlink(CHANNEL, NULL) < 0 || result < 0;
}
