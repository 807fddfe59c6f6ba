/* SPDX-License-Identifier: Apache-2.0 */
/* Two processes meet at an address, whatever carries their messages: one of three kinds of sockets, or a FIFO. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int fail(const struct nonet_error *error)
{
	fprintf(stderr, "%s\n", error->text);
	return 1;
}

/* One side: sends or receives a message, as the flags say. Nothing in here depends on the carrier. */
static int play(const char *address, uint32_t flags)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};
	nonet_time deadline = nonet_after(NONET_S(5));
	struct nonet_endpoint *endpoint;
	struct nonet_error error;
	char text[64];
	size_t size;
	int result;

	if (nonet_endpoint_open(address, &options, deadline, &endpoint, &error) < 0)
		return fail(&error);
	if (flags & NONET_ENDPOINT_SEND) {
		result = nonet_endpoint_send(endpoint, "hello", 5, deadline);
	} else {
		result = nonet_endpoint_receive(endpoint, text, sizeof(text), deadline, &size);
		if (result == 0)
			printf("%.*s over %s\n", (int)size, text, address);
	}
	nonet_endpoint_explain(endpoint, result, &error);
	nonet_endpoint_close(endpoint);
	return result < 0 ? fail(&error) : 0;
}

int main(void)
{
	static const char *const places[] = {"unix:@", "unix-seqpacket:@", "unix-dgram:@", "fifo:/tmp/"};
	int status, failed = 0;
	char address[64];

	for (int i = 0; i < 4; i++) {
		snprintf(address, sizeof(address), "%snonet-any-address-%d", places[i], (int)getpid());
		/* This side makes the name; the other waits until it is there. */
		if (fork() == 0)
			_exit(play(address, NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT));
		failed |= play(address, NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN);
		failed |= wait(&status) < 0 || status != 0;
	}
	failed |= unlink(address + strlen("fifo:")) < 0; /* a FIFO stays when its ends are closed */
	return failed;
}
