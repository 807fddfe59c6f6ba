/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

/*
 * ZeroMQ: a pair of sockets over ipc://. Its own thread makes the system calls, on the same CPU as all of a side, so
 * that waiting asleep is faster than looking all the time.
 */
struct zeromq_end {
	void *context;
	void *socket;
	size_t size;
};

static void zeromq_version(char *text, size_t room)
{
	int major;
	int minor;
	int patch;

	zmq_version(&major, &minor, &patch);
	snprintf(text, room, "ZeroMQ %d.%d.%d", major, minor, patch);
}

static void zeromq_close(void *handle)
{
	struct zeromq_end *end = handle;

	if (end && end->socket)
		zmq_close(end->socket);
	if (end && end->context)
		zmq_ctx_term(end->context);
	free(end);
}

static int zeromq_open(const struct peer_session *session, void **ret_end)
{
	const int room = (int)peer_slots(session->size);
	const int linger = 0;
	struct zeromq_end *end = calloc(1, sizeof(*end));
	char address[256];
	int result = -1;

	if (!end)
		return -ENOMEM;
	snprintf(address, sizeof(address), "ipc://%s/pair", session->directory);
	end->size = session->size;
	end->context = zmq_ctx_new();
	end->socket = end->context ? zmq_socket(end->context, ZMQ_PAIR) : NULL;
	if (end->socket) {
		zmq_setsockopt(end->socket, ZMQ_SNDHWM, &room, sizeof(room));
		zmq_setsockopt(end->socket, ZMQ_RCVHWM, &room, sizeof(room));
		zmq_setsockopt(end->socket, ZMQ_LINGER, &linger, sizeof(linger));
		result = session->side ? zmq_connect(end->socket, address) : zmq_bind(end->socket, address);
	}
	if (result < 0) {
		int error = -zmq_errno();

		zeromq_close(end);
		return error;
	}
	*ret_end = end;
	return 0;
}

static int zeromq_send(void *handle, void *message, size_t count)
{
	struct zeromq_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		zmq_msg_t room;

		if (zmq_msg_init_size(&room, end->size) < 0)
			return -zmq_errno();
		peer_next(message);
		peer_copy(zmq_msg_data(&room), message, end->size);
		while (zmq_msg_send(&room, end->socket, 0) < 0) {
			if (zmq_errno() != EINTR)
				return -zmq_errno();
		}
	}
	return 0;
}

static int zeromq_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct zeromq_end *end = handle;
	zmq_msg_t message;
	int error = 0;

	zmq_msg_init(&message);
	for (size_t i = 0; i < count && !error; i++) {
		while (zmq_msg_recv(&message, end->socket, 0) < 0 && !error) {
			if (zmq_errno() != EINTR)
				error = -zmq_errno();
		}
		if (!error && zmq_msg_size(&message) != end->size)
			error = -EPROTO;
		if (!error)
			peer_take(reader, zmq_msg_data(&message), end->size);
	}
	zmq_msg_close(&message);
	return error;
}

const struct peer nonet_peer = {
	.mode = "sleeps, a pair over ipc://, in place",
	.version = zeromq_version,
	.open = zeromq_open,
	.send = zeromq_send,
	.receive = zeromq_receive,
	.close = zeromq_close,
};
