/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <stdio.h>
#include <stdlib.h>

/* nanomsg: a pair of sockets over ipc://, messages in place. Its thread makes the system calls, and wakes who waits. */
struct nanomsg_end {
	int socket;
	size_t size;
};

/* The package's header has no version of the project's, but that of the library's interface. */
static void nanomsg_version(char *text, size_t room)
{
	snprintf(text, room, "nanomsg %s", NANOMSG_PACKAGE_VERSION);
}

static void nanomsg_close(void *handle)
{
	struct nanomsg_end *end = handle;

	if (end && end->socket >= 0)
		nn_close(end->socket);
	free(end);
}

static int nanomsg_open(const struct peer_session *session, void **ret_end)
{
	const int room = (int)(peer_slots(session->size) * session->size);
	const int largest = -1;
	struct nanomsg_end *end = calloc(1, sizeof(*end));
	char address[256];
	int result = -1;

	if (!end)
		return -ENOMEM;
	snprintf(address, sizeof(address), "ipc://%s/pair", session->directory);
	end->size = session->size;
	end->socket = nn_socket(AF_SP, NN_PAIR);
	if (end->socket >= 0) {
		nn_setsockopt(end->socket, NN_SOL_SOCKET, NN_SNDBUF, &room, sizeof(room));
		nn_setsockopt(end->socket, NN_SOL_SOCKET, NN_RCVBUF, &room, sizeof(room));
		nn_setsockopt(end->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof(largest));
		result = session->side ? nn_connect(end->socket, address) : nn_bind(end->socket, address);
	}
	if (result < 0) {
		int error = -nn_errno();

		nanomsg_close(end);
		return error;
	}
	*ret_end = end;
	return 0;
}

static int nanomsg_send(void *handle, void *message, size_t count)
{
	struct nanomsg_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *room = nn_allocmsg(end->size, 0);

		if (!room)
			return -nn_errno();
		peer_next(message);
		peer_copy(room, message, end->size);
		while (nn_send(end->socket, &room, NN_MSG, 0) < 0) {
			int error = nn_errno();

			if (error == EINTR)
				continue;
			nn_freemsg(room);
			return -error;
		}
	}
	return 0;
}

static int nanomsg_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct nanomsg_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *data;
		int size = nn_recv(end->socket, &data, NN_MSG, 0);

		while (size < 0 && nn_errno() == EINTR)
			size = nn_recv(end->socket, &data, NN_MSG, 0);
		if (size < 0)
			return -nn_errno();
		if ((size_t)size == end->size)
			peer_take(reader, data, end->size);
		nn_freemsg(data);
		if ((size_t)size != end->size)
			return -EPROTO;
	}
	return 0;
}

const struct peer nonet_peer = {
	.mode = "sleeps, a pair over ipc://, in place",
	.version = nanomsg_version,
	.open = nanomsg_open,
	.send = nanomsg_send,
	.receive = nanomsg_receive,
	.close = nanomsg_close,
};
