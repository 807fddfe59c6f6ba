/* SPDX-License-Identifier: Apache-2.0 */
/* Plain bytes: a read that timed out in the middle is called again, and goes on where it had got to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nonet/nonet.h>

static int fail(struct nonet_pipe *pipe, int result)
{
	struct nonet_error error;

	nonet_pipe_explain(pipe, result, &error);
	fprintf(stderr, "%s\n", error.text);
	return 1;
}

int main(void)
{
	struct nonet_pipe *reader, *writer;
	struct nonet_error error;
	char text[10];
	size_t done = 0; /* how much of text has come: kept from call to call */
	int result;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = nonet_pipe_write(writer, "here ", 5, NONET_NOW, NULL);
	if (result < 0)
		return fail(writer, result);
	result = nonet_pipe_read_exactly(reader, text, sizeof(text), nonet_after(NONET_MS(50)), &done);
	if (result != -ETIMEDOUT)
		return fail(reader, result);
	printf("%zu of %zu bytes before the deadline: %.*s\n", done, sizeof(text), (int)done, text);

	result = nonet_pipe_write(writer, "it is", 5, NONET_NOW, NULL);
	if (result < 0)
		return fail(writer, result);
	result = nonet_pipe_read_exactly(reader, text, sizeof(text), nonet_after(NONET_MS(50)), &done);
	if (result < 0)
		return fail(reader, result);
	printf("%zu of %zu after the second call: %.*s\n", done, sizeof(text), (int)done, text);

	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	return memcmp(text, "here it is", sizeof(text)) != 0;
}
