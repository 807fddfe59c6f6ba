/* SPDX-License-Identifier: Apache-2.0 */
/* The other side is killed by SIGKILL. A connection tells at once; a datagram socket only when we send again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* Tell what a call returned. 1 if it should have returned something else. */
static int wrong(const char *what, int result, int expected)
{
	printf("%-38s %s\n", what, nonet_error_name(result));
	if (result != expected)
		fprintf(stderr, "that should have been %s\n", nonet_error_name(expected));
	return result != expected;
}

static int lose(const char *what, enum nonet_unix_type type, int unread, int expected)
{
	nonet_time deadline = nonet_after(type == NONET_UNIX_DATAGRAM ? NONET_MS(100) : NONET_S(5));
	struct nonet_unix *ours, *theirs;
	struct nonet_error error;
	int result, status, failed;
	char text[64];
	size_t size;

	if (nonet_unix_pair(type, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = unread ? nonet_unix_send(ours, "never read", 10, NONET_NOW) : 0;
	if (fork() == 0)
		raise(SIGKILL);
	nonet_unix_close(theirs); /* the child's was the only one, and the kernel closes it whatever way it ends */
	if (result == 0)
		result = nonet_unix_receive(ours, text, sizeof(text), deadline, &size);
	failed = wrong(what, result, expected);
	failed |= wait(&status) < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
	if (type == NONET_UNIX_DATAGRAM)
		failed |= wrong("datagrams: send", nonet_unix_send(ours, "anybody?", 8, NONET_NOW), -ECONNREFUSED);
	nonet_unix_close(ours);
	return failed;
}

int main(void)
{
	int failed = lose("stream: receive", NONET_UNIX_STREAM, 0, -EPIPE);

	failed |= lose("stream: it left our message unread", NONET_UNIX_STREAM, 1, -ECONNRESET);
	failed |= lose("packets: receive", NONET_UNIX_SEQPACKET, 0, -EPIPE);
	failed |= lose("packets: it left our packet unread", NONET_UNIX_SEQPACKET, 1, -ECONNRESET);
	failed |= lose("datagrams: receive, 100 ms", NONET_UNIX_DATAGRAM, 0, -ETIMEDOUT);
	return failed;
}
