/* SPDX-License-Identifier: Apache-2.0 */
/* A connection in an epoll loop of one's own: take until -EAGAIN, arm, sleep. A child is on the other side. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int child(struct nonet_unix *parent)
{
	int result = 0;

	for (int i = 0; i < 3 && result == 0; i++)
		result = nonet_unix_send(parent, "one more", 8, nonet_after(NONET_S(5)));
	return result < 0;
}

int main(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct nonet_unix *ours, *theirs;
	int result, status, messages = 0;
	struct nonet_error error;
	char text[64];
	size_t size;

	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(child(theirs));
	nonet_unix_close(theirs); /* the child's alone, so that its end is ours to see */
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_unix_fd(ours), &event) < 0) {
		perror("epoll");
		return 1;
	}
	do {
		/* Before each sleep: take until there is nothing, and make sure that the descriptor will tell. */
		result = nonet_unix_receive(ours, text, sizeof(text), NONET_NOW, &size);
		if (result == 0) {
			printf("%.*s\n", (int)size, text);
			messages++;
		} else if (result == -EAGAIN && nonet_unix_arm(ours) == 0 && epoll_wait(epoll, &event, 1, 5000) == 0) {
			break; /* the loop is our own, and so is its time limit */
		}
	} while (result == 0 || result == -EAGAIN);
	nonet_unix_explain(ours, result, &error);
	printf("%d messages. %s\n", messages, error.text);
	nonet_unix_close(ours);
	close(epoll);
	return wait(&status) < 0 || status != 0 || result != -EPIPE || messages != 3;
}
