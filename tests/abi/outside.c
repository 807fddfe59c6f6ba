/* SPDX-License-Identifier: Apache-2.0 */
/* A program from outside the tree, C and C++: it knows the installed headers and pkg-config, and nothing else. */
#include <stdio.h>
#include <string.h>

#include <nonet/nonet.h>

static int fail(const char *what, int code, const struct nonet_error *error)
{
	fprintf(stderr, "%s: %s %s\n", what, nonet_error_name(code), error->text);
	return 1;
}

static int through_a_pipe(void)
{
	struct nonet_error error;
	struct nonet_pipe *reader = NULL, *writer = NULL;
	char buffer[16] = "";
	size_t size = 0;
	int r;

	memset(&error, 0, sizeof(error));
	r = nonet_pipe_new(NULL, &reader, &writer, &error);
	if (r < 0)
		return fail("nonet_pipe_new", r, &error);
	r = nonet_pipe_send(writer, "pipe", 4, nonet_after(NONET_S(10)));
	if (r >= 0)
		r = nonet_pipe_receive(reader, buffer, sizeof(buffer), nonet_after(NONET_S(10)), &size);
	nonet_pipe_close(writer);
	nonet_pipe_close(reader);
	if (r < 0 || size != 4 || memcmp(buffer, "pipe", 4) != 0)
		return fail("a message through a pipe", r, &error);
	return 0;
}

static int through_a_pair(enum nonet_unix_type type)
{
	struct nonet_error error;
	struct nonet_unix *a = NULL, *b = NULL;
	char buffer[16] = "";
	size_t size = 0;
	int r;

	memset(&error, 0, sizeof(error));
	r = nonet_unix_pair(type, NULL, &a, &b, &error);
	if (r < 0)
		return fail("nonet_unix_pair", r, &error);
	r = nonet_unix_send(a, "socket", 6, nonet_after(NONET_S(10)));
	if (r >= 0)
		r = nonet_unix_receive(b, buffer, sizeof(buffer), nonet_after(NONET_S(10)), &size);
	nonet_unix_close(a);
	nonet_unix_close(b);
	if (r < 0 || size != 6 || memcmp(buffer, "socket", 6) != 0)
		return fail("a message through a pair", r, &error);
	return 0;
}

int main(void)
{
	if (through_a_pipe() || through_a_pair(NONET_UNIX_STREAM) || through_a_pair(NONET_UNIX_SEQPACKET))
		return 1;
	printf("%s\n", nonet_version());
	return 0;
}
