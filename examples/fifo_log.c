/* SPDX-License-Identifier: Apache-2.0 */
/* A log with a name: who has something to say opens the FIFO, sends a line and goes. The reader stays. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int write_line(const char *path, nonet_time deadline)
{
	struct nonet_error error;
	struct nonet_pipe *pipe;
	int result = nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, deadline, &pipe, &error);

	if (result == 0) {
		result = nonet_pipe_send(pipe, "somebody was here", 17, deadline);
		if (result < 0)
			nonet_pipe_explain(pipe, result, &error);
		nonet_pipe_close(pipe);
	}
	if (result < 0)
		fprintf(stderr, "a writer: %s\n", error.text);
	return result < 0;
}

int main(void)
{
	const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	nonet_time deadline = nonet_after(NONET_S(10));
	struct nonet_error error;
	struct nonet_pipe *pipe = NULL;
	char path[64], line[64];
	size_t size;
	int result;

	snprintf(path, sizeof(path), "/tmp/nonet-fifo-log-%d", (int)getpid());
	if (nonet_pipe_create(path, 0, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &pipe, &error);
	for (int lines = 0; lines < 3 && result == 0; lines++) {
		if (fork() == 0)
			_exit(write_line(path, deadline));
		do /* -EPIPE: there is no writer any more; the next one is waited for */
			result = nonet_pipe_receive(pipe, line, sizeof(line), deadline, &size);
		while (result == -EPIPE && nonet_pipe_reopen(pipe, deadline) == 0);
		if (result == 0)
			printf("%.*s\n", (int)size, line);
		else
			nonet_pipe_explain(pipe, result, &error);
		wait(NULL); /* it is gone before the next one comes */
	}
	if (result < 0)
		fprintf(stderr, "%s\n", error.text);
	nonet_pipe_close(pipe);
	return nonet_pipe_unlink(path, NULL) < 0 || result < 0;
}
