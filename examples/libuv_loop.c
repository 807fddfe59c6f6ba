/* SPDX-License-Identifier: Apache-2.0 */
/* A connection in a libuv loop: uv_poll_t watches its descriptor. A child is on the other side. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <nonet/nonet.h>

static int messages;

static void on_readable(uv_poll_t *poll, int status, int events)
{
	char text[64];
	size_t size;
	int result;

	(void)events;
	/* Take until there is nothing; arm says whether it is safe to leave the rest to the descriptor. */
	do {
		result = nonet_unix_receive(poll->data, text, sizeof(text), NONET_NOW, &size);
		if (result == 0)
			printf("message %d: %.*s\n", ++messages, (int)size, text);
	} while (result == 0 || (result == -EAGAIN && nonet_unix_arm(poll->data) == 1));

	/* -EPIPE: the child is done. A handle that is closed no longer keeps the loop running. */
	if (result != -EAGAIN || status < 0)
		uv_close((uv_handle_t *)poll, NULL);
}

int main(void)
{
	struct nonet_unix *ours, *theirs;
	struct nonet_error error;
	uv_poll_t poll;
	uv_loop_t loop;
	int status, failed;

	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(nonet_unix_send(theirs, "one loop", 8, nonet_after(NONET_S(5))) < 0 ||
		      nonet_unix_send(theirs, "no thread", 9, nonet_after(NONET_S(5))) < 0);
	nonet_unix_close(theirs);

	poll.data = ours;
	/* A new connection has read nothing ahead; one that was used before is armed first. */
	if (uv_loop_init(&loop) != 0 || uv_poll_init(&loop, &poll, nonet_unix_fd(ours)) != 0 ||
	    uv_poll_start(&poll, UV_READABLE, on_readable) != 0) {
		fprintf(stderr, "libuv can't watch the connection\n");
		return 1;
	}
	failed = uv_run(&loop, UV_RUN_DEFAULT) != 0 || uv_loop_close(&loop) != 0;
	nonet_unix_close(ours);
	return failed || wait(&status) < 0 || status != 0 || messages != 2;
}
