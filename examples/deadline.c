/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every wait ends when its deadline says, whatever it waits for, and what had come by then isn't lost. Nobody is on the
 * other side of anything here.
 */
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

static nonet_time begun;

static void tell(const char *what, int result)
{
	printf("%-44s %-10s after %3lld ms\n", what, nonet_error_name(result),
	       (long long)(nonet_clock() - begun) / 1000000);
	begun = nonet_clock();
}

/* Half of what is wanted is there. What such a call got stays in the buffer, and the next one goes on after it. */
static int resume(struct nonet_pipe *reader, struct nonet_pipe *writer)
{
	char text[10];
	size_t done = 0;
	int result = nonet_pipe_write(writer, "here ", 5, NONET_NOW, NULL);

	tell("write 5 bytes", result);
	result = nonet_pipe_read_exactly(reader, text, sizeof(text), nonet_after(NONET_MS(50)), &done);
	tell("read exactly 10, 50 ms", result);
	printf("\tso far: %.*s\n", (int)done, text);
	result = nonet_pipe_write(writer, "it is", 5, NONET_NOW, NULL);
	tell("write 5 more", result);
	result = nonet_pipe_read_exactly(reader, text, sizeof(text), nonet_after(NONET_MS(50)), &done);
	tell("read exactly 10, resumed", result);
	printf("\tin the end: %.*s\n", (int)done, text);
	return result;
}

int main(void)
{
	const struct nonet_unix_options wait_there = {.size = sizeof(wait_there), .flags = NONET_UNIX_WAIT_LISTENER};
	struct nonet_pipe *reader, *writer;
	struct nonet_unix *server = NULL;
	struct nonet_error error;
	nonet_time both;
	char name[64];
	char text[64];
	size_t size;
	int result;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	begun = nonet_clock();
	tell("receive, NONET_NOW", nonet_pipe_receive(reader, text, sizeof(text), NONET_NOW, &size));
	tell("receive, 50 ms", nonet_pipe_receive(reader, text, sizeof(text), nonet_after(NONET_MS(50)), &size));

	/* A deadline is a point in time: one bounds a row of calls. What is there is taken even when it has passed. */
	both = nonet_after(NONET_MS(50));
	snprintf(name, sizeof(name), "@nonet-deadline-%d", (int)getpid());
	result = nonet_unix_connect(name, NONET_UNIX_STREAM, &wait_there, both, &server, &error);
	tell("connect when somebody listens, 50 ms", result);
	if (result < 0)
		printf("\t%s\n", error.text);
	tell("then receive by the same deadline", nonet_pipe_receive(reader, text, sizeof(text), both, &size));
	tell("send", nonet_pipe_send(writer, "late", 4, both));
	tell("receive what is there, the deadline over", nonet_pipe_receive(reader, text, sizeof(text), both, &size));

	result = resume(reader, writer);
	nonet_unix_close(server);
	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	return result < 0;
}
