/* SPDX-License-Identifier: Apache-2.0 */
/* Every wait ends when its deadline says. Nothing ever comes here, until we send it ourselves. */
#include <errno.h>
#include <stdio.h>

#include <nonet/nonet.h>

static nonet_time begun;

/* Tell what a call returned, and when. 1 if it should have returned something else. */
static int wrong(const char *what, int result, int expected)
{
	long long passed = (nonet_clock() - begun) / NONET_MS(1);

	printf("%-38s %-10s after %3lld ms\n", what, nonet_error_name(result), passed);
	if (result != expected)
		fprintf(stderr, "that should have been %s\n", nonet_error_name(expected));
	return result != expected;
}

int main(void)
{
	struct nonet_pipe *reader, *writer;
	struct nonet_error error;
	nonet_time deadline;
	int failed = 0;
	char text[64];
	size_t size;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	begun = nonet_clock();
	failed |= wrong("NONET_NOW: try, don't wait", nonet_pipe_receive(reader, text, sizeof(text), NONET_NOW, &size),
			-EAGAIN);

	/* A deadline is a point in time, not a duration: one bounds a whole row of calls. */
	deadline = nonet_after(NONET_MS(50));
	failed |= wrong("50 ms from now", nonet_pipe_receive(reader, text, sizeof(text), deadline, &size), -ETIMEDOUT);
	failed |= nonet_clock() < deadline; /* never early */
	nonet_pipe_explain(reader, -ETIMEDOUT, &error);
	printf("\t%s\n", error.text);
	failed |= wrong("the same one, which has passed",
			nonet_pipe_receive(reader, text, sizeof(text), deadline, &size), -ETIMEDOUT);

	/* What can be done without waiting is done, however late it is. */
	failed |= wrong("send, when there is room", nonet_pipe_send(writer, "late", 4, deadline), 0);
	failed |= wrong("receive what is there", nonet_pipe_receive(reader, text, sizeof(text), deadline, &size), 0);

	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	return failed;
}
