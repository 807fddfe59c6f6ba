/* SPDX-License-Identifier: Apache-2.0 */
/* Several nonet objects in an epoll loop of one's own: a pipe, a UNIX socket, a timer. A child is on the other side. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static struct nonet_pipe *reader, *writer;
static struct nonet_unix *ours, *theirs;
static struct nonet_timer *timer;

/* Each returns 0 for one thing taken, -EAGAIN for nothing there, another code at the end. */
static int take_pipe(void)
{
	char text[64];
	size_t size;
	int result = nonet_pipe_receive(reader, text, sizeof(text), NONET_NOW, &size);

	if (result == 0)
		printf("pipe: %.*s\n", (int)size, text);
	return result;
}

static int take_unix(void)
{
	char text[64];
	size_t size;
	int result = nonet_unix_receive(ours, text, sizeof(text), NONET_NOW, &size);

	if (result == 0)
		printf("socket: %.*s\n", (int)size, text);
	return result;
}

static int take_timer(void)
{
	uint64_t count;
	int result = nonet_timer_take(timer, NONET_NOW, &count);

	if (result < 0)
		return result;
	printf("timer: expired\n");
	return -ECANCELED; /* it was set for just once */
}

static int arm_pipe(void)
{
	return nonet_pipe_arm(reader);
}

static int arm_unix(void)
{
	return nonet_unix_arm(ours);
}

static int arm_timer(void)
{
	return nonet_timer_arm(timer);
}

static int child(void)
{
	int error = 0;

	/* With the parent's copies of these gone, each side sees the other's end. */
	nonet_pipe_close(reader);
	nonet_unix_close(ours);
	for (int i = 0; i < 3 && error == 0; i++) {
		error = nonet_pipe_send(writer, "small and atomic", 16, NONET_FOREVER);
		if (error == 0)
			error = nonet_unix_send(theirs, "both ways", 9, NONET_FOREVER);
	}
	return error < 0;
}

int main(void)
{
	struct source {
		int (*arm)(void);
		int (*take)(void);
		int fd;
	} sources[] = {{arm_pipe, take_pipe, -1}, {arm_unix, take_unix, -1}, {arm_timer, take_timer, -1}};
	const int count = sizeof(sources) / sizeof(sources[0]);
	struct nonet_error error = {.text = ""};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int open = count;
	int status;

	if (nonet_pipe_new(NULL, &reader, &writer, &error) < 0 ||
	    nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0 ||
	    nonet_timer_new(&timer, &error) < 0 || nonet_timer_set(timer, nonet_after(NONET_MS(20)), 0) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(child());
	writer = nonet_pipe_close(writer);
	theirs = nonet_unix_close(theirs);

	sources[0].fd = nonet_pipe_fd(reader);
	sources[1].fd = nonet_unix_fd(ours);
	sources[2].fd = nonet_timer_fd(timer);
	for (int i = 0; i < count; i++)
		epoll_ctl(epoll, EPOLL_CTL_ADD, sources[i].fd,
			  &(struct epoll_event){.events = EPOLLIN, .data.ptr = &sources[i]});

	while (open > 0) {
		struct epoll_event events[3];
		int ready = epoll_wait(epoll, events, 3, -1);

		for (int i = 0; i < ready; i++) {
			struct source *source = events[i].data.ptr;
			int result;

			/* Before it sleeps again: take until there is nothing, and be sure that there is nothing. */
			do {
				do
					result = source->take();
				while (result == 0);
			} while (result == -EAGAIN && source->arm() == 1);
			if (result == -EAGAIN)
				continue;
			epoll_ctl(epoll, EPOLL_CTL_DEL, source->fd, NULL);
			open--;
		}
	}
	nonet_pipe_close(reader);
	nonet_unix_close(ours);
	nonet_timer_free(timer);
	close(epoll);
	return wait(&status) < 0 || status != 0;
}
