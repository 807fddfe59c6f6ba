/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What the kernel has for everybody: two FIFOs, as large as they may be, read without sleeping. */
#define PIPE_ROOM (1 << 20)

struct pipe_end {
	int out;
	int in;
	size_t size;
	char *buffer;
};

static void pipe_version(char *text, size_t room)
{
	struct utsname name;

	snprintf(text, room, "Linux %s", uname(&name) == 0 ? name.release : "?");
}

static void pipe_close(void *handle)
{
	struct pipe_end *end = handle;

	if (!end)
		return;
	if (end->out >= 0)
		close(end->out);
	if (end->in >= 0)
		close(end->in);
	free(end->buffer);
	free(end);
}

static int pipe_fifo(const struct peer_session *session, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", session->directory, name);
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	/* Both ends at once: neither waits for the other side. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);
	return fd < 0 ? -errno : fd;
}

static int pipe_open(const struct peer_session *session, void **ret_end)
{
	struct pipe_end *end = calloc(1, sizeof(*end));
	int error;

	if (!end)
		return -ENOMEM;
	end->size = session->size;
	end->buffer = malloc(session->size);
	end->out = pipe_fifo(session, session->side ? "b" : "a");
	end->in = pipe_fifo(session, session->side ? "a" : "b");
	error = end->out < 0 ? end->out : end->in < 0 ? end->in : end->buffer ? 0 : -ENOMEM;
	if (error < 0)
		pipe_close(end);
	else
		*ret_end = end;
	return error;
}

static int pipe_send(void *handle, void *message, size_t count)
{
	struct pipe_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		size_t done = 0;

		peer_next(message);
		while (done < end->size) {
			ssize_t written = write(end->out, (char *)message + done, end->size - done);

			if (written > 0)
				done += (size_t)written;
			else if (errno != EAGAIN && errno != EINTR)
				return -errno;
		}
	}
	return 0;
}

static int pipe_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct pipe_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		size_t done = 0;

		while (done < end->size) {
			ssize_t got = read(end->in, end->buffer + done, end->size - done);

			if (got > 0)
				done += (size_t)got;
			else if (errno != EAGAIN && errno != EINTR)
				return -errno;
		}
		peer_take(reader, end->buffer, end->size);
	}
	return 0;
}

const struct peer peer_pipe = {
	.mode = "FIFOs of 1 MiB, polled",
	.version = pipe_version,
	.open = pipe_open,
	.send = pipe_send,
	.receive = pipe_receive,
	.close = pipe_close,
};
