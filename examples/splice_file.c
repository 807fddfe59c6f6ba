/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file goes into a pipe and from there into a socket; its bytes never pass through this program's memory. One
 * deadline bounds the whole. The child on the other side compares what comes with the file. Usage: splice_file [FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	return 1;
}

static int compare(const char *path, struct nonet_unix *socket, nonet_time deadline)
{
	FILE *file = fopen(path, "r");
	char came[65536], there[65536];
	size_t size;
	int result;

	if (!file)
		return fail(path, strerror(errno));
	while ((result = nonet_unix_read(socket, came, sizeof(came), deadline, &size)) == 0)
		if (fread(there, 1, size, file) != size || memcmp(came, there, size) != 0)
			return fail(path, "other bytes came");
	if (result != -EPIPE)
		return fail("from the socket", nonet_error_name(result));
	return getc(file) == EOF ? 0 : fail(path, "not all of it came");
}

static int move(int file, struct nonet_unix *socket, nonet_time deadline)
{
	struct nonet_pipe *reader, *writer;
	struct nonet_error error;
	size_t in, out, total = 0;
	int result = nonet_pipe_new(NULL, &reader, &writer, &error);

	if (result < 0)
		return fail("no pipe", error.text);
	do {
		result = nonet_pipe_splice_from(writer, file, 65536, deadline, &in);
		for (size_t left = result == 0 ? in : 0; left > 0; left -= out, total += out) {
			result = nonet_pipe_splice_to(reader, nonet_unix_fd(socket), left, deadline, &out);
			if (result < 0)
				break;
		}
	} while (result == 0 && in > 0);
	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	if (result < 0)
		return fail("file to pipe to socket", nonet_error_name(result));
	printf("%zu bytes moved from the file to the socket\n", total);
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/proc/self/exe";
	nonet_time deadline = nonet_after(NONET_S(10));
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct nonet_unix *ours, *theirs;
	struct nonet_error error;
	int failed;
	int status;

	if (file < 0)
		return fail(path, strerror(errno));
	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0)
		return fail("no sockets", error.text);
	if (fork() == 0) {
		nonet_unix_close(ours); /* else it would be its own other side, and never see the end */
		_exit(compare(path, theirs, deadline));
	}
	nonet_unix_close(theirs);
	/* splice(2) waits as the socket's own flag says, past any deadline: nonet insists on this one. */
	if (fcntl(nonet_unix_fd(ours), F_SETFL, O_NONBLOCK) < 0)
		failed = fail("the socket", strerror(errno));
	else
		failed = move(file, ours, deadline);
	nonet_unix_close(ours);
	close(file);
	return wait(&status) < 0 || status != 0 || failed;
}
