/* SPDX-License-Identifier: Apache-2.0 */
/* A pipe and a UNIX socket in an epoll loop of one's own. A child is on the other side of both. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static struct nonet_pipe *reader, *writer;
static struct nonet_unix *ours, *theirs;

static int take(int object, char *text, size_t capacity, size_t *size)
{
	return object == 0 ? nonet_pipe_receive(reader, text, capacity, NONET_NOW, size)
			   : nonet_unix_receive(ours, text, capacity, NONET_NOW, size);
}

static int arm(int object)
{
	return object == 0 ? nonet_pipe_arm(reader) : nonet_unix_arm(ours);
}

static int child(void)
{
	int error = 0;

	for (int i = 0; i < 3 && error == 0; i++) {
		error = nonet_pipe_send(writer, "by pipe", 7, NONET_FOREVER);
		if (error == 0)
			error = nonet_unix_send(theirs, "by socket", 9, NONET_FOREVER);
	}
	return error < 0;
}

int main(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct nonet_error error;
	int open = 2;
	int status;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0 ||
	    nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(child());
	/* Only the child writes: when it is gone, there is nobody left. */
	nonet_pipe_close(writer);
	nonet_unix_close(theirs);
	epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_pipe_fd(reader), &(struct epoll_event){EPOLLIN, {.u32 = 0}});
	epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_unix_fd(ours), &(struct epoll_event){EPOLLIN, {.u32 = 1}});

	while (open > 0) {
		struct epoll_event event;
		char text[64];
		size_t size;
		int object;
		int result;

		if (epoll_wait(epoll, &event, 1, -1) < 1)
			continue;
		object = (int)event.data.u32;
		/* Before the next sleep: take until there is nothing, and make sure that the descriptor will tell. */
		do {
			while ((result = take(object, text, sizeof(text), &size)) == 0)
				printf("%.*s\n", (int)size, text);
		} while (result == -EAGAIN && arm(object) == 1);
		if (result == -EAGAIN)
			continue;
		/* -EPIPE: that was all. */
		epoll_ctl(epoll, EPOLL_CTL_DEL, object == 0 ? nonet_pipe_fd(reader) : nonet_unix_fd(ours), NULL);
		open--;
	}
	nonet_pipe_close(reader);
	nonet_unix_close(ours);
	close(epoll);
	return wait(&status) < 0 || status != 0;
}
