/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open file is handed to another process, which could not have opened it by name: it has none. Anybody may connect
 * to an abstract name, and anybody may have taken it, so each side first asks the kernel who the other is.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

static int fail_with(struct nonet_unix *connection, int result)
{
	struct nonet_error error;

	nonet_unix_explain(connection, result, &error);
	return fail(error.text);
}

static int is_peer(struct nonet_unix *connection, pid_t pid)
{
	struct nonet_unix_peer peer;

	return nonet_unix_peer(connection, &peer) == 0 && peer.pid == pid && peer.uid == getuid();
}

static int child(const char *name, pid_t parent, nonet_time deadline)
{
	int fd;
	struct nonet_unix_ancillary with = {.size = sizeof(with), .descriptors_capacity = 1, .descriptors = &fd};
	struct nonet_unix *connection;
	struct nonet_error error;
	char text[64];
	size_t size;
	int result;

	if (nonet_unix_connect(name, NONET_UNIX_SEQPACKET, NULL, deadline, &connection, &error) < 0)
		return fail(error.text);
	if (!is_peer(connection, parent))
		return fail("somebody else listens there");
	result = nonet_unix_receive_with(connection, text, sizeof(text), &with, deadline, &size);
	if (result < 0)
		return fail_with(connection, result);
	if (with.descriptors_count != 1)
		return fail("no descriptor came");
	printf("%d: got \"%.*s\" as descriptor %d\n", (int)getpid(), (int)size, text, fd);
	result = (int)pread(fd, text, sizeof(text), 0);
	printf("%d: read from it: %.*s\n", (int)getpid(), result < 0 ? 0 : result, text);
	return fflush(stdout) != 0 || result <= 0;
}

static int serve(struct nonet_unix_listener *listener, pid_t expected, int fd, nonet_time deadline)
{
	struct nonet_unix *connection = NULL;
	struct nonet_error error;
	int result;

	/* Whoever isn't expected is hung up on. */
	do {
		nonet_unix_close(connection);
		result = nonet_unix_accept(listener, deadline, &connection);
	} while (result == 0 && !is_peer(connection, expected));
	if (result < 0) {
		nonet_unix_listener_explain(listener, result, &error);
		return fail(error.text);
	}
	printf("%d: %d is my child, and the same user: it may have the file\n", (int)getpid(), (int)expected);
	fflush(stdout);
	result = nonet_unix_send_descriptors(connection, "the secret", 10, &fd, 1, deadline);
	if (result < 0)
		fail_with(connection, result);
	nonet_unix_close(connection);
	return result < 0;
}

int main(void)
{
	nonet_time deadline = nonet_after(NONET_S(10));
	struct nonet_unix_listener *listener;
	struct nonet_error error;
	pid_t parent = getpid();
	FILE *file = tmpfile();
	char name[64];
	int failed;
	int status;
	pid_t pid;

	snprintf(name, sizeof(name), "@nonet-pass-descriptor-%d", (int)parent);
	if (!file || fputs("nobody can open this by name", file) < 0 || fflush(file) != 0)
		return fail("can't make a temporary file");
	if (nonet_unix_listen(name, NONET_UNIX_SEQPACKET, NULL, NONET_NOW, &listener, &error) < 0)
		return fail(error.text);
	pid = fork();
	if (pid == 0) {
		fclose(file); /* what it gets, it gets by the socket */
		_exit(child(name, parent, deadline));
	}
	failed = serve(listener, pid, fileno(file), deadline);
	nonet_unix_listener_close(listener);
	fclose(file);
	return wait(&status) < 0 || status != 0 || failed;
}
