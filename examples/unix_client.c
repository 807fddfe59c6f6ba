/* SPDX-License-Identifier: Apache-2.0 */
/* A client, which may begin before its server: it connects once somebody listens there, by a deadline. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int fail(const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	return 1;
}

/* The other side: take one connection, answer one request. */
static int serve(const char *name, nonet_time deadline)
{
	struct nonet_unix_listener *listener;
	struct nonet_unix *client;
	struct nonet_error error;
	char text[64];
	size_t size;

	if (nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, deadline, &listener, &error) < 0)
		return fail(error.text);
	return nonet_unix_accept(listener, deadline, &client) < 0 ||
	       nonet_unix_receive(client, text, sizeof(text), deadline, &size) < 0 ||
	       nonet_unix_send(client, "fine, thanks", 12, deadline) < 0;
}

int main(void)
{
	const struct nonet_unix_options patient = {.size = sizeof(patient), .flags = NONET_UNIX_WAIT_LISTENER};
	nonet_time deadline = nonet_after(NONET_S(5));
	struct nonet_unix *server;
	struct nonet_error error;
	char name[64], text[64];
	size_t size;
	int result;

	snprintf(name, sizeof(name), "@nonet-unix-client-%d", (int)getpid());
	if (nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &server, &error) == 0)
		return fail("somebody listens there already");
	printf("too early: %s\n", error.text);

	if (fork() == 0)
		_exit(serve(name, deadline));
	if (nonet_unix_connect(name, NONET_UNIX_STREAM, &patient, deadline, &server, &error) < 0)
		return fail(error.text);
	result = nonet_unix_send(server, "how are you?", 12, deadline);
	if (result == 0)
		result = nonet_unix_receive(server, text, sizeof(text), deadline, &size);
	nonet_unix_explain(server, result, &error);
	nonet_unix_close(server);
	wait(NULL);
	if (result < 0)
		return fail(error.text);
	printf("the server says: %.*s\n", (int)size, text);
	return 0;
}
