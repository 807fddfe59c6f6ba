/* SPDX-License-Identifier: Apache-2.0 */
/* Three processes write into one pipe, each message whole and in its writer's order. The end is when all have gone. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int write_lines(struct nonet_pipe *pipe, int writer)
{
	struct nonet_error error;
	int result = 0;

	for (int i = 0; i < 4 && result == 0; i++) {
		char line[64];
		int size = snprintf(line, sizeof(line), "writer %d, line %d", writer, i);

		result = nonet_pipe_send(pipe, line, (size_t)size, nonet_after(NONET_S(5)));
	}
	if (result < 0) {
		nonet_pipe_explain(pipe, result, &error);
		fprintf(stderr, "%s\n", error.text);
	}
	return result < 0;
}

int main(void)
{
	struct nonet_pipe *reader, *writer;
	int result, who, number, next[3] = {0};
	struct nonet_error error;
	char line[64];
	size_t size;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(write_lines(writer, i));
	nonet_pipe_close(writer); /* ours: else there would always be one, and never an end */

	while ((result = nonet_pipe_receive(reader, line, sizeof(line) - 1, nonet_after(NONET_S(5)), &size)) == 0) {
		line[size] = '\0';
		printf("%s\n", line);
		if (sscanf(line, "writer %d, line %d", &who, &number) != 2 || who < 0 || who > 2 ||
		    number != next[who]++) {
			fprintf(stderr, "that isn't its writer's next line\n");
			return 1;
		}
	}
	nonet_pipe_explain(reader, result, &error);
	printf("%s\n", error.text);
	nonet_pipe_close(reader);
	return result != -EPIPE || next[0] != 4 || next[1] != 4 || next[2] != 4;
}
