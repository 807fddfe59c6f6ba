/* SPDX-License-Identifier: Apache-2.0 */
/* A nonet connection inside a libuv loop: uv_poll_t watches its descriptor. A child is on the other side. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <nonet/nonet.h>

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct nonet_unix *connection = poll->data;
	char text[64];
	size_t size;
	int result;

	(void)events;
	/* Take until there is nothing; arm says whether it is safe to leave the rest to the descriptor. */
	do {
		do {
			result = nonet_unix_receive(connection, text, sizeof(text), NONET_NOW, &size);
			if (result == 0)
				printf("%.*s\n", (int)size, text);
		} while (result == 0);
	} while (result == -EAGAIN && nonet_unix_arm(connection) == 1);

	/* -EPIPE: the child is done. A handle that is closed no longer keeps the loop running. */
	if (result != -EAGAIN || status < 0)
		uv_close((uv_handle_t *)poll, NULL);
}

static int child(struct nonet_unix *connection)
{
	static const char *const words[] = {"one loop", "many objects", "no thread"};

	for (int i = 0; i < 3; i++)
		if (nonet_unix_send(connection, words[i], strlen(words[i]), NONET_FOREVER) < 0)
			return 1;
	return 0;
}

int main(void)
{
	struct nonet_error error;
	struct nonet_unix *ours;
	struct nonet_unix *theirs;
	uv_poll_t poll;
	uv_loop_t loop;
	int status;

	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0) {
		nonet_unix_close(ours);
		_exit(child(theirs));
	}
	nonet_unix_close(theirs);

	/* A new connection has read nothing ahead; one that was used before is armed first. */
	if (uv_loop_init(&loop) < 0 || uv_poll_init(&loop, &poll, nonet_unix_fd(ours)) < 0)
		return 1;
	poll.data = ours;
	uv_poll_start(&poll, UV_READABLE, on_readable);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	nonet_unix_close(ours);
	return wait(&status) < 0 || status != 0;
}
