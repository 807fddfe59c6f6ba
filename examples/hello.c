/* SPDX-License-Identifier: Apache-2.0 */
/* The first program: a child says hello, and its parent waits for that five seconds at most. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

int main(void)
{
	struct nonet_unix *ours, *theirs;
	struct nonet_error error;
	char text[64];
	size_t size;
	int result = nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error);

	if (result == 0) {
		if (fork() == 0)
			_exit(nonet_unix_send(theirs, "hello, parent", 13, nonet_after(NONET_S(5))) < 0);
		nonet_unix_close(theirs); /* now it is the child's alone, and the child's death would be -EPIPE */
		result = nonet_unix_receive(ours, text, sizeof(text), nonet_after(NONET_S(5)), &size);
		if (result == 0)
			printf("the child says: %.*s\n", (int)size, text);
		else
			nonet_unix_explain(ours, result, &error);
		nonet_unix_close(ours);
		wait(NULL);
	}
	if (result < 0)
		fprintf(stderr, "%s\n", error.text);
	return result < 0;
}
