/* SPDX-License-Identifier: Apache-2.0 */
/* Who has connected? The kernel says. Anybody may connect to an abstract name; only one gets what we have. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* 0 if the server does what is expected: it answers (0), or hangs up (-EPIPE). */
static int be_client(const char *name, int expected)
{
	struct nonet_unix *server;
	char text[64];
	size_t size;
	int result = nonet_unix_connect(name, NONET_UNIX_STREAM, NULL, nonet_after(NONET_S(5)), &server, NULL);

	if (result == 0)
		result = nonet_unix_receive(server, text, sizeof(text), nonet_after(NONET_S(5)), &size);
	if (result != expected)
		fprintf(stderr, "a client got %s\n", nonet_error_name(result));
	return result != expected;
}

int main(void)
{
	struct nonet_unix_listener *listener;
	struct nonet_unix_peer peer;
	struct nonet_unix *client;
	struct nonet_error error;
	int status, failed = 0;
	char name[64];
	pid_t friend;

	snprintf(name, sizeof(name), "@nonet-peer-credentials-%d", (int)getpid());
	if (nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &listener, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	friend = fork();
	if (friend == 0)
		_exit(be_client(name, 0));
	if (fork() == 0)
		_exit(be_client(name, -EPIPE));

	for (int i = 0; i < 2 && nonet_unix_accept(listener, nonet_after(NONET_S(5)), &client) == 0; i++) {
		if (nonet_unix_peer(client, &peer) < 0 || peer.pid != friend || peer.uid != getuid())
			printf("go away\n");
		else if (nonet_unix_send(client, "welcome", 7, NONET_NOW) == 0)
			printf("welcome, process %d of user %u\n", peer.pid, peer.uid);
		nonet_unix_close(client);
	}
	nonet_unix_listener_close(listener); /* hangs up on those who weren't accepted */
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
