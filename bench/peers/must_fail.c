/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A peer that does with a's message FAULT_AT what NONET_PEERS_FAULT says; "none": nothing. For test_peers.py alone. */
#define FAULT_AT 20u

struct fault_end {
	int out;
	int in;
	size_t size;
	char *buffer;
	const char *fault;
	int side;
};

static void fault_version(char *text, size_t room)
{
	snprintf(text, room, "none");
}

static int fault_fifo(const struct peer_session *session, char name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%c", session->directory, name);
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void fault_close(void *handle)
{
	struct fault_end *end = handle;

	close(end->out);
	close(end->in);
	free(end->buffer);
	free(end);
}

static int fault_open(const struct peer_session *session, void **ret_end)
{
	struct fault_end *end = calloc(1, sizeof(*end));

	if (!end)
		return -ENOMEM;
	end->fault = getenv("NONET_PEERS_FAULT");
	end->size = session->size;
	end->side = session->side;
	end->buffer = malloc(session->size);
	end->out = fault_fifo(session, session->side ? 'b' : 'a');
	end->in = fault_fifo(session, session->side ? 'a' : 'b');
	if (!end->fault || !end->buffer || end->out < 0 || end->in < 0 || strcmp(end->fault, "refuse") == 0) {
		fault_close(end);
		return -EACCES;
	}
	*ret_end = end;
	return 0;
}

static int fault_write(const struct fault_end *end, const void *message)
{
	return write(end->out, message, end->size) == (ssize_t)end->size ? 0 : -EIO;
}

static int fault_do(const struct fault_end *end, char *message)
{
	if (strcmp(end->fault, "lose") == 0)
		peer_next(message);
	else if (strcmp(end->fault, "repeat") == 0)
		return fault_write(end, message);
	else if (strcmp(end->fault, "tear") == 0)
		message[end->size - 1] ^= 1;
	else if (strcmp(end->fault, "die") == 0)
		raise(SIGKILL);
	else if (strcmp(end->fault, "exit") == 0)
		_exit(7);
	else if (strcmp(end->fault, "hang") == 0)
		for (;;)
			pause();
	return 0;
}

static int fault_send(void *handle, void *message, size_t count)
{
	struct fault_end *end = handle;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		peer_next(message);
		if (end->side == 0 && peer_word(message, 0) == FAULT_AT)
			error = fault_do(end, message);
		if (!error)
			error = fault_write(end, message);
	}
	return error;
}

static int fault_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct fault_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		if (read(end->in, end->buffer, end->size) != (ssize_t)end->size)
			return -EIO;
		peer_take(reader, end->buffer, end->size);
	}
	return 0;
}

const struct peer nonet_peer = {
	.mode = "sleeps, and fails",
	.version = fault_version,
	.open = fault_open,
	.send = fault_send,
	.receive = fault_receive,
	.close = fault_close,
};
