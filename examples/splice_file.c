/* SPDX-License-Identifier: Apache-2.0 */
/* A file goes through a pipe into a socket, and never through this program's memory. The child compares what comes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int compare(int file, struct nonet_unix *socket, nonet_time deadline)
{
	char came[4096], there[4096];
	size_t size, at = 0;
	int result;

	while ((result = nonet_unix_read(socket, came, sizeof(came), deadline, &size)) == 0) {
		if (pread(file, there, size, (off_t)at) != (ssize_t)size || memcmp(came, there, size) != 0)
			break;
		at += size;
	}
	printf("%zu bytes came as they are in the file, then %s\n", at, nonet_error_name(result));
	return fflush(stdout) != 0 || result != -EPIPE || pread(file, there, 1, (off_t)at) != 0;
}

int main(void)
{
	nonet_time deadline = nonet_after(NONET_S(10));
	struct nonet_pipe *reader, *writer;
	struct nonet_unix *ours, *theirs;
	struct nonet_error error = {.text = "can't open the file, or set O_NONBLOCK"};
	size_t in = 0, out = 0;
	int result, status, file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	/* splice(2) heeds a deadline only if the socket doesn't block. */
	if (file < 0 || nonet_pipe_new(NULL, &reader, &writer, &error) < 0 ||
	    nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0 ||
	    fcntl(nonet_unix_fd(ours), F_SETFL, O_NONBLOCK) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0) {
		nonet_unix_close(ours); /* else it would be its own other side, and never see the end */
		_exit(compare(file, theirs, deadline));
	}
	nonet_unix_close(theirs);
	do {
		result = nonet_pipe_splice_from(writer, file, 65536, deadline, &in);
		for (size_t left = in; result == 0 && left > 0; left -= out)
			result = nonet_pipe_splice_to(reader, nonet_unix_fd(ours), left, deadline, &out);
	} while (result == 0 && in > 0);
	if (result < 0)
		fprintf(stderr, "file to pipe to socket: %s\n", nonet_error_name(result));
	nonet_unix_close(ours);
	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	return wait(&status) < 0 || status != 0 || result < 0;
}
