/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <stdlib.h>

/* nng: a pair of sockets over ipc://, messages in place. Its threads make the system calls, and wake who waits. */
struct nng_end {
	nng_socket socket;
	size_t size;
};

/* Its errors are errnos where there is one, and numbers of its own. */
static int nng_failed(int result)
{
	switch (result) {
	case 0:
		return 0;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_ECLOSED:
		return -EPIPE;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	default:
		fprintf(stderr, "nng: %s\n", nng_strerror(result));
		return -EIO;
	}
}

static void nng_tell(char *text, size_t room)
{
	snprintf(text, room, "nng %s", nng_version());
}

static void nng_end_close(void *handle)
{
	struct nng_end *end = handle;

	if (end)
		nng_close(end->socket);
	free(end);
}

static int nng_open(const struct peer_session *session, void **ret_end)
{
	const int room = (int)peer_slots(session->size);
	struct nng_end *end = calloc(1, sizeof(*end));
	char address[256];
	int error;

	if (!end)
		return -ENOMEM;
	snprintf(address, sizeof(address), "ipc://%s/pair", session->directory);
	end->size = session->size;
	error = nng_failed(nng_pair0_open(&end->socket));
	if (error < 0) {
		free(end);
		return error;
	}
	nng_socket_set_int(end->socket, NNG_OPT_SENDBUF, room);
	nng_socket_set_int(end->socket, NNG_OPT_RECVBUF, room);
	nng_socket_set_size(end->socket, NNG_OPT_RECVMAXSZ, 0);
	if (session->side)
		error = nng_failed(nng_dial(end->socket, address, NULL, 0));
	else
		error = nng_failed(nng_listen(end->socket, address, NULL, 0));
	if (error < 0)
		nng_end_close(end);
	else
		*ret_end = end;
	return error;
}

static int nng_end_send(void *handle, void *message, size_t count)
{
	struct nng_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		nng_msg *room;
		int error = nng_failed(nng_msg_alloc(&room, end->size));

		if (error < 0)
			return error;
		peer_next(message);
		peer_copy(nng_msg_body(room), message, end->size);
		error = nng_failed(nng_sendmsg(end->socket, room, 0));
		if (error < 0) {
			nng_msg_free(room);
			return error;
		}
	}
	return 0;
}

static int nng_end_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct nng_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		nng_msg *message;
		int error = nng_failed(nng_recvmsg(end->socket, &message, 0));

		if (error < 0)
			return error;
		if (nng_msg_len(message) == end->size)
			peer_take(reader, nng_msg_body(message), end->size);
		else
			error = -EPROTO;
		nng_msg_free(message);
		if (error < 0)
			return error;
	}
	return 0;
}

const struct peer nonet_peer = {
	.mode = "sleeps, a pair over ipc://, in place",
	.version = nng_tell,
	.open = nng_open,
	.send = nng_end_send,
	.receive = nng_end_receive,
	.close = nng_end_close,
};
