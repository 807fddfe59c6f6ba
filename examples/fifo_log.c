/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log through a FIFO: three writers, who come and go as they like, one reader. Lines come whole and in their writer's
 * order, the large one too, in whose pauses the other writers' small ones pass.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

enum {
	WRITERS = 3,
	LINES = 4,
	LARGE = 300000
};

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

/* Each line begins with its writer and number; the first writer's second one is large. */
static int write_lines(const char *path, int writer, nonet_time deadline)
{
	static char line[LARGE];
	struct nonet_error error;
	struct nonet_pipe *pipe;
	int result = 0;

	if (nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, deadline, &pipe, &error) < 0)
		return fail(error.text);
	memset(line, '.', sizeof(line));
	for (int i = 0; i < LINES && result == 0; i++) {
		int size = snprintf(line, sizeof(line), "%d %d a line", writer, i);

		line[size] = '.';
		result = nonet_pipe_send(pipe, line, writer == 0 && i == 1 ? LARGE : (size_t)size, deadline);
	}
	if (result < 0) {
		nonet_pipe_explain(pipe, result, &error);
		fail(error.text);
	}
	nonet_pipe_close(pipe);
	return result < 0;
}

static int read_lines(struct nonet_pipe *pipe, nonet_time deadline)
{
	static char line[LARGE + 1];
	int next[WRITERS] = {0};
	struct nonet_error error;
	int left = WRITERS * LINES;
	int result = 0;

	while (left > 0) {
		int writer, number;
		size_t size;

		result = nonet_pipe_receive(pipe, line, LARGE, deadline, &size);
		/* All who had come have gone: wait for those who haven't come yet. */
		if (result == -EPIPE) {
			result = nonet_pipe_reopen(pipe, deadline);
			if (result == 0)
				continue;
		}
		if (result < 0) {
			nonet_pipe_explain(pipe, result, &error);
			return fail(error.text);
		}
		line[size] = '\0';
		if (sscanf(line, "%d %d", &writer, &number) != 2 || writer < 0 || writer >= WRITERS)
			return fail("a line that none of the writers wrote");
		if (number != next[writer]++)
			return fail("a line out of its writer's order");
		printf("writer %d, line %d, %6zu bytes: %.24s\n", writer, number, size, line);
		left--;
	}
	return 0;
}

int main(void)
{
	const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	nonet_time deadline = nonet_after(NONET_S(30));
	struct nonet_error error;
	struct nonet_pipe *pipe;
	char path[64];
	int failed;
	int status;

	snprintf(path, sizeof(path), "/tmp/nonet-fifo-log-%d", (int)getpid());
	if (nonet_pipe_create(path, 0, &error) < 0)
		return fail(error.text);
	failed = nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &pipe, &error) < 0 && fail(error.text);
	for (int i = 0; i < WRITERS && !failed; i++)
		if (fork() == 0)
			_exit(write_lines(path, i, deadline));
	if (!failed) {
		failed = read_lines(pipe, deadline);
		nonet_pipe_close(pipe);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return nonet_pipe_unlink(path, &error) < 0 ? fail(error.text) : failed;
}
