/* SPDX-License-Identifier: Apache-2.0 */
/* An open file is handed to another process, which could not open it by name: it has none. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int read_what_comes(struct nonet_unix *parent)
{
	int fd = -1;
	struct nonet_unix_ancillary with = {.size = sizeof(with), .descriptors_capacity = 1, .descriptors = &fd};
	struct nonet_error error;
	char text[64];
	size_t size;
	int result = nonet_unix_receive_with(parent, text, sizeof(text), &with, nonet_after(NONET_S(5)), &size);

	if (result < 0) {
		nonet_unix_explain(parent, result, &error);
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = (int)pread(fd, text, sizeof(text), 0);
	if (result < 0)
		perror("reading from what came");
	printf("the child reads: %.*s\n", result < 0 ? 0 : result, text);
	return fflush(stdout) != 0 || result <= 0;
}

int main(void)
{
	struct nonet_unix *ours, *theirs;
	struct nonet_error error;
	int fd, result, status;
	FILE *file;

	if (nonet_unix_pair(NONET_UNIX_SEQPACKET, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(read_what_comes(theirs));
	nonet_unix_close(theirs);

	/* Opened after the fork: what the child has of it, it has by the socket. */
	file = tmpfile();
	if (!file || fputs("nobody can open this by name", file) < 0 || fflush(file) != 0) {
		perror("a temporary file");
		return 1;
	}
	fd = fileno(file);
	result = nonet_unix_send_descriptors(ours, "a file", 6, &fd, 1, nonet_after(NONET_S(5)));
	if (result < 0) {
		nonet_unix_explain(ours, result, &error);
		fprintf(stderr, "%s\n", error.text);
	}
	nonet_unix_close(ours);
	fclose(file);
	return wait(&status) < 0 || status != 0 || result < 0;
}
